//! Manifests: files that list jobs.
//!
//! TOML for people: `[defaults]` for all jobs, `[defaults.COMMAND]` for those of one command, and `[[job]]` with `command`,
//! options, and a `matrix` whose keys are options and whose lists are multiplied out:
//!
//! ```toml
//! [defaults]
//! model = "net.safetensors"
//!
//! [[job]]
//! command = "prune"
//! output = "small.safetensors"
//! matrix = { method = ["l1", "tropnnc"], keep = [0.25, 0.5] }
//! ```
//!
//! JSON lines for programs: one object per job, with the same keys and no matrix, and the `id` if the plan that wrote it is
//! to be held to it. Options bear their long names, with dashes or underscores, and arguments theirs; numbers and text are
//! alike; `false` leaves a flag away; a list gives an option several values.

mod expand;
mod item;
mod jsonl;
mod toml;

use std::path::{Path, PathBuf};

use super::Job;
use crate::error::{Error, Result};
use crate::nesting;

/// Jobs of one manifest, unless another limit is given.
pub const MOST_JOBS: usize = 100_000;

/// Bytes of a manifest at most.
const MOST_BYTES: u64 = 256 << 20;

/// A manifest, with its matrices multiplied out.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file.
    pub file: PathBuf,
    /// Its jobs, in the order in which they stand there; of a matrix the last key, in alphabetical order, changes first.
    pub jobs: Vec<Job>,
}

impl Manifest {
    /// Reads `NAME.toml` or `NAME.jsonl` with at most `most` jobs.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] with the line, the key and its value; [`Error::InputMissing`], [`Error::Io`].
    pub fn read(file: &Path, most: usize) -> Result<Self> {
        let place = Place { file, most };
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => Error::InputMissing { file: file.to_owned() },
            std::io::ErrorKind::InvalidData => place.refuse(1, "is not a text file".to_owned()),
            _ => Error::Io { file: file.to_owned(), source },
        };
        let bytes = std::fs::metadata(file).map_err(failed)?.len();
        if bytes > MOST_BYTES {
            return Err(place.refuse(1, format!("has {bytes} bytes, more than {MOST_BYTES}")));
        }
        let text = std::fs::read_to_string(file).map_err(failed)?;
        let jobs = match file.extension().and_then(|ending| ending.to_str()) {
            Some("toml") => {
                nesting::check(text.as_bytes(), nesting::DEEPEST).map_err(|problem| place.refuse(1, problem))?;
                toml::jobs(&text, &place)?
            }
            Some("jsonl") => jsonl::jobs(&text, &place)?,
            _ => return Err(place.refuse(1, "a manifest ends in `.toml` or `.jsonl`".to_owned())),
        };
        if jobs.is_empty() {
            return Err(place.refuse(1, "holds no job".to_owned()));
        }
        Ok(Self { file: file.to_owned(), jobs })
    }

    /// The folder that paths of the manifest are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

/// Which manifest is read, for messages, and how many jobs it may have.
struct Place<'a> {
    file: &'a Path,
    most: usize,
}

impl Place<'_> {
    fn refuse(&self, line: usize, problem: String) -> Error {
        Error::Manifest { file: self.file.to_owned(), line, problem }
    }

    fn check_count(&self, line: usize, count: usize) -> Result<()> {
        if count <= self.most {
            return Ok(());
        }
        Err(self.refuse(line, format!("more than {} jobs; `--max-jobs` allows more", self.most)))
    }
}
