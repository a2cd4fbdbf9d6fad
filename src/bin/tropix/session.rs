//! What a command runs in: a process of its own, or a batch that shares with other jobs what they load.

use std::sync::{Arc, Mutex, PoisonError};

use tropix::Result;
use tropix::batch::{Hashes, Stop};

use crate::shared::Shared;

/// Of a process of its own by default.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// What jobs share.
    pub(crate) shared: Option<Arc<Shared>>,
    stop: Stop,
    /// Of files that a process of its own has read.
    hashes: Hashes,
    /// Where the report of a job goes.
    report: Option<Mutex<Option<String>>>,
}

impl Session {
    /// Of a job.
    pub(crate) fn of_job(shared: Arc<Shared>, stop: Stop) -> Self {
        Self { shared: Some(shared), stop, report: Some(Mutex::default()), ..Self::default() }
    }

    pub(crate) fn is_job(&self) -> bool {
        self.report.is_some()
    }

    /// Takes the report of a job; it comes back where this is none.
    pub(crate) fn keep(&self, text: String) -> Option<String> {
        let Some(report) = &self.report else { return Some(text) };
        *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        None
    }

    /// The report that the job has made.
    pub(crate) fn report(&self) -> Option<String> {
        self.report.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Hashes of files that are known already.
    pub(crate) fn hashes(&self) -> &Hashes {
        self.shared.as_ref().map_or(&self.hashes, |shared| &shared.hashes)
    }

    /// Fails if the work is to stop.
    pub(crate) fn check(&self) -> Result<()> {
        self.stop.check()
    }

    pub(crate) fn stop(&self) -> Stop {
        self.stop.clone()
    }
}
