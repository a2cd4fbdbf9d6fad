//! What steps need to pass gradients back that can be made beforehand.

use super::super::Program;
use super::super::run::Ready;
use super::super::source::numbers;
use super::super::step::{Loaded, Step};
use super::contraction::Deconvolution;
use super::weights::Kernels;
use super::{Passed, lacking, scaled};
use crate::backend::{Activation, Backend, Function, Reduction, RowNorm};
use crate::error::Result;

/// Indices and weights of a step on its way back.
pub(super) enum Adjoint<B: Backend> {
    /// For each entry of the operand, `share` entries of the result side by side, which are its copies.
    Gather {
        copies: B::Indices,
        share: usize,
    },
    /// For each operand of a `Concat` where it lies.
    Parts(Vec<B::Indices>),
    /// Entries of the second operand of a `Combine` come together that are repetitions of one.
    Repetitions(Option<B::Indices>),
    /// The transpose, and what the gradient by kernels needs; each where it is asked for.
    Convolution(Option<Deconvolution<B>>, Option<Kernels<B>>),
    /// For each entry of a row its only number.
    Spread(B::Indices),
    /// The `epsilon` of a norm, `1 x 1`.
    Epsilon(B::Matrix),
    /// The transposes of both operands of products.
    Turned([B::Indices; 2]),
    None,
}

impl<B: Backend> Adjoint<B> {
    pub(super) fn of(
        backend: &B,
        program: &Program<B>,
        ready: &Ready<B>,
        (back, kernels): (bool, bool),
    ) -> Result<Self> {
        let lengths: Vec<usize> = ready.inputs.iter().map(|slot| program.lengths[*slot]).collect();
        let first = lengths.first().copied().ok_or_else(|| lacking("operands"))?;
        Ok(match &ready.step {
            Loaded::Gather(index) => {
                let (copies, share) = copies(&backend.download_indices(index)?, first);
                Self::Gather { copies: backend.upload_indices(&copies)?, share }
            }
            Loaded::Conv { window, groups, weight, .. } => {
                let outputs = backend.shape(weight)[0];
                Self::Convolution(
                    back.then(|| Deconvolution::of(backend, window, *groups, outputs)).transpose()?,
                    kernels.then(|| Kernels::of(backend, window, *groups, outputs)).transpose()?,
                )
            }
            Loaded::Affine { .. } => Self::None,
            Loaded::Plain(Step::Concat) => {
                let mut start = 0;
                let parts = lengths.iter().map(|length| {
                    let part: Vec<u32> = numbers(start..start + length);
                    start += length;
                    backend.upload_indices(&part)
                });
                Self::Parts(parts.collect::<Result<_>>()?)
            }
            Loaded::Plain(Step::Combine { share, .. }) => {
                let second = lengths.get(1).copied().ok_or_else(|| lacking("a second operand"))?;
                let times = first / (second * share).max(1);
                let order = (0..second).flat_map(|entry| {
                    (0..times).flat_map(move |time| {
                        let start = (time * second + entry) * share;
                        numbers(start..start + share)
                    })
                });
                let order: Vec<u32> = if times > 1 { order.collect() } else { Vec::new() };
                Self::Repetitions((times > 1).then(|| backend.upload_indices(&order)).transpose()?)
            }
            Loaded::Plain(Step::Matmul { rows, columns: [inner, outputs] }) => {
                let turned = |rows: usize, columns: usize| {
                    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
                    backend.upload_indices(&places.flat_map(|place| numbers(place..place + 1)).collect::<Vec<_>>())
                };
                Self::Turned([turned(*rows, *inner)?, turned(*inner, *outputs)?])
            }
            Loaded::Plain(Step::Reduce { columns, reduction: Reduction::Sum }) => {
                Self::Spread(backend.upload_indices(&vec![0; *columns])?)
            }
            Loaded::Plain(Step::Normalize {
                norm: RowNorm::Standard { epsilon } | RowNorm::RootMeanSquare { epsilon },
                ..
            }) => Self::Epsilon(backend.upload(&ndarray::arr2(&[[*epsilon]]))?),
            Loaded::Plain(_) => Self::None,
        })
    }
}

