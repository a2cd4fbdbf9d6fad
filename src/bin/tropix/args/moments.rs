//! What a structured run is told of the inputs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::prune::structured::Refit;

use super::heading;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::DATA)]
pub(crate) struct MomentArgs {
    /// Samples for the fit, as `--data`: a hundred help much; labels are not used
    #[arg(long, value_name = "DATA")]
    pub(crate) calib: Option<String>,
    /// How many of the calibration samples are used, from the first on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(2..),
        hide_short_help = true
    )]
    pub(crate) calib_samples: u32,
    /// Mean and covariance of the inputs instead: tensors `mean` (d) and `covariance` (d x d)
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) moments: Option<PathBuf>,
}

/// A refit by its name in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefitArg(pub(crate) Refit);

impl ValueEnum for RefitArg {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Refit::None), Self(Refit::Gaussian), Self(Refit::Data)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}
