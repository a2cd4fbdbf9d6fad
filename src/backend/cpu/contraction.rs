//! The one tiled loop of the host: every pair (row of X, row of Y) contracted over the inner index, and folded at once.
//!
//! ```text
//! for each tile (rows x columns of the product, one task)
//!   for each block of the inner index                 256 entries at most
//!     pack the rows of the tile                       [micro row][inner][ROWS]        in the L2 cache
//!     for each panel of columns                       [inner][VECTORS x lanes]        in the L2 cache
//!       for each micro row                            [inner][ROWS]                   in the L1 cache
//!         ROWS x VECTORS registers accumulate the block, join the sums of earlier blocks, and after the last go to the fold
//! ```
//!
//! An operation supplies the [`Inner`] operation and the [`Fold`]; a product is stored only by the fold that stores it.
//! Tiles split columns in a way that depends on the shape alone, so that sums do not depend on the number of threads.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::direct::contract_direct;
use super::operand::{Columns, Lines, View};

/// Rows of a micro-tile. With four vectors of columns its 24 accumulators leave room for operands in 32 registers; with two
/// vectors, 12 accumulators fit 16 registers.
pub(super) const ROWS: usize = 6;

/// Entries of the inner index between two joins.
const INNER: usize = 256;

/// The blocks of an inner index of some length, between which sums are joined; an empty one of none.
#[inline(always)]
pub(super) fn blocks(inner: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = inner.div_ceil(INNER).max(1);
    let step = inner.div_ceil(count);
    (0..count).map(move |block| block * step..inner.min((block + 1) * step))
}

/// Roundings of a sum of `inner` terms as the contraction takes it: those of one block, and one for each join.
pub(super) fn unit_roundings(inner: usize) -> f64 {
    let blocks = blocks(inner);
    let count = blocks.len();
    (blocks.map(|block| block.len()).max().unwrap_or(0) + count) as f64
}

/// Rows of a tile at most: one block of them takes half a megabyte of cache at most.
const BAND: usize = 384;

/// Products of fewer terms than this run on the calling thread.
const SERIAL: usize = 1 << 16;

/// The operation along the inner index. Two zeros add nothing to a sum: lanes past its end hold them.
pub(super) trait Inner: Sync {
    /// The result for no term.
    fn start<S: Simd>(simd: S) -> S::f32s;
    /// Adds the term made of `x` and `y`.
    fn step<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s;
    /// Adds two results.
    fn join<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s;
}

/// `sum_k x_k y_k`.
pub(super) struct Sum;

impl Inner for Sum {
    #[inline(always)]
    fn start<S: Simd>(simd: S) -> S::f32s {
        simd.splat_f32s(0.0)
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(x, y, sum)
    }

    #[inline(always)]
    fn join<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.add_f32s(a, b)
    }
}

/// What becomes of the product of one tile. Micro-tiles of a row arrive in ascending order of columns.
pub(super) trait Fold: Send {
    /// Makes room for `rows` rows on the thread that computes the tile.
    fn begin(&mut self, _rows: usize) {}

    /// Takes the product at the rows from `row` (within the tile) and the columns from `column` (within the product) on.
    /// Lanes past the last column hold the product with a zero vector.
    ///
    /// The product comes in memory: a fold in registers costs the loop over the inner index its own.
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]);

    /// Closes the rows of the tile.
    fn end(&mut self) {}
}

/// One value for each lane of the widest vector; narrower ones use the first lanes.
pub(super) type Lanes<T> = [T; 16];

/// A rectangle of the product and the fold that takes it.
pub(super) struct Tile<F> {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub fold: F,
}

/// Cuts the product of `x` and `y` into tiles, bands of rows first.
pub(super) fn tiles<F>(x: View<'_>, y: Columns<'_>, fold: impl Fn(Range<usize>, Range<usize>) -> F) -> Vec<Tile<F>> {
    let (rows, columns) = (x.rows(), y.count());
    let wide = if rows < BAND / 2 || y.is_loose() { 256 } else { 1024 };
    let tasks = 8 * rayon::current_num_threads();
    // Loose columns are packed once for each band: bands are as high as they can be.
    let low = if y.is_loose() { BAND } else { ROWS };
    let high = (rows * columns.div_ceil(wide)).div_ceil(tasks).next_multiple_of(ROWS).clamp(low, BAND);
    let cuts = |length: usize, step: usize| {
        (0..length).step_by(step).map(move |start| start..length.min(start + step)).collect::<Vec<_>>()
    };
    let (bands, chunks) = (cuts(rows, high), cuts(columns, wide));
    let pairs = bands.iter().flat_map(|band| chunks.iter().map(move |chunk| (band.clone(), chunk.clone())));
    pairs.map(|(rows, columns)| Tile { fold: fold(rows.clone(), columns.clone()), rows, columns }).collect()
}

/// Contracts the rows of `x` with those of `y`, tile by tile.
pub(super) fn contract<I: Inner, F: Fold>(x: View<'_>, y: Columns<'_>, tiles: &mut [Tile<F>]) {
    let arch = arch();
    let run = |scratch: &mut Scratch, tile: &mut Tile<F>| {
        tile.fold.begin(tile.rows.len());
        arch.dispatch(Task { x, y, tile, scratch, inner: PhantomData::<I> });
    };
    if tiles.len() == 1 || x.rows() * y.count() * x.inner().max(1) < SERIAL {
        let mut scratch = Scratch::default();
        tiles.iter_mut().for_each(|tile| run(&mut scratch, tile));
    } else {
        tiles.par_iter_mut().with_max_len(1).for_each_init(Scratch::default, run);
    }
}

