//! tropix as what plans and runs the jobs of a batch.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tropix::backend::adapters;
use tropix::batch::{Commands, Cost, Execute, Failure, Hashes, Job, Manifest, PlannedJob, Stop};
use tropix::network::dataset::DataOptions;
use tropix::{Error, Result};

use super::files::{Role, below, is_inside, path};
use super::words::{Given, arguments, given};
use crate::args::{Arguments, DeviceChoice, Globals};
use crate::parse::JobParser;
use crate::session::Session;
use crate::shared::Shared;
use crate::{dispatch, effect, exit, output};

/// Memory of a job beside what it reads: buffers, matrices of small networks.
const BASE_BYTES: u64 = 32 << 20;
/// Bytes of memory for each byte that a job reads: the values in f32 from a narrower type, a copy, what is computed.
const BYTES_PER_BYTE: u64 = 4;

/// A value of an option, and the architecture that it is read with.
type Named = (Role, String, Option<PathBuf>);

/// The program with what its jobs share.
pub(super) struct Program {
    parser: Mutex<JobParser>,
    manifest: Manifest,
    allow_outside: bool,
    /// For jobs that name none.
    device: DeviceChoice,
    shared: Arc<Shared>,
    /// Whether there is an adapter in hardware.
    hardware: OnceLock<bool>,
    /// What values of options lead to, with the architecture: found once for all jobs.
    files: Mutex<HashMap<Named, Vec<PathBuf>>>,
}

impl Program {
    /// Keeps at most `memory` bytes of files that no job is using.
    pub(super) fn new(globals: &Globals, manifest: &Manifest, allow_outside: bool, memory: u64) -> Self {
        Self {
            parser: Mutex::new(JobParser::new()),
            manifest: Manifest { file: manifest.file.clone(), jobs: Vec::new() },
            allow_outside,
            device: globals.device.clone(),
            shared: Arc::new(Shared::new(memory)),
            hardware: OnceLock::new(),
            files: Mutex::default(),
        }
    }

    pub(super) fn hashes(&self) -> &Hashes {
        &self.shared.hashes
    }

    fn parser(&self) -> MutexGuard<'_, JobParser> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arguments of a job that writes into `folder`.
    fn arguments(&self, job: &Job, folder: &Path, stop: Stop) -> Result<Arguments> {
        let mut arguments = arguments(&mut self.parser(), &self.manifest, job, folder)?;
        if !arguments.globals.run.gives("--device") {
            arguments.globals.device = self.device.clone();
        }
        arguments.globals.session = Session::of_job(Arc::clone(&self.shared), stop);
        Ok(arguments)
    }

    fn refuse(&self, line: usize, problem: String) -> Error {
        Error::Manifest { file: self.manifest.file.clone(), line, problem }
    }

    /// The files that one value of an option leads to, found by reading them as the job will. Of a file that cannot be
    /// read the job tells what is wrong; here it is a file all the same.
    fn files(&self, job: &Job, role: Role, word: &str) -> Result<Vec<PathBuf>> {
        let arch = job.settings.get("arch").and_then(|setting| setting.words.first());
        let arch = arch.map(|arch| PathBuf::from(below(self.manifest.folder(), Role::File, arch)));
        let key = (role, word.to_owned(), arch.clone());
        let known = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.find(role, word, arch.as_deref())?;
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }

    fn find(&self, role: Role, word: &str, arch: Option<&Path>) -> Result<Vec<PathBuf>> {
        let model = |path: &Path| self.shared.model(path, arch, &[]).map(|model| model.paths);
        let (word, name) = (below(self.manifest.folder(), role, word), path(role, word));
        let Some(name) = name.map(|name| self.manifest.folder().join(name)) else { return Ok(Vec::new()) };
        if !name.exists() {
            return Err(Error::InputMissing { file: name });
        }
        let read = match role {
            Role::Plain | Role::Output => return Ok(Vec::new()),
            Role::File => Ok(vec![name.clone()]),
            Role::Model => model(&name),
            Role::Data => self.shared.data(&word, &DataOptions::default()).map(|data| data.paths),
            Role::Body => {
                let bare = word.trim_start_matches("points:").trim_start_matches("zonotope:");
                let ending = name.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
                match ending.as_deref() {
                    Some("csv" | "txt" | "tsv" | "json") => Ok(vec![name.clone()]),
                    Some("safetensors") if !word.starts_with("points:") => model(&name),
                    _ => self.shared.data(bare, &DataOptions::default()).map(|data| data.paths),
                }
            }
        };
        match read {
            Ok(files) => Ok(files),
            Err(error @ (Error::InputMissing { .. } | Error::Io { .. })) => Err(error),
            Err(_) if name.is_file() => Ok(vec![name]),
            Err(_) => Ok(Vec::new()),
        }
    }
}

