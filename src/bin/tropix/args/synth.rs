//! Settings of `synth-refit`.

use clap::{Args, ValueEnum};
use tropix::prune::synth::{Prior, SynthOptions};

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// What the inputs of `synth-refit` look like; `leaves` for images, `mixed` for images that enter linear layers,
    /// `gaussian` for everything else
    #[arg(long, value_enum)]
    pub(crate) prior: Option<PriorArg>,
    /// Inputs of `synth-refit`; between 1,000 and 8,000 by the size of the layers if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) inputs: Option<u32>,
    /// Ridge of `synth-refit`, in units of the mean variance of what a layer reads
    #[arg(long, default_value_t = SynthOptions::default().ridge, value_parser = ridge)]
    pub(crate) ridge: f64,
}

impl SynthArgs {
    pub(crate) fn options(&self) -> SynthOptions {
        SynthOptions {
            prior: self.prior.map(Prior::from),
            ridge: self.ridge,
            inputs: self.inputs.and_then(|inputs| usize::try_from(inputs).ok()),
            ..SynthOptions::default()
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PriorArg {
    Leaves,
    Natural,
    Gaussian,
    Mixed,
}

impl From<PriorArg> for Prior {
    fn from(value: PriorArg) -> Self {
        match value {
            PriorArg::Leaves => Self::Leaves,
            PriorArg::Natural => Self::Natural,
            PriorArg::Gaussian => Self::Gaussian,
            PriorArg::Mixed => Self::Mixed,
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
