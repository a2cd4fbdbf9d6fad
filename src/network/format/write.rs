//! Writing: beside, then rename. An open map of the old file stays valid, a reader sees the old file or the new one, and
//! what fails leaves nothing behind. Links are followed and stay; devices and pipes are written into and never replaced.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Checks that `output` may be written: it is none of `inputs`, by whatever link, it does not exist unless `force` is
/// given, and its folder exists. A character device or a pipe may be written into without `force`, as nothing is lost. To be
/// called before any work.
///
/// # Errors
///
/// [`Error::OutputRefused`], or [`Error::Io`] if the folder is not there.
pub fn check_output(output: &Path, inputs: &[PathBuf], force: bool) -> Result<()> {
    let refused = |problem| Err(Error::OutputRefused { file: output.to_owned(), problem });
    if output == Path::new("-") {
        return refused("standard output holds the report, and a file of this name is `./-`; name another one");
    }
    if inputs.iter().any(|input| same_file(output, input)) {
        return refused("is an input of this command");
    }
    let file = match Place::of(output) {
        Place::Folder => return refused("is a folder"),
        Place::Stream => return Ok(()),
        Place::Other => return refused("is neither a file, nor a character device, nor a pipe"),
        Place::File(file) => file,
    };
    if same_file(output, Path::new("/dev/stdout")) || same_file(output, Path::new("/dev/stderr")) {
        return refused("is where this command prints");
    }
    if fs::symlink_metadata(output).is_ok() && !force {
        return refused("exists; `--force` replaces it");
    }
    let folder = folder(&file);
    match fs::metadata(folder) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(Error::Io { file: folder.to_owned(), source: io::ErrorKind::NotADirectory.into() }),
        Err(source) => Err(Error::Io { file: folder.to_owned(), source }),
    }
}

/// What a path leads to.
enum Place {
    /// A file, or nothing yet, by its name behind all links.
    File(PathBuf),
    Folder,
    /// A character device or a pipe.
    Stream,
    /// A disk, a socket.
    Other,
}

impl Place {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => Self::Folder,
            Ok(about) if about.is_file() => Self::File(fs::canonicalize(path).unwrap_or_else(|_| followed(path))),
            #[cfg(unix)]
            Ok(about) => {
                use std::os::unix::fs::FileTypeExt;
                let kind = about.file_type();
                if kind.is_char_device() || kind.is_fifo() { Self::Stream } else { Self::Other }
            }
            #[cfg(not(unix))]
            Ok(_) => Self::Other,
            Err(_) => Self::File(followed(path)),
        }
    }
}

/// The name behind links that lead to nothing yet. Rings end where they began: writing to them fails.
fn followed(path: &Path) -> PathBuf {
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&path) else { break };
        path = folder(&path).join(target);
    }
    path
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
    held: Held,
    bytes: u64,
    path: PathBuf,
}

/// Where the bytes are until then.
enum Held {
    /// Beside the name that they will bear, all links followed.
    Beside(NamedTempFile, PathBuf),
    /// Where they belong already: in a device or a pipe.
    Streamed,
    /// Nowhere.
    Counted,
}

impl Sink {
    /// Takes what is to become `path`.
    pub(super) fn write(self, path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Pending> {
        match self {
            Self::Disk => Pending::write(path, content),
            Self::Count => {
                let mut counted = Counted { to: io::sink(), bytes: 0 };
                let written = content(&mut counted);
                written.map_err(|source| Error::Io { file: path.to_owned(), source })?;
                Ok(Pending { held: Held::Counted, bytes: counted.bytes, path: path.to_owned() })
            }
        }
    }
}

/// Counts the bytes that pass through it.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Pending {
    /// Writes what is to become `path` and waits until it is on the disk.
    pub(super) fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Self> {
        let written = match Place::of(path) {
            Place::File(file) => beside(file, content),
            _ => streamed(path, content),
        };
        match written {
            Ok((bytes, held)) => Ok(Self { held, bytes, path: path.to_owned() }),
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
        let (file, target) = match self.held {
            Held::Beside(file, target) => (file, target),
            Held::Streamed => return Ok(()),
            Held::Counted => return Err(Error::Internal { what: format!("{} was only counted", path.display()) }),
        };
        let result = if force { file.persist(&target) } else { file.persist_noclobber(&target) };
        match result {
            Ok(_) => {}
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::OutputRefused { file: path, problem: "exists; `--force` replaces it" });
            }
            Err(failed) => return Err(Error::Io { file: path, source: failed.error }),
        }
        // The name, too, should survive a power cut. Some file systems cannot promise that; the file is there all the same.
        #[cfg(unix)]
        drop(fs::File::open(folder(&target)).and_then(|folder| folder.sync_all()));
        Ok(())
    }
}

/// Writes to a file without a name of its own yet, in the folder of `target`.
fn beside(target: PathBuf, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<(u64, Held)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file: what the umask leaves of rw-rw-rw-.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder(&target))?;
    let mut out = BufWriter::with_capacity(1 << 20, file.as_file());
    content(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    Ok((file.as_file().metadata()?.len(), Held::Beside(file, target)))
}

/// Writes into what is there and is no file: it takes what comes, and a reader may be waiting for it.
fn streamed(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<(u64, Held)> {
    let to = fs::OpenOptions::new().write(true).open(path)?;
    let mut out = BufWriter::with_capacity(1 << 20, Counted { to, bytes: 0 });
    content(&mut out)?;
    out.flush()?;
    Ok((out.get_ref().bytes, Held::Streamed))
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

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_stay_and_what_is_no_file_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = |path: &Path, force| {
            check_output(path, &[], force)
                .and_then(|()| Pending::write(path, |out| out.write_all(b"new"))?.publish(true))
        };
        fs::write(at("old"), "old").unwrap();
        for (link, target) in
            [("to-old", "old"), ("to-none", "none"), ("to-null", "/dev/null"), ("to-full", "/dev/full")]
        {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        for (link, target) in [("to-old", "old"), ("to-none", "none")] {
            assert!(matches!(text(&at(link), false), Err(Error::OutputRefused { .. })), "{link}");
            text(&at(link), true).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert_eq!(fs::read(at(target)).unwrap(), b"new");
        }
        text(&at("to-null"), false).unwrap();
        text(&at("to-null"), true).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let full = text(&at("to-full"), true).unwrap_err();
        assert!(matches!(&full, Error::Io { file, .. } if file.ends_with("to-full")), "{full:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "no temporary file is left");
    }
}
