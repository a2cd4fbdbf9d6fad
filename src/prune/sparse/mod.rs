//! Refit of sparse layers: the weights that stay take over what the others carried.
//!
//! Layer by layer, from the input of a head to its output, with `x` what a layer reads in the original head and `x'` what
//! it reads in the sparse one:
//!
//! ```text
//! z = W x + b                                                   the target: the original pre-activation
//! V = argmin E |z - V x' - beta|^2 + ridge g |V|^2              over all V with the zeros of the mask
//! beta = E z - V E x',   g = mean diagonal of Cov(x')           layers without a bias are fitted about 0
//! ```
//!
//! The target of the original head makes later layers mend what earlier ones lost. Expectations are means over samples, of
//! the data or of a prior; a fifth of them, which no fit sees, judges each layer: one that is met no better than without a
//! refit stays as it is.

mod inputs;
mod least_squares;

use ndarray::{Array1, Array2, Axis};
use serde::Serialize;

use self::least_squares::masked_least_squares;
use super::structured::{Refit, product};
use super::synth::Parted;
use crate::backend::{Activation, Backend, RowSource, Transpose};
use crate::error::{Error, Result};
use crate::network::{Head, HeadLayer, LayerPlan, Plan, Rewrite, rewritten_head};

pub use self::inputs::head_inputs;

/// What sparse layers are fitted on.
#[derive(Clone, Copy)]
pub struct Fitting<'a> {
    /// Where the inputs come from: a prior, or data.
    pub refit: Refit,
    /// Inputs of the head, one row each.
    pub inputs: &'a dyn RowSource,
    /// The ridge, in units of the mean diagonal of the covariance.
    pub ridge: f64,
}

/// What became of one sparse layer, on inputs that its fit has not seen.
#[derive(Debug, Clone, Serialize)]
pub struct SparseRefit {
    /// Name of the node.
    pub name: String,
    /// Inputs unseen.
    pub inputs: usize,
    /// `E |z - V x' - beta|^2 / sum_j Var(z_j)` of the layer that is written.
    pub loss: f64,
    /// The same without a refit of this layer.
    pub without_refit: f64,
    /// Whether it stays without one, which does better.
    pub fell_back: bool,
}

/// What flows into a layer: in the original head and in the sparse one, of the inputs that a fit sees and of the others.
struct Streams<B: Backend> {
    seen: [B::Matrix; 2],
    unseen: [B::Matrix; 2],
}

/// Gives the weights that a plan keeps new values.
///
/// # Errors
///
/// [`Error::Data`] for no inputs, or inputs of another width than the head takes; what the backend returns.
pub fn refit_sparse<B: Backend>(
    backend: &B,
    head: &Head,
    mut plan: Plan,
    fitting: Fitting<'_>,
) -> Result<(Plan, Vec<SparseRefit>)> {
    let [count, width] = fitting.inputs.shape();
    if count == 0 || width != head.inputs() {
        let problem = format!("{count} inputs of {width} values to refit on, the head takes {}", head.inputs());
        return Err(Error::Data { problem });
    }
    let parted = Parted::new(fitting.inputs);
    let pair = |rows: &dyn RowSource| Ok::<_, Error>([backend.upload(rows)?, backend.upload(rows)?]);
    let mut streams: Streams<B> = Streams { seen: pair(&parted.seen)?, unseen: pair(&parted.held)? };
    let sparse = rewritten_head(head, &plan)?;
    let mut done = Vec::with_capacity(head.layers.len());
    for ((original, masked), plan) in head.layers.iter().zip(&sparse.layers).zip(&mut plan.layers) {
        let layers = [Layer::of(original)?, Layer::of(masked)?];
        done.push(layer(backend, &mut streams, layers, plan, fitting.ridge, original)?);
    }
    Ok((plan, done))
}

/// Weights and a bias on the host.
struct Layer {
    weights: Array2<f32>,
    bias: Option<Vec<f32>>,
}

impl Layer {
    fn of(layer: &HeadLayer) -> Result<Self> {
        let [rows, columns] = layer.weight.matrix_shape();
        let weights = Array2::from_shape_vec((rows, columns), layer.weight.to_vec());
        let weights = weights.map_err(|error| Error::Internal { what: error.to_string() })?;
        Ok(Self { weights, bias: layer.bias.as_ref().map(crate::network::Tensor::to_vec) })
    }

