//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tropix::backend::HalfStep;
use tropix::prune::{KeptWeights, Method, Objective};

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
    #[arg(long, global = true, env = "TROPIX_JSON")]
    pub(crate) json: bool,
    /// Nothing on standard error but errors
    #[arg(long, short, global = true, env = "TROPIX_QUIET", conflicts_with = "verbose")]
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
    #[arg(long, global = true, env = "TROPIX_FORCE")]
    pub(crate) force: bool,
    /// Recompute a seeded sample with the f64 reference and print the largest deviation
    #[arg(long, global = true, env = "TROPIX_VERIFY")]
    pub(crate) verify: bool,
    /// Write the phases of the command as a trace that a browser's trace viewer opens
    #[arg(long, global = true, value_name = "FILE", env = "TROPIX_PROFILE")]
    pub(crate) profile: Option<PathBuf>,
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
    /// Write a model with random weights, for measurements of time and memory
    RandomModel(RandomModelArgs),
    /// CPU against GPU on the same work: medians, rates, shares of the peak, transfers, crossover
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Model: .safetensors, or the .index.json of a sharded one
    pub(crate) model: PathBuf,
    /// Architecture, where names and shapes do not tell it
    #[arg(long, value_name = "TOML")]
    pub(crate) arch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// .safetensors (images|features|points|x, labels), .npz (x, y), mnist:DIR, cifar10:DIR or cifar100:DIR
    #[arg(long)]
    pub(crate) data: Option<String>,
    /// Factor on raw inputs
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) scale: Option<f64>,
    /// Mean of each channel, subtracted after scaling
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) mean: Vec<f64>,
    /// Standard deviation of each channel, divided by after scaling
    #[arg(long, value_delimiter = ',')]
    pub(crate) std: Vec<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Write an architecture file to edit
    #[arg(long, value_name = "TOML")]
    pub(crate) emit_arch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProtocolArgs {
    /// Objective of `tropical`
    #[arg(long, value_enum, default_value_t = ObjectiveArg::Decoupled)]
    pub(crate) objective: ObjectiveArg,
    /// First half-step of `tropical`
    #[arg(long, value_enum, default_value_t = OrderArg::RowsFirst)]
    pub(crate) order: OrderArg,
    /// Leave the bias out of the generators of `tropical`
    #[arg(long)]
    pub(crate) no_bias_in_generator: bool,
    /// What `tropical` writes for the weights that stay
    #[arg(long, value_enum, default_value_t = KeptArg::Original)]
    pub(crate) kept_weights: KeptArg,
    /// Half-steps of the alternation whose objective is reported
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) half_steps: u16,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Where the pruned model goes
    #[arg(short, long, required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// Method
    #[arg(long, value_enum, default_value_t = MethodArg(Method::TropicalPath))]
    pub(crate) method: MethodArg,
    /// Share of the weights to remove, 0 to 1
    #[arg(long, value_parser = rate, required_unless_present = "lambda", conflicts_with = "lambda")]
    pub(crate) rate: Option<f64>,
    /// Penalty of `tropical`, in units of generator norms
    #[arg(long, value_parser = non_negative)]
    pub(crate) lambda: Option<f64>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
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

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
    /// Methods, comma-separated; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) methods: Vec<MethodArg>,
    /// Rates: FROM:TO:STEP, or a comma-separated list
    #[arg(long, default_value = "0:0.98:0.02", value_parser = rates)]
    pub(crate) rates: Rates,
    /// Seeds for methods with a random order, comma-separated; `--seed` by default
    #[arg(long, value_delimiter = ',')]
    pub(crate) seeds: Vec<u64>,
    /// Write the curves as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the curves as a picture
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Another model to agree with
    #[arg(long, value_name = "MODEL")]
    pub(crate) against: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RandomModelArgs {
    /// Widths of the layers from input to output, comma-separated
    #[arg(value_delimiter = ',', required = true)]
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

/// A method by its name in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MethodArg(pub(crate) Method);

const METHODS: [MethodArg; 8] = {
    let mut methods = [MethodArg(Method::TropicalPath); 8];
    let mut at = 0;
    while at < methods.len() {
        methods[at] = MethodArg(Method::ALL[at]);
        at += 1;
    }
    methods
};

impl ValueEnum for MethodArg {
    fn value_variants<'a>() -> &'a [Self] {
        &METHODS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ObjectiveArg {
    Decoupled,
    Coupled,
}

impl From<ObjectiveArg> for Objective {
    fn from(value: ObjectiveArg) -> Self {
        match value {
            ObjectiveArg::Decoupled => Self::Decoupled,
            ObjectiveArg::Coupled => Self::Coupled,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OrderArg {
    RowsFirst,
    ElementsFirst,
}

impl From<OrderArg> for HalfStep {
    fn from(value: OrderArg) -> Self {
        match value {
            OrderArg::RowsFirst => Self::Rows,
            OrderArg::ElementsFirst => Self::Elements,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeptArg {
    Original,
    Shrunk,
}

impl From<KeptArg> for KeptWeights {
    fn from(value: KeptArg) -> Self {
        match value {
            KeptArg::Original => Self::Original,
            KeptArg::Shrunk => Self::Shrunk,
        }
    }
}

/// Rates of a sweep, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Rates(pub(crate) Vec<f64>);

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1.0).contains(&rate) { Ok(rate) } else { Err("a rate lies between 0 and 1".to_owned()) }
}

fn non_negative(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err("lambda is a finite number of at least 0".to_owned())
    }
}

fn rates(text: &str) -> Result<Rates, String> {
    let mut rates = match *text.split(':').collect::<Vec<_>>() {
        [from, to, step] => {
            let (from, to, step) = (rate(from)?, rate(to)?, rate(step)?);
            if step <= 0.0 || (to - from) / step > 100_000.0 {
                return Err("the step lies above 0 and makes at most 100,000 rates".to_owned());
            }
            // Counted, not added up, so that 0:0.98:0.02 ends at 0.98.
            (0_u32..).map(|i| from + f64::from(i) * step).take_while(|rate| *rate <= to + step * 1e-6).collect()
        }
        [_] => text.split(',').map(rate).collect::<Result<Vec<f64>, _>>()?,
        _ => return Err("expected FROM:TO:STEP or a comma-separated list".to_owned()),
    };
    rates.sort_by(f64::total_cmp);
    if rates.is_empty() { Err("no rates".to_owned()) } else { Ok(Rates(rates)) }
}
