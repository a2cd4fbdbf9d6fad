//! A plan: the jobs of a manifest with their ids.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::hash::hex;
use super::{FileHash, Hashes, Job, Manifest};
use crate::error::{Error, Result};

/// Digits of an id: 80 bits, so that a million jobs share none but with a chance below 1e-12.
const ID_DIGITS: usize = 20;

/// What a plan has to know of the commands that jobs name.
pub trait Commands {
    /// Checks the options of a job and finds the files that it reads, in an order that depends on the options alone.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] for options that the command does not take; [`Error::InputMissing`] and the like for files.
    fn inputs(&self, manifest: &Manifest, job: &Job) -> Result<Vec<PathBuf>>;
}

/// A job with its id.
#[derive(Debug, Clone)]
pub struct PlannedJob {
    /// The first 20 hexadecimal digits of the SHA-256 of command, options and the hashes of the inputs. The order of keys,
    /// the name and the place in the manifest do not matter.
    pub id: String,
    /// The job.
    pub job: Job,
    /// What tells it from the other jobs of the plan: its name, its command and the options that differ.
    pub label: String,
    /// What it reads, as it was when the plan was made.
    pub inputs: Vec<(PathBuf, FileHash)>,
}

/// The jobs of a manifest with their ids.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In the order of the manifest.
    pub jobs: Vec<PlannedJob>,
}

impl Plan {
    /// Checks each job, hashes its inputs and gives it its id.
    ///
    /// # Errors
    ///
    /// What `commands` finds; [`Error::Manifest`] for two jobs that are the same, and for an id in the manifest that is
    /// not that of its job any more.
    pub fn of(manifest: &Manifest, commands: &impl Commands, hashes: &Hashes) -> Result<Self> {
        let refused = |line, problem| Error::Manifest { file: manifest.file.clone(), line, problem };
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut jobs = Vec::with_capacity(manifest.jobs.len());
        for job in &manifest.jobs {
            let files = commands.inputs(manifest, job)?;
            let hashed = |file: PathBuf| hashes.of(&file).map(|hash| (file, hash));
            let inputs: Vec<(PathBuf, FileHash)> = files.into_iter().map(hashed).collect::<Result<_>>()?;
            let id = id(job, &inputs)?;
            if let Some(claimed) = job.claimed.as_ref().filter(|claimed| **claimed != id) {
                let problem = format!("`id` = {claimed}, but the job is {id}: its options or inputs have changed");
                return Err(refused(job.line, problem));
            }
            if let Some(line) = first.insert(id.clone(), job.line) {
                let problem = format!("the job is the same as one of line {line}: {}", job.shown());
                return Err(refused(job.line, problem));
            }
            jobs.push(PlannedJob { id, job: job.clone(), label: String::new(), inputs });
        }
        label(&mut jobs);
        Ok(Self { jobs })
    }

    /// One JSON object per line, each a job of a JSONL manifest.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the JSON writer fails.
    pub fn to_jsonl(&self) -> Result<String> {
        let internal = |error: serde_json::Error| Error::Internal { what: format!("plan: {error}") };
        let mut text = String::new();
        for planned in &self.jobs {
            let mut map = planned.job.value();
            map.insert("id".to_owned(), Value::from(planned.id.as_str()));
            if let Some(name) = &planned.job.name {
                map.insert("name".to_owned(), Value::from(name.as_str()));
            }
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", serde_json::to_string(&map).map_err(internal)?);
        }
        Ok(text)
    }
}

impl PlannedJob {
    /// Bytes of the inputs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|(_, hash)| hash.bytes).sum()
    }
}

/// Gives the jobs of a plan their labels.
fn label(jobs: &mut [PlannedJob]) {
    let keys: BTreeSet<String> = jobs.iter().flat_map(|planned| planned.job.settings.keys().cloned()).collect();
    let words = |planned: &PlannedJob, key: &str| planned.job.settings.get(key).map(|setting| setting.words.clone());
    let differs = |key: &String| {
        let mut values = jobs.iter().map(|planned| words(planned, key));
        let first = values.next();
        values.any(|value| Some(&value) != first.as_ref())
    };
    let keys: Vec<String> = keys.into_iter().filter(|key| differs(key)).collect();
    for planned in jobs {
        let option = |key: &String| Some(format!("{key}={}", words(planned, key)?.join(",")));
        let name = planned.job.name.iter().map(|name| format!("({name})"));
        let parts = std::iter::once(planned.job.command.clone()).chain(name).chain(keys.iter().filter_map(option));
        planned.label = parts.collect::<Vec<_>>().join(" ");
    }
}

fn id(job: &Job, inputs: &[(PathBuf, FileHash)]) -> Result<String> {
    let options: Vec<(&String, &Vec<String>)> =
        job.settings.iter().map(|(key, setting)| (key, &setting.words)).collect();
    let inputs: Vec<&str> = inputs.iter().map(|(_, hash)| hash.sha256.as_str()).collect();
    // An array, whose order is fixed, of what a map already keeps in the order of keys.
    let canonical = serde_json::to_vec(&("tropix.job/1", &job.command, options, inputs));
    let canonical = canonical.map_err(|error| Error::Internal { what: format!("id: {error}") })?;
    let mut digits = hex(&Sha256::digest(canonical));
    digits.truncate(ID_DIGITS);
    Ok(digits)
}
