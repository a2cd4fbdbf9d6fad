//! The output folder of a batch: a folder for each job, the plan, the journal and the locks.
//!
//! ```text
//! plan.jsonl              every job of the manifest with its id
//! journal.jsonl           what happened; journal-K-of-N.jsonl for shard K of N
//! <id>/report.json        written last: the job is done
//! <id>/error.json         why it failed, until it is done
//! <id>/...                files that the job itself writes
//! ```

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Failure, Lock, Plan, PlannedJob, Shard};
use crate::error::{Error, Result};
use crate::network::format::write_text;

const PLAN: &str = "plan.jsonl";
const REPORT: &str = "report.json";
const ERROR: &str = "error.json";

/// An output folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

/// What is known of a job from its folder.
#[derive(Debug, Clone)]
pub enum JobState {
    /// Its report.
    Done(Box<Value>),
    /// The code and message of the error that it ended with when it was last tried.
    Failed(u8, String),
    /// Never begun, or begun and not ended.
    Open,
}

/// The part of a report that says which job it is of.
#[derive(Debug, Serialize, Deserialize)]
struct JobRecord {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    command: String,
    /// Options as the manifest gives them.
    options: Map<String, Value>,
    /// Files beside the report.
    files: Vec<JobFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct JobFile {
    name: String,
    bytes: u64,
}

impl Folder {
    /// The folder at `root`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn create(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).map_err(|source| Error::Io { file: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder at `root`, where a batch ran already.
    ///
    /// # Errors
    ///
    /// [`Error::InputMissing`] if there is no plan in it.
    pub fn open(root: &Path) -> Result<Self> {
        let plan = root.join(PLAN);
        if !plan.is_file() {
            return Err(Error::InputMissing { file: plan });
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Its path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The plan that stands in it.
    #[must_use]
    pub fn plan_file(&self) -> PathBuf {
        self.root.join(PLAN)
    }

    /// The journal of a run.
    #[must_use]
    pub fn journal(&self, shard: Option<Shard>) -> PathBuf {
        match shard {
            Some(Shard { index, count }) => self.root.join(format!("journal-{index}-of-{count}.jsonl")),
            None => self.root.join("journal.jsonl"),
        }
    }

    /// Where a job writes.
    #[must_use]
    pub fn of(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Writes the plan, unless it stands there already. Another plan is replaced only with `replace`.
    ///
    /// # Errors
    ///
    /// [`Error::OutputRefused`] for another plan, [`Error::Io`].
    pub fn keep_plan(&self, plan: &Plan, replace: bool) -> Result<()> {
        let (file, text) = (self.plan_file(), plan.to_jsonl()?);
        match fs::read_to_string(&file) {
            Ok(known) if known == text => return Ok(()),
            Ok(_) if !replace => {
                let problem =
                    "is the plan of another manifest, or of inputs that have changed since; `--force` replaces it";
                return Err(Error::OutputRefused { file, problem });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { file, source }),
        }
        write_text(&file, &text)
    }

    /// Removes what a killed run has left beside the folders of jobs. Nobody else may be at work.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sweep(&self, _alone: &Lock) -> Result<()> {
        let failed = |source| Error::Io { file: self.root.clone(), source };
        for entry in fs::read_dir(&self.root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let temporary = entry.file_name().to_string_lossy().starts_with(".tmp");
            if temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::remove_file(entry.path()).map_err(|source| Error::Io { file: entry.path(), source })?;
            }
        }
        Ok(())
    }

    /// What the folder of a job tells.
    #[must_use]
    pub fn state(&self, id: &str) -> JobState {
        let folder = self.of(id);
        let read = |name: &str| fs::read(folder.join(name)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(report) = read(REPORT).filter(|report: &Value| is_whole(&folder, id, report)) {
            return JobState::Done(Box::new(report));
        }
        let Some(error) = read(ERROR) else { return JobState::Open };
        let code = error["code"].as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(70);
        JobState::Failed(code, error["message"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether anything of a job is there.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        fs::symlink_metadata(self.of(id)).is_ok()
    }

    /// Gives a job an empty folder: what an earlier try has left is removed.
    ///
    /// # Errors
    ///
    /// [`Error::OutputRefused`] if something else bears the name, [`Error::Io`].
    pub fn prepare(&self, id: &str) -> Result<PathBuf> {
        let folder = self.of(id);
        let failed = |source| Error::Io { file: folder.clone(), source };
        match fs::symlink_metadata(&folder) {
            Ok(about) if about.is_dir() => fs::remove_dir_all(&folder).map_err(failed)?,
            Ok(_) => return Err(Error::OutputRefused { file: folder, problem: "is no folder" }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(source)),
        }
        fs::create_dir(&folder).map_err(failed)?;
        Ok(folder)
    }

    /// Ends a job: writes its report, a JSON object as text, with what the job was and which files are beside it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Internal`] for a report that is no object.
    pub(super) fn finish(&self, planned: &PlannedJob, report: &str) -> Result<()> {
        let folder = self.of(&planned.id);
        let mut options = planned.job.value();
        options.remove("command");
        let record = JobRecord {
            id: planned.id.clone(),
            name: planned.job.name.clone(),
            command: planned.job.command.clone(),
            options,
            files: files(&folder)?,
        };
        let internal = |what: String| Error::Internal { what };
        let record = serde_json::to_string_pretty(&record).map_err(|error| internal(error.to_string()))?;
        let body = report.trim_end().strip_suffix('}').map(str::trim_end).filter(|body| body.len() > 1);
        let body = body.ok_or_else(|| internal("the report of a job is no object".to_owned()))?;
        let text = format!("{body},\n  \"job\": {}\n}}\n", record.replace('\n', "\n  "));
        let file = folder.join(REPORT);
        replace(&folder, &file, &text).map_err(|source| Error::Io { file, source })
    }

    /// Notes why a job failed, as well as the disk allows.
    pub(super) fn fail(&self, id: &str, failure: &Failure) {
        let report = failure.report.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Failure { code, kind, message, .. } = failure;
        let value = serde_json::json!({ "id": id, "code": code, "kind": kind, "message": message, "report": report });
        if let Err(error) = write_text(&self.of(id).join(ERROR), &format!("{value:#}\n")) {
            tracing::warn!(job = id, "the error of the job could not be written: {error}");
        }
    }
}

/// Writes beside and renames, without waiting for the disk: a report that a power cut has taken is that of a job to be done
/// again, and two hundred small jobs are not to wait for two hundred turns of it.
fn replace(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    let mut beside = tempfile::Builder::new().prefix(".tmp").suffix(".tmp").tempfile_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.persist(file).map(drop).map_err(|failed| failed.error)
}

/// Files in the folder of a job, by name.
fn files(folder: &Path) -> Result<Vec<JobFile>> {
    let failed = |source| Error::Io { file: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push(JobFile { name, bytes: entry.metadata().map_err(failed)?.len() });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Whether a report is of this job and the files that it lists are there in full.
fn is_whole(folder: &Path, id: &str, report: &Value) -> bool {
    let Ok(record) = JobRecord::deserialize(&report["job"]) else { return false };
    let there = |file: &JobFile| fs::metadata(folder.join(&file.name)).is_ok_and(|about| about.len() == file.bytes);
    record.id == id && record.files.iter().all(there)
}
