//! What a pruning method returns: which elements stay and which weights are rewritten. Methods know nothing of files.

use super::mask::Mask;

/// New values for what stays of a layer.
#[derive(Debug, Clone)]
pub enum Rewrite {
    /// Row `i` of the weights and its bias times factor `i`: `A~_i = s_i A_i`.
    ScaleRows(Vec<f32>),
    /// Row-major values that replace the weights, outputs x inputs.
    Replace(Vec<f32>),
    /// Values that replace the bias of a layer that has one; neurons that are removed lose theirs.
    ReplaceBias(Vec<f32>),
}

/// The plan for one layer of a head.
#[derive(Debug, Clone)]
pub struct LayerPlan {
    /// Name of the node.
    pub name: String,
    /// Which weights stay.
    pub keep: Mask,
    /// Neurons that are removed with their bias, whatever the bias is; ascending.
    pub removed_rows: Vec<usize>,
    /// New values, in this order.
    pub rewrites: Vec<Rewrite>,
}

/// The plan for a head: one entry per layer, from input to output.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Layers from input to output.
    pub layers: Vec<LayerPlan>,
}

impl Plan {
    /// Weights of all layers and how many of them stay, biases not counted.
    #[must_use]
    pub fn weights(&self) -> [u64; 2] {
        let count = |of: fn(&Mask) -> u64| self.layers.iter().map(|layer| of(&layer.keep)).sum();
        [count(|mask| mask.shape()[0] as u64 * mask.shape()[1] as u64), count(Mask::kept)]
    }

    /// The share of weights that is removed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn rate(&self) -> f64 {
        let [all, kept] = self.weights();
        if all == 0 { 0.0 } else { (all - kept) as f64 / all as f64 }
    }
}
