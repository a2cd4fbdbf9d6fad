//! SIGINT and SIGTERM: the first asks to stop, the second stops at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tropix::batch::Stop;
use tropix::{Error, Result};

/// `Try again`: what is done is saved.
const AGAIN: i32 = 75;

/// What a signal stops.
pub(super) fn stop() -> Result<Stop> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, AGAIN, Arc::clone(&stopped))
            .and_then(|_| flag::register(signal, Arc::clone(&stopped)))
            .map_err(|source| Error::Io { file: PathBuf::from("signals"), source })?;
    }
    Ok(Stop::when(stopped))
}
