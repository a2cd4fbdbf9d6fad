//! `tropix sweep`.

use std::path::PathBuf;

use clap::Args;

use super::{DataArgs, MethodArg, ModelArgs, MomentArgs, PageArgs, ProtocolArgs, RefitArg, SynthArgs, heading};

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Shares of the units of hidden layers to keep, comma-separated
    #[arg(
        long,
        value_delimiter = ',',
        allow_hyphen_values = true,
        value_parser = share,
        conflicts_with = "rates",
        help_heading = heading::TARGET
    )]
    pub(crate) keep: Vec<f64>,
    /// Shares of the weights to set to zero, where there is no `--keep`
    ///
    /// FROM:TO:STEP, or a comma-separated list.
    #[arg(
        long,
        default_value = "0:0.98:0.02",
        allow_hyphen_values = true,
        value_parser = rates,
        help_heading = heading::TARGET
    )]
    pub(crate) rates: Rates,
    /// Only the linear layers at the output lose neurons
    ///
    /// What the layers before them make of the data is computed once.
    #[arg(long, requires = "keep", conflicts_with = "latency", help_heading = heading::TARGET)]
    pub(crate) head: bool,
    /// Methods, comma-separated, see `tropix methods`; all by default
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true, hide_possible_values = true, help_heading = heading::METHOD)]
    pub(crate) methods: Vec<MethodArg>,
    /// Refits, comma-separated
    ///
    /// Of structured methods none and gaussian by default, and data with `--calib`; of the weights that stay none by default.
    #[arg(long, value_enum, value_delimiter = ',', help_heading = heading::METHOD)]
    pub(crate) refits: Vec<RefitArg>,
    /// Remove channels of residual trunks, too: the same ones from all layers on a trunk
    ///
    /// By norms, `tropnnc` and `synth-refit`, of all layers that write to a trunk or read it.
    #[arg(long, requires = "keep", help_heading = heading::METHOD, hide_short_help = true)]
    pub(crate) couple_trunk: bool,
    /// Seeds for methods with a random order: how many, or a comma-separated list
    ///
    /// Counted from `--seed` on. Methods without a random order run once.
    #[arg(
        long,
        default_value = "1",
        allow_hyphen_values = true,
        value_parser = seeds,
        value_name = "N|LIST",
        help_heading = heading::METHOD
    )]
    pub(crate) seeds: Seeds,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) moments: MomentArgs,
    #[command(flatten)]
    pub(crate) synth: SynthArgs,
    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
    /// Time each reduced network beside the original one, so many times
    ///
    /// On one sample, in turns.
    #[arg(
        long,
        value_name = "RUNS",
        num_args = 0..=1,
        default_missing_value = "15",
        requires = "keep",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = heading::OUTPUT
    )]
    pub(crate) latency: Option<u16>,
    /// Write the curves as comma-separated values
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) csv: Option<PathBuf>,
    /// Write the curves as a picture
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
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
    let wrong = || match text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok()) {
        Some(number) => format!("`{text}` is not a number; {number} per cent are {}", number / 100.0),
        None => format!("`{text}` is not a number"),
    };
    let share: f64 = text.trim().parse().map_err(|_| wrong())?;
    match share {
        0.0..=1.0 => Ok(share),
        2.0..=100.0 => Err(format!("{text} does not lie between 0 and 1; {text} per cent are {}", share / 100.0)),
        _ => Err(format!("{text} does not lie between 0 and 1")),
    }
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
