//! Steps over whole rows.

use super::{Passed, difference, scaled};
use crate::backend::{Backend, Combination, Function, Pooling, Reduction, Window};
use crate::error::Result;

impl<B: Backend> Passed<'_, B> {
    /// One number of each row.
    pub(super) fn reduced(&self, backend: &B, columns: usize, reduction: Reduction) -> Result<B::Matrix> {
        let (x, slope) = (self.operands[0], &self.slope);
        let row = Window::new([1, 1, columns], [1, columns]);
        match reduction {
            Reduction::Mean => backend.pooling_gradient(x, self.result, slope, &row, Pooling::Average),
            Reduction::Max => backend.pooling_gradient(x, self.result, slope, &row, Pooling::Max),
            Reduction::Min => {
                let (x, least) = (scaled(backend, x, -1.0)?, scaled(backend, self.result, -1.0)?);
                backend.pooling_gradient(&x, &least, slope, &row, Pooling::Max)
            }
            // The slope of a sum goes to all entries, see [`Adjoint::Spread`](super::adjoint::Adjoint).
            Reduction::Sum => Err(super::lacking("its reverse")),
            Reduction::Squares => {
                let product = backend.combine(x, slope, Combination::Multiply, columns)?;
                scaled(backend, &product, 2.0)
            }
        }
    }

    /// With `y` what rows became and `D` its gradient: `y (D - <D, y>)` for a softmax, `D - exp(y) sum D` for its logarithm.
    pub(super) fn softmax(&self, backend: &B, columns: usize, logarithm: bool) -> Result<B::Matrix> {
        let (y, slope) = (self.result, &self.slope);
        let (factors, terms) = if logarithm {
            (Some(backend.elementwise(y, Function::Exp)?), None)
        } else {
            (None, Some(backend.combine(slope, y, Combination::Multiply, 1)?))
        };
        let terms = terms.as_ref().unwrap_or(slope);
        let sums = backend.reduce_rows(terms, Reduction::Sum)?;
        let part = backend.combine(factors.as_ref().unwrap_or(y), &sums, Combination::Multiply, columns)?;
        difference(backend, terms, &part)
    }

    /// `(D - mean D - y mean (D y)) / s` for rows less their mean over their deviation `s`.
    pub(super) fn standardized(&self, backend: &B, columns: usize, epsilon: &B::Matrix) -> Result<B::Matrix> {
        let (x, less) = (self.operands[0], |rows: &B::Matrix, of: &B::Matrix| {
            let mean = backend.reduce_rows(of, Reduction::Mean)?;
            backend.combine(rows, &mean, Combination::Subtract, columns)
        });
        let across = less(&self.across(backend, columns)?, &self.slope)?;
        Self::over_size(backend, &across, &less(x, x)?, epsilon)
    }

    /// `(D - y mean (D y)) / s` for rows over the root `s` of their mean square.
    pub(super) fn over_root(&self, backend: &B, columns: usize, epsilon: &B::Matrix) -> Result<B::Matrix> {
        Self::over_size(backend, &self.across(backend, columns)?, self.operands[0], epsilon)
    }

    /// `D - y mean (D y)`.
    fn across(&self, backend: &B, columns: usize) -> Result<B::Matrix> {
        let product = backend.combine(&self.slope, self.result, Combination::Multiply, 1)?;
        let means = backend.reduce_rows(&product, Reduction::Mean)?;
        difference(backend, &self.slope, &backend.combine(self.result, &means, Combination::Multiply, columns)?)
    }

    /// Rows over `sqrt(mean of squares of other rows + epsilon)`.
    fn over_size(backend: &B, rows: &B::Matrix, of: &B::Matrix, epsilon: &B::Matrix) -> Result<B::Matrix> {
        let [_, columns] = backend.shape(of);
        #[expect(clippy::cast_precision_loss, reason = "rows have far fewer than 2^24 entries")]
        let squares = scaled(backend, &backend.reduce_rows(of, Reduction::Squares)?, 1.0 / columns as f32)?;
        let sizes = backend.elementwise(&backend.combine(&squares, epsilon, Combination::Add, 1)?, Function::Sqrt)?;
        backend.combine(rows, &sizes, Combination::Divide, columns)
    }
}
