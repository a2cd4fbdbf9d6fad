//! A k-d tree for the farthest of nearest neighbours: rows of which a near enough neighbour is found are left at once.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::ArrayView2;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::margin::Margin;

/// Points of a leaf at most: the lanes of a few vectors.
const LEAF: usize = 32;

/// Coordinates between two looks at whether a leaf can still hold a neighbour.
const STRIDE: usize = 8;

/// Rows up to this number go down the tree on one thread.
const TOGETHER: usize = 512;

/// Nodes of fewer points than this are built on the calling thread.
const SERIAL: usize = 2048;

/// Points whose extent chooses the coordinate that a node splits.
const EXTENT: usize = 32;

/// A tree over the rows of `y`.
pub(super) struct Tree {
    dimension: usize,
    root: Node,
}

enum Node {
    Leaf {
        /// `dimension x LEAF`: coordinates of the points, those past the last one far away.
        coordinates: Vec<f32>,
        rows: Vec<u32>,
    },
    Split {
        axis: usize,
        at: f32,
        children: Box<[Self; 2]>,
    },
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearest {
    /// The smallest squared distance in f32, or one that is small enough.
    pub(super) square: f32,
    /// The row that has it, the lowest on ties.
    pub(super) row: u32,
    /// Whether the search ended early, because the square lies below the threshold.
    pub(super) early: bool,
}

impl Tree {
    /// Builds the tree in `O(m log m)`; the rows are finite and fewer than 2^32.
    pub(super) fn new(y: ArrayView2<'_, f32>) -> Self {
        let mut rows: Vec<u32> = (0..).take(y.nrows()).collect();
        Self { dimension: y.ncols(), root: node(y, &mut rows) }
    }

    /// Finds the nearest row of each of some rows of `x`, in an order of its own; a search ends early at a neighbour whose
    /// square lies below the threshold by more than the margin. Searches that do not end early raise the threshold.
    ///
    /// All rows go down the tree together, each node parting them, so that a leaf is in the cache for all rows that
    /// lie in its cell. Most end there; only the others search on their own.
    pub(super) fn search(
        &self,
        x: ArrayView2<'_, f32>,
        rows: &mut [u32],
        threshold: &AtomicU64,
        margin: Margin,
    ) -> Vec<(u32, Nearest)> {
        self.descend(&self.root, &Queries { x, threshold, margin }, rows)
    }

    fn descend(&self, node: &Node, queries: &Queries<'_>, rows: &mut [u32]) -> Vec<(u32, Nearest)> {
        match node {
            Node::Leaf { .. } => {
                let settle = |scratch: &mut Scratch, row: &u32| (*row, self.settle(node, queries, scratch, *row));
                if rows.len() <= TOGETHER {
                    let mut scratch = Scratch::new(self.dimension);
                    return rows.iter().map(|row| settle(&mut scratch, row)).collect();
                }
                let rows = rows.par_iter().with_min_len(64);
                rows.map_init(|| Scratch::new(self.dimension), settle).collect()
            }
            Node::Split { axis, at, children } => {
                let middle = part(rows, |row| queries.x[[row as usize, *axis]] < *at);
                let (serial, (low, high)) = (rows.len() <= TOGETHER, rows.split_at_mut(middle));
                let down = |child: usize, rows: &mut [u32]| match rows.is_empty() {
                    true => Vec::new(),
                    false => self.descend(&children[child], queries, rows),
                };
                let (mut low, high) =
                    if serial { (down(0, low), down(1, high)) } else { rayon::join(|| down(0, low), || down(1, high)) };
                low.extend(high);
                low
            }
        }
    }

