//! Settings of `synth-refit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::prune::synth::{DistilOptions, Prior, SynthOptions};

use super::heading;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::SYNTHETIC)]
pub(crate) struct SynthArgs {
    /// What inputs look like where there are no data
    ///
    /// In closed form (`greedy-gaussian`, `--refit gaussian`) or by samples
    /// (`synth-refit`): `arrangement`, a mean and a deviation of each input read off the hyperplanes of the first linear layer.
    /// In closed form only: `iso`, N(0, I), `image`, the covariance of images in general, `moments`, those of `--moments` or
    /// `--calib`. By samples only: `leaves`, `natural` and `fields` for images, `gaussian`, N(0, I), `mixed`, half `gaussian` and
    /// half `leaves`; `distilled`, the default prior moved by gradient steps until batch norms see what they saw in training, of
    /// ONNX models that hold some. By default `arrangement` where linear layers read the inputs; else `leaves` for images, `gaussian` for
    /// others
    #[arg(long, value_enum, hide_short_help = true)]
    pub(crate) prior: Option<PriorArg>,
    /// Number of synthetic inputs; between 1,000 and 8,000 by the size of the layers if absent
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) inputs: Option<u32>,
    /// Ridge of refits, in units of the mean variance of what a layer reads
    #[arg(
        long,
        default_value_t = SynthOptions::default().ridge,
        value_parser = ridge,
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    pub(crate) ridge: f64,
}

impl SynthArgs {
    pub(crate) fn options(&self) -> SynthOptions {
        SynthOptions {
            prior: self.prior.and_then(PriorArg::sampled),
            ridge: self.ridge,
            inputs: self.inputs.and_then(|inputs| usize::try_from(inputs).ok()),
            ..SynthOptions::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriorArg {
    Arrangement,
    Iso,
    Image,
    Moments,
    Leaves,
    Natural,
    Fields,
    Gaussian,
    Mixed,
    Distilled,
}

impl PriorArg {
    /// Whether it is one of those in closed form.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Arrangement | Self::Iso | Self::Image | Self::Moments)
    }

    /// The prior of synthetic inputs, if it is one.
    pub(crate) fn sampled(self) -> Option<Prior> {
        match self {
            Self::Iso | Self::Image | Self::Moments => None,
            Self::Arrangement => Some(Prior::Arrangement),
            Self::Leaves => Some(Prior::Leaves),
            Self::Natural => Some(Prior::Natural),
            Self::Fields => Some(Prior::Fields),
            Self::Gaussian => Some(Prior::Gaussian),
            Self::Mixed => Some(Prior::Mixed),
            // Drawn from the default prior first.
            Self::Distilled => None,
        }
    }
}

/// Whose statistics batch norms take during a refit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatisticsArg {
    /// Those of the inputs of the refit
    Batch,
    /// Those of training, which the file holds
    Running,
}

/// How inputs are distilled.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::SYNTHETIC)]
pub(crate) struct DistilArgs {
    /// Gradient steps of `--prior distilled`
    #[arg(
        long,
        value_name = "N",
        default_value_t = DistilOptions::default().steps,
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        hide_short_help = true
    )]
    pub(crate) distil_steps: u32,
    /// Write the inputs that were distilled, for `--calib` in later runs
    ///
    /// As the network takes them, without `--mean` and `--std`.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) keep_inputs: Option<PathBuf>,
    /// Mean and variance of batch norms during a refit of any graph
    ///
    /// By default those of the inputs where these are made up, so that each layer sees values of the scale that it was trained
    /// on, and those of training where they are samples. The file that is written holds those of training.
    #[arg(long, value_name = "WHOSE", value_enum, hide_short_help = true)]
    pub(crate) norm_statistics: Option<StatisticsArg>,
}

impl DistilArgs {
    pub(crate) fn options(&self) -> DistilOptions {
        DistilOptions { steps: self.distil_steps, ..DistilOptions::default() }
    }
}

fn ridge(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err("a ridge is a finite number of at least 0".to_owned())
    }
}
