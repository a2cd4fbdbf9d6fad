//! What happened, line by line, appended as it happens. Nothing is read from it to decide anything.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::error::{Error, Result};

/// One line of the journal.
#[derive(Debug, Clone, Serialize)]
pub struct Note<'a> {
    /// `run started`, `job started`, `job done`, `job failed`, `job stopped`, `run ended`.
    pub event: &'a str,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<&'a str>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The exit code that it would have had alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// What went wrong, or what the run is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A note with the time of the clock on the wall, which may jump: nothing is computed from it.
#[derive(Serialize)]
struct Line<'a> {
    unix_seconds: f64,
    #[serde(flatten)]
    note: &'a Note<'a>,
}

/// An append-only file of JSON lines.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal at `path`; a last line that a crash has cut is ended first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Io { file: path.to_owned(), source };
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(failed)?;
        if file.seek(SeekFrom::End(-1)).is_ok() {
            let mut last = [0];
            file.read_exact(&mut last).map_err(failed)?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(failed)?;
            }
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn append(&mut self, note: &Note<'_>) -> Result<()> {
        let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let internal = |error: serde_json::Error| Error::Internal { what: format!("journal: {error}") };
        let mut line = serde_json::to_string(&Line { unix_seconds, note }).map_err(internal)?;
        line.push('\n');
        // One write: lines of processes that append to one file do not mix.
        self.file.write_all(line.as_bytes()).map_err(|source| Error::Io { file: self.path.clone(), source })
    }
}
