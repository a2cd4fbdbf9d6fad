//! What operations take and return beside matrices. The contracts that use them are the methods of [`Backend`](super::Backend).

use serde::Serialize;

/// What kind of backend computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// Plain f64 loops.
    Reference,
    /// The host processor.
    Cpu,
    /// A wgpu adapter.
    Gpu,
}

/// The device that computed a result; part of every report.
#[derive(Debug, Clone, Serialize)]
pub struct Device {
    /// Kind of backend.
    pub kind: DeviceKind,
    /// Adapter or processor name.
    pub name: String,
    /// Graphics API, or the SIMD level of the host path.
    pub backend: String,
    /// Whether the adapter is a software rasteriser that runs on the host processor.
    pub software: bool,
}

/// What follows an affine map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(z, 0)`.
    Relu,
}

/// Whether an operand enters as it is or transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transpose {
    /// The matrix as stored.
    No,
    /// Its transpose.
    Yes,
}

/// One half of the alternation on problem (2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HalfStep {
    /// Update the rows of `A`.
    Rows,
    /// Update the elements of `B`.
    Elements,
}

/// A place in the order of removal: elements with a lower score go, and of equal scores the lower indices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cutoff {
    /// The score at which the cut lies.
    pub score: f32,
    /// Row-major index within the layer; elements of exactly `score` go iff their index is lower.
    pub index: u32,
}

/// The maxima of a tropical polynomial.
#[derive(Debug)]
pub struct Maxima<M, I> {
    /// `n x 1`: the values.
    pub values: M,
    /// `n`: the lowest monomial that attains each value.
    pub arguments: I,
}

/// The minima over a set of points.
#[derive(Debug)]
pub struct Minima<M, I> {
    /// `n x 1`: the values.
    pub values: M,
    /// `n`: the lowest index that attains each value.
    pub arguments: I,
}

/// Means of clusters.
#[derive(Debug)]
pub struct ClusterMeans<M, I> {
    /// `k x d`: the means.
    pub centres: M,
    /// `k`: points of each cluster.
    pub counts: I,
    /// `1 x k`: squared distances from the earlier centres.
    pub moved: M,
    /// `1 x k`: `-|c|^2 / 2` of each mean.
    pub offsets: M,
}

/// One-pass scores of problem (2).
#[derive(Debug)]
pub struct RowScores<M> {
    /// `1 x p`: the norms `||(A_i, c_i)||` of the generators.
    pub norms: M,
    /// `1 x p`: the row scores `r_i`.
    pub rows: M,
}

/// The state of the alternation on problem (2) after some half-steps.
#[derive(Debug)]
pub struct RowUpdate<M> {
    /// `1 x p`: `s_i`, with `A~_i = s_i A_i`.
    pub scale: M,
    /// `k x p`: the non-negative coefficients `T~`.
    pub elements: M,
    /// `(half_steps + 1) x p`: each neuron's share of the objective, before the first and after every half-step.
    pub objective: M,
}

/// Mean and covariance of rectified normal values.
#[derive(Debug)]
pub struct ReluMoments<M> {
    /// `1 x n`: the means.
    pub mean: M,
    /// `n x n`: the covariances.
    pub covariance: M,
}

/// The cross-entropy of a batch and its slope.
#[derive(Debug)]
pub struct CrossEntropy<M> {
    /// `n x 1`: the loss of each sample.
    pub losses: M,
    /// `n x k`: the gradient of the mean loss by the logits.
    pub gradient: M,
}

/// Settings of one step of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate, at least 0.
    pub rate: f32,
    /// How much of the running mean and of the running mean square stays in each step, from 0 to below 1.
    pub decays: [f32; 2],
    /// Added to the root of the mean square, above 0.
    pub epsilon: f32,
    /// The number of this step, from 1.
    pub step: u32,
}

impl Adam {
    /// `1 - decay^step`: by what running means that began at zero are too small.
    pub(crate) fn corrections(self) -> [f64; 2] {
        self.decays.map(|decay| 1.0 - f64::from(decay).powf(f64::from(self.step)))
    }
}

/// Weights after a step of Adam, and what the next step needs.
#[derive(Debug)]
pub struct AdamState<M> {
    /// The new weights.
    pub weights: M,
    /// The running mean of the gradients.
    pub mean: M,
    /// The running mean of their squares.
    pub square: M,
}

/// What a classifier says of each sample.
#[derive(Debug)]
pub struct Classified<I> {
    /// `n`: arg max of the logits, ties to the lowest class.
    pub class: I,
    /// `n`: how many classes come before the label in descending order of logits, ties to the lowest class;
    /// all zero without labels. Top-1 is rank 0, top-5 is rank below 5.
    pub rank: I,
}
