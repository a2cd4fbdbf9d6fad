//! `tropix compare`.

use std::path::PathBuf;

use clap::Args;

use super::DataArgs;

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The first model, such as the original
    pub(crate) a: PathBuf,
    /// The second model, such as the pruned one
    pub(crate) b: PathBuf,
    /// Architecture of both, where the files do not hold it
    #[arg(long, value_name = "TOML")]
    pub(crate) arch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Timed runs of each network
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: u16,
}