    /// The nearest point of a row that lies in the cell of `leaf`.
    fn settle(&self, leaf: &Node, queries: &Queries<'_>, scratch: &mut Scratch, row: u32) -> Nearest {
        scratch.x.clear();
        scratch.x.extend(queries.x.row(row as usize).iter().copied());
        let limit = queries.margin.limit(f64::from_bits(queries.threshold.load(Ordering::Relaxed)));
        #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
        let limit = limit as f32;
        let mut best = Nearest { square: f32::INFINITY, row: u32::MAX, early: false };
        if !leaf.visit(scratch, 0.0, limit, &mut best) {
            scratch.offsets.fill(0.0);
            if !self.root.visit(scratch, 0.0, limit, &mut best) {
                // Squares are not negative: their bits are in their order.
                let least = queries.margin.least(f64::from(best.square));
                queries.threshold.fetch_max(least.to_bits(), Ordering::Relaxed);
            }
        }
        best
    }

    /// The mean number of points that a search without a threshold looks at.
    pub(super) fn effort(&self, x: ArrayView2<'_, f32>, rows: &[u32]) -> f64 {
        let mut scratch = Scratch::new(self.dimension);
        for row in rows {
            scratch.x.clear();
            scratch.x.extend(x.row(*row as usize).iter().copied());
            let mut best = Nearest { square: f32::INFINITY, row: u32::MAX, early: false };
            scratch.offsets.fill(0.0);
            self.root.visit(&mut scratch, 0.0, 0.0, &mut best);
        }
        (scratch.leaves * LEAF) as f64 / rows.len().max(1) as f64
    }
}

/// What all searches share.
struct Queries<'a> {
    x: ArrayView2<'a, f32>,
    threshold: &'a AtomicU64,
    margin: Margin,
}

/// Moves what is `low` to the front and returns how many are.
fn part(rows: &mut [u32], low: impl Fn(u32) -> bool) -> usize {
    let mut count = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        rows.swap(at, count);
        // Without a branch, which would be guessed wrong half the time.
        count += usize::from(low(row));
    }
    count
}

struct Scratch {
    x: Vec<f32>,
    /// Distance of `x` from the cell along each axis.
    offsets: Vec<f32>,
    leaves: usize,
}

impl Scratch {
    fn new(dimension: usize) -> Self {
        Self { x: Vec::with_capacity(dimension), offsets: vec![0.0; dimension], leaves: 0 }
    }
}

