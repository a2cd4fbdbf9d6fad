//! `tropix prune`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use tropix::prune::structured::{Keep, LayerKeep};

use super::sweep::share;
use super::{
    BoundArg, DataArgs, DistilArgs, FinetuneArgs, MethodArg, ModelArgs, MomentArgs, PageArgs, ProtocolArgs, RefitArg,
    ShapeArgs, SynthArgs, heading,
};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("target").multiple(true),
    override_usage = "tropix prune MODEL --keep SHARE -o OUTPUT [OPTIONS]",
    mut_arg("report", |arg| arg.hide_short_help(true))
)]
pub(crate) struct PruneArgs {
    /// Share of the units of every hidden layer to keep, 0 to 1: a smaller file
    ///
    /// Neurons of linear layers, channels of convolutions, dimensions of attention heads.
    #[arg(long, value_parser = share, group = "target", help_heading = heading::TARGET)]
    pub(crate) keep: Option<f64>,
    /// Share of the weights to set to zero, 0 to 1: the file stays as large
    ///
    /// Zeros take as much room as other numbers, and no common runtime skips them. Only neurons of which nothing is left go
    /// from the file.
    #[arg(
        long,
        value_parser = share,
        group = "target",
        conflicts_with_all = ["lambda", "keep", "layer"],
        help_heading = heading::TARGET
    )]
    pub(crate) rate: Option<f64>,
    /// Keep as many neurons as give at most this many parameters
    #[arg(
        long,
        value_name = "N",
        group = "target",
        conflicts_with_all = ["rate", "lambda", "keep", "layer", "heads"],
        help_heading = heading::TARGET
    )]
    pub(crate) target_params: Option<u64>,
    /// Keep as few neurons as change no logit by more than this, proved
    ///
    /// For every input of norm up to `--radius`, or up to the longest sample of `--data`.
    #[arg(
        long,
        value_name = "E",
        value_parser = non_negative,
        group = "target",
        conflicts_with_all = ["rate", "lambda", "keep", "layer", "target_params", "heads", "finetune"],
        help_heading = heading::TARGET
    )]
    pub(crate) max_error: Option<f64>,
    /// What one layer keeps: NAME=SHARE, or NAME=128n for a number of neurons
    ///
    /// May be repeated; the other layers keep `--keep`, or all.
    #[arg(
        long,
        value_name = "NAME=KEEP",
        value_parser = layer_keep,
        group = "target",
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) layer: Vec<LayerKeep>,
    /// Share of the heads of every attention to keep, 0 to 1, of ONNX models
    ///
    /// Heads that go, go whole, queries, keys, values and what reads them, before units go one by one (`--keep`).
    #[arg(
        long,
        value_name = "KEEP",
        value_parser = share,
        group = "target",
        conflicts_with_all = ["rate", "lambda"],
        help_heading = heading::TARGET
    )]
    pub(crate) heads: Option<f64>,
    /// Penalty of `tropical`, in units of generator norms
    #[arg(
        long,
        value_parser = non_negative,
        group = "target",
        conflicts_with_all = ["keep", "layer"],
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) lambda: Option<f64>,
    /// Keep the units of this operator; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["rate", "lambda"],
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) ignore: Vec<String>,
    /// One ranking of the units of all spaces, `--keep` is their share in all; of ONNX models
    ///
    /// Those with the least score, in units of the mean of their space, for each parameter that goes with them go first.
    #[arg(long, requires = "keep", help_heading = heading::TARGET, hide_short_help = true)]
    pub(crate) global: bool,
    /// Share of the units of one space that goes at most
    ///
    /// By default 0.9 with `--global`, else all but `--min-keep`.
    #[arg(
        long,
        value_name = "R",
        value_parser = share,
        requires = "keep",
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) max_ratio: Option<f64>,
    /// Let the units go in so many steps, with scores taken anew from what is left; of ONNX models
    ///
    /// Each step takes the same share of what it finds.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        requires = "keep",
        value_parser = clap::value_parser!(u16).range(1..=1000),
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) steps: u16,
    /// How the neurons that go are divided among the layers; `--keep` then gives the number of parameters
    #[arg(
        long,
        value_enum,
        conflicts_with_all = ["rate", "lambda", "layer"],
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) allocate: Option<AllocateArg>,
    /// Make numbers of neurons multiples of this
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) round_to: u32,
    /// Neurons of a hidden layer that stay in any case
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = heading::TARGET,
        hide_short_help = true
    )]
    pub(crate) min_keep: u32,
    /// Method, see `tropix methods`; the default is chosen by target and network
    ///
    /// `tropical-path` where weights go (`--rate`); where neurons or channels go (`--keep`), `synth-refit` for networks with
    /// convolutions and `greedy-gaussian` for others.
    #[arg(long, value_enum, ignore_case = true, hide_possible_values = true, help_heading = heading::METHOD)]
    pub(crate) method: Option<MethodArg>,
    /// How weights that stay are fitted
    ///
    /// With `--rate` by default `none`, with `--keep` what the method is meant for. `gaussian` is least squares over inputs of
    /// the prior, `data` over those of `--calib`; with `--keep` of the weights that read the neurons that stay.
    #[arg(long, value_enum, help_heading = heading::METHOD)]
    pub(crate) refit: Option<RefitArg>,
    /// Remove channels of residual trunks, too: the same ones from all layers on a trunk
    ///
    /// By norms, `tropnnc` and `synth-refit`, of all layers that write to a trunk or read it.
    #[arg(
        long,
        conflicts_with_all = ["rate", "lambda", "max_error"],
        help_heading = heading::METHOD,
        hide_short_help = true
    )]
    pub(crate) couple_trunk: bool,
    /// Keep the channels of residual trunks, which methods of any graph remove by default
    ///
    /// Methods of layers keep them unless `--couple-trunk` is given.
    #[arg(
        long,
        conflicts_with_all = ["rate", "lambda", "couple_trunk"],
        help_heading = heading::METHOD,
        hide_short_help = true
    )]
    pub(crate) no_trunk: bool,
    /// Do not first remove what changes no output
    #[arg(long, help_heading = heading::METHOD, hide_short_help = true)]
    pub(crate) no_lossless: bool,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) moments: MomentArgs,
    #[command(flatten)]
    pub(crate) synth: SynthArgs,
    #[command(flatten)]
    pub(crate) distil: DistilArgs,
    #[command(flatten)]
    pub(crate) tuning: FinetuneArgs,
    /// Inputs have at most this norm; by default that of the longest sample of `--data`
    ///
    /// The certificate holds for them. Where it is given, neurons that are never or always on there are removed exactly.
    #[arg(
        long,
        value_parser = non_negative,
        help_heading = heading::CERTIFICATE,
        hide_short_help = true
    )]
    pub(crate) radius: Option<f64>,
    /// Upper bounds of the certificate, and of the search of `--max-error`, comma-separated
    ///
    /// By default those that together take a second or two, and `half` and a short `crown` for the search.
    #[arg(long, value_delimiter = ',', help_heading = heading::CERTIFICATE, hide_short_help = true)]
    pub(crate) bounds: Vec<BoundArg>,
    /// No certificate of the error
    #[arg(long, conflicts_with = "bounds", help_heading = heading::CERTIFICATE, hide_short_help = true)]
    pub(crate) no_certify: bool,
    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
    /// Where the pruned model goes: .onnx or .safetensors
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run", help_heading = heading::OUTPUT)]
    pub(crate) output: Option<PathBuf>,
    /// Everything but writing
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Fail if a part of the network cannot be pruned
    #[arg(long, help_heading = heading::OUTPUT, hide_short_help = true)]
    pub(crate) strict: bool,
    /// Write one file, even if the model came with data beside it or in shards
    #[arg(long, help_heading = heading::OUTPUT, hide_short_help = true)]
    pub(crate) single_file: bool,
    /// Keep all shapes where weights go: zeros instead of smaller layers
    #[arg(long, help_heading = heading::OUTPUT, hide_short_help = true)]
    pub(crate) no_compact: bool,
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
