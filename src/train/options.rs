//! What is trained, and how.

use std::f64::consts::PI;

use serde::Serialize;

/// Which parameters are trained. Weights that are zero stay zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The biases of the chain Linear, ReLU, ... that ends at the output.
    Biases,
    /// Weights and biases of the last linear layer.
    Head,
    /// Weights and biases of all linear layers of that chain.
    Classifier,
    /// All weights of the network.
    All,
}

/// How parameters follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Adam with decays 0.9 and 0.999, see [`Backend::adam_step`](crate::backend::Backend::adam_step).
    Adam,
    /// The same with a weight decay of its own: `w <- (1 - rate decay) w` before each step (Loshchilov and Hutter, arXiv 1711.05101).
    AdamW,
    /// Gradient descent with momentum 0.9: `v <- 0.9 v + g`, `w <- w - rate v`.
    Sgd,
}

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// To zero along half a cosine.
    Cosine,
    /// To a tenth after half of the steps, and to a tenth of that after three quarters.
    Step,
}

impl Optimiser {
    /// The learning rate where none is given.
    #[must_use]
    pub fn usual_rate(self) -> f64 {
        match self {
            Self::Adam | Self::AdamW => 1e-3,
            Self::Sgd => 5e-2,
        }
    }

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::Sgd => "sgd",
        }
    }
}

impl Schedule {
    /// The factor of the rate after a share of the steps.
    #[must_use]
    pub fn at(self, share: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => 0.5 * (1.0 + (PI * share).cos()),
            Self::Step if share < 0.5 => 1.0,
            Self::Step if share < 0.75 => 0.1,
            Self::Step => 0.01,
        }
    }

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Cosine => "cosine",
            Self::Step => "step",
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
            Self::Classifier => "classifier",
            Self::All => "all",
        }
    }
}

/// Settings of training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrainOptions {
    /// How parameters follow their gradients.
    pub optimiser: Optimiser,
    /// Learning rate of the first step.
    pub rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Weight decay: added to the gradient as `decay w`, or taken off the weights by themselves for [`Optimiser::AdamW`]. All
    /// parameters decay.
    pub decay: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples of a step.
    pub batch: usize,
    /// Epochs without a better held-out accuracy after which training ends, with the best state; without it the state is that
    /// of the last epoch.
    pub patience: Option<usize>,
    /// How images are varied.
    pub augment: Augment,
    /// Seed of the order of samples and of variations.
    pub seed: u64,
}

impl TrainOptions {
    /// Ten epochs of Adam with batches of 128, along half a cosine.
    #[must_use]
    pub fn new() -> Self {
        let optimiser = Optimiser::Adam;
        Self {
            optimiser,
            rate: optimiser.usual_rate(),
            schedule: Schedule::Cosine,
            decay: 0.0,
            epochs: 10,
            batch: 128,
            patience: None,
            augment: Augment::default(),
            seed: 0,
        }
    }
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How images are varied each time that they are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Augment {
    /// Moved by up to so many pixels along each axis, zeros in their place.
    pub shift: usize,
    /// Every other one, by chance, is mirrored left to right.
    pub flip: bool,
}

impl Augment {
    /// Whether anything is varied.
    #[must_use]
    pub fn any(self) -> bool {
        self.shift > 0 || self.flip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_as_their_schedules_say() {
        for (schedule, expected) in [
            (Schedule::Constant, [1.0, 1.0, 1.0, 1.0]),
            (Schedule::Cosine, [1.0, 0.5, 0.5 * (1.0 - std::f64::consts::FRAC_1_SQRT_2), 0.0]),
            (Schedule::Step, [1.0, 0.1, 0.01, 0.01]),
        ] {
            for (share, factor) in [0.0, 0.5, 0.75, 1.0].into_iter().zip(expected) {
                assert!((schedule.at(share) - factor).abs() < 1e-12, "{schedule:?} at {share}");
            }
        }
    }
}
