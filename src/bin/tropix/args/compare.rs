//! `tropix compare`.

use std::path::PathBuf;

use clap::Args;

use super::{DataArgs, PageArgs, heading};

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The first model, such as the original
    pub(crate) a: PathBuf,
    /// The second model, such as the pruned one
    pub(crate) b: PathBuf,
    /// Architecture of both, where the files do not hold it
    #[arg(long, value_name = "TOML", help_heading = heading::DATA)]
    pub(crate) arch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Timed runs of each network
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = heading::RUN
    )]
    pub(crate) runs: u16,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}
