//! `tropix sweep`.

use std::path::PathBuf;

use clap::Args;

use super::{DataArgs, MethodArg, ModelArgs, MomentArgs, ProtocolArgs, RefitArg, SynthArgs};

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
    #[arg(long, default_value = "0:0.98:0.02", allow_hyphen_values = true, value_parser = rates)]
    pub(crate) rates: Rates,
    /// Shares of the hidden neurons to keep, comma-separated: structured methods instead of rates
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, value_parser = share, conflicts_with = "rates")]
    pub(crate) keep: Vec<f64>,
    /// Refits, comma-separated: of structured methods none and gaussian by default, and data with `--calib`; of the weights that
    /// stay none by default
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) refits: Vec<RefitArg>,
    /// Only the linear layers at the output lose neurons: what the layers before them make of the data is computed once
    #[arg(long, requires = "keep", conflicts_with = "latency")]
    pub(crate) head: bool,
    /// Time each reduced network beside the original one in turns, on one sample, so many times each
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "15", requires = "keep",
        value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) latency: Option<u16>,
    /// Remove channels of residual trunks, too: the same ones from all layers that write to a trunk or read it; by norms,
    /// `tropnnc` and `synth-refit`
    #[arg(long, requires = "keep")]
    pub(crate) couple_trunk: bool,
    #[command(flatten)]
    pub(crate) moments: MomentArgs,
    #[command(flatten)]
    pub(crate) synth: SynthArgs,
    /// Seeds for methods with a random order: how many, counted from `--seed` on, or a comma-separated list; methods without
    /// one run once
    #[arg(long, default_value = "1", allow_hyphen_values = true, value_parser = seeds, value_name = "N|LIST")]
    pub(crate) seeds: Seeds,
    /// Write the curves as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the curves as a picture
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Rates of a sweep, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Rates(pub(crate) Vec<f64>);

/// Seeds of a sweep.
#[derive(Debug, Clone)]
pub(crate) enum Seeds {
    /// So many, from the seed of the run on.
    Count(u64),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// The seeds, for a run with the seed `first`.
    pub(crate) fn from(&self, first: u64) -> Vec<u64> {
        match self {
            Self::Count(count) => (0..*count).map(|at| first.wrapping_add(at)).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }
}

fn seeds(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is not a number of at least 0"));
    let mut list = text.split(',').map(number).collect::<Result<Vec<u64>, _>>()?;
    match *list.as_slice() {
        [count @ 1..=10_000] => Ok(Seeds::Count(count)),
        [count] => Err(format!("{count} seeds; expected 1 to 10,000, or a list")),
        _ => {
            list.sort_unstable();
            list.dedup();
            Ok(Seeds::List(list))
        }
    }
}

/// A number from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(format!("{text} does not lie between 0 and 1")) }
}

fn rates(text: &str) -> Result<Rates, String> {
    let mut rates = match *text.split(':').collect::<Vec<_>>() {
        [from, to, step] => {
            let (from, to, step) = (share(from)?, share(to)?, share(step)?);
            if step <= 0.0 || (to - from) / step > 100_000.0 {
                return Err("the step lies above 0 and makes at most 100,000 rates".to_owned());
            }
            // Counted, not added up, so that 0:0.98:0.02 ends at 0.98.
            (0_u32..).map(|i| from + f64::from(i) * step).take_while(|rate| *rate <= to + step * 1e-6).collect()
        }
        [_] => text.split(',').map(share).collect::<Result<Vec<f64>, _>>()?,
        _ => return Err("expected FROM:TO:STEP or a comma-separated list".to_owned()),
    };
    rates.sort_by(f64::total_cmp);
    if rates.is_empty() { Err("no rates".to_owned()) } else { Ok(Rates(rates)) }
}
