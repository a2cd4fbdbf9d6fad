//! Signals forward and gradients backward through a chain of linear layers with ReLU.
//!
//! With `h_0 = x`, `z_l = h_(l-1) W_l^T + 1 b_l^T`, `h_l = max(z_l, 0)` where a ReLU follows, and `D_l` the gradient of the
//! loss by `z_l`, for `n` samples as rows:
//!
//! ```text
//! dL/dW_l = D_l^T h_(l-1)      dL/db_l = D_l^T 1      D_(l-1) = (D_l W_l) [h_(l-1) > 0]
//! ```

use ndarray::Array2;

use super::options::Scope;
use super::parameter::Parameter;
use crate::backend::{Activation, Backend, Cutoff, RowSource, Transpose};
use crate::error::{Error, Result};
use crate::network::{Classifier, Head, HeadLayer};

/// A layer on a device.
struct Layer<B: Backend> {
    weight: Parameter<B>,
    bias: Option<Parameter<B>>,
    activation: Activation,
    /// Whether weights and biases are trained.
    trained: [bool; 2],
}

/// A head whose parameters are trained, or whose inputs are followed.
pub(crate) struct Trained<B: Backend> {
    layers: Vec<Layer<B>>,
}

/// The slopes of the parameters of one layer that are trained.
pub(super) struct Slopes<M> {
    pub(super) weight: Option<M>,
    pub(super) bias: Option<M>,
}

/// Everything at most zero goes: what is left is where `h > 0`.
const POSITIVE: Cutoff = Cutoff { score: 0.0, index: u32::MAX };

