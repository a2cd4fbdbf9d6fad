//! What a structured run is told of the inputs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::prune::structured::Refit;

#[derive(Debug, Args)]
pub(crate) struct MomentArgs {
    /// Mean and covariance of the inputs: tensors `mean` (d) and `covariance` (d x d)
    #[arg(long, value_name = "FILE")]
    pub(crate) moments: Option<PathBuf>,
    /// Calibration samples, as `--data`; labels are not used
    #[arg(long, value_name = "DATA")]
    pub(crate) calib: Option<String>,
    /// How many of the calibration samples are used, from the first on
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) calib_samples: u32,
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
