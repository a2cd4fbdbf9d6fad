//! What is trained, and how.

use serde::Serialize;

/// Which parameters of the head are trained. Weights that are zero stay zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The biases of all linear layers of the head.
    Biases,
    /// Weights and biases of the last linear layer.
    Head,
    /// Weights and biases of all linear layers of the chain Linear, ReLU, ... that ends at the output.
    All,
}

/// How parameters follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Adam with decays 0.9 and 0.999, see [`Backend::adam_step`](crate::backend::Backend::adam_step).
    Adam,
    /// Gradient descent with momentum 0.9: `v <- 0.9 v + g`, `w <- w - rate v`.
    Sgd,
}

impl Optimiser {
    /// The learning rate where none is given.
    #[must_use]
    pub fn usual_rate(self) -> f64 {
        match self {
            Self::Adam => 1e-3,
            Self::Sgd => 5e-2,
        }
    }

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::Sgd => "sgd",
        }
    }
}

impl Scope {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Biases => "biases",
            Self::Head => "head",
            Self::All => "all",
        }
    }

    /// Whether weights and biases of layer `at` of `layers` are trained.
    pub(super) fn trains(self, at: usize, layers: usize) -> [bool; 2] {
        match self {
            Self::Biases => [false, true],
            Self::Head => [at + 1 == layers; 2],
            Self::All => [true; 2],
        }
    }
}

/// Settings of fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinetuneOptions {
    /// What is trained.
    pub scope: Scope,
    /// How.
    pub optimiser: Optimiser,
    /// Learning rate of the first step; it falls to zero along half a cosine.
    pub rate: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples of a step.
    pub batch: usize,
    /// Seed of the order of samples.
    pub seed: u64,
}

impl FinetuneOptions {
    /// Five epochs of Adam with batches of 128.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        let optimiser = Optimiser::Adam;
        Self { scope, optimiser, rate: optimiser.usual_rate(), epochs: 5, batch: 128, seed: 0 }
    }
}
