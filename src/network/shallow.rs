//! Shallow networks (Affine, ReLU, Affine) in f64: what tropical geometry looks at.

use ndarray::{Array1, Array2, Axis};

use super::head::Head;
use super::tensor::Tensor;
use crate::error::{Error, Result};

/// `f(x) = B max(A x + c, 0) + b` with `p` neurons, `n` inputs and `k` classes.
#[derive(Debug, Clone)]
pub struct ShallowNetwork {
    /// `A`, `p x n`.
    pub rows: Array2<f64>,
    /// `c`, `p`.
    pub constants: Array1<f64>,
    /// `B`, `k x p`.
    pub coefficients: Array2<f64>,
    /// `b`, `k`.
    pub biases: Array1<f64>,
}

impl ShallowNetwork {
    /// A shallow network from its matrices.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for shapes that do not fit, no class, or a number that is not finite.
    pub fn new(
        rows: Array2<f64>,
        constants: Array1<f64>,
        coefficients: Array2<f64>,
        biases: Array1<f64>,
    ) -> Result<Self> {
        let fail = |problem: String| Err(Error::Data { problem });
        let (p, k) = (rows.nrows(), coefficients.nrows());
        if (constants.len(), coefficients.ncols(), biases.len()) != (p, p, k) {
            return fail(format!(
                "a shallow network needs A (p x n), c (p), B (k x p), b (k); got {:?}, {}, {:?}, {}",
                rows.dim(),
                constants.len(),
                coefficients.dim(),
                biases.len()
            ));
        }
        if k == 0 {
            return fail("a shallow network needs a class".to_owned());
        }
        if rows.iter().chain(&constants).chain(&coefficients).chain(&biases).any(|value| !value.is_finite()) {
            return fail("a shallow network holds a number that is not finite".to_owned());
        }
        Ok(Self { rows, constants, coefficients, biases })
    }

    /// The shallow network of a head with two layers.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for another number of layers.
    pub fn of(head: &Head) -> Result<Self> {
        let [first, second] = head.layers.as_slice() else {
            let problem = format!(
                "the head has {} linear layers; a shallow network (Affine, ReLU, Affine) has two",
                head.layers.len()
            );
            return Err(Error::Unsupported { problem });
        };
        Self::new(
            wide(&first.weight),
            wide_bias(first.bias.as_ref(), first.weight.matrix_shape()[0]),
            wide(&second.weight),
            wide_bias(second.bias.as_ref(), second.weight.matrix_shape()[0]),
        )
    }

    /// Number of inputs, `n`.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.rows.ncols()
    }

    /// Number of neurons, `p`.
    #[must_use]
    pub fn neurons(&self) -> usize {
        self.rows.nrows()
    }

    /// Number of classes, `k`.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.biases.len()
    }

    /// `A x + c`.
    #[must_use]
    pub fn preactivations(&self, x: &[f64]) -> Vec<f64> {
        let value =
            |(row, c): (ndarray::ArrayView1<'_, f64>, &f64)| c + row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
        self.rows.rows().into_iter().zip(&self.constants).map(value).collect()
    }

    /// `f(x)`.
    #[must_use]
    pub fn logits(&self, x: &[f64]) -> Vec<f64> {
        let hidden: Vec<f64> = self.preactivations(x).into_iter().map(|z| z.max(0.0)).collect();
        let value = |(row, b): (ndarray::ArrayView1<'_, f64>, &f64)| {
            b + row.iter().zip(&hidden).map(|(w, h)| w * h).sum::<f64>()
        };
        self.coefficients.rows().into_iter().zip(&self.biases).map(value).collect()
    }

    /// The class of `x`, the lowest on ties.
    #[must_use]
    pub fn class(&self, x: &[f64]) -> usize {
        arg_max(&self.logits(x))
    }

    /// The shallow network without one neuron.
    #[must_use]
    pub fn without(&self, neuron: usize) -> Self {
        let kept: Vec<usize> = (0..self.neurons()).filter(|j| *j != neuron).collect();
        Self {
            rows: self.rows.select(Axis(0), &kept),
            constants: self.constants.select(Axis(0), &kept),
            coefficients: self.coefficients.select(Axis(1), &kept),
            biases: self.biases.clone(),
        }
    }

    /// The shallow network of some of the classes, in the given order.
    #[must_use]
    pub fn select(&self, classes: &[usize]) -> Self {
        Self {
            rows: self.rows.clone(),
            constants: self.constants.clone(),
            coefficients: self.coefficients.select(Axis(0), classes),
            biases: self.biases.select(Axis(0), classes),
        }
    }
}

/// The place of the largest value, the lowest on ties.
pub(super) fn arg_max(values: &[f64]) -> usize {
    values.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (i, v)| if *v > best.1 { (i, *v) } else { best }).0
}

/// A weight matrix in f64.
pub(crate) fn wide(weight: &Tensor) -> Array2<f64> {
    let [rows, columns] = weight.matrix_shape();
    let values = weight.to_vec();
    Array2::from_shape_fn((rows, columns), |(i, j)| f64::from(values[i * columns + j]))
}

/// A bias in f64, zeros where there is none.
pub(crate) fn wide_bias(bias: Option<&Tensor>, outputs: usize) -> Array1<f64> {
    bias.map_or_else(|| Array1::zeros(outputs), |bias| bias.to_vec().into_iter().map(f64::from).collect())
}
