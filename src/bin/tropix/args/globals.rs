//! Options of every command.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::backend::DeviceTrace;

use super::heading;
use crate::invocation::Invocation;
use crate::session::Session;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::GLOBAL)]
pub(crate) struct Globals {
    /// auto, cpu, gpu, gpu:NAME (part of an adapter's name), or reference
    ///
    /// auto takes a hardware adapter, and the CPU where there is none; reference computes in f64, slowly.
    #[arg(long, global = true, default_value = "auto", hide_env = true, env = "TROPIX_DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Threads of the host path; all cores by default
    #[arg(long, global = true, hide_short_help = true, hide_env = true, env = "TROPIX_THREADS", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Seed of every random stream
    #[arg(long, global = true, default_value_t = 0, hide_env = true, env = "TROPIX_SEED")]
    pub(crate) seed: u64,
    /// One JSON object on standard output instead of tables
    #[arg(long, global = true, hide_env = true, env = "TROPIX_JSON", value_parser = flag)]
    pub(crate) json: bool,
    /// Nothing on standard error but errors
    #[arg(long, short, global = true, hide_short_help = true, hide_env = true, env = "TROPIX_QUIET", value_parser = flag)]
    pub(crate) quiet: bool,
    /// More on standard error; twice for everything
    #[arg(long, short, global = true, hide_short_help = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Form of log lines
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_enum,
        default_value_t = LogFormat::Text,
        hide_env = true, env = "TROPIX_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,
    /// Colour on standard error
    #[arg(long, global = true, hide_short_help = true, value_enum, default_value_t = Color::Auto, hide_env = true, env = "TROPIX_COLOR")]
    pub(crate) color: Color,
    /// Write over an output that exists; never over an input
    #[arg(long, global = true, hide_env = true, env = "TROPIX_FORCE", value_parser = flag)]
    pub(crate) force: bool,
    /// Recompute a seeded sample with the f64 reference and print the largest deviation
    #[arg(long, global = true, hide_short_help = true, hide_env = true, env = "TROPIX_VERIFY", value_parser = flag)]
    pub(crate) verify: bool,
    /// Write the phases of the command and the kernels of the adapter as a trace that a browser's trace viewer opens
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", hide_env = true, env = "TROPIX_PROFILE")]
    pub(crate) profile: Option<PathBuf>,
    /// Print help: -h on one screen, --help all of it with examples
    #[arg(long, short, global = true, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(long, short = 'V', global = true, hide_short_help = true, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// What the device does, for the trace.
    #[arg(skip)]
    pub(crate) trace: DeviceTrace,
    /// What was given, and the files that were read.
    #[arg(skip)]
    pub(crate) run: Invocation,
    /// Alone, or a job of a batch.
    #[arg(skip)]
    pub(crate) session: Session,
}

/// A flag as the environment gives it.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" | "" => Ok(false),
        _ => Err("expected 1, true or yes, or 0, false or no".to_owned()),
    }
}

impl Globals {
    /// Where an adapter notes what it does, if a trace is to be written.
    pub(crate) fn device_trace(&self) -> Option<DeviceTrace> {
        self.profile.as_ref().map(|_| self.trace.clone())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    Auto,
    Cpu,
    Reference,
    Gpu(Option<String>),
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("gpu", name)) if !name.is_empty() => Ok(Self::Gpu(Some(name.to_owned()))),
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "reference" => Ok(Self::Reference),
            None if text == "gpu" => Ok(Self::Gpu(None)),
            _ => Err("expected auto, cpu, gpu, gpu:NAME or reference".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}
