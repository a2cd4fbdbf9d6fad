//! `tropix batch`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tropix::batch::{MOST_JOBS, MergeFormat, Shard};

use super::heading;

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    #[command(subcommand)]
    pub(crate) step: BatchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Check a manifest and list its jobs
    Plan(BatchPlanArgs),
    /// Run the jobs of a manifest that are not done
    Run(BatchRunArgs),
    /// What is done, what failed, what is left
    Status(BatchStatusArgs),
    /// Make one table of the reports
    Merge(BatchMergeArgs),
    /// Print a script that submits a manifest to Slurm as an array of shards
    Slurm(BatchSlurmArgs),
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct ManifestArgs {
    /// Jobs: .toml, with defaults and matrices, or .jsonl, one job per line
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) manifest: PathBuf,
    /// Let paths of the manifest leave its folder
    #[arg(long)]
    pub(crate) allow_outside: bool,
    /// Jobs that a manifest may have
    #[arg(long, value_name = "N", default_value_t = MOST_JOBS)]
    pub(crate) max_jobs: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct ShardArgs {
    /// Only every N-th job from K on, K from 0 to N - 1
    ///
    /// By default what `SLURM_ARRAY_TASK_ID` and `_COUNT` say, or all. Environment: `TROPIX_SHARD`.
    #[arg(long, value_name = "K/N", hide_env = true, env = "TROPIX_SHARD")]
    pub(crate) shard: Option<Shard>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub(crate) struct BatchPlanArgs {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgs,
    #[command(flatten)]
    pub(crate) shard: ShardArgs,
    /// Print the jobs as a manifest of JSON lines with their ids
    #[arg(long)]
    pub(crate) jsonl: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct BatchRunArgs {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgs,
    /// Folder of the results: one folder in it for each job
    #[arg(short, long, value_name = "FOLDER", help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) shard: ShardArgs,
    /// Go on in a folder that holds results: what is done stays
    ///
    /// Everything else is done again.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Run the other jobs, too, when one has failed
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Seconds that one job may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
    /// Jobs at a time; as many as threads by default
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Megabytes that jobs at a time may take; half of what is free by default
    ///
    /// Estimated by the files that they read.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_memory: Option<u64>,
    /// Seconds that running jobs have after a signal, or after `--timeout`
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub(crate) grace: f64,
}

#[derive(Debug, Args)]
pub(crate) struct BatchStatusArgs {
    /// Folder of the results
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub(crate) struct BatchMergeArgs {
    /// Folders of the results
    ///
    /// One, or several that each hold some jobs of the same plan.
    #[arg(required = true, help_heading = heading::ARGUMENTS)]
    pub(crate) folders: Vec<PathBuf>,
    /// Where the table goes: .csv, .json, .md or .html
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Form on standard output
    #[arg(long, value_enum, default_value_t = FormatArg::Markdown, conflicts_with = "output")]
    pub(crate) format: FormatArg,
    /// Results by the beginning of their paths in a report, comma-separated
    ///
    /// Such as `accuracy,timing`; by default numbers, texts and pairs that differ.
    #[arg(long, value_delimiter = ',', value_name = "PATH")]
    pub(crate) columns: Vec<String>,
    /// Leave out jobs that have no report
    #[arg(long)]
    pub(crate) partial: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub(crate) struct BatchSlurmArgs {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgs,
    /// Folder of the results, on a file system that all nodes share
    #[arg(short, long, value_name = "FOLDER", help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,
    /// Tasks of the array
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shards: u32,
    /// Table of the merge; `table.csv` in the folder of the results by default
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// An option for `sbatch`, such as `--sbatch=--time=2:00:00`; may be repeated
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) sbatch: Vec<String>,
    /// A word for `batch run`, such as `--run=--keep-going`; may be repeated
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) run: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    Csv,
    Json,
    Markdown,
    Html,
}

impl From<FormatArg> for MergeFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Csv => Self::Csv,
            FormatArg::Json => Self::Json,
            FormatArg::Markdown => Self::Markdown,
            FormatArg::Html => Self::Html,
        }
    }
}

/// A time that a clock can count.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1e9).contains(&seconds) { Ok(seconds) } else { Err(format!("{text} does not lie between 0 and 1e9")) }
}
