//! The contraction of operands that meet once: few rows or few columns make a packed operand as costly as the product.
//!
//! ```text
//! for each GROUP rows of the tile
//!   for each vector of columns
//!     for each BLOCK columns             streamed from memory once for the group
//!       for each BLOCK rows              BLOCK x BLOCK registers accumulate along the inner index, lanes side by side
//!     the fold takes the vector of columns
//! ```

use std::array::from_fn;
use std::ops::Range;

use pulp::Simd;

use super::contraction::{Fold, Inner};
use super::operand::View;

/// Rows and columns that a block of registers holds at most.
const BLOCK: usize = 4;

/// Rows that share one pass over the columns.
const GROUP: usize = 8;

/// Columns up to this number are few: the lanes of packed ones stay partly empty.
const FEW_COLUMNS: usize = 16;

/// Sums over fewer entries cost less than the reduction of their lanes.
const DEPTH: usize = 128;

/// Whether `x` and `y` are contracted here; the shape alone decides.
pub(super) fn is_direct(x: View<'_>, y: View<'_>) -> bool {
    let few = x.rows() <= GROUP || y.rows() <= FEW_COLUMNS;
    few && x.inner() >= DEPTH && x.is_row_major() && y.is_row_major()
}

/// Contracts the rows of a tile with its columns.
#[inline(always)]
pub(super) fn contract_direct<S: Simd, I: Inner, F: Fold>(
    simd: S,
    (x, y): (View<'_>, View<'_>),
    (rows, columns): (Range<usize>, Range<usize>),
    fold: &mut F,
) {
    for group in rows.clone().step_by(GROUP) {
        let height = (rows.end - group).min(GROUP);
        for column in columns.clone().step_by(S::F32_LANES) {
            let width = (columns.end - column).min(S::F32_LANES);
            let mut sums = [[0.0; 16]; GROUP];
            let mut place = [0; 2];
            while place[1] < width {
                // The width of a block depends on the columns alone: all rows of a group take the same one.
                let step = [
                    if height - place[0] < BLOCK { 1 } else { BLOCK },
                    match width - place[1] {
                        BLOCK.. => BLOCK,
                        2.. => 2,
                        _ => 1,
                    },
                ];
                let at = ([group + place[0], column + place[1]], place);
                match step {
                    [BLOCK, BLOCK] => block::<S, I, BLOCK, BLOCK>(simd, (x, y), at, &mut sums),
                    [BLOCK, 2] => block::<S, I, BLOCK, 2>(simd, (x, y), at, &mut sums),
                    [BLOCK, _] => block::<S, I, BLOCK, 1>(simd, (x, y), at, &mut sums),
                    [_, 2] => block::<S, I, 1, 2>(simd, (x, y), at, &mut sums),
                    [_, BLOCK] => block::<S, I, 1, BLOCK>(simd, (x, y), at, &mut sums),
                    [_, _] => block::<S, I, 1, 1>(simd, (x, y), at, &mut sums),
                }
                place[0] += step[0];
                if place[0] == height {
                    place = [0, place[1] + step[1]];
                }
            }
            let product: [[S::f32s; 1]; GROUP] = from_fn(|r| [S::as_simd_f32s(&sums[r]).0[0]]);
            fold.fold(simd, group - rows.start, column, &product[..height]);
        }
    }
}

/// The sums of `R` rows and `C` columns.
#[inline(always)]
fn block<S: Simd, I: Inner, const R: usize, const C: usize>(
    simd: S,
    (x, y): (View<'_>, View<'_>),
    (first, place): ([usize; 2], [usize; 2]),
    sums: &mut [[f32; 16]; GROUP],
) {
    let x: [_; R] = from_fn(|r| S::as_simd_f32s(x.row(first[0] + r)));
    let y: [_; C] = from_fn(|c| S::as_simd_f32s(y.row(first[1] + c)));
    let length = x[0].0.len();
    let (x_vectors, y_vectors) = (x.map(|x| &x.0[..length]), y.map(|y| &y.0[..length]));
    let mut lanes = [[I::start(simd); C]; R];
    for k in 0..length {
        for r in 0..R {
            for c in 0..C {
                lanes[r][c] = I::step(simd, x_vectors[r][k], y_vectors[c][k], lanes[r][c]);
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            let mut sum = lanes[r][c];
            if !x[r].1.is_empty() {
                // What a partial load leaves out is zero.
                let (x, y) = (simd.partial_load_f32s(x[r].1), simd.partial_load_f32s(y[c].1));
                sum = I::step(simd, x, y, sum);
            }
            sums[place[0] + r][place[1] + c] = simd.reduce_sum_f32s(sum);
        }
    }
}