impl Commands for Program {
    fn inputs(&self, manifest: &Manifest, job: &Job) -> Result<Vec<PathBuf>> {
        // As the job will be read, but for the folder, which bears its id.
        let arguments = self.arguments(job, Path::new(""), Stop::default())?;
        let checked = effect::check(&arguments).and_then(|()| arguments.command.check_outputs(&arguments.globals));
        checked.map_err(|error| self.refuse(job.line, format!("`{}`: {error}", job.command)))?;
        let values: Vec<(String, usize, Role, String)> = {
            let parser = self.parser();
            let values = |one: Given<'_>| {
                let Given { key, setting, role, .. } = one;
                let words = setting.words.clone().into_iter();
                words.map(move |word| (key.to_owned(), setting.line, role, word)).collect::<Vec<_>>()
            };
            given(&parser, manifest, job)?.into_iter().flat_map(values).collect()
        };
        let mut files = Vec::new();
        for (key, line, role, word) in values {
            let outside = |path: &Path| !self.allow_outside && !is_inside(manifest.folder(), path);
            let refused = |path: &Path| {
                let problem = format!(
                    "`{key}` = {word}: {} is not in the folder of the manifest; `--allow-outside`",
                    path.display()
                );
                self.refuse(line, problem)
            };
            if let Some(path) = path(role, &word).filter(|path| outside(&manifest.folder().join(path))) {
                return Err(refused(&path));
            }
            let found = self.files(job, role, &word)?;
            if let Some(path) = found.iter().find(|path| outside(path)) {
                return Err(refused(path));
            }
            files.extend(found);
        }
        Ok(files)
    }
}

impl Execute for Program {
    fn cost(&self, planned: &PlannedJob) -> Cost {
        let measures = match planned.job.command.as_str() {
            "bench" | "compare" => true,
            _ => planned.job.settings.contains_key("latency"),
        };
        let bytes = BASE_BYTES.saturating_add(planned.bytes().saturating_mul(BYTES_PER_BYTE));
        // An adapter serves one job at a time.
        Cost { bytes, alone: measures || self.takes_adapter(&planned.job) }
    }

    fn execute(&self, planned: &PlannedJob, folder: &Path, stop: &Stop) -> std::result::Result<String, Failure> {
        let arguments =
            self.arguments(&planned.job, folder, stop.clone()).map_err(|error| failure(&error.into(), None))?;
        let session = &arguments.globals.session;
        let result = dispatch::run(&arguments).and_then(|()| Ok(self.check_inputs(planned, &arguments.globals)?));
        let report = session.report();
        match (result, report) {
            (Ok(()), Some(report)) => Ok(report),
            (Ok(()), None) => {
                let what = format!("`{}` has made no report", planned.job.command);
                Err(failure(&Error::Internal { what }.into(), None))
            }
            (Err(error), report) => {
                if let Some(Error::DeviceLost { .. } | Error::OutOfMemory { .. }) = error.downcast_ref() {
                    self.shared.forget_devices();
                }
                Err(failure(&error, report))
            }
        }
    }
}

impl Program {
    /// Whether a job computes on an adapter, as far as that is known before.
    fn takes_adapter(&self, job: &Job) -> bool {
        if ["inspect", "convert", "random-model", "compare"].contains(&job.command.as_str()) {
            return false;
        }
        let given = job.settings.get("device").and_then(|setting| setting.words.first());
        match given.and_then(|device| device.parse().ok()).unwrap_or_else(|| self.device.clone()) {
            DeviceChoice::Cpu | DeviceChoice::Reference => false,
            DeviceChoice::Gpu(_) => true,
            DeviceChoice::Auto => *self.hardware.get_or_init(|| adapters().iter().any(|adapter| !adapter.software)),
        }
    }

    /// Fails if a file is not any more what it was when the plan was made: the report would be that of another job.
    fn check_inputs(&self, planned: &PlannedJob, globals: &Globals) -> Result<()> {
        for (file, hash) in &planned.inputs {
            if self.hashes().of(file)? != *hash {
                let problem = "has changed since the plan was made".to_owned();
                return Err(Error::Format { file: file.clone(), problem });
            }
        }
        let known = |file: &PathBuf| planned.inputs.iter().any(|(known, _)| known == file);
        match globals.run.inputs().into_iter().find(|file| !known(file)) {
            Some(file) => {
                let what = format!("{} was read, but is no part of the id of the job", file.display());
                Err(Error::Internal { what })
            }
            None => Ok(()),
        }
    }
}

fn failure(error: &anyhow::Error, report: Option<String>) -> Failure {
    Failure { code: exit::code(error), kind: exit::kind(error).to_owned(), message: output::message(error), report }
}
