//! What a structured run is asked to do.

use serde::Serialize;

use super::UnitMethod;
use super::allocate::{Keep, LayerKeep};
use super::prior::Prior;
use crate::network::Network;
use crate::prune::synth::{self, SynthOptions};

/// What is done to the weights that read the units that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Refit {
    /// What the method itself does.
    None,
    /// The weights of least squared error over inputs of the prior distribution.
    Gaussian,
    /// The weights of least squared error on calibration samples; with `synth-refit` those take the place of synthetic
    /// inputs.
    Data,
}

impl Refit {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 3] = [Self::None, Self::Gaussian, Self::Data];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gaussian => "gaussian",
            Self::Data => "data",
        }
    }
}

/// Settings of one structured run.
#[derive(Debug, Clone)]
pub struct UnitOptions {
    /// The method.
    pub method: UnitMethod,
    /// What follows it.
    pub refit: Refit,
    /// The assumed distribution of inputs.
    pub prior: Prior,
    /// What is added to the diagonal of a covariance before it is solved with, in units of the mean of the diagonal.
    pub ridge: f64,
    /// Whether what changes no output is removed first, exactly.
    pub lossless: bool,
    /// Inputs have at most this norm; without it nothing is exact but what is so for every input.
    pub radius: Option<f64>,
    /// Seed of every random stream.
    pub seed: u64,
    /// Units that stay in every layer.
    pub keep: Keep,
    /// Layers that keep another number.
    pub layers: Vec<LayerKeep>,
    /// Numbers of units are multiples of this.
    pub round_to: usize,
    /// Units of a layer that stay in any case.
    pub min_keep: usize,
    /// Settings of [`UnitMethod::SynthRefit`]; its seed is that of the run.
    pub synth: SynthOptions,
    /// Whether each residual trunk is one layer: the same channels stay in all layers that write to it. Otherwise trunks
    /// keep their channels.
    pub couple_trunk: bool,
    /// Whether only layers of the head are reduced, as for data that are its inputs.
    pub head_only: bool,
}

impl UnitOptions {
    /// Keeps a share of the units of every layer by `method` and its usual refit, with everything else at its default.
    #[must_use]
    pub fn new(method: UnitMethod, keep: f64) -> Self {
        Self {
            method,
            refit: method.usual_refit(),
            prior: Prior::default(),
            ridge: 1e-3,
            lossless: true,
            radius: None,
            seed: 0,
            keep: Keep::Share(keep),
            layers: Vec::new(),
            round_to: 1,
            min_keep: 1,
            synth: SynthOptions::default(),
            couple_trunk: false,
            head_only: false,
        }
    }

    /// The name of the distribution that a run with these options assumes of the inputs of `network`; none where it works on
    /// samples, or on weights alone.
    #[must_use]
    pub fn assumed(&self, network: &Network) -> Option<&'static str> {
        match self.refit {
            Refit::Gaussian => Some(self.prior.name()),
            Refit::None if self.method == UnitMethod::SynthRefit => {
                Some(self.synth.prior.unwrap_or_else(|| synth::Prior::of(network)).name())
            }
            Refit::None | Refit::Data => None,
        }
    }
}
