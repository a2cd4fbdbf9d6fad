//! Locks on an output folder: one run alone, or several that each have a shard of their own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::Shard;
use crate::error::{Error, Result};

/// The name of the lock of the folder; locks of shards begin with it.
const NAME: &str = ".lock";

/// A hold on an output folder that ends when it is dropped, or with the process however it ends.
#[derive(Debug)]
pub struct Lock {
    /// Held to the end; the system lets go of them when they are closed.
    _files: Vec<File>,
    /// Whether no other run can work in the folder.
    pub exclusive: bool,
}

impl Lock {
    /// Takes the folder: all of it, or one shard. Shards of one division may be held at the same time by different runs,
    /// but no shard beside the whole folder, and none beside one of another division, whose jobs are partly the same.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Io`].
    pub fn take(folder: &Path, shard: Option<Shard>) -> Result<Self> {
        let whole = folder.join(NAME);
        let file = open(&whole)?;
        let Some(shard) = shard else {
            taken(&whole, file.try_lock())?;
            return Ok(Self { _files: vec![file], exclusive: true });
        };
        taken(&whole, file.try_lock_shared())?;
        let own = folder.join(format!("{NAME}-{}-of-{}", shard.index, shard.count));
        let mine = open(&own)?;
        taken(&own, mine.try_lock())?;
        for other in others(folder, shard.count)? {
            // A file that was there before this run and is free now is no obstacle.
            let there = open(&other)?;
            taken(&other, there.try_lock())?;
        }
        Ok(Self { _files: vec![file, mine], exclusive: false })
    }
}

fn open(path: &Path) -> Result<File> {
    let failed = |source| Error::Io { file: path.to_owned(), source };
    OpenOptions::new().create(true).append(true).open(path).map_err(failed)
}

fn taken(path: &Path, result: std::result::Result<(), TryLockError>) -> Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { file: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::Io { file: path.to_owned(), source }),
    }
}

/// Locks of shards of another division into shards.
fn others(folder: &Path, count: usize) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::Io { file: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let division = name.strip_prefix(NAME).and_then(|rest| rest.rsplit_once("-of-")).map(|(_, count)| count);
        if division.is_some_and(|division| division != count.to_string()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn one_run_or_different_shards_of_one_division() {
        let folder = tempfile::tempdir().unwrap();
        let take = |shard: Option<&str>| Lock::take(folder.path(), shard.map(|shard| shard.parse().unwrap()));
        let locked = |shard| matches!(take(shard), Err(Error::Locked { .. }));
        let whole = take(None).unwrap();
        assert!(locked(None) && locked(Some("0/2")));
        drop(whole);
        let (first, second) = (take(Some("0/2")).unwrap(), take(Some("1/2")).unwrap());
        assert!(locked(None) && locked(Some("0/2")) && locked(Some("0/3")));
        drop((first, second));
        assert!(take(Some("0/3")).is_ok() && take(None).is_ok());
    }
}
