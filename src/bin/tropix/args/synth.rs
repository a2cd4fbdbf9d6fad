//! Settings of `synth-refit`.

use clap::{Args, ValueEnum};
use tropix::prune::synth::{Prior, SynthOptions};

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// What inputs look like. In closed form: `iso`, N(0, I), `image`, the covariance of images in general, or `moments`, those
    /// of `--moments` or `--calib`. By samples (`synth-refit`): `leaves` and `natural` for images, `mixed` for images that
    /// enter linear layers, `gaussian` for everything else
    #[arg(long, value_enum)]
    pub(crate) prior: Option<PriorArg>,
    /// Synthetic inputs; between 1,000 and 8,000 by the size of the layers if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) inputs: Option<u32>,
    /// Ridge of refits, in units of the mean variance of what a layer reads
    #[arg(long, default_value_t = SynthOptions::default().ridge, value_parser = ridge, allow_negative_numbers = true)]
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
    Iso,
    Image,
    Moments,
    Leaves,
    Natural,
    Gaussian,
    Mixed,
}

impl PriorArg {
    /// The prior of synthetic inputs, if it is one.
    pub(crate) fn sampled(self) -> Option<Prior> {
        match self {
            Self::Iso | Self::Image | Self::Moments => None,
            Self::Leaves => Some(Prior::Leaves),
            Self::Natural => Some(Prior::Natural),
            Self::Gaussian => Some(Prior::Gaussian),
            Self::Mixed => Some(Prior::Mixed),
        }
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
