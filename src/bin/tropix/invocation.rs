//! What a run was asked for and what it read, for its report: with the same files and options it can be run again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use serde::Serialize;
use serde_json::Value;
use tropix::Result;
use tropix::batch::{FileHash, Hashes};

/// The options of a run, and the files that it has read so far.
#[derive(Debug, Default)]
pub(crate) struct Invocation {
    command_line: Vec<String>,
    options: BTreeMap<String, Value>,
    environment: BTreeMap<String, Value>,
    read: Mutex<BTreeSet<PathBuf>>,
}

/// The part of a report that tells it.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    /// The words of the command line.
    command_line: &'a [String],
    /// What was given there, by name: text, a list of texts, or true for a flag.
    options: &'a BTreeMap<String, Value>,
    /// The same of the environment.
    environment: &'a BTreeMap<String, Value>,
    /// Models, architectures, data and moments.
    inputs: Vec<Input>,
}

/// A file as it was read.
#[derive(Debug, Serialize)]
struct Input {
    path: String,
    #[serde(flatten)]
    hash: FileHash,
}

impl Invocation {
    pub(crate) fn of(line: &[OsString], command: &Command, matches: &ArgMatches) -> Self {
        let mut found = Self {
            command_line: line.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            ..Self::default()
        };
        found.add(command, matches);
        let (mut command, mut matches) = (command, matches);
        while let Some((name, inner)) = matches.subcommand()
            && let Some(named) = command.find_subcommand(name)
        {
            found.add(named, inner);
            (command, matches) = (named, inner);
        }
        found
    }

    fn add(&mut self, command: &Command, matches: &ArgMatches) {
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            // `help` and `version` are no values of the matches.
            let Ok(Some(_)) = matches.try_contains_id(id).map(|there| there.then_some(())) else { continue };
            let to = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => &mut self.options,
                Some(ValueSource::EnvVariable) => &mut self.environment,
                _ => continue,
            };
            let text = |word: &std::ffi::OsStr| Value::from(word.to_string_lossy().into_owned());
            let words: Vec<Value> = matches.get_raw(id).into_iter().flatten().map(text).collect();
            let flag = !arg.get_action().takes_values();
            let value = match words.as_slice() {
                // Of the environment the word stays: it may be a no.
                _ if flag && matches.value_source(id) == Some(ValueSource::CommandLine) => Value::from(true),
                [one] => one.clone(),
                _ => Value::from(words),
            };
            to.insert(id.to_owned(), value);
        }
    }

    /// Whether an option stands on the command line, by its long name.
    pub(crate) fn gives(&self, option: &str) -> bool {
        self.options.contains_key(&option.trim_start_matches('-').replace('-', "_"))
    }

    /// The words of the command line, the program first.
    pub(crate) fn command_line(&self) -> &[String] {
        &self.command_line
    }

    /// Notes files that were read.
    pub(crate) fn note<'a>(&self, paths: impl IntoIterator<Item = &'a PathBuf>) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).extend(paths.into_iter().cloned());
    }

    /// The files that were read.
    pub(crate) fn inputs(&self) -> Vec<PathBuf> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// All of it, with the hashes of the files, taken from those that are known already.
    pub(crate) fn record(&self, hashes: &Hashes) -> Result<Record<'_>> {
        let hashed = |path: &PathBuf| Ok(Input { path: path.display().to_string(), hash: hashes.of(path)? });
        let paths = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Record {
            command_line: &self.command_line,
            options: &self.options,
            environment: &self.environment,
            inputs: paths.iter().map(hashed).collect::<Result<_>>()?,
        })
    }
}
