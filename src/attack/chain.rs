//! A head of linear layers as it is, forward and back to what enters its first ReLU.
//!
//! With `h_0 = x`, `z_l = h_(l-1) W_l^T + 1 b_l^T`, `h_l = max(z_l, 0)` where a ReLU follows, and `D_l` the gradient of a loss by
//! `z_l`, for `n` samples as rows: `D_(l-1) = (D_l W_l) [h_(l-1) > 0]`.

use crate::backend::{Activation, Backend, Cutoff, Transpose};
use crate::error::{Error, Result};
use crate::network::Head;

/// A layer on a device.
struct Layer<B: Backend> {
    weight: B::Matrix,
    bias: Option<B::Matrix>,
    activation: Activation,
}

/// The layers of a head on a device.
pub(super) struct Chain<B: Backend> {
    layers: Vec<Layer<B>>,
}

/// Everything at most zero goes: what is left is where `h > 0`.
const POSITIVE: Cutoff = Cutoff { score: 0.0, index: u32::MAX };

impl<B: Backend> Chain<B> {
    pub(super) fn upload(backend: &B, head: &Head) -> Result<Self> {
        let layers = head.layers.iter().map(|layer| {
            let weight = backend.upload(&layer.weight)?;
            layer.weight.release();
            Ok(Layer {
                weight,
                bias: layer.bias.as_ref().map(|bias| backend.upload(bias)).transpose()?,
                activation: if layer.relu { Activation::Relu } else { Activation::Identity },
            })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// The weights of the first layer.
    pub(super) fn first(&self) -> Result<&B::Matrix> {
        let first = self.layers.first().ok_or_else(|| Error::Internal { what: "no layers".to_owned() })?;
        Ok(&first.weight)
    }

    /// What enters the first ReLU, `x W_1^T + 1 b_1^T`.
    pub(super) fn preactivation(&self, backend: &B, x: &B::Matrix) -> Result<B::Matrix> {
        let bias = self.layers.first().and_then(|layer| layer.bias.as_ref());
        backend.affine(x, self.first()?, bias, Activation::Identity)
    }

    /// The signal after each layer, from what enters the first ReLU.
    pub(super) fn forward_from(&self, backend: &B, preactivation: &B::Matrix) -> Result<Vec<B::Matrix>> {
        let activation = self.layers.first().map_or(Activation::Identity, |layer| layer.activation);
        let mut signals = vec![backend.weighted_sum(preactivation, None, [1.0, 0.0], activation)?];
        for layer in self.layers.iter().skip(1) {
            let before = signals.last().unwrap_or(preactivation);
            signals.push(backend.affine(before, &layer.weight, layer.bias.as_ref(), layer.activation)?);
        }
        Ok(signals)
    }

    /// The gradient of the loss by what enters the first ReLU, from that by the last signal; times `W_1` it is the one by
    /// the inputs.
    pub(super) fn pull_back(&self, backend: &B, signals: &[B::Matrix], gradient: B::Matrix) -> Result<B::Matrix> {
        let mut gradient = gradient;
        for (at, (layer, signal)) in self.layers.iter().zip(signals).enumerate().rev() {
            if layer.activation == Activation::Relu {
                gradient = backend.threshold_mask(&gradient, signal, POSITIVE)?;
            }
            if at > 0 {
                gradient = backend.matmul(&gradient, Transpose::No, &layer.weight, Transpose::No)?;
            }
        }
        Ok(gradient)
    }
}