fn node(y: ArrayView2<'_, f32>, rows: &mut [u32]) -> Node {
    let split = (rows.len() > LEAF).then(|| widest(y, rows)).flatten();
    let Some(axis) = split else { return leaf(y, rows) };
    let column = y.column(axis);
    let mut keys: Vec<(f32, u32)> = rows.iter().map(|row| (column[*row as usize], *row)).collect();
    // Leaves fill up if all halves but the last are powers of two times a leaf.
    let half = (rows.len() / 2).next_multiple_of(LEAF).min(rows.len() - 1);
    let (_, middle, _) = keys.select_nth_unstable_by(half, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let at = middle.0;
    rows.iter_mut().zip(keys).for_each(|(row, key)| *row = key.1);
    let serial = rows.len() < SERIAL;
    let (low, high) = rows.split_at_mut(half);
    let (low, high) =
        if serial { (node(y, low), node(y, high)) } else { rayon::join(|| node(y, low), || node(y, high)) };
    Node::Split { axis, at, children: Box::new([low, high]) }
}

/// The coordinate in which a sample of the points extends farthest; `None` if they are all the same.
fn widest(y: ArrayView2<'_, f32>, rows: &[u32]) -> Option<usize> {
    let extent = |step: usize| {
        let mut bounds = vec![(f32::INFINITY, f32::NEG_INFINITY); y.ncols()];
        for row in rows.iter().step_by(step) {
            for ((low, high), value) in bounds.iter_mut().zip(y.row(*row as usize)) {
                *low = low.min(*value);
                *high = high.max(*value);
            }
        }
        let widths = bounds.iter().map(|(low, high)| high - low).enumerate();
        widths.filter(|(_, width)| *width > 0.0).reduce(|best, next| if next.1 > best.1 { next } else { best })
    };
    // A sample of equal points says nothing of the others.
    extent(rows.len().div_ceil(EXTENT)).or_else(|| extent(1)).map(|widest| widest.0)
}

/// Points that are all the same may be more than a leaf holds: one of them, the lowest, stands for all.
fn leaf(y: ArrayView2<'_, f32>, rows: &mut [u32]) -> Node {
    rows.sort_unstable();
    let rows = &rows[..rows.len().min(LEAF)];
    let mut coordinates = vec![f32::INFINITY; y.ncols() * LEAF];
    for (lane, row) in rows.iter().enumerate() {
        for (axis, value) in y.row(*row as usize).iter().enumerate() {
            coordinates[axis * LEAF + lane] = *value;
        }
    }
    Node::Leaf { coordinates, rows: rows.to_vec() }
}

impl Node {
    /// Visits the cells that may hold a nearer point; `true` ends the search.
    fn visit(&self, scratch: &mut Scratch, cell: f32, limit: f32, best: &mut Nearest) -> bool {
        let (axis, at, children) = match self {
            Self::Leaf { coordinates, rows } => {
                scratch.leaves += 1;
                Arch::new().dispatch(Scan { coordinates, rows, x: &scratch.x, best });
                best.early = best.square < limit;
                return best.early;
            }
            Self::Split { axis, at, children } => (*axis, *at, children),
        };
        let gap = scratch.x[axis] - at;
        let [near, far] = if gap < 0.0 { [&children[0], &children[1]] } else { [&children[1], &children[0]] };
        if near.visit(scratch, cell, limit, best) {
            return true;
        }
        let before = scratch.offsets[axis];
        let beyond = cell - before * before + gap * gap;
        // A relative 1e-5 covers the rounding of the updates of the distance; equal squares are looked at, for a lower row.
        if beyond * (1.0 - 1e-5) > best.square {
            return false;
        }
        scratch.offsets[axis] = gap;
        let ended = far.visit(scratch, beyond, limit, best);
        scratch.offsets[axis] = before;
        ended
    }
}

/// A look at the points of a leaf; those that are farther than the best after some coordinates end it early.
struct Scan<'a> {
    coordinates: &'a [f32],
    rows: &'a [u32],
    x: &'a [f32],
    best: &'a mut Nearest,
}

impl WithSimd for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, { LEAF / 16 }>(simd),
            8 => self.run::<S, { LEAF / 8 }>(simd),
            4 => self.run::<S, { LEAF / 4 }>(simd),
            _ => self.run::<S, LEAF>(simd),
        }
    }
}

impl Scan<'_> {
    /// Points side by side, in the lanes of `V` vectors: left to itself, the compiler takes them one by one.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Self { coordinates, rows, x, best } = self;
        let (coordinates, _) = S::as_simd_f32s(coordinates).0.as_chunks::<V>();
        let mut squares = [simd.splat_f32s(0.0); V];
        let mut least = 0.0;
        for (x, coordinates) in x.chunks(STRIDE).zip(coordinates.chunks(STRIDE)) {
            for (x, y) in x.iter().zip(coordinates) {
                let x = simd.splat_f32s(*x);
                for v in 0..V {
                    let difference = simd.sub_f32s(x, y[v]);
                    squares[v] = simd.mul_add_e_f32s(difference, difference, squares[v]);
                }
            }
            let nearest = squares.into_iter().reduce(|a, b| simd.min_f32s(a, b));
            least = nearest.map_or(f32::INFINITY, |nearest| simd.reduce_min_f32s(nearest));
            if least > best.square {
                return;
            }
        }
        // Rows ascend: the first of equal squares has the lowest.
        let squares: &[f32] = bytemuck::cast_slice(&squares);
        let found = squares.iter().zip(rows).find(|(square, _)| **square == least);
        if let Some((_, row)) = found.filter(|(_, row)| least < best.square || **row < best.row) {
            *best = Nearest { square: least, row: *row, early: false };
        }
    }
}
