//! From a job to the words of a command line.

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction};
use tropix::batch::{Job, Manifest, Setting};
use tropix::{Error, Result};

use super::files::{Role, below, refused_output, role};
use crate::args::Arguments;
use crate::parse::JobParser;

/// Options that are those of the batch, for all of its jobs.
const OF_THE_RUN: &[&str] = &["threads", "json", "quiet", "verbose", "log_format", "color", "force", "help", "version"];

/// Commands that are no jobs: they run jobs, or make no report.
pub(super) const NO_JOBS: &[&str] = &["batch", "completions", "man"];

/// An option of a job beside the parser of it.
pub(super) struct Given<'a> {
    pub(super) key: &'a str,
    pub(super) setting: &'a Setting,
    pub(super) role: Role,
    arg: &'a Arg,
}

/// The options of a job.
///
/// # Errors
///
/// [`Error::Manifest`] for a command or an option that there is not, and for files where a job may not write.
pub(super) fn given<'a>(parser: &'a JobParser, manifest: &Manifest, job: &'a Job) -> Result<Vec<Given<'a>>> {
    let refused = |line: usize, problem: String| Error::Manifest { file: manifest.file.clone(), line, problem };
    let name = job.command.as_str();
    let Some(command) = parser.command(name).filter(|_| !NO_JOBS.contains(&name)) else {
        let known: Vec<&str> = parser.names().into_iter().filter(|name| !NO_JOBS.contains(name)).collect();
        return Err(refused(job.line, format!("`command` = {name}: there is {}", known.join(", "))));
    };
    let mut found = Vec::with_capacity(job.settings.len());
    for (key, setting) in &job.settings {
        let named = |arg: &&Arg| match arg.get_long() {
            Some(long) => long == key,
            None => arg.is_positional() && arg.get_id().as_str() == key.replace('-', "_"),
        };
        let Some(arg) = command.get_arguments().chain(parser.globals().get_arguments()).find(named) else {
            let nearest = nearest(key, command.get_arguments());
            let hint = nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            let problem = format!("`{key}` = {}: `{name}` has no such option{hint}", setting.words.join(", "));
            return Err(refused(setting.line, problem));
        };
        let id = arg.get_id().as_str();
        if OF_THE_RUN.contains(&id) {
            let problem = format!("`{key}` = {}: give it to `batch run`, for all jobs", setting.words.join(", "));
            return Err(refused(setting.line, problem));
        }
        if !takes_values(arg) && setting.words != ["true"] {
            let problem = format!("`{key}` = {} is true or false", setting.words.join(", "));
            return Err(refused(setting.line, problem));
        }
        let role = role(name, id);
        if role == Role::Output
            && let Some((word, why)) = setting.words.iter().find_map(|word| Some((word, refused_output(word)?)))
        {
            return Err(refused(setting.line, format!("`{key}` = {word} {why}")));
        }
        found.push(Given { key, setting, role, arg });
    }
    Ok(found)
}

fn takes_values(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// The words of a job: inputs are below the folder of the manifest, outputs in `output`.
fn words(job: &Job, given: &[Given<'_>], manifest: &Path, output: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["tropix".into(), job.command.as_str().into()];
    let mut positional: Vec<(Option<usize>, Vec<String>)> = Vec::new();
    for Given { key, setting, role, arg } in given {
        let folder = if *role == Role::Output { output } else { manifest };
        let values: Vec<String> = setting.words.iter().map(|word| below(folder, *role, word)).collect();
        let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
        if arg.is_positional() {
            positional.push((arg.get_index(), values));
        } else if !takes_values(arg) || optional && setting.words == ["true"] {
            words.push(format!("--{key}").into());
        } else if matches!(arg.get_action(), ArgAction::Append) {
            words.extend(values.iter().map(|value| OsString::from(format!("--{key}={value}"))));
        } else {
            words.push(format!("--{key}={}", values.join(",")).into());
        }
    }
    positional.sort_by_key(|(index, _)| *index);
    if !positional.is_empty() {
        words.push("--".into());
        words.extend(positional.into_iter().flat_map(|(_, values)| values).map(OsString::from));
    }
    words
}

/// Reads a job as the program reads its command line.
///
/// # Errors
///
/// [`Error::Manifest`] with what the program would say, at the line of the option that it is about.
pub(super) fn arguments(parser: &mut JobParser, manifest: &Manifest, job: &Job, output: &Path) -> Result<Arguments> {
    let words = words(job, &given(parser, manifest, job)?, manifest.folder(), output);
    parser.parse(&words).map_err(|error| {
        let about = error.get(ContextKind::InvalidArg).and_then(|value| match value {
            ContextValue::String(shown) => Some(shown.as_str()),
            ContextValue::Strings(all) => all.first().map(String::as_str),
            _ => None,
        });
        let about = about.map(|shown| shown.trim_start_matches('-').split([' ', '=', '<']).next().unwrap_or_default());
        let line = about.and_then(|key| job.settings.get(key)).map_or(job.line, |setting| setting.line);
        let text = error.render().to_string();
        // The first paragraph; hints and usage follow.
        let problem = text.split("\n\n").next().unwrap_or_default().trim();
        let problem = problem.strip_prefix("error: ").unwrap_or(problem).replace('\n', " ");
        Error::Manifest { file: manifest.file.clone(), line, problem: format!("`{}`: {problem}", job.command) }
    })
}

/// The option whose name shares the longest beginning with `key`, if that is two letters at least.
fn nearest<'a>(key: &str, arguments: impl Iterator<Item = &'a Arg>) -> Option<&'a str> {
    let names = arguments.filter_map(|arg| arg.get_long().or(arg.is_positional().then(|| arg.get_id().as_str())));
    let common = |name: &&str| name.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
    names.max_by_key(common).filter(|name| common(name) >= 2)
}
