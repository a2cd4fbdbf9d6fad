//! The command line: what is shared, and one file per command that has more than a few arguments.

mod attack;
mod batch;
mod boundary;
mod certify;
mod compare;
mod convert;
mod finetune;
mod hausdorff;
mod method;
mod moments;
mod polynomial;
mod prune;
mod sweep;
mod synth;
mod zonotope;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tropix::backend::DeviceTrace;
use tropix::network::format::InputShape;

use crate::invocation::Invocation;
use crate::session::Session;

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
pub(crate) use hausdorff::HausdorffArgs;
pub(crate) use method::{MethodArg, ProtocolArgs};
pub(crate) use moments::{MomentArgs, RefitArg};
pub(crate) use polynomial::PolynomialArgs;
pub(crate) use prune::{AllocateArg, PruneArgs};
pub(crate) use sweep::SweepArgs;
pub(crate) use synth::{DistilArgs, PriorArg, StatisticsArg, SynthArgs};
pub(crate) use zonotope::{BodyArgs, ZonotopeArgs};

/// Prunes ReLU classifiers through tropical geometry, on any GPU or the CPU.
#[derive(Debug, Parser)]
#[command(name = "tropix", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Globals {
    /// auto, cpu, gpu, gpu:NAME (part of an adapter's name) or reference (f64, slow)
    #[arg(long, global = true, default_value = "auto", env = "TROPIX_DEVICE")]
    pub(crate) device: DeviceChoice,
    /// Threads of the host path; all cores by default
    #[arg(long, global = true, env = "TROPIX_THREADS", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Seed of every random stream
    #[arg(long, global = true, default_value_t = 0, env = "TROPIX_SEED")]
    pub(crate) seed: u64,
    /// One JSON object on standard output instead of tables
    #[arg(long, global = true, env = "TROPIX_JSON", value_parser = flag)]
    pub(crate) json: bool,
    /// Nothing on standard error but errors
    #[arg(long, short, global = true, env = "TROPIX_QUIET", value_parser = flag)]
    pub(crate) quiet: bool,
    /// More on standard error; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Form of log lines
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "TROPIX_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Colour on standard error
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, env = "TROPIX_COLOR")]
    pub(crate) color: Color,
    /// Write over an output that exists; never over an input
    #[arg(long, global = true, env = "TROPIX_FORCE", value_parser = flag)]
    pub(crate) force: bool,
    /// Recompute a seeded sample with the f64 reference and print the largest deviation
    #[arg(long, global = true, env = "TROPIX_VERIFY", value_parser = flag)]
    pub(crate) verify: bool,
    /// Write the phases of the command and the kernels of the adapter as a trace that a browser's trace viewer opens
    #[arg(long, global = true, value_name = "FILE", env = "TROPIX_PROFILE")]
    pub(crate) profile: Option<PathBuf>,
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

/// A whole number that counts or numbers something.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a whole number of at least 0"))
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Adapters, limits, and a self-test of every operation against the reference
    Doctor(DoctorArgs),
    /// Layers, blocks, and what can be pruned
    Inspect(InspectArgs),
    /// Prune a model and write a new file
    Prune(PruneArgs),
    /// Pruning-accuracy curves of methods x rates x seeds
    Sweep(SweepArgs),
    /// Accuracy of a model, and its agreement with another one
    Evaluate(EvaluateArgs),
    /// Generators, vertices, support and volume of a zonotope or of a class of a model
    Zonotope(ZonotopeArgs),
    /// Hausdorff distance of point samples, zonotopes or models
    Hausdorff(HausdorffArgs),
    /// Two models on the same data: accuracy, agreement, largest difference, size, multiply-adds, measured latency
    Compare(CompareArgs),
    /// Write a model in another format
    Convert(ConvertArgs),
    /// Proved bounds of the output error of a compressed model, and labels certified unchanged
    Certify(CertifyArgs),
    /// Robust accuracy under attacks, in the dual view of the first layer and by input gradients, beside certified distances
    Attack(AttackArgs),
    /// Write a model with random weights, for measurements of time and memory
    RandomModel(RandomModelArgs),
    /// A tropical polynomial: values, regions, Newton polytope, dual subdivision, hypersurface
    Polynomial(PolynomialArgs),
    /// Decision regions and boundary of a network: whole for two inputs, on a slice for more
    Boundary(BoundaryArgs),
    /// Many runs from one file: planned, resumed, in shards, merged into one table
    Batch(BatchArgs),
    /// CPU against GPU on the same work: medians, rates, shares of the peak, transfers, crossover
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Model: .onnx, .safetensors, or the .index.json of a sharded one
    pub(crate) model: PathBuf,
    /// Architecture, where names and shapes do not tell it
    #[arg(long, value_name = "TOML")]
    pub(crate) arch: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ShapeArgs {
    /// Lengths of the input's axes behind the batch, such as 3,224,224, for ONNX models that leave some open; NAME:3,224,224
    /// and one for each where there are several inputs. They stay open in what is written
    #[arg(long, value_name = "[NAME:]D1,D2", value_parser = input_shape)]
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
pub(crate) struct DataArgs {
    /// .safetensors or .npz (images|features|points|x, and labels|y), mnist:DIR, cifar10:DIR or cifar100:DIR
    #[arg(long)]
    pub(crate) data: Option<String>,
    /// Factor on raw inputs
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) scale: Option<f64>,
    /// Mean of each channel, subtracted after scaling
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) mean: Vec<f64>,
    /// Standard deviation of each channel, divided by after scaling
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
    #[arg(long, value_name = "TOML")]
    pub(crate) emit_arch: Option<PathBuf>,
    /// Draw the operators of an ONNX model, each in the colour of the units that it writes
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
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
    #[arg(long, value_name = "MODEL")]
    pub(crate) against: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RandomModelArgs {
    /// Widths of the layers from input to output, comma-separated
    #[arg(value_delimiter = ',', required = true, allow_negative_numbers = true, value_parser = count)]
    pub(crate) widths: Vec<usize>,
    /// Where the model goes
    #[arg(short, long)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
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
    /// Store what the adapter contracts in f16, with sums in f32; needs an adapter with `shader-f16`
    #[arg(long)]
    pub(crate) f16: bool,
    /// Double each size of the operations instead and fit how time and memory grow
    #[arg(long, conflicts_with = "workload")]
    pub(crate) scaling: bool,
    /// Try the variants of the GPU kernels on the adapter of `--device` and keep the fastest for later runs
    #[arg(long, conflicts_with_all = ["workload", "scaling"])]
    pub(crate) tune: bool,
    /// Print the memory of one operation, given as NAME,N,D,M: `--scaling` starts a process of its own for each
    #[arg(long, hide = true, value_delimiter = ',', value_name = "OPERATION")]
    pub(crate) memory_of: Vec<String>,
}
