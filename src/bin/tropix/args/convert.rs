//! `tropix convert`.

use std::path::PathBuf;

use clap::Args;

use super::ModelArgs;

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Where the model goes; its name chooses the format: NAME.onnx or NAME.safetensors
    #[arg(short, long)]
    pub(crate) output: PathBuf,
    /// Write one file, even if the model came with data beside it or in shards
    #[arg(long)]
    pub(crate) single_file: bool,
}
