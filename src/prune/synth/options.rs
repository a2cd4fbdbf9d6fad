//! Settings and results of `synth-refit`.

use serde::Serialize;

use super::Prior;

/// Settings of `synth-refit`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SynthOptions {
    /// What synthetic inputs look like; [`Prior::of`] the network if absent.
    pub prior: Option<Prior>,
    /// The ridge, in units of the mean diagonal of the covariance.
    pub ridge: f64,
    /// Inputs; as many as the unknowns ask for if absent, and no more than a large network can take in minutes.
    pub inputs: Option<usize>,
    /// Seed of the inputs and of the windows that are taken.
    pub seed: u64,
}

impl Default for SynthOptions {
    fn default() -> Self {
        Self { prior: None, ridge: 1e-3, inputs: None, seed: 0 }
    }
}

impl SynthOptions {
    /// The number of inputs: twice the largest number `K q` of unknowns of a layer that reads each input once, between
    /// 1,000 and 8,000. `unknowns` are these numbers.
    #[must_use]
    pub fn count(&self, unknowns: impl IntoIterator<Item = usize>) -> usize {
        self.inputs
            .unwrap_or_else(|| unknowns.into_iter().map(|unknowns| 2 * unknowns).max().unwrap_or(0).clamp(1000, 8000))
    }
}

/// What the least squares of a layer are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefitForm {
    /// All units at all places that the next layer reads.
    Joint,
    /// The units, with one map for all places: for a next layer with more columns than a covariance can be taken of, or
    /// than there are inputs for.
    Channels,
    /// The units in closed form over `N(0, I)` on the inputs of the layer: neurons, with too few inputs for samples.
    Gaussian,
}

impl RefitForm {
    /// What it is, for people; nothing for the usual one.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Joint => None,
            Self::Channels => Some("one map of the channels for all places that the next layer reads"),
            Self::Gaussian => Some("closed form over N(0, I): fewer inputs than a fit of its neurons takes"),
        }
    }
}

/// What the refit of one layer did.
#[derive(Debug, Clone, Serialize)]
pub struct UnitRefit {
    /// What the least squares are over.
    pub form: RefitForm,
    /// Inputs that they are taken over; 0 in closed form.
    pub inputs: usize,
    /// Variance of the target, the next pre-activation of the original network: the loss without units.
    pub variance: f64,
    /// Mean squared error of the refitted layer, in the same units.
    pub loss: f64,
    /// The loss that greedy selection expects after each unit, the first unit first.
    pub curve: Vec<f64>,
}
