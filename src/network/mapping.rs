//! A file mapped into memory, the one place where tropix maps.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// Bytes of a file, read as they are needed.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: Mmap,
}

impl Mapping {
    /// Maps the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::InputMissing`], [`Error::Format`] for a folder or an empty file, [`Error::Io`].
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::InputMissing { file: path.to_owned() },
            _ => Error::Io { file: path.to_owned(), source },
        };
        let refused = |problem: &str| Error::Format { file: path.to_owned(), problem: problem.to_owned() };
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if about.is_dir() {
            return Err(refused("is a folder, not a file"));
        }
        if about.len() == 0 {
            return Err(refused("is empty"));
        }
        #[expect(
            unsafe_code,
            reason = "the map is read-only, tropix writes beside and renames, so that it never changes a file it has \
                      mapped; another program that cuts the file meanwhile stops the process, as with every map"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self { map })
    }

    /// Lets the system take back the memory of these bytes. They are read from the file again when they are next used.
    pub(crate) fn release(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            #[expect(
                unsafe_code,
                reason = "pages of a read-only map of a file are never dirty and come back unchanged"
            )]
            let advised = unsafe { self.map.unchecked_advise_range(advice, bytes.start, bytes.len()) };
            // A refusal only means that the memory stays in use.
            drop(advised);
        }
        #[cfg(not(unix))]
        drop(bytes);
    }
}

impl std::ops::Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
