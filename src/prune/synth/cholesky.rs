//! The Cholesky factor of a symmetric matrix in f64, blocked and in parallel, and solves with it.

use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::backend::vectorised;

/// Columns that are factored together: their rows of the factor stay in the cache while all others pass.
const BLOCK: usize = 64;

/// Right-hand sides that share a pass over the factor.
const SIDES: usize = 16;

/// `L` of `A + shift I = L L^T`, row by row.
#[derive(Debug)]
pub(super) struct Cholesky {
    size: usize,
    /// Rows of length `size`; what lies above the diagonal is not read.
    factor: Vec<f64>,
}

impl Cholesky {
    /// Factors `A + shift I`, of which the lower triangle is read.
    ///
    /// Columns on which the others leave nothing, to rounding, get a pivot of 0, and a solve gives them the value 0.
    pub(super) fn new(matrix: &Array2<f64>, shift: f64) -> Self {
        let size = matrix.nrows();
        let mut factor: Vec<f64> = matrix.iter().copied().collect();
        let largest = (0..size).fold(0.0, |most: f64, i| most.max(matrix[[i, i]] + shift));
        let floor = largest * f64::EPSILON * size as f64;
        (0..size).for_each(|i| factor[i * size + i] += shift);
        for start in (0..size).step_by(BLOCK) {
            let end = size.min(start + BLOCK);
            let (above, below) = factor.split_at_mut(end * size);
            for i in start..end {
                let (earlier, row) = above.split_at_mut(i * size);
                eliminate(&mut row[..size], earlier, start, i, size);
                let pivot = row[i] - dot(&row[..i], &row[..i]);
                row[i] = if pivot > floor { pivot.sqrt() } else { 0.0 };
            }
            below.par_chunks_exact_mut(size).with_min_len(8).for_each(|row| {
                eliminate(row, above, start, end, size);
            });
        }
        Self { size, factor }
    }

    fn row(&self, i: usize) -> (&[f64], f64) {
        let row = &self.factor[i * self.size..][..=i];
        (&row[..i], row[i])
    }

    /// Replaces each row `t` of `rows` by `t A^-1`.
    pub(super) fn solve_rows(&self, rows: &mut Array2<f64>) {
        let chunks: Vec<_> = rows.axis_chunks_iter_mut(Axis(0), SIDES).collect();
        chunks.into_par_iter().for_each(|chunk| self.solve(chunk));
    }

    fn solve(&self, mut rows: ArrayViewMut2<'_, f64>) {
        let mut sides: Vec<Vec<f64>> = rows.rows().into_iter().map(|row| row.to_vec()).collect();
        for j in 0..self.size {
            let (left, pivot) = self.row(j);
            for side in &mut sides {
                side[j] = if pivot > 0.0 { (side[j] - dot(left, &side[..j])) / pivot } else { 0.0 };
            }
        }
        for j in (0..self.size).rev() {
            let (left, pivot) = self.row(j);
            for side in &mut sides {
                side[j] = if pivot > 0.0 { side[j] / pivot } else { 0.0 };
                let factor = side[j];
                vectorised(
                    #[inline(always)]
                    || side[..j].iter_mut().zip(left).for_each(|(value, l)| *value -= factor * l),
                );
            }
        }
        for (mut row, side) in rows.rows_mut().into_iter().zip(sides) {
            row.iter_mut().zip(side).for_each(|(slot, value)| *slot = value);
        }
    }
}

/// Columns `start .. end` of a row of the factor, from the rows of the factor above it.
fn eliminate(row: &mut [f64], above: &[f64], start: usize, end: usize, size: usize) {
    for j in start..end {
        let other = &above[j * size..][..=j];
        let rest = row[j] - dot(&row[..j], &other[..j]);
        row[j] = if other[j] > 0.0 { rest / other[j] } else { 0.0 };
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
            let mut lanes = [0.0; 16];
            for (a, b) in a.iter().zip(b) {
                for lane in 0..16 {
                    lanes[lane] += a[lane] * b[lane];
                }
            }
            lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
        },
    )
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn solutions_solve_the_system_across_blocks() {
        let mut generator = crate::rng::stream(2, "cholesky");
        let half = Array2::from_shape_simple_fn((170, 200), || generator.random_range(-1.0..1.0));
        let matrix: Array2<f64> = half.dot(&half.t());
        let want = Array2::from_shape_simple_fn((37, 170), || generator.random_range(-1.0..1.0));
        let mut rows: Array2<f64> = want.dot(&(&matrix + &(Array2::<f64>::eye(170) * 0.5)));
        Cholesky::new(&matrix, 0.5).solve_rows(&mut rows);
        assert!((&rows - &want).iter().all(|value| value.abs() < 1e-10));
    }

    #[test]
    fn columns_that_others_explain_get_nothing() {
        // The last column is the sum of the others.
        let half = ndarray::array![[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 3.0, 1.0]];
        let matrix = half.dot(&half.t());
        let mut rows = ndarray::array![[0.25, -1.0, 0.0]].dot(&matrix);
        Cholesky::new(&matrix, 0.0).solve_rows(&mut rows);
        assert!((&rows - &ndarray::array![[0.25, -1.0, 0.0]]).iter().all(|value: &f64| value.abs() < 1e-12), "{rows}");
    }
}
