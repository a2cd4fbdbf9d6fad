//! Steps over whole rows.

use super::{Passed, difference, scaled};
use crate::backend::{Backend, Combination, Function, Pooling, Reduction, RowNorm, Window};
use crate::error::Result;

impl<B: Backend> Passed<'_, B> {
    /// One number of each row.
    pub(super) fn reduced(&self, backend: &B, columns: usize, reduction: Reduction) -> Result<B::Matrix> {
        let (x, slope) = (self.operands[0], &self.slope);
        let row = Window::new([1, 1, columns], [1, columns]);
        match reduction {
            Reduction::Sum => backend.gather(slope, &backend.upload_indices(&vec![0; columns])?),
            Reduction::Mean => backend.pooling_gradient(x, self.result, slope, &row, Pooling::Average),
            Reduction::Max => backend.pooling_gradient(x, self.result, slope, &row, Pooling::Max),
            Reduction::Min => {
                let (x, least) = (scaled(backend, x, -1.0)?, scaled(backend, self.result, -1.0)?);
                backend.pooling_gradient(&x, &least, slope, &row, Pooling::Max)
            }
            Reduction::Squares => {
                let product = backend.combine(x, slope, Combination::Multiply, columns)?;
                scaled(backend, &product, 2.0)
            }
        }
    }

    /// Rows in units of themselves, with `y` what they became and `D` its gradient:
    ///
    /// ```text
    /// softmax       y (D - <D, y>)                 its logarithm    D - exp(y) sum D
    /// standard      (D - mean D - y mean D y) / s   root mean square (D - y mean D y) / s
    /// ```
    pub(super) fn normalized(&self, backend: &B, columns: usize, norm: RowNorm) -> Result<B::Matrix> {
        let (x, y, slope) = (self.operands[0], self.result, &self.slope);
        let along = || {
            let product = backend.combine(slope, y, Combination::Multiply, 1)?;
            Ok((backend.reduce_rows(&product, Reduction::Sum)?, product))
        };
        let times = |rows: &B::Matrix, by: &B::Matrix| backend.combine(rows, by, Combination::Multiply, columns);
        #[expect(clippy::cast_precision_loss, reason = "rows have far fewer than 2^24 entries")]
        let share = 1.0 / columns as f32;
        match norm {
            RowNorm::Softmax => {
                let (sums, product) = along()?;
                difference(backend, &product, &times(y, &sums)?)
            }
            RowNorm::LogSoftmax => {
                let sums = backend.reduce_rows(slope, Reduction::Sum)?;
                difference(backend, slope, &times(&backend.elementwise(y, Function::Exp)?, &sums)?)
            }
            RowNorm::Standard { epsilon } => {
                let (sums, _) = along()?;
                let off = difference(backend, slope, &times(y, &scaled(backend, &sums, share)?)?)?;
                let mean = backend.reduce_rows(slope, Reduction::Mean)?;
                let off = backend.combine(&off, &mean, Combination::Subtract, columns)?;
                let middle = backend.reduce_rows(x, Reduction::Mean)?;
                let centred = backend.combine(x, &middle, Combination::Subtract, columns)?;
                self.over_size(backend, &off, &centred, epsilon)
            }
            RowNorm::RootMeanSquare { epsilon } => {
                let (sums, _) = along()?;
                let off = difference(backend, slope, &times(y, &scaled(backend, &sums, share)?)?)?;
                self.over_size(backend, &off, x, epsilon)
            }
        }
    }

    /// Rows over `sqrt(mean of squares of other rows + epsilon)`.
    fn over_size(&self, backend: &B, rows: &B::Matrix, of: &B::Matrix, epsilon: f32) -> Result<B::Matrix> {
        let [_, columns] = backend.shape(of);
        #[expect(clippy::cast_precision_loss, reason = "rows have far fewer than 2^24 entries")]
        let squares = scaled(backend, &backend.reduce_rows(of, Reduction::Squares)?, 1.0 / columns as f32)?;
        let epsilon = backend.upload(&ndarray::arr2(&[[epsilon]]))?;
        let sizes = backend.elementwise(&backend.combine(&squares, &epsilon, Combination::Add, 1)?, Function::Sqrt)?;
        backend.combine(rows, &sizes, Combination::Divide, columns)
    }
}
