//! `tropix convert`.

use std::path::PathBuf;

use clap::Args;

use super::{ModelArgs, heading};

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Where the model goes; .onnx or .safetensors chooses the format
    #[arg(short, long, help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,
    /// Write one file, even if the model came with data beside it or in shards
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) single_file: bool,
}
