//! A request to stop, seen by whoever works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Says whether a run is to stop, or one job of it. Never, by default.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    run: Arc<AtomicBool>,
    job: Arc<AtomicBool>,
}

impl Stop {
    /// Stops when `run` becomes true, which a signal handler may do.
    #[must_use]
    pub fn when(run: Arc<AtomicBool>) -> Self {
        Self { run, job: Arc::default() }
    }

    /// One for a job of the run, which can also be stopped alone.
    #[must_use]
    pub fn for_job(&self) -> Self {
        Self { run: Arc::clone(&self.run), job: Arc::default() }
    }

    /// Stops this job.
    pub fn stop_job(&self) {
        self.job.store(true, Ordering::Relaxed);
    }

    /// Whether the whole run is to stop.
    #[must_use]
    pub fn is_run_stopped(&self) -> bool {
        self.run.load(Ordering::Relaxed)
    }

    /// Fails if the work is to stop.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub fn check(&self) -> Result<()> {
        if self.is_run_stopped() {
            return Err(Error::Stopped { reason: "by a signal".to_owned() });
        }
        if self.job.load(Ordering::Relaxed) {
            return Err(Error::Stopped { reason: "the job took longer than `--timeout`".to_owned() });
        }
        Ok(())
    }
}
