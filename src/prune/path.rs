//! Path scores, the default: how much one weight carries from the inputs to the logits.
//!
//! With a signal of unit size at every input and rectification halving its mean square,
//!
//! ```text
//! in_0 = 1,   in_{l+1}^2 = 1/2 ((W_l o W_l) in_l^2 + b_l^2)
//! out_L = 1,  out_l^2 = 1/2 (W_{l+1} o W_{l+1})^T out_{l+1}^2
//! score_l[i, j] = |W_l[i, j]| in_l[j] out_l[i]
//! ```
//!
//! For one hidden layer this is the size of the entry of a generator, `|A_ij| ||B_:i||` and `|B_ji| ||(A_i, c_i)||` up to
//! constants: the element score of problem (2) extended to the entries of `A`. Multiplying a neuron's row and bias by
//! `t > 0` and its column in the next layer by `1 / t` leaves every score as it is.

use ndarray::Array2;

use super::magnitude::ProductScores;
use crate::backend::{Backend, Transpose};
use crate::error::{Error, Result};
use crate::network::{DeviceHead, Head};

/// A vector of squares as `squares * 4^exponent`, with the largest entry near 1, so that deep products stay in range.
#[derive(Debug, Clone)]
pub(crate) struct Scaled {
    pub(crate) squares: Vec<f64>,
    pub(crate) exponent: i32,
}

impl Scaled {
    fn ones(length: usize) -> Self {
        Self { squares: vec![1.0; length], exponent: 0 }
    }

    /// Moves the size of the largest entry into the exponent.
    fn normalised(squares: Vec<f64>, exponent: i32, layer: &str) -> Result<Self> {
        let largest = squares.iter().copied().fold(0.0, f64::max);
        if squares.iter().any(|square| !square.is_finite()) {
            return Err(Error::Overflow { what: "path norm", layer: layer.to_owned() });
        }
        if largest == 0.0 {
            return Ok(Self { squares, exponent });
        }
        #[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 fits")]
        let shift = (largest.log2() / 2.0).floor() as i32;
        let factor = 4.0_f64.powi(-shift);
        Ok(Self { squares: squares.into_iter().map(|square| square * factor).collect(), exponent: exponent + shift })
    }

    fn upload<B: Backend>(&self, backend: &B) -> Result<B::Matrix> {
        row_vector(backend, self.squares.iter().copied())
    }

    fn roots(&self) -> impl Iterator<Item = f64> {
        self.squares.iter().map(|square| square.sqrt())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "devices compute in f32")]
fn row_vector<B: Backend>(backend: &B, values: impl Iterator<Item = f64>) -> Result<B::Matrix> {
    let row: Vec<f32> = values.map(|value| value as f32).collect();
    let matrix = Array2::from_shape_vec((1, row.len()), row);
    backend.upload(&matrix.map_err(|error| Error::Internal { what: error.to_string() })?)
}

/// Squared path norms at the inputs (`in_l^2`) and outputs (`out_l^2`) of every layer.
#[derive(Debug)]
pub(crate) struct PathNorms {
    pub(crate) inputs: Vec<Scaled>,
    pub(crate) outputs: Vec<Scaled>,
}

/// One pass forward and one backward through a head.
pub(crate) fn path_norms<B: Backend>(backend: &B, head: &Head, device: &DeviceHead<B>) -> Result<PathNorms> {
    let layers = &head.layers;
    let mut inputs = vec![Scaled::ones(head.inputs())];
    for (layer, weight) in layers.iter().zip(&device.weights).take(layers.len() - 1) {
        let last = &inputs[inputs.len() - 1];
        let squares = last.upload(backend)?;
        let unit = 2.0_f64.powi(-last.exponent);
        let bias =
            layer.bias.as_ref().map(|bias| row_vector(backend, bias.to_vec().into_iter().map(|b| f64::from(b) * unit)));
        let next = backend.path_norms(weight, &squares, bias.transpose()?.as_ref(), Transpose::No)?;
        let next = backend.download(&next)?.into_iter().collect();
        inputs.push(Scaled::normalised(next, last.exponent, &layer.name)?);
    }
    let mut outputs = vec![Scaled::ones(head.classes())];
    for (layer, weight) in layers.iter().zip(&device.weights).skip(1).rev() {
        let last = &outputs[outputs.len() - 1];
        let back = backend.path_norms(weight, &last.upload(backend)?, None, Transpose::Yes)?;
        let back = backend.download(&back)?.into_iter().collect();
        outputs.push(Scaled::normalised(back, last.exponent, &layer.name)?);
    }
    outputs.reverse();
    Ok(PathNorms { inputs, outputs })
}

/// Path scores of every layer, in one scale over all layers.
pub(crate) fn scores<B: Backend>(backend: &B, head: &Head, device: &DeviceHead<B>) -> Result<Vec<ProductScores>> {
    let norms = path_norms(backend, head, device)?;
    let exponents: Vec<i32> = norms.inputs.iter().zip(&norms.outputs).map(|(i, o)| i.exponent + o.exponent).collect();
    let top = exponents.iter().copied().max().unwrap_or(0);
    let layers = head.layers.iter().zip(norms.inputs.iter().zip(&norms.outputs)).zip(&exponents);
    Ok(layers
        .map(|((layer, (input, output)), exponent)| {
            let unit = 2.0_f64.powi(exponent - top);
            let rows = output.roots().map(|root| root * unit).collect();
            ProductScores::new(layer.weight.clone(), rows, input.roots().collect())
        })
        .collect())
}
