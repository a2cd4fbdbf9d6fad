//! Hashes of files, each computed once while the file stays as it is.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// Length and SHA-256 of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// Bytes.
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// What tells that a file was not written since: length and time of the last change.
type Identity = (u64, Option<SystemTime>);

/// Hashes of files that were asked for already.
#[derive(Debug, Default)]
pub struct Hashes {
    known: Mutex<HashMap<PathBuf, (Identity, FileHash)>>,
}

impl Hashes {
    /// The hash of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::InputMissing`], [`Error::Io`].
    pub fn of(&self, path: &Path) -> Result<FileHash> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => Error::InputMissing { file: path.to_owned() },
            _ => Error::Io { file: path.to_owned(), source },
        };
        let mut file = File::open(path).map_err(failed)?;
        let identity = identity(&file.metadata().map_err(failed)?);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((_, hash)) = known.filter(|(then, _)| *then == identity) {
            return Ok(hash);
        }
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                break;
            }
            bytes += count as u64;
            hash.update(buffer.get(..count).unwrap_or_default());
        }
        let hash = FileHash { bytes, sha256: hex(&hash.finalize()) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), (identity, hash.clone()));
        Ok(hash)
    }
}

fn identity(about: &Metadata) -> Identity {
    (about.len(), about.modified().ok())
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