    /// `phi(X W^T + b)`.
    fn give<B: Backend>(&self, backend: &B, x: &B::Matrix, activation: Activation) -> Result<B::Matrix> {
        let bias = self.bias.as_ref().map(|bias| Array2::from_shape_fn((1, bias.len()), |(_, at)| bias[at]));
        let bias = bias.map(|bias| backend.upload(&bias)).transpose()?;
        backend.affine(x, &backend.upload(&self.weights)?, bias.as_ref(), activation)
    }
}

fn layer<B: Backend>(
    backend: &B,
    streams: &mut Streams<B>,
    [original, masked]: [Layer; 2],
    plan: &mut LayerPlan,
    ridge: f64,
    described: &HeadLayer,
) -> Result<SparseRefit> {
    let target = |x: &B::Matrix| backend.download(&original.give(backend, x, Activation::Identity)?);
    let is_whole = plan.keep.kept() == plan.keep.shape().iter().map(|n| *n as u64).product::<u64>();
    let fitted = fit(backend, &streams.seen[1], target(&streams.seen[0])?, &masked, plan, ridge)?;
    let wanted = target(&streams.unseen[0])?;
    let missed = |layer: &Layer| -> Result<f64> {
        let given = backend.download(&layer.give(backend, &streams.unseen[1], Activation::Identity)?)?;
        let error = (given - &wanted).iter().map(|gap| gap * gap).sum::<f64>();
        Ok(if error.is_nan() { f64::INFINITY } else { error })
    };
    let (with, without) = (missed(&fitted)?, missed(&masked)?);
    let variance = {
        let mean = wanted.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(wanted.ncols()));
        (&wanted - &mean).iter().map(|value| value * value).sum::<f64>()
    };
    // A layer that is whole behind whole ones has nothing to mend, and its rounding no say.
    let nothing = without <= 1e-9 * variance;
    let fell_back = with >= without && !nothing && !is_whole;
    let written = if with < without && !nothing { fitted } else { masked };
    let activation = if described.relu { Activation::Relu } else { Activation::Identity };
    for [whole, sparse] in [&mut streams.seen, &mut streams.unseen] {
        (*whole, *sparse) = (original.give(backend, whole, activation)?, written.give(backend, sparse, activation)?);
    }
    let share = |error: f64| if variance > 0.0 { error / variance } else { 0.0 };
    let refit = SparseRefit {
        name: plan.name.clone(),
        inputs: wanted.nrows(),
        loss: share(with.min(without)),
        without_refit: share(without),
        fell_back,
    };
    if with < without && !nothing {
        plan.rewrites.push(Rewrite::Replace(written.weights.into_raw_vec_and_offset().0));
        plan.rewrites.extend(written.bias.map(Rewrite::ReplaceBias));
    }
    Ok(refit)
}

/// The masked layer with the weights of least squared error from `x` to `z`.
#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn fit<B: Backend>(
    backend: &B,
    x: &B::Matrix,
    z: Array2<f64>,
    masked: &Layer,
    plan: &LayerPlan,
    ridge: f64,
) -> Result<Layer> {
    let x = backend.download(x)?;
    let centred = masked.bias.is_some();
    let mean = |values: &Array2<f64>| {
        let zero = Array1::zeros(values.ncols());
        if centred { values.mean_axis(Axis(0)).unwrap_or(zero) } else { zero }
    };
    let (x_mean, z_mean) = (mean(&x), mean(&z));
    let count = (x.nrows() as f64).max(1.0);
    let on_device = |values: Array2<f64>| backend.upload(&values.mapv(|value| value as f32));
    let (x, z) = (on_device(x - &x_mean)?, on_device(z - &z_mean)?);
    let moment = |a: &B::Matrix| backend.download(&backend.matmul(a, Transpose::Yes, &x, Transpose::No)?);
    let (covariance, cross) = (moment(&x)? / count, moment(&z)? / count);
    let shift = ridge * covariance.diag().sum() / (covariance.nrows() as f64).max(1.0);
    let start = masked.weights.mapv(f64::from);
    let weights = masked_least_squares(&covariance, &cross, &plan.keep, start, shift, product);
    let offsets = z_mean - weights.dot(&x_mean);
    let bias = masked.bias.as_ref().map(|old| {
        let mut bias: Vec<f32> = offsets.iter().map(|value| *value as f32).collect();
        // A neuron that is removed takes its bias with it.
        plan.removed_rows.iter().for_each(|row| bias[*row] = old[*row]);
        bias
    });
    Ok(Layer { weights: weights.mapv(|value| value as f32), bias })
}
