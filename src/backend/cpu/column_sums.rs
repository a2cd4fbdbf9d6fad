//! Sums down the columns of a matrix in f64, in one pass along its rows.

use std::array::from_fn;

use pulp::Arch;
use rayon::prelude::*;

use super::matrix::HostMatrix;

/// Columns of one task: a stretch of a row that prefetching pays for, and sums that stay in the L1 cache.
const STRIP: usize = 256;

/// Rows between two passes over the sums.
const ROWS: usize = 4;

/// The sums over `i` of the `N` values `terms(x_ij, parameters_j)`, for each column `j`. Rows are added in order.
pub(super) fn column_sums<const N: usize>(
    matrix: &HostMatrix,
    parameters: &[f64],
    terms: impl Fn(f64, f64) -> [f64; N] + Sync,
) -> [Vec<f64>; N] {
    let arch = Arch::new();
    let strips: Vec<_> = parameters
        .par_chunks(STRIP)
        .enumerate()
        .map(|(strip, parameters)| {
            let mut sums = [[0.0; STRIP]; N];
            arch.dispatch(
                #[inline(always)]
                || add(matrix, strip * STRIP, parameters, &terms, &mut sums),
            );
            (sums, parameters.len())
        })
        .collect();
    from_fn(|n| strips.iter().flat_map(|(sums, width)| sums[n].iter().take(*width)).copied().collect())
}

#[inline(always)]
fn add<const N: usize>(
    matrix: &HostMatrix,
    first: usize,
    parameters: &[f64],
    terms: &impl Fn(f64, f64) -> [f64; N],
    sums: &mut [[f64; STRIP]; N],
) {
    let (rows, width) = (matrix.shape()[0], parameters.len());
    let part = |row: usize| &matrix.row(row)[first..][..width];
    let whole = rows / ROWS * ROWS;
    for row in (0..whole).step_by(ROWS) {
        let rows: [&[f32]; ROWS] = from_fn(|r| part(row + r));
        for j in 0..width {
            let mut total: [f64; N] = from_fn(|n| sums[n][j]);
            for row in rows {
                let terms = terms(f64::from(row[j]), parameters[j]);
                total = from_fn(|n| total[n] + terms[n]);
            }
            for n in 0..N {
                sums[n][j] = total[n];
            }
        }
    }
    for row in whole..rows {
        for (j, (value, parameter)) in part(row).iter().zip(parameters).enumerate() {
            let terms = terms(f64::from(*value), *parameter);
            for n in 0..N {
                sums[n][j] += terms[n];
            }
        }
    }
}
