//! A head whose weights are cut by their scores, cut-off after cut-off.

use super::{Activation, Backend, Classified, Cutoff};
use crate::error::{Error, Result};

/// A layer whose weights are cut by their scores, see [`Backend::classify_at`].
#[derive(Debug)]
pub struct ScoredLayer<'a, M> {
    /// `m x d`.
    pub weights: &'a M,
    /// `m x d`, or `m x 1` for one score per row.
    pub scores: &'a M,
    /// `1 x m`, zero if absent.
    pub bias: Option<&'a M>,
    /// What follows the layer.
    pub activation: Activation,
}

/// [`Backend::classify_at`] as its contract says it.
pub(super) fn one_by_one<B: Backend + ?Sized>(
    backend: &B,
    batches: &[(B::Matrix, Option<B::Indices>)],
    layers: &[ScoredLayer<'_, B::Matrix>],
    cutoffs: &[Vec<Cutoff>],
) -> Result<Vec<Vec<Classified<B::Indices>>>> {
    let at = |cutoffs: &Vec<Cutoff>| {
        one_for_each_layer(layers.len(), cutoffs)?;
        let masked = layers.iter().zip(cutoffs);
        let masked: Vec<B::Matrix> = masked
            .map(|(layer, cutoff)| backend.threshold_mask(layer.weights, layer.scores, *cutoff))
            .collect::<Result<_>>()?;
        let classify = |(inputs, labels): &(B::Matrix, Option<B::Indices>)| {
            let mut signal = None;
            for (layer, weights) in layers.iter().zip(&masked) {
                let input = signal.as_ref().unwrap_or(inputs);
                signal = Some(backend.affine(input, weights, layer.bias, layer.activation)?);
            }
            backend.classify(signal.as_ref().unwrap_or(inputs), labels.as_ref())
        };
        batches.iter().map(classify).collect()
    };
    cutoffs.iter().map(at).collect()
}

/// Fails unless there are layers, and a cut-off for each of them.
pub(super) fn one_for_each_layer(layers: usize, cutoffs: &[Cutoff]) -> Result<()> {
    if layers > 0 && cutoffs.len() == layers {
        return Ok(());
    }
    let problem = format!("{} cut-offs for {layers} layers", cutoffs.len());
    Err(Error::Argument { argument: "cutoffs", problem })
}
