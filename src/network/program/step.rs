//! What a program is made of.

use ndarray::ArrayView2;

use super::source::Fixed;
use crate::backend::{Activation, Backend, Combination, Function, Pooling, Reduction, RowNorm, Window};
use crate::error::{Error, Result};

/// What a step computes, with its weights on the host.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Column `j` of a sample is column `index[j]` of the operand, 0 where there is none.
    Gather(Vec<u32>),
    /// Operands side by side.
    Concat,
    /// Two operands entry by entry; the second may be one row for all samples.
    Combine {
        how: Combination,
        share: usize,
    },
    Function(Function),
    Relu,
    Scale(f32),
    /// `phi(x W^T + b)` for rows of `columns` entries.
    Affine {
        columns: usize,
        weights: Weights,
        activation: Activation,
    },
    Conv {
        window: Window,
        groups: usize,
        weights: Weights,
        activation: Activation,
    },
    Pool {
        window: Window,
        pooling: Pooling,
    },
    Reduce {
        columns: usize,
        reduction: Reduction,
    },
    Normalize {
        columns: usize,
        norm: RowNorm,
    },
    /// Products of two operands whose rows have `columns[0]` and `columns[1]` entries; the first has `rows` for each.
    Matmul {
        rows: usize,
        columns: [usize; 2],
    },
}

/// Weights and bias of a contraction.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// Rows, one for each output.
    pub(super) outputs: usize,
    pub(super) weight: Fixed,
    pub(super) bias: Option<Fixed>,
}

/// What a step computes, with its weights on the device.
pub(super) enum Loaded<B: Backend> {
    Gather(B::Indices),
    Affine {
        columns: usize,
        weight: B::Matrix,
        bias: Option<B::Matrix>,
        activation: Activation,
    },
    Conv {
        window: Window,
        groups: usize,
        weight: B::Matrix,
        bias: Option<B::Matrix>,
        activation: Activation,
    },
    /// Nothing but what the step says.
    Plain(Step),
}

impl Step {
    /// `x W^T + b` for rows of `columns` entries.
    pub(super) fn affine(columns: usize, weights: Weights) -> Self {
        Self::Affine { columns, weights, activation: Activation::Identity }
    }

    /// A convolution without an activation.
    pub(super) fn conv(window: Window, groups: usize, weights: Weights) -> Self {
        Self::Conv { window, groups, weights, activation: Activation::Identity }
    }

    /// Entries of the rows in which operand `at`, of `length` entries for a sample, takes part.
    fn columns(&self, at: usize, length: usize) -> usize {
        match self {
            Self::Affine { columns, .. } | Self::Reduce { columns, .. } | Self::Normalize { columns, .. } => *columns,
            Self::Conv { window, .. } | Self::Pool { window, .. } => window.length(),
            Self::Matmul { columns, .. } => columns.get(at).copied().unwrap_or(length),
            _ => length,
        }
    }

    /// Copies the weights to the device.
    pub(super) fn load<B: Backend>(self, backend: &B) -> Result<Loaded<B>> {
        Ok(match self {
            Self::Gather(index) => Loaded::Gather(backend.upload_indices(&index)?),
            Self::Affine { columns, weights, activation } => {
                let (weight, bias) = weights.load(backend)?;
                Loaded::Affine { columns, weight, bias, activation }
            }
            Self::Conv { window, groups, weights, activation } => {
                let (weight, bias) = weights.load(backend)?;
                Loaded::Conv { window, groups, weight, bias, activation }
            }
            plain => Loaded::Plain(plain),
        })
    }
}

impl Weights {
    fn load<B: Backend>(&self, backend: &B) -> Result<(B::Matrix, Option<B::Matrix>)> {
        let weight = row_matrix(backend, self.outputs, &self.weight.values)?;
        Ok((weight, self.bias.as_ref().map(|bias| row_matrix(backend, 1, &bias.values)).transpose()?))
    }
}

/// A matrix of `rows` rows.
pub(super) fn row_matrix<B: Backend>(backend: &B, rows: usize, values: &[f32]) -> Result<B::Matrix> {
    let view = ArrayView2::from_shape((rows, values.len() / rows.max(1)), values);
    backend.upload(&view.map_err(|error| Error::Internal { what: error.to_string() })?)
}

impl<B: Backend> Loaded<B> {
    /// The weights of a contraction.
    pub(super) fn weight(&mut self) -> Option<&mut B::Matrix> {
        match self {
            Self::Affine { weight, .. } | Self::Conv { weight, .. } => Some(weight),
            _ => None,
        }
    }

    /// The biases of a contraction.
    pub(super) fn bias(&mut self) -> Option<&mut B::Matrix> {
        match self {
            Self::Affine { bias, .. } | Self::Conv { bias, .. } => bias.as_mut(),
            _ => None,
        }
    }

    /// Entries of the rows in which operand `at`, of `length` entries for a sample, takes part.
    pub(super) fn columns(&self, at: usize, length: usize) -> usize {
        match self {
            Self::Affine { columns, .. } => *columns,
            Self::Conv { window, .. } => window.length(),
            Self::Plain(step) => step.columns(at, length),
            Self::Gather(_) => length,
        }
    }

    /// Runs the step on operands in the rows that it asks for.
    pub(super) fn run(&self, backend: &B, operands: &[&B::Matrix]) -> Result<B::Matrix> {
        let lacks = || Error::Internal { what: "a step without operands".to_owned() };
        let first = *operands.first().ok_or_else(lacks)?;
        let second = || operands.get(1).copied().ok_or_else(lacks);
        match self {
            Self::Gather(index) => backend.gather(first, index),
            Self::Affine { weight, bias, activation, .. } => backend.affine(first, weight, bias.as_ref(), *activation),
            Self::Conv { window, groups, weight, bias, activation } => {
                backend.convolution(first, weight, bias.as_ref(), window, *groups, *activation)
            }
            Self::Plain(step) => match step {
                Step::Concat => backend.concatenate(operands),
                Step::Combine { how, share } => backend.combine(first, second()?, *how, *share),
                Step::Function(function) => backend.elementwise(first, *function),
                Step::Relu => backend.weighted_sum(first, None, [1.0, 0.0], Activation::Relu),
                Step::Scale(factor) => backend.weighted_sum(first, None, [*factor, 0.0], Activation::Identity),
                Step::Pool { window, pooling } => backend.pooling(first, window, *pooling),
                Step::Reduce { reduction, .. } => backend.reduce_rows(first, *reduction),
                Step::Normalize { norm, .. } => backend.normalize_rows(first, *norm),
                Step::Matmul { rows, .. } => {
                    let groups = backend.shape(first)[0] / rows.max(&1);
                    backend.batched_matmul(first, second()?, groups)
                }
                Step::Gather(_) | Step::Affine { .. } | Step::Conv { .. } => {
                    Err(Error::Internal { what: "a step whose weights are not loaded".to_owned() })
                }
            },
        }
    }
}
