//! From the command line to arguments, with what the parser does not say by itself.

use std::any::TypeId;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use crate::args::{Arguments, flag};
use crate::invocation::Invocation;

/// Reads the command line.
///
/// The error is one of usage, or holds an answer: help, or the version.
pub(crate) fn parse(line: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut command = with_negative_numbers(Arguments::command());
    let named = |error| name_variable(error, &Arguments::command(), line);
    let matches: ArgMatches = command.try_get_matches_from_mut(line).map_err(named)?;
    let mut arguments = Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    arguments.globals.run = Invocation::of(line, &command, &matches);
    Ok(arguments)
}

/// Reads command lines of jobs, which the environment does not change.
pub(crate) struct JobParser(Command);

impl JobParser {
    pub(crate) fn new() -> Self {
        let command = with_negative_numbers(Arguments::command()).mut_args(|arg| arg.env(None::<&str>));
        Self(command.color(clap::ColorChoice::Never))
    }

    /// Reads one line.
    pub(crate) fn parse(&mut self, line: &[OsString]) -> Result<Arguments, clap::Error> {
        let matches: ArgMatches = self.0.try_get_matches_from_mut(line)?;
        let mut arguments = Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut self.0))?;
        arguments.globals.run = Invocation::of(line, &self.0, &matches);
        Ok(arguments)
    }

    /// The parser of one command; its global options are those of [`JobParser::globals`].
    pub(crate) fn command(&self, name: &str) -> Option<&Command> {
        self.0.find_subcommand(name)
    }

    /// The names of all commands.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.get_subcommands().map(Command::get_name).collect()
    }

    /// Options of every command.
    pub(crate) fn globals(&self) -> &Command {
        &self.0
    }
}

/// Whether a line that cannot be read asks for JSON.
pub(crate) fn asks_for_json(line: &[OsString]) -> bool {
    let options = line.iter().take_while(|argument| *argument != "--");
    let variable = || std::env::var("TROPIX_JSON").is_ok_and(|text| flag(&text) == Ok(true));
    options.into_iter().any(|argument| argument == "--json") || variable()
}

/// Lets every option take a number below zero, so that the option judges it.
fn with_negative_numbers(command: Command) -> Command {
    let option = |arg: clap::Arg| {
        if !arg.get_action().takes_values() || arg.is_positional() {
            return arg;
        }
        // The parser takes `-1` for a number, but not `-1e-3`.
        if arg.get_value_parser().type_id() == TypeId::of::<f64>() {
            return arg.allow_hyphen_values(true);
        }
        arg.allow_negative_numbers(true)
    };
    command.mut_args(option).mut_subcommands(with_negative_numbers)
}

/// Says of a wrong value that comes from the environment where it comes from.
fn name_variable(mut error: clap::Error, command: &Command, line: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    let on_line = |long: &str| {
        let with_value = format!("{long}=");
        line.iter().map(|argument| argument.to_string_lossy()).any(|part| part == long || part.starts_with(&with_value))
    };
    let variable = command.get_arguments().find_map(|arg| {
        let long = format!("--{}", arg.get_long()?);
        (shown.split(' ').next() == Some(&long) && !on_line(&long)).then(|| arg.get_env())?
    });
    if let Some(variable) = variable {
        let shown = format!("{shown} (environment variable {})", variable.display());
        error.insert(ContextKind::InvalidArg, ContextValue::String(shown));
    }
    error
}