/// For each of `columns` entries the places to which `index` copies it, as many as any of them has: none where there are fewer.
fn copies(index: &[u32], columns: usize) -> (Vec<u32>, usize) {
    let mut counts = vec![0; columns];
    for from in index {
        counts.get_mut(*from as usize).into_iter().for_each(|count| *count += 1);
    }
    let share = counts.iter().copied().max().unwrap_or(0).max(1);
    let mut copies = vec![u32::MAX; columns * share];
    counts.fill(0);
    for (to, from) in index.iter().enumerate() {
        let from = *from as usize;
        if let Some(count) = counts.get_mut(from) {
            copies[from * share + *count] = u32::try_from(to).unwrap_or(u32::MAX);
            *count += 1;
        }
    }
    (copies, share)
}

impl<B: Backend> Passed<'_, B> {
    /// The gradient by an operand, in the rows in which the step reads it.
    pub(super) fn to_operand(&self, backend: &B, at: usize) -> Result<B::Matrix> {
        match (self.step, self.adjoint) {
            (Loaded::Gather(_), Adjoint::Gather { copies, share }) => {
                let gathered = backend.gather(&self.slope, copies)?;
                self.added(backend, gathered, *share, backend.shape(self.operands[0])[1])
            }
            (Loaded::Affine { weight, activation: Activation::Identity, .. }, _) => {
                self.linear(backend, &self.slope, weight)
            }
            (Loaded::Affine { weight, activation: Activation::Relu, .. }, _) => {
                self.linear(backend, &self.where_positive(backend, self.result)?, weight)
            }
            (Loaded::Conv { weight, activation: Activation::Identity, .. }, Adjoint::Convolution(Some(back), _)) => {
                back.run(backend, &self.slope, weight)
            }
            (Loaded::Conv { weight, activation: Activation::Relu, .. }, Adjoint::Convolution(Some(back), _)) => {
                back.run(backend, &self.where_positive(backend, self.result)?, weight)
            }
            (Loaded::Plain(step), adjoint) => self.plain(backend, step, adjoint, at),
            _ => Err(lacking("its reverse")),
        }
    }

    fn plain(&self, backend: &B, step: &Step, adjoint: &Adjoint<B>, at: usize) -> Result<B::Matrix> {
        match (step, adjoint) {
            (Step::Concat, Adjoint::Parts(parts)) => backend.gather(&self.slope, &parts[at]),
            (Step::Combine { how, share }, Adjoint::Repetitions(order)) => {
                self.combined(backend, (*how, *share), order.as_ref(), at)
            }
            (Step::Function(function), _) => backend.elementwise_gradient(self.operands[0], &self.slope, *function),
            (Step::Relu, _) => self.where_positive(backend, self.result),
            (Step::Scale(factor), _) => scaled(backend, &self.slope, *factor),
            (Step::Pool { window, pooling }, _) => {
                backend.pooling_gradient(self.operands[0], self.result, &self.slope, window, *pooling)
            }
            (Step::Reduce { reduction: Reduction::Sum, .. }, Adjoint::Spread(only)) => {
                backend.gather(&self.slope, only)
            }
            (Step::Reduce { columns, reduction }, _) => self.reduced(backend, *columns, *reduction),
            (Step::Normalize { columns, norm: RowNorm::Standard { .. } }, Adjoint::Epsilon(epsilon)) => {
                self.standardized(backend, *columns, epsilon)
            }
            (Step::Normalize { columns, norm: RowNorm::RootMeanSquare { .. } }, Adjoint::Epsilon(epsilon)) => {
                self.over_root(backend, *columns, epsilon)
            }
            (Step::Normalize { columns, norm }, _) => self.softmax(backend, *columns, *norm == RowNorm::LogSoftmax),
            (Step::Matmul { rows, .. }, Adjoint::Turned(turned)) => self.product(backend, *rows, turned, at),
            _ => Err(lacking("its reverse")),
        }
    }

    /// The gradient where some values are positive, else nothing.
    pub(super) fn where_positive(&self, backend: &B, values: &B::Matrix) -> Result<B::Matrix> {
        backend.elementwise_gradient(values, &self.slope, Function::Leaky { slope: 0.0 })
    }

    /// Sums of `share` neighbours, in rows of `columns`.
    pub(super) fn added(&self, backend: &B, x: B::Matrix, share: usize, columns: usize) -> Result<B::Matrix> {
        if share == 1 {
            return backend.reshape(x, columns);
        }
        let sums = backend.reduce_rows(&backend.reshape(x, share)?, Reduction::Sum)?;
        backend.reshape(sums, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_by_hand() {
        const NONE: u32 = u32::MAX;
        assert_eq!(copies(&[2, 0, 2, NONE], 3), (vec![1, NONE, NONE, NONE, 0, 2], 2));
        assert_eq!(copies(&[NONE], 2), (vec![NONE, NONE], 1));
    }
}
