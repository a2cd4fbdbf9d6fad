//! The command line: what is shared, and one file per command that has more than a few arguments.

mod attack;
mod batch;
mod boundary;
mod certify;
mod compare;
mod convert;
mod examples;
mod finetune;
mod globals;
mod hausdorff;
mod heading;
mod lottery;
mod method;
mod moments;
mod page;
mod polynomial;
mod prune;
mod sweep;
mod synth;
mod train;
mod zonotope;

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand};
use tropix::network::format::InputShape;

pub(crate) use attack::{AttackArgs, DistanceArg};
pub(crate) use batch::{
    BatchArgs, BatchCommand, BatchMergeArgs, BatchPlanArgs, BatchRunArgs, BatchSlurmArgs, BatchStatusArgs,
    ManifestArgs, ShardArgs,
};
pub(crate) use boundary::BoundaryArgs;
pub(crate) use certify::{BoundArg, CertifyArgs};
pub(crate) use compare::CompareArgs;
pub(crate) use convert::ConvertArgs;
pub(crate) use finetune::{FinetuneArg, FinetuneArgs};
pub(crate) use globals::{Color, DeviceChoice, Globals, LogFormat, flag};
pub(crate) use hausdorff::HausdorffArgs;
pub(crate) use lottery::LotteryArgs;
pub(crate) use method::{MethodArg, ProtocolArgs};
pub(crate) use moments::{MomentArgs, RefitArg};
pub(crate) use page::PageArgs;
pub(crate) use polynomial::PolynomialArgs;
pub(crate) use prune::{AllocateArg, PruneArgs};
pub(crate) use sweep::SweepArgs;
pub(crate) use synth::{DistilArgs, PriorArg, StatisticsArg, SynthArgs};
pub(crate) use train::{StateArgs, ToyArgs, TrainArgs};
pub(crate) use zonotope::{BodyArgs, ZonotopeArgs};

/// Makes trained classifiers smaller, with data or without, on any GPU or the CPU.
#[derive(Debug, Parser)]
#[command(
    name = "tropix",
    version = VERSION.as_str(),
    propagate_version = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 100,
    after_help = examples::OVERVIEW
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The version, with the commit where the build knew it.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("TROPIX_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    format!("{}{commit}", env!("CARGO_PKG_VERSION"))
});

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a model smaller and write a new file
    #[command(after_long_help = examples::PRUNE, after_help = examples::PRUNE_SHORT)]
    Prune(PruneArgs),
    /// Accuracy of methods by how much they leave, on your model
    #[command(after_long_help = examples::SWEEP)]
    Sweep(SweepArgs),
    /// Methods, one line each: what they do, what they need, when to take them
    #[command(after_long_help = examples::METHODS)]
    Methods(MethodsArgs),
    /// Layers and units of a model: what can go, what stays and why
    #[command(after_long_help = examples::INSPECT)]
    Inspect(InspectArgs),
    /// Accuracy of a model, and its agreement with another one
    #[command(after_long_help = examples::EVALUATE)]
    Evaluate(EvaluateArgs),
    /// Two models on the same data: accuracy, difference, size, latency
    #[command(after_long_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Write a model in another format
    #[command(after_long_help = examples::CONVERT)]
    Convert(ConvertArgs),
    /// Proved bounds of how far a compressed model is from the original
    #[command(after_long_help = examples::CERTIFY)]
    Certify(CertifyArgs),
    /// Robust accuracy under attacks, beside certified distances
    #[command(after_long_help = examples::ATTACK)]
    Attack(AttackArgs),
    /// Train a network, from its first weights or on after pruning
    #[command(after_long_help = examples::TRAIN)]
    Train(TrainArgs),
    /// Lottery tickets: what pruning and training again do to decision boundaries
    #[command(after_long_help = examples::LOTTERY)]
    Lottery(LotteryArgs),
    /// Many runs from one file: resumed, in shards, merged into one table
    #[command(after_long_help = examples::BATCH)]
    Batch(BatchArgs),
    /// Adapters and their limits, and a test of every operation on each device
    #[command(after_long_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// CPU against GPU on the same work
    ///
    /// Medians, spreads, rates, shares of the peak, transfers, and the size from which the GPU is faster.
    #[command(after_long_help = examples::BENCH)]
    Bench(BenchArgs),
    /// Write a model with random weights, for measurements of time and memory
    #[command(after_long_help = examples::RANDOM_MODEL)]
    RandomModel(RandomModelArgs),
    /// Decision regions and boundary of a network, and the polytope behind them
    ///
    /// Of the whole plane for two inputs, on a slice for more.
    #[command(after_long_help = examples::BOUNDARY)]
    Boundary(BoundaryArgs),
    /// A tropical polynomial: values, regions, Newton polytope, hypersurface
    #[command(after_long_help = examples::POLYNOMIAL)]
    Polynomial(PolynomialArgs),
    /// Vertices, support and volume of a zonotope, given or of a class of a model
    #[command(after_long_help = examples::ZONOTOPE)]
    Zonotope(ZonotopeArgs),
    /// Hausdorff distance of point samples, zonotopes or models
    #[command(after_long_help = examples::HAUSDORFF)]
    Hausdorff(HausdorffArgs),
    /// Print a script that completes commands, options and values in a shell
    #[command(after_long_help = examples::COMPLETIONS, hide = true)]
    Completions(CompletionsArgs),
    /// Write a manual page for every command into a folder
    #[command(after_long_help = examples::MAN, hide = true)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MethodsArgs {}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads the script
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages go; made if it is not there
    pub(crate) folder: PathBuf,
}

