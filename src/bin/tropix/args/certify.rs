//! Arguments of `certify`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValue;
use tropix::certify::Bound;

use super::{DataArgs, ModelArgs, PageArgs, heading};

#[derive(Debug, Args)]
#[command(next_help_heading = heading::CERTIFICATE)]
pub(crate) struct CertifyArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The compressed model: as deep, with as many inputs and classes
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) compressed: PathBuf,
    /// Norm that inputs have at most; by default that of the longest sample
    #[arg(long, value_parser = radius, required_unless_present = "data", allow_negative_numbers = true)]
    pub(crate) radius: Option<f64>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Upper bounds, comma-separated: all, or some of
    /// triangle, zonotope-shares, zonotope-sums, pair, crown, half, sdp
    #[arg(long, value_delimiter = ',', default_value = "all", hide_possible_values = true)]
    pub(crate) bounds: Vec<BoundArg>,
    /// Every hidden layer by itself as well: large errors are looked for in each
    #[arg(long)]
    pub(crate) layer: bool,
    /// Starts of the search for large errors, for each output
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) starts: u32,
    /// Steps from each start
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) steps: u32,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// One bound, or all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoundArg(Option<Bound>);

impl BoundArg {
    /// The bounds that are asked for, in the order of reports.
    pub(crate) fn chosen(arguments: &[Self]) -> Vec<Bound> {
        let wanted = |bound: &Bound| arguments.iter().any(|one| one.0.is_none() || one.0 == Some(*bound));
        Bound::ALL.into_iter().filter(wanted).collect()
    }
}

impl clap::ValueEnum for BoundArg {
    fn value_variants<'a>() -> &'a [Self] {
        const VARIANTS: [BoundArg; 8] = [
            BoundArg(None),
            BoundArg(Some(Bound::ALL[0])),
            BoundArg(Some(Bound::ALL[1])),
            BoundArg(Some(Bound::ALL[2])),
            BoundArg(Some(Bound::ALL[3])),
            BoundArg(Some(Bound::ALL[4])),
            BoundArg(Some(Bound::ALL[5])),
            BoundArg(Some(Bound::ALL[6])),
        ];
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.map_or("all", Bound::name)))
    }
}

fn radius(text: &str) -> Result<f64, String> {
    let radius: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if radius >= 0.0 && radius.is_finite() {
        Ok(radius)
    } else {
        Err("a radius is a finite number of at least 0".to_owned())
    }
}
