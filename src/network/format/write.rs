//! Writing: beside, then rename. An open map of the old file stays valid, a reader sees the old file or the new one, and
//! what fails leaves nothing behind.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Checks that `output` may be written: it is none of `inputs`, by whatever link, it does not exist unless `force` is
/// given, and its folder exists. To be called before any work.
///
/// # Errors
///
/// [`Error::OutputRefused`], or [`Error::Io`] if the folder is not there.
pub fn check_output(output: &Path, inputs: &[PathBuf], force: bool) -> Result<()> {
    let refused = |problem| Err(Error::OutputRefused { file: output.to_owned(), problem });
    if inputs.iter().any(|input| same_file(output, input)) {
        return refused("is an input of this command");
    }
    match fs::symlink_metadata(output) {
        Ok(about) if about.is_dir() => return refused("is a folder"),
        Ok(_) if !force => return refused("exists; `--force` replaces it"),
        Ok(_) | Err(_) => {}
    }
    let folder = folder(output);
    match fs::metadata(folder) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(Error::Io { file: folder.to_owned(), source: io::ErrorKind::NotADirectory.into() }),
        Err(source) => Err(Error::Io { file: folder.to_owned(), source }),
    }
}

/// Whether two paths lead to one file.
fn same_file(a: &Path, b: &Path) -> bool {
    if a == b || fs::canonicalize(a).ok().zip(fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b) {
        return true;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
        identity(a).zip(identity(b)).is_some_and(|(a, b)| a == b)
    }
    #[cfg(not(unix))]
    false
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where the files of a model go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// To the disk.
    Disk,
    /// Nowhere: their bytes are counted.
    Count,
}

/// A file that is complete but does not bear its name yet; it is removed if it never does.
pub(super) struct Pending {
    /// Absent where bytes were only counted.
    file: Option<NamedTempFile>,
    bytes: u64,
    path: PathBuf,
}

impl Sink {
    /// Takes what is to become `path`.
    pub(super) fn write(self, path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Pending> {
        match self {
            Self::Disk => Pending::write(path, content),
            Self::Count => {
                let mut counted = Counted(0);
                let written = content(&mut counted);
                written.map_err(|source| Error::Io { file: path.to_owned(), source })?;
                Ok(Pending { file: None, bytes: counted.0, path: path.to_owned() })
            }
        }
    }
}

/// Counts the bytes that are written to it.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pending {
    /// Writes what is to become `path` and waits until it is on the disk.
    pub(super) fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Self> {
        let written = || -> io::Result<NamedTempFile> {
            let mut builder = tempfile::Builder::new();
            builder.prefix(".tmp").suffix(".tmp");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                // As any new file: what the umask leaves of rw-rw-rw-.
                builder.permissions(fs::Permissions::from_mode(0o666));
            }
            let file = builder.tempfile_in(folder(path))?;
            let mut out = BufWriter::with_capacity(1 << 20, file.as_file());
            content(&mut out)?;
            out.flush()?;
            drop(out);
            file.as_file().sync_all()?;
            Ok(file)
        };
        let counted = |file: NamedTempFile| Ok((file.as_file().metadata()?.len(), file));
        match written().and_then(counted) {
            Ok((bytes, file)) => Ok(Self { file: Some(file), bytes, path: path.to_owned() }),
            Err(source) => Err(Error::Io { file: path.to_owned(), source }),
        }
    }

    /// Its length.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The name that the file is to bear.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name; without `force` only if nothing has taken the name meanwhile.
    pub(super) fn publish(self, force: bool) -> Result<()> {
        let path = self.path;
        let Some(file) = self.file else {
            return Err(Error::Internal { what: format!("{} was only counted", path.display()) });
        };
        let result = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
        match result {
            Ok(_) => {}
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::OutputRefused { file: path, problem: "exists; `--force` replaces it" });
            }
            Err(failed) => return Err(Error::Io { file: path, source: failed.error }),
        }
        // The name, too, should survive a power cut. Some file systems cannot promise that; the file is there all the same.
        #[cfg(unix)]
        drop(fs::File::open(folder(&path)).and_then(|folder| folder.sync_all()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs::write(&path, "old").unwrap();
        let full = |out: &mut dyn Write| {
            out.write_all(&vec![0; 3 << 20])?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let result = Pending::write(&path, full);
        assert!(matches!(result.err(), Some(Error::Io { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_taken_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let pending = Pending::write(&path, |out| out.write_all(b"new")).unwrap();
        fs::write(&path, "other").unwrap();
        assert!(matches!(pending.publish(false), Err(Error::OutputRefused { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "other");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let pending = Pending::write(&path, |out| out.write_all(b"new")).unwrap();
        pending.publish(true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
