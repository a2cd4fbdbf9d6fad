//! `tropix prune`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use tropix::prune::structured::{Keep, LayerKeep};

use super::sweep::share;
use super::{
    BoundArg, DataArgs, DistilArgs, FinetuneArgs, MethodArg, ModelArgs, MomentArgs, ProtocolArgs, RefitArg, ShapeArgs,
    SynthArgs,
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).multiple(true))]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    /// Where the pruned model goes
    #[arg(short, long, required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// Write one file, even if the model came with data beside it or in shards
    #[arg(long)]
    pub(crate) single_file: bool,
    /// Method: `tropical-path` where weights go (`--rate`); where neurons or channels go (`--keep`), `synth-refit` for
    /// networks with convolutions and `greedy-gaussian` for others
    #[arg(long, value_enum)]
    pub(crate) method: Option<MethodArg>,
    /// Share of the weights to remove, 0 to 1
    #[arg(long, value_parser = share, group = "target", conflicts_with_all = ["lambda", "keep", "layer"])]
    pub(crate) rate: Option<f64>,
    /// Penalty of `tropical`, in units of generator norms
    #[arg(long, value_parser = non_negative, group = "target", conflicts_with_all = ["keep", "layer"])]
    pub(crate) lambda: Option<f64>,
    /// Share of the neurons or channels of every hidden layer to keep, 0 to 1
    #[arg(long, value_parser = share, group = "target")]
    pub(crate) keep: Option<f64>,
    /// Share of the heads of every attention to keep, 0 to 1: those that go, go whole, queries, keys, values and what reads
    /// them, before units go one by one (`--keep`); of ONNX models
    #[arg(long, value_name = "KEEP", value_parser = share, group = "target", conflicts_with_all = ["rate", "lambda"])]
    pub(crate) heads: Option<f64>,
    /// One ranking of the units of all spaces: `--keep` is their share in all, those with the least score, in units of the
    /// mean of their space, for each parameter that goes with them go first; of ONNX models
    #[arg(long, requires = "keep")]
    pub(crate) global: bool,
    /// Share of the units of one space that goes at most, by default 0.9 with `--global`, else all but `--min-keep`
    #[arg(long, value_name = "R", value_parser = share, requires = "keep")]
    pub(crate) max_ratio: Option<f64>,
    /// Let the units go in so many steps, each the same share of what it finds, with scores taken anew from what is left; of
    /// ONNX models
    #[arg(long, value_name = "N", default_value_t = 1, requires = "keep", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) steps: u16,
    /// What one layer keeps, NAME=SHARE, or NAME=128n for a number of neurons; may be repeated, the other layers keep
    /// `--keep`, or all
    #[arg(long, value_name = "NAME=KEEP", value_parser = layer_keep, group = "target")]
    pub(crate) layer: Vec<LayerKeep>,
    /// What is done to the weights that stay (`--rate`), by default nothing, or to those that read the neurons that stay
    /// (`--keep`), by default what the method is meant for: `gaussian`, least squares over inputs of the prior, `data`, over
    /// those of `--calib`
    #[arg(long, value_enum)]
    pub(crate) refit: Option<RefitArg>,
    #[command(flatten)]
    pub(crate) moments: MomentArgs,
    /// Keep as many neurons as give at most this many parameters
    #[arg(long, value_name = "N", group = "target", conflicts_with_all = ["rate", "lambda", "keep", "layer", "heads"])]
    pub(crate) target_params: Option<u64>,
    /// Keep as few neurons as leave the certified change of every logit at most at this, for inputs of norm up to
    /// `--radius`, or up to the longest sample of `--data`
    #[arg(
        long,
        value_name = "E",
        value_parser = non_negative,
        group = "target",
        conflicts_with_all = ["rate", "lambda", "keep", "layer", "target_params", "heads", "finetune"]
    )]
    pub(crate) max_error: Option<f64>,
    /// How the neurons that go are divided among the layers; `--keep` then gives the number of parameters
    #[arg(long, value_enum, conflicts_with_all = ["rate", "lambda", "layer"])]
    pub(crate) allocate: Option<AllocateArg>,
    /// No certificate of the error
    #[arg(long, conflicts_with = "bounds")]
    pub(crate) no_certify: bool,
    /// Upper bounds of the certificate, and of the search of `--max-error`, comma-separated; by default those that
    /// together take a second or two, and `half` and a short `crown` for the search
    #[arg(long, value_delimiter = ',')]
    pub(crate) bounds: Vec<BoundArg>,
    /// Remove channels of residual trunks, too: the same ones from all layers that write to a trunk or read it; by norms,
    /// `tropnnc` and `synth-refit`
    #[arg(long, conflicts_with_all = ["rate", "lambda", "max_error"])]
    pub(crate) couple_trunk: bool,
    /// Keep the channels of residual trunks where units of any graph go by their weights; other methods do unless
    /// `--couple-trunk` is given
    #[arg(long, conflicts_with_all = ["rate", "lambda", "couple_trunk"])]
    pub(crate) no_trunk: bool,
    /// Keep the units of this operator; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with_all = ["rate", "lambda"])]
    pub(crate) ignore: Vec<String>,
    /// Do not first remove what changes no output
    #[arg(long)]
    pub(crate) no_lossless: bool,
    /// Inputs have at most this norm: neurons that are never or always on there are removed exactly, and the certificate
    /// holds there
    #[arg(long, value_parser = non_negative)]
    pub(crate) radius: Option<f64>,
    /// Make numbers of neurons multiples of this
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) round_to: u32,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) synth: SynthArgs,
    #[command(flatten)]
    pub(crate) distil: DistilArgs,
    #[command(flatten)]
    pub(crate) tuning: FinetuneArgs,
    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
    /// Neurons of a hidden layer that stay in any case
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_keep: u32,
    /// Keep all shapes: zeros instead of smaller layers
    #[arg(long)]
    pub(crate) no_compact: bool,
    /// Everything but writing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Fail if a part of the network cannot be pruned
    #[arg(long)]
    pub(crate) strict: bool,
}

/// How neurons that go are divided among layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AllocateArg {
    /// The same share of every layer
    Uniform,
    /// Where the kernel loss rises least for each parameter
    Loss,
    /// Where the certified error rises least for each parameter
    Certificate,
}

impl AllocateArg {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Loss => "loss",
            Self::Certificate => "certificate",
        }
    }
}

pub(super) fn non_negative(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(format!("`{text}` is not a finite number of at least 0"))
    }
}

/// `NAME=0.5`, or `NAME=128n`.
fn layer_keep(text: &str) -> Result<LayerKeep, String> {
    let expected = || format!("`{text}`: expected NAME=SHARE, or NAME=128n for a number of neurons");
    let (layer, keep) = text.rsplit_once('=').ok_or_else(expected)?;
    let keep = match keep.strip_suffix('n') {
        Some(units) => Keep::Units(units.parse().map_err(|_| expected())?),
        None => Keep::Share(share(keep)?),
    };
    Ok(LayerKeep { layer: layer.to_owned(), keep })
}