/// A whole number that counts or numbers something.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a whole number of at least 0"))
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::DATA)]
pub(crate) struct ModelArgs {
    /// Model: .onnx, .safetensors, or the .index.json of a sharded one
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) model: PathBuf,
    /// Architecture, where names and shapes do not tell it
    #[arg(long, value_name = "TOML", hide_short_help = true)]
    pub(crate) arch: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = heading::DATA)]
pub(crate) struct ShapeArgs {
    /// Lengths of the input's axes behind the batch, such as 3,224,224, where an ONNX model leaves some open
    ///
    /// NAME:3,224,224 and one for each where there are several inputs. They stay open in what is written.
    #[arg(long, hide_short_help = true, value_name = "[NAME:]D1,D2", value_parser = input_shape)]
    pub(crate) input_shape: Vec<InputShape>,
}

/// `3,224,224`, or `NAME:3,224,224`.
fn input_shape(text: &str) -> Result<InputShape, String> {
    let (name, lengths) = match text.rsplit_once(':') {
        Some((name, lengths)) => (Some(name.to_owned()), lengths),
        None => (None, text),
    };
    let length = |text: &str| text.trim().parse::<usize>().ok().filter(|length| (1..=MOST_LENGTH).contains(length));
    let axes: Option<Vec<usize>> = lengths.split(',').map(length).collect();
    let within = |axes: &Vec<usize>| axes.iter().try_fold(1, |all: usize, axis| all.checked_mul(*axis)).is_some();
    match axes.filter(within) {
        Some(axes) if name.as_deref() != Some("") => Ok(InputShape { name, axes }),
        _ => Err(format!("`{text}`: expected lengths of at least 1 with commas between, or NAME:LENGTHS")),
    }
}

/// The longest axis that is taken: beyond, values of a layer would not fit any memory.
const MOST_LENGTH: usize = 1 << 24;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = heading::DATA)]
pub(crate) struct DataArgs {
    /// Samples: .safetensors, .npz, mnist:DIR, cifar10:DIR, cifar100:DIR
    ///
    /// A .safetensors or .npz file holds `images`, `features`, `points` or `x`, and `labels` or `y`. Bytes of images are
    /// scaled by 1/255, other numbers are taken as they are.
    #[arg(long)]
    pub(crate) data: Option<String>,
    /// Factor on raw inputs
    #[arg(long, hide_short_help = true, allow_negative_numbers = true)]
    pub(crate) scale: Option<f64>,
    /// Mean of each channel, comma-separated
    ///
    /// Values are scaled, then the mean is subtracted, then they are divided by the deviation.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) mean: Vec<f64>,
    /// Standard deviation of each channel, comma-separated
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) std: Vec<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    /// Write an architecture file to edit
    #[arg(long, value_name = "TOML", help_heading = heading::OUTPUT)]
    pub(crate) emit_arch: Option<PathBuf>,
    /// Draw the operators of an ONNX model, in the colours of the units that they write
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Another model to agree with
    #[arg(long, value_name = "MODEL", help_heading = heading::DATA)]
    pub(crate) against: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RandomModelArgs {
    /// Widths of the layers from input to output, comma-separated
    #[arg(value_delimiter = ',', required = true, allow_negative_numbers = true, value_parser = count)]
    pub(crate) widths: Vec<usize>,
    /// Where the model goes: .onnx or .safetensors
    #[arg(short, long, help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct BenchArgs {
    /// Workloads by the beginning of their names, comma-separated; all by default
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) workload: Vec<String>,
    /// A sixteenth of the rows
    #[arg(long)]
    pub(crate) quick: bool,
    /// Timed runs of each workload
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: u16,
    /// Store what the adapter contracts in f16, with sums in f32
    ///
    /// Needs an adapter with `shader-f16`.
    #[arg(long)]
    pub(crate) f16: bool,
    /// Double each size of the operations instead and fit how time and memory grow
    #[arg(long, conflicts_with = "workload")]
    pub(crate) scaling: bool,
    /// Try the variants of the GPU kernels and keep the fastest for later runs
    ///
    /// On the adapter of `--device`.
    #[arg(long, conflicts_with_all = ["workload", "scaling"])]
    pub(crate) tune: bool,
    /// Print the memory of one operation, given as NAME,N,D,M: `--scaling` starts a process of its own for each
    #[arg(long, hide = true, value_delimiter = ',', value_name = "OPERATION")]
    pub(crate) memory_of: Vec<String>,
}
