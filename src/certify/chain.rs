//! Chains of affine layers with ReLU between, in f64: whole heads, and the difference of two of them as one chain.

use ndarray::{Array1, Array2, Axis, concatenate, s};

use super::block::Block;
use super::problem::row_norms;
use super::radial::Rounding;
use crate::error::{Error, Result};
use crate::network::{Head, wide, wide_bias};

/// One affine layer.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// `outputs x inputs`.
    pub(super) weight: Array2<f64>,
    /// `outputs`.
    pub(super) bias: Array1<f64>,
}

/// Layers from input to output, at least one, with ReLU between them.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) layers: Vec<Layer>,
}

impl Chain {
    pub(super) fn of(head: &Head) -> Result<Self> {
        let layers = head.layers.iter().map(|layer| {
            let weight = wide(&layer.weight);
            layer.weight.release();
            let bias = wide_bias(layer.bias.as_ref(), weight.nrows());
            if let Some(value) = weight.iter().chain(&bias).find(|value| !value.is_finite()) {
                return Err(Error::Data { problem: format!("layer `{}` holds {value}", layer.name) });
            }
            Ok(Layer { weight, bias })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// The chain of one block.
    pub(super) fn of_block(block: &Block) -> Self {
        let hidden = Layer { weight: block.weight.clone(), bias: block.bias.clone() };
        Self { layers: vec![hidden, Layer { weight: block.next.clone(), bias: block.next_bias.clone() }] }
    }

    pub(super) fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weight.ncols())
    }

    pub(super) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weight.nrows())
    }

    /// Checks that two chains are equally deep and take and give the same numbers of values.
    pub(super) fn check_against(&self, other: &Self) -> Result<()> {
        let shape = |chain: &Self| (chain.layers.len(), chain.inputs(), chain.outputs());
        if shape(self) == shape(other) {
            return Ok(());
        }
        let ((depth, d, m), (other_depth, other_d, other_m)) = (shape(self), shape(other));
        let problem = format!(
            "the original has {depth} layers, takes {d} values and gives {m}; the other has {other_depth}, takes \
             {other_d} and gives {other_m}"
        );
        Err(Error::Data { problem })
    }

    /// The chain `f - g`: the first layers one above the other, the next ones side by side.
    pub(super) fn minus(&self, other: &Self) -> Result<Self> {
        let last = self.layers.len().saturating_sub(1);
        let joined = |axis: usize, a: &Array2<f64>, b: &Array2<f64>| {
            concatenate(Axis(axis), &[a.view(), b.view()]).map_err(|error| Error::Internal { what: error.to_string() })
        };
        let both = |a: &Layer, b: &Layer| a.bias.iter().chain(&b.bias).copied().collect();
        let layers = self.layers.iter().zip(&other.layers).enumerate().map(|(at, (a, b))| {
            Ok(match (at == 0, at == last) {
                (true, true) => Layer { weight: &a.weight - &b.weight, bias: &a.bias - &b.bias },
                (true, false) => Layer { weight: joined(0, &a.weight, &b.weight)?, bias: both(a, b) },
                (false, true) => {
                    Layer { weight: joined(1, &a.weight, &b.weight.mapv(|w| -w))?, bias: &a.bias - &b.bias }
                }
                (false, false) => {
                    let ([rows, columns], [more_rows, more_columns]) =
                        ([a.weight.nrows(), a.weight.ncols()], [b.weight.nrows(), b.weight.ncols()]);
                    let mut weight = Array2::zeros((rows + more_rows, columns + more_columns));
                    weight.slice_mut(s![..rows, ..columns]).assign(&a.weight);
                    weight.slice_mut(s![rows.., columns..]).assign(&b.weight);
                    Layer { weight, bias: both(a, b) }
                }
            })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// The activations after each layer but the last, and the outputs: `k x n_l` for each of `k` points.
    pub(super) fn signals(&self, points: &Array2<f64>) -> Vec<Array2<f64>> {
        let mut signals: Vec<Array2<f64>> = Vec::with_capacity(self.layers.len());
        for (at, layer) in self.layers.iter().enumerate() {
            let mut signal = signals.last().unwrap_or(points).dot(&layer.weight.t()) + &layer.bias;
            if at + 1 < self.layers.len() {
                signal.mapv_inplace(|z| z.max(0.0));
            }
            signals.push(signal);
        }
        signals
    }

    /// The outputs at each point, and what rounding may have changed in each of them.
    pub(super) fn evaluate(&self, points: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
        let (mut signal, mut size) = (points.clone(), points.mapv(f64::abs));
        let mut terms = 0;
        for (at, layer) in self.layers.iter().enumerate() {
            signal = signal.dot(&layer.weight.t()) + &layer.bias;
            size = size.dot(&layer.weight.mapv(f64::abs).t()) + &layer.bias.mapv(f64::abs);
            if at + 1 < self.layers.len() {
                signal.mapv_inplace(|z| z.max(0.0));
            }
            terms += layer.weight.ncols() + 2;
        }
        (signal, size * Rounding::new(terms).eta)
    }

    /// The slope of output `j` at each of the points, which are few.
    pub(super) fn slopes(&self, points: &Array2<f64>, outputs: &[usize]) -> Array2<f64> {
        let signals = self.signals(points);
        let last = self.layers.len().saturating_sub(1);
        let mut slopes = self
            .layers
            .get(last)
            .map_or_else(|| Array2::zeros((outputs.len(), 0)), |layer| layer.weight.select(Axis(0), outputs));
        for (layer, signal) in self.layers.iter().take(last).zip(&signals).rev() {
            slopes.zip_mut_with(signal, |slope, h| *slope = if *h > 0.0 { *slope } else { 0.0 });
            slopes = slopes.dot(&layer.weight);
        }
        slopes
    }

    /// The largest norm of a row of each layer with its bias, `radius` being the size of the input: the units in which a
    /// device holds the layers, so that its signals stay of order one.
    pub(super) fn units(&self, radius: f64) -> Vec<f64> {
        let mut so_far = radius;
        let unit = |layer: &Layer| {
            let weights = row_norms(&layer.weight).into_iter().fold(0.0, f64::max) * so_far;
            let bias = layer.bias.iter().fold(0.0_f64, |most, b| most.max(b.abs()));
            so_far = weights.max(bias);
            if !(so_far > 0.0 && so_far.is_finite()) {
                so_far = 1.0;
            }
            so_far
        };
        self.layers.iter().map(unit).collect()
    }
}