impl<B: Backend> Trained<B> {
    /// A head that stays as it is.
    pub(crate) fn fixed(backend: &B, head: &Head) -> Result<Self> {
        let layers = head.layers.iter().map(|layer| {
            Ok(Layer {
                weight: Parameter::upload(backend, &layer.weight, None)?,
                bias: layer.bias.as_ref().map(|bias| Parameter::upload(backend, bias, None)).transpose()?,
                activation: if layer.relu { Activation::Relu } else { Activation::Identity },
                trained: [false; 2],
            })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    pub(super) fn upload(backend: &B, head: &Head, scope: Scope) -> Result<Self> {
        let count = head.layers.len();
        let layers = head.layers.iter().enumerate().map(|(at, layer)| {
            let trained = scope.trains(at, count);
            let (weights, biases) = frozen(layer, at + 1 == count);
            let bias = layer.bias.as_ref();
            Ok(Layer {
                weight: Parameter::upload(backend, &layer.weight, weights.as_deref().filter(|_| trained[0]))?,
                bias: bias.map(|bias| Parameter::upload(backend, bias, biases.as_deref())).transpose()?,
                activation: if layer.relu { Activation::Relu } else { Activation::Identity },
                trained: [trained[0], trained[1] && layer.bias.is_some()],
            })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// The signal after each layer.
    pub(super) fn forward(&self, backend: &B, x: &B::Matrix) -> Result<Vec<B::Matrix>> {
        self.onward(backend, x, Vec::with_capacity(self.layers.len()))
    }

    /// The weights of the first layer.
    pub(crate) fn first(&self) -> Result<&B::Matrix> {
        let first = self.layers.first().ok_or_else(|| Error::Internal { what: "no layers".to_owned() })?;
        Ok(&first.weight.value)
    }

    /// What enters the first ReLU, `x W_1^T + 1 b_1^T`.
    pub(crate) fn preactivation(&self, backend: &B, x: &B::Matrix) -> Result<B::Matrix> {
        let bias = self.layers.first().and_then(|layer| layer.bias.as_ref()).map(|bias| &bias.value);
        backend.affine(x, self.first()?, bias, Activation::Identity)
    }

    /// The signal after each layer, from what enters the first ReLU.
    pub(crate) fn forward_from(&self, backend: &B, preactivation: &B::Matrix) -> Result<Vec<B::Matrix>> {
        let activation = self.layers.first().map_or(Activation::Identity, |layer| layer.activation);
        let first = backend.weighted_sum(preactivation, None, [1.0, 0.0], activation)?;
        self.onward(backend, preactivation, vec![first])
    }

    /// The signals after the layers behind those that are there.
    fn onward(&self, backend: &B, x: &B::Matrix, mut signals: Vec<B::Matrix>) -> Result<Vec<B::Matrix>> {
        for layer in self.layers.iter().skip(signals.len()) {
            let bias = layer.bias.as_ref().map(|bias| &bias.value);
            let signal = backend.affine(signals.last().unwrap_or(x), &layer.weight.value, bias, layer.activation)?;
            signals.push(signal);
        }
        Ok(signals)
    }

    /// The slopes of all layers from the gradient of the loss by the last signal.
    pub(super) fn backward(
        &self,
        backend: &B,
        x: &B::Matrix,
        signals: &[B::Matrix],
        gradient: B::Matrix,
    ) -> Result<Vec<Slopes<B::Matrix>>> {
        let rows = backend.shape(x)[0];
        let ones = backend.upload(&Array2::<f32>::ones((1, rows)))?;
        let first = self.layers.iter().position(|layer| layer.trained != [false; 2]).unwrap_or(self.layers.len());
        let mut slopes: Vec<Slopes<B::Matrix>> =
            (0..self.layers.len()).map(|_| Slopes { weight: None, bias: None }).collect();
        let mut gradient = gradient;
        for (at, layer) in self.layers.iter().enumerate().skip(first).rev() {
            if layer.activation == Activation::Relu {
                gradient = backend.threshold_mask(&gradient, &signals[at], POSITIVE)?;
            }
            let before = at.checked_sub(1).map_or(x, |before| &signals[before]);
            if layer.trained[0] {
                slopes[at].weight = Some(backend.matmul(&gradient, Transpose::Yes, before, Transpose::No)?);
            }
            if layer.trained[1] {
                slopes[at].bias = Some(backend.matmul(&ones, Transpose::No, &gradient, Transpose::No)?);
            }
            if at > first {
                gradient = backend.matmul(&gradient, Transpose::No, &layer.weight.value, Transpose::No)?;
            }
        }
        Ok(slopes)
    }

    /// The gradient of the loss by what enters the first ReLU, from that by the last signal; times `W_1` it is the one by
    /// the inputs.
    pub(crate) fn pull_back(&self, backend: &B, signals: &[B::Matrix], gradient: B::Matrix) -> Result<B::Matrix> {
        let mut gradient = gradient;
        for (at, (layer, signal)) in self.layers.iter().zip(signals).enumerate().rev() {
            if layer.activation == Activation::Relu {
                gradient = backend.threshold_mask(&gradient, signal, POSITIVE)?;
            }
            if at > 0 {
                gradient = backend.matmul(&gradient, Transpose::No, &layer.weight.value, Transpose::No)?;
            }
        }
        Ok(gradient)
    }

    /// Every parameter that is trained, with its slope.
    pub(super) fn trained(
        &mut self,
        slopes: Vec<Slopes<B::Matrix>>,
    ) -> impl Iterator<Item = (&mut Parameter<B>, B::Matrix)> {
        self.layers.iter_mut().zip(slopes).flat_map(|(layer, slopes)| {
            let weight = slopes.weight.map(|slope| (&mut layer.weight, slope));
            let bias = layer.bias.as_mut().zip(slopes.bias);
            weight.into_iter().chain(bias)
        })
    }

    /// Whether anything is trained.
    pub(super) fn any(&self) -> bool {
        self.layers.iter().any(|layer| layer.trained != [false; 2])
    }

    /// The head with the trained parameters in place of those of `old`.
    pub(super) fn head(&self, backend: &B, old: &Head) -> Result<Head> {
        let layers = self.layers.iter().zip(&old.layers).map(|(layer, old)| {
            let weight = if layer.trained[0] { layer.weight.tensor(backend, &old.weight)? } else { old.weight.clone() };
            let bias = match (&layer.bias, &old.bias) {
                (Some(bias), Some(old)) if layer.trained[1] => Some(bias.tensor(backend, old)?),
                _ => old.bias.clone(),
            };
            Ok(HeadLayer { name: old.name.clone(), weight, bias, relu: old.relu })
        });
        Ok(Head { layers: layers.collect::<Result<_>>()?, whole: old.whole })
    }
}

impl<B: Backend> Classifier<B> for Trained<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        let mut signals = self.forward(backend, inputs)?;
        signals.pop().ok_or_else(|| Error::Internal { what: "a head without layers".to_owned() })
    }
}

/// Weights that are zero, and biases of hidden neurons without any weight, which pruning has switched off; `None` where
/// there is no such entry.
fn frozen(layer: &HeadLayer, last: bool) -> (Option<Vec<bool>>, Option<Vec<bool>>) {
    let columns = layer.weight.matrix_shape()[1].max(1);
    let weights: Vec<bool> = layer.weight.to_vec().into_iter().map(|weight| weight == 0.0).collect();
    let biases: Vec<bool> = weights.chunks(columns).map(|row| !last && row.iter().all(|zero| *zero)).collect();
    let some = |entries: Vec<bool>| entries.contains(&true).then_some(entries);
    (some(weights), some(biases))
}

/// The gradient of the mean loss by the parameters of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGradient {
    /// `outputs x inputs`.
    pub weight: Array2<f64>,
    /// `1 x outputs`, for a layer with biases.
    pub bias: Option<Array2<f64>>,
}

/// The mean cross-entropy of a head on samples, and its gradient by the weights and biases of every layer.
///
/// # Errors
///
/// What the backend returns, such as for samples of another width or labels that are no classes.
pub fn mean_loss_and_gradients<B: Backend>(
    backend: &B,
    head: &Head,
    inputs: &dyn RowSource,
    labels: &[u32],
) -> Result<(f64, Vec<LayerGradient>)> {
    let trained = Trained::upload(backend, head, Scope::All)?;
    let x = backend.upload(inputs)?;
    let signals = trained.forward(backend, &x)?;
    let logits = signals.last().ok_or_else(|| Error::Internal { what: "a head without layers".to_owned() })?;
    let entropy = backend.cross_entropy(logits, &backend.upload_indices(labels)?)?;
    let losses = backend.download(&entropy.losses)?;
    let slopes = trained.backward(backend, &x, &signals, entropy.gradient)?;
    let gradients = slopes.into_iter().map(|slopes| {
        let weight = slopes.weight.map(|slope| backend.download(&slope)).transpose()?;
        let bias = slopes.bias.map(|slope| backend.download(&slope)).transpose()?;
        Ok(LayerGradient { weight: weight.unwrap_or_default(), bias })
    });
    Ok((losses.mean().unwrap_or(0.0), gradients.collect::<Result<_>>()?))
}
