//! The contraction for a short inner index and one result for each row: lanes hold rows, and nothing leaves the registers.
//!
//! ```text
//! for each band of rows (one task)
//!   for each VECTORS x lanes rows       their entries stay in registers, [inner][VECTORS]
//!     for each column                   its start and its entries are broadcast
//!       VECTORS registers accumulate, and the fold takes them
//! ```
//!
//! A row meets its columns in ascending order, whatever the band: results do not depend on the number of threads.

use std::array::from_fn;
use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::contraction::{Inner, arch};
use super::operand::{Lines, View};

/// The longest inner index for which a group of rows fits into the registers.
const DEPTH: usize = 8;

/// With fewer rows than this most lanes are empty.
const FEWEST: usize = 64;

/// Columns between two calls of [`RowFold::settle`].
const SETTLE: usize = 256;

/// What becomes of the products of one band of rows.
pub(super) trait RowFold: Send {
    /// What is kept for a vector of rows.
    type State<S: Simd>: Copy;

    /// The state before the first column.
    fn start<S: Simd>(simd: S) -> Self::State<S>;

    /// Takes the products of the rows with one column. Columns come in ascending order.
    fn take<S: Simd>(simd: S, state: Self::State<S>, column: u32, product: S::f32s) -> Self::State<S>;

    /// Closes a block of columns: sums of sums lose fewer digits than one long sum.
    fn settle<S: Simd>(_simd: S, state: Self::State<S>) -> Self::State<S> {
        state
    }

    /// Stores the results of the rows from `row` (within the band) on, as far as there are rows.
    fn end<S: Simd>(&mut self, simd: S, row: usize, state: Self::State<S>);
}

/// Whether `rows` rows of `inner` entries are contracted here.
pub(super) fn is_narrow(x: View<'_>) -> bool {
    x.inner() <= DEPTH && x.rows() >= FEWEST && x.is_row_major()
}

/// The rows of one band, as long as tasks need to be.
pub(super) fn band(rows: usize) -> usize {
    rows.div_ceil(16 * rayon::current_num_threads()).next_multiple_of(FEWEST).max(FEWEST)
}

/// Contracts each band of rows of `x` with the rows of `y`, sums starting from `starts` where there are any.
pub(super) fn contract_narrow<I: Inner, F: RowFold>(x: View<'_>, y: View<'_>, starts: Option<&[f32]>, folds: Vec<F>) {
    match x.inner() {
        0..=2 => run::<I, F, 2>(x, y, starts, folds),
        3 => run::<I, F, 3>(x, y, starts, folds),
        4 => run::<I, F, 4>(x, y, starts, folds),
        5..=6 => run::<I, F, 6>(x, y, starts, folds),
        _ => run::<I, F, DEPTH>(x, y, starts, folds),
    }
}

fn run<I: Inner, F: RowFold, const D: usize>(x: View<'_>, y: View<'_>, starts: Option<&[f32]>, folds: Vec<F>) {
    let (depth, height) = (y.inner(), band(x.rows()));
    // Entries past the inner length are zero on both sides and add nothing.
    let columns: Vec<Column<D>> = (0..y.rows())
        .map(|j| {
            let row = y.row(j);
            let start = starts.and_then(|starts| starts.get(j)).copied().unwrap_or(0.0);
            Column { start, entries: from_fn(|k| if k < depth { row[k] } else { 0.0 }) }
        })
        .collect();
    let arch = arch();
    folds.into_par_iter().with_max_len(1).enumerate().for_each_init(Lines::default, |scratch, (number, fold)| {
        let first = number * height;
        let rows = height.min(x.rows() - first);
        arch.dispatch(Task { x, first, rows, columns: &columns, fold, scratch, inner: PhantomData::<I> });
    });
}

struct Column<const D: usize> {
    start: f32,
    entries: [f32; D],
}

struct Task<'a, I, F, const D: usize> {
    x: View<'a>,
    first: usize,
    rows: usize,
    columns: &'a [Column<D>],
    fold: F,
    scratch: &'a mut Lines,
    inner: PhantomData<I>,
}

impl<I: Inner, F: RowFold, const D: usize> WithSimd for Task<'_, I, F, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The entries of the rows take D registers for each vector, sums and states three.
        if D <= 4 && S::REGISTER_COUNT >= 32 {
            self.contract::<S, 4>(simd);
        } else {
            self.contract::<S, 2>(simd);
        }
    }
}

impl<I: Inner, F: RowFold, const D: usize> Task<'_, I, F, D> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "loops over indices unroll before arrays become registers")]
    fn contract<S: Simd, const V: usize>(mut self, simd: S) {
        let width = V * S::F32_LANES;
        for row in (0..self.rows).step_by(width) {
            let scratch = self.scratch.at_least(D * width);
            transpose::<D>(self.x, self.first + row, width.min(self.rows - row), width, scratch);
            let (vectors, _) = S::as_simd_f32s(scratch).0.as_chunks::<V>();
            let x: [[S::f32s; V]; D] = from_fn(|k| vectors[k]);
            let mut states = [F::start(simd); V];
            let mut number = 0;
            for block in self.columns.chunks(SETTLE) {
                for column in block {
                    let mut product = [simd.splat_f32s(column.start); V];
                    for k in 0..D {
                        let y = simd.splat_f32s(column.entries[k]);
                        for v in 0..V {
                            product[v] = I::step(simd, x[k][v], y, product[v]);
                        }
                    }
                    for v in 0..V {
                        states[v] = F::take(simd, states[v], number, product[v]);
                    }
                    number += 1;
                }
                states = states.map(|state| F::settle(simd, state));
            }
            for (v, state) in states.into_iter().enumerate() {
                if row + v * S::F32_LANES < self.rows {
                    self.fold.end(simd, row + v * S::F32_LANES, state);
                }
            }
        }
    }
}

/// Writes `out[k width + r]`, entry `k` of row `first + r`.
#[inline(always)]
fn transpose<const D: usize>(x: View<'_>, first: usize, count: usize, width: usize, out: &mut [f32]) {
    let source = x.rows_from(first, count);
    if x.inner() == D && count == width {
        let (source, _) = source.as_chunks::<D>();
        for (k, out) in out.chunks_exact_mut(width).enumerate() {
            for (out, row) in out.iter_mut().zip(source) {
                *out = row[k];
            }
        }
    } else {
        out.fill(0.0);
        for (r, row) in source.chunks_exact(x.inner().max(1)).enumerate() {
            for (k, entry) in row.iter().enumerate() {
                out[k * width + r] = *entry;
            }
        }
    }
}