/// Buffers that a thread keeps from tile to tile.
#[derive(Default)]
struct Scratch {
    /// The rows of the tile, one block of the inner index.
    rows: Lines,
    /// A panel that is not packed beforehand.
    panel: Lines,
    /// The sums of earlier blocks of the inner index.
    sums: Lines,
}

/// The instruction set of packing and contraction, which must agree.
pub(super) fn arch() -> Arch {
    Arch::new()
}

/// Columns of a panel, and lanes of a vector.
pub(super) struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = (usize, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (usize, usize) {
        (vectors::<S>() * S::F32_LANES, S::F32_LANES)
    }
}

/// Vectors of a micro-tile.
const fn vectors<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 || S::IS_SCALAR { 4 } else { 2 }
}

struct Task<'a, I, F> {
    x: View<'a>,
    y: Columns<'a>,
    tile: &'a mut Tile<F>,
    scratch: &'a mut Scratch,
    inner: PhantomData<I>,
}

impl<I: Inner, F: Fold> WithSimd for Task<'_, I, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, y, tile, scratch, .. } = self;
        if let Columns::Direct(y) = y {
            contract_direct::<S, I, F>(simd, (x, y), (tile.rows.clone(), tile.columns.clone()), &mut tile.fold);
            tile.fold.end();
            return;
        }
        let (height, depth, width) = (tile.rows.len(), x.inner(), vectors::<S>() * S::F32_LANES);
        let parts = blocks(depth).len();
        let area = height.next_multiple_of(ROWS) * width;
        let sums = scratch.sums.at_least(if parts > 1 { tile.columns.len().div_ceil(width) * area } else { 0 });
        for (block, inner) in blocks(depth).enumerate() {
            let rows = scratch.rows.at_least(height.next_multiple_of(ROWS) * inner.len());
            for row in (0..height).step_by(ROWS) {
                let out = &mut rows[row * inner.len()..][..micro_rows(height - row) * inner.len()];
                x.pack(tile.rows.start + row, micro_rows(height - row), inner.clone(), out);
            }
            for (panel, column) in tile.columns.clone().step_by(width).enumerate() {
                let count = (tile.columns.end - column).min(width).div_ceil(S::F32_LANES);
                let panel_y = y.panel(simd, column, count * S::F32_LANES, inner.clone(), &mut scratch.panel);
                for row in (0..height).step_by(ROWS) {
                    let sums =
                        if parts > 1 { &mut sums[panel * area + row * width..][..ROWS * width] } else { &mut [] };
                    let micro = Micro {
                        x: &rows[row * inner.len()..][..micro_rows(height - row) * inner.len()],
                        y: panel_y,
                        sums,
                        first: block == 0,
                        last: block + 1 == parts,
                        rows: row..height.min(row + ROWS),
                        column,
                    };
                    let fold = &mut tile.fold;
                    match (micro_rows(height - row), count) {
                        (1, 1) => micro.run::<S, I, F, 1, 1>(simd, fold),
                        (1, 2) => micro.run::<S, I, F, 1, 2>(simd, fold),
                        (1, 3) => micro.run::<S, I, F, 1, 3>(simd, fold),
                        (1, _) => micro.run::<S, I, F, 1, 4>(simd, fold),
                        (_, 1) => micro.run::<S, I, F, ROWS, 1>(simd, fold),
                        (_, 2) => micro.run::<S, I, F, ROWS, 2>(simd, fold),
                        (_, 3) => micro.run::<S, I, F, ROWS, 3>(simd, fold),
                        (_, _) => micro.run::<S, I, F, ROWS, 4>(simd, fold),
                    }
                }
            }
        }
        tile.fold.end();
    }
}

/// Rows of the micro-tile when `left` rows are left: one, or [`ROWS`] of which some may be padding.
const fn micro_rows(left: usize) -> usize {
    if left == 1 { 1 } else { ROWS }
}

/// One micro-tile over one block of the inner index.
struct Micro<'a> {
    x: &'a [f32],
    y: &'a [f32],
    sums: &'a mut [f32],
    first: bool,
    last: bool,
    rows: Range<usize>,
    column: usize,
}

impl Micro<'_> {
    #[inline(always)]
    fn run<S: Simd, I: Inner, F: Fold, const R: usize, const V: usize>(self, simd: S, fold: &mut F) {
        let mut registers = [[I::start(simd); V]; R];
        let (x, _) = self.x.as_chunks::<R>();
        let (y, _) = S::as_simd_f32s(self.y).0.as_chunks::<V>();
        for (x, y) in x.iter().zip(y) {
            // Loops over indices unroll before arrays become registers; loops over iterators leave some in memory.
            for r in 0..R {
                let x = simd.splat_f32s(x[r]);
                for v in 0..V {
                    registers[r][v] = I::step(simd, x, y[v], registers[r][v]);
                }
            }
        }
        // A copy: what the fold takes by reference would be written before the loop as well.
        let mut product = registers;
        let (sums, _) = S::as_mut_simd_f32s(self.sums).0.as_chunks_mut::<V>();
        if !self.first {
            for (product, sums) in product.iter_mut().zip(sums.iter()) {
                for (product, sum) in product.iter_mut().zip(sums) {
                    *product = I::join(simd, *sum, *product);
                }
            }
        }
        if self.last {
            fold.fold(simd, self.rows.start, self.column, &product[..self.rows.len()]);
        } else {
            sums.iter_mut().zip(product).for_each(|(sums, product)| *sums = product);
        }
    }
}
