//! What goes where: results to standard output, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::CommandFactory as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tropix::Error;
use tropix::batch::Stop;
use tropix::prune::{Observer, Timing};
use tropix::report::SCHEMA;

use crate::args::{Arguments, Color, Globals, LogFormat};
use crate::exit;
use crate::invocation::Record;

/// Whether a result was printed: a run prints one JSON document, and an error after it goes to standard error alone.
static PRINTED: AtomicBool = AtomicBool::new(false);

fn coloured(globals: &Globals) -> bool {
    match globals.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal(),
    }
}

pub(crate) fn start_logging(globals: &Globals) {
    let level = match (globals.quiet, globals.verbose) {
        (true, _) => "error",
        // What a batch tells of its jobs is no detail.
        (_, 0) => "warn,batch=info",
        (_, 1) => "tropix=info,batch=info,warn",
        _ => "tropix=debug,info",
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(coloured(globals));
    match globals.log_format {
        LogFormat::Text => builder.without_time().init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// A line on standard error that `--quiet` silences; of a job one of the log.
pub(crate) fn note(globals: &Globals, text: &str) {
    if globals.session.is_job() {
        tracing::info!("{text}");
    } else if !globals.quiet {
        line(std::io::stderr(), text);
    }
}

pub(crate) fn error(globals: &Globals, error: &anyhow::Error) {
    let (on, off) = if coloured(globals) { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    let message = message(error);
    line(std::io::stderr(), &format!("{on}error:{off} {message}"));
    if globals.json && !PRINTED.load(Ordering::Relaxed) {
        error_object(exit::kind(error), &message, exit::path(error));
    }
}

/// A command line that cannot be read, for programs; people have read it already.
pub(crate) fn usage_error(error: &clap::Error) {
    let text = error.render().to_string();
    // The first paragraph; hints and usage follow.
    let message = text.split("\n\n").next().unwrap_or_default().trim();
    error_object("usage", message.strip_prefix("error: ").unwrap_or(message), None);
}

#[derive(Serialize)]
struct ErrorReport<'a> {
    schema: &'static str,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    kind: &'static str,
    message: &'a str,
    path: Option<String>,
}

fn error_object(kind: &'static str, message: &str, path: Option<&Path>) {
    let path = path.map(|path| path.display().to_string());
    let report = ErrorReport { schema: SCHEMA, error: ErrorObject { kind, message, path } };
    if let Ok(text) = serde_json::to_string_pretty(&report) {
        line(std::io::stdout(), &text);
    }
}

/// The error and its causes, each said once: many messages hold that of their cause already. The library names an argument,
/// the program its option.
pub(crate) fn message(error: &anyhow::Error) -> String {
    if let Some(Error::Argument { argument, problem }) = error.downcast_ref::<Error>()
        && is_option(argument)
    {
        return format!("`--{argument}`: {problem}");
    }
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// Whether some command has an option of this name.
fn is_option(name: &str) -> bool {
    let all = Arguments::command();
    let has = |command: &clap::Command| command.get_arguments().any(|arg| arg.get_long() == Some(name));
    has(&all) || all.get_subcommands().any(has)
}

/// Prints a line; a reader that went away is nobody's concern.
fn line(mut to: impl std::io::Write, text: &str) {
    let _ = writeln!(to, "{text}");
}

/// A report with what the run was asked for.
#[derive(Serialize)]
struct Recorded<'a, R> {
    #[serde(flatten)]
    report: &'a R,
    run: Record<'a>,
}

/// A report with what the run was asked for, as JSON.
pub(crate) fn json(globals: &Globals, report: &impl Serialize) -> anyhow::Result<String> {
    let run = globals.run.record(globals.session.hashes())?;
    Ok(serde_json::to_string_pretty(&Recorded { report, run })?)
}

/// Prints a result: one JSON object with `--json`, otherwise the text.
pub(crate) fn result(globals: &Globals, report: &impl Serialize, text: &str) -> anyhow::Result<()> {
    if globals.json || globals.session.is_job() { object(globals, json(globals, report)?) } else { print(text) }
}

/// Prints a value as JSON, or gives it to the batch that the command is a job of.
pub(crate) fn value(globals: &Globals, value: &impl Serialize) -> anyhow::Result<()> {
    object(globals, serde_json::to_string_pretty(value)?)
}

fn object(globals: &Globals, text: String) -> anyhow::Result<()> {
    let Some(text) = globals.session.keep(text) else { return Ok(()) };
    PRINTED.store(true, Ordering::Relaxed);
    print(&text)
}

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::Io { file: PathBuf::from("standard output"), source }.into())
        }
        _ => Ok(()),
    }
}

/// Seconds by phase and peak memory, on one line.
pub(crate) fn costs(timing: &Timing, peak: Option<u64>) -> String {
    let phases: Vec<String> = timing.phases().map(|(name, seconds)| format!("{name} {seconds:.3} s")).collect();
    #[expect(clippy::cast_precision_loss, reason = "shown in megabytes")]
    let peak = peak.map(|bytes| format!("; peak memory {:.0} MB", bytes as f64 / 1e6)).unwrap_or_default();
    format!("{}{peak}", phases.join(", "))
}

/// Progress on a terminal; ends a job that is to stop.
pub(crate) struct Progress(ProgressBar, Stop);

impl Progress {
    pub(crate) fn new(globals: &Globals) -> Self {
        let draw = !globals.quiet && !globals.json && !globals.session.is_job() && std::io::stderr().is_terminal();
        let target = if draw { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self(bar, globals.session.stop())
    }
}

impl Observer for Progress {
    fn step(&self, done: usize, total: usize, next: &str) -> tropix::Result<()> {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
        self.0.set_message(next.to_owned());
        if done == total {
            self.0.finish_and_clear();
        }
        self.1.check()
    }
}
