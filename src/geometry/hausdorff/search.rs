//! The search for the farthest row: exact nearest neighbours only where they can matter.
//!
//! `h(X, Y) = max_i min_j |x_i - y_j|` needs the nearest neighbour of one row only, once it is known that every other row
//! has a nearer one. For each row there is an upper bound of its minimum, from the part of `Y` it has met; the largest
//! *lower* bound of a finished row is a threshold, below which other rows are left. Rows meet parts of `Y` that double
//! ([`Order`] says which rows), the rows with the largest bounds all of `Y`. Where nearly every row survives the first part (near copies), a k-d
//! tree goes on if a probe finds that its searches look at few points.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::margin::Margin;
use super::order::Order;
use super::points::PointMethod;
use super::tree::Tree;
use crate::backend::Backend;
use crate::error::Result;

/// Rows of `Y` that all rows of `X` meet first.
const FIRST: usize = 16;

/// Rows with the largest bounds that meet all of `Y`, one time after another.
const WORST: usize = 4;

/// Up to so many rows of `Y`, every row of `X` meets all of them.
const FEW: usize = 256;

/// Ratio of squares: of the distance to the first part, over the distance to all of `Y`, from which a tree is tried.
const NEARER: f64 = 4.0;

/// Rows that the probe of the tree searches for.
const PROBE: usize = 16;

/// Share of `Y` that a search in the tree may look at: a contraction takes a pair in this share of the tree's time.
const WORTH: f64 = 1.0 / 16.0;

/// A row that has not been left, and the square of the nearest neighbour it has met, in f32.
#[derive(Clone, Copy)]
struct Open {
    row: u32,
    neighbour: u32,
    square: f64,
}

/// What is left to decide exactly.
pub(super) struct Candidates {
    /// Rows that may be the farthest, each with a neighbour that is near to it.
    pub(super) candidates: Vec<(u32, u32)>,
    /// How the others were told apart.
    pub(super) method: PointMethod,
    /// Pairs that were looked at.
    pub(super) pairs: f64,
}

pub(super) struct Search<'a, B: Backend> {
    backend: &'a B,
    x: ArrayView2<'a, f32>,
    y: ArrayView2<'a, f32>,
    /// All of `y`, once some rows meet it.
    whole: Option<B::Matrix>,
    order: Order,
    /// What a square in f32 leaves open.
    margin: Margin,
    /// The exact answer does not lie below this square.
    threshold: f64,
    /// Rows that have met all of `y`.
    finished: Vec<Open>,
    pairs: f64,
    /// Pairs of parts since rows have been finished.
    spent: f64,
}

impl<'a, B: Backend> Search<'a, B> {
    pub(super) fn new(
        backend: &'a B,
        x: ArrayView2<'a, f32>,
        y: ArrayView2<'a, f32>,
        margin: Margin,
        seed: u64,
    ) -> Self {
        Self {
            backend,
            x,
            y,
            whole: None,
            order: Order::new(x, y, seed),
            margin,
            threshold: 0.0,
            finished: Vec::new(),
            pairs: 0.0,
            spent: f64::INFINITY,
        }
    }

    pub(super) fn run(mut self) -> Result<Candidates> {
        let (n, m) = (self.x.nrows(), self.y.nrows());
        let mut method = if m <= FEW { PointMethod::All } else { PointMethod::Parts };
        let first = if method == PointMethod::All { m } else { FIRST };
        let part = self.order.first(first);
        let mut open = self.nearest(&(0..).take(n).collect::<Vec<_>>(), Some(&part))?;
        self.order.learn(open.iter().map(|row| row.neighbour));
        let (mut size, mut probed) = (first, false);
        while !open.is_empty() {
            if self.order.drawn() == m {
                open.iter().for_each(|row| self.finish(*row));
                break;
            }
            // As much as the parts have cost since the last time, so that neither costs more than twice the better.
            let finishes = open.len() <= WORST || self.spent >= (WORST * m) as f64;
            if finishes {
                self.finish_worst(&mut open)?;
                self.spent = 0.0;
                if open.is_empty() {
                    break;
                }
            }
            // Most rows are open after the first part, and neighbours are far nearer than those of a random part.
            if finishes && !probed && 2 * open.len() > n && open.len() > PROBE && self.nearer(&open) {
                probed = true;
                if let Some(tree) = self.probe(&open) {
                    self.search(&tree, &open);
                    method = PointMethod::Tree;
                    break;
                }
            }
            let part = self.order.next(size);
            let rows: Vec<u32> = open.iter().map(|row| row.row).collect();
            self.spent += rows.len() as f64 * part.len() as f64;
            for (old, new) in open.iter_mut().zip(self.nearest(&rows, Some(&part))?) {
                if new.square < old.square {
                    *old = new;
                }
            }
            self.leave(&mut open);
            size *= 2;
        }
        let may = self.finished.iter().filter(|row| self.margin.most(row.square) >= self.threshold);
        let candidates = may.map(|row| (row.row, row.neighbour)).collect();
        Ok(Candidates { candidates, method, pairs: self.pairs })
    }

    /// The nearest neighbours of some rows of `x` among some rows of `y`, all of them by default.
    fn nearest(&mut self, rows: &[u32], part: Option<&[u32]>) -> Result<Vec<Open>> {
        let x = if rows.len() == self.x.nrows() {
            self.backend.upload(&self.x)?
        } else {
            self.backend.upload(&gathered(self.x, rows))?
        };
        let part = part.filter(|part| part.len() < self.y.nrows());
        let minima = if let Some(part) = part {
            self.backend.nearest(&x, &self.backend.upload(&gathered(self.y, part))?)?
        } else {
            let whole = self.whole.take().map_or_else(|| self.backend.upload(&self.y), Ok)?;
            self.backend.nearest(&x, self.whole.insert(whole))?
        };
        self.pairs += rows.len() as f64 * part.map_or(self.y.nrows(), <[u32]>::len) as f64;
        let squares = self.backend.download(&minima.values)?;
        let neighbours = self.backend.download_indices(&minima.arguments)?;
        let number = |neighbour: u32| match part {
            Some(part) => part.get(neighbour as usize).copied().unwrap_or(neighbour),
            None => neighbour,
        };
        let found = rows.iter().zip(&squares).zip(neighbours);
        Ok(found.map(|((row, square), at)| Open { row: *row, neighbour: number(at), square: *square }).collect())
    }

    /// Leaves the rows whose neighbour is near enough.
    fn leave(&self, open: &mut Vec<Open>) {
        open.retain(|row| self.margin.most(row.square) > self.threshold);
    }

    /// A row has met all of `y`: the answer is at least its distance.
    fn finish(&mut self, row: Open) {
        self.threshold = self.threshold.max(self.margin.least(row.square));
        self.finished.push(row);
    }

    /// Finishes the rows with the largest bounds, in the hope that the threshold rises above many others.
    fn finish_worst(&mut self, open: &mut Vec<Open>) -> Result<()> {
        let count = WORST.min(open.len());
        if count < open.len() {
            open.select_nth_unstable_by(count, |a, b| b.square.total_cmp(&a.square).then(a.row.cmp(&b.row)));
        }
        let mut rows: Vec<u32> = open.drain(..count).map(|row| row.row).collect();
        rows.sort_unstable();
        for row in self.nearest(&rows, None)? {
            self.finish(row);
        }
        open.sort_unstable_by_key(|row| row.row);
        self.leave(open);
        Ok(())
    }

    /// Whether the neighbours of finished rows lie far nearer than what open rows have met.
    fn nearer(&self, open: &[Open]) -> bool {
        let mean = open.iter().map(|row| row.square).sum::<f64>() / open.len() as f64;
        mean > NEARER * self.threshold
    }

    /// A tree of `y`, if its searches look at few points.
    fn probe(&mut self, open: &[Open]) -> Option<Tree> {
        let tree = Tree::new(self.y);
        let rows: Vec<u32> = open.iter().step_by(open.len().div_ceil(PROBE)).map(|row| row.row).collect();
        let effort = tree.effort(self.x, &rows);
        self.pairs += effort * rows.len() as f64;
        (effort <= WORTH * self.y.nrows() as f64).then_some(tree)
    }

    /// Finishes or leaves every open row by the tree.
    fn search(&mut self, tree: &Tree, open: &[Open]) {
        let mut rows: Vec<u32> = open.iter().map(|row| row.row).collect();
        let threshold = AtomicU64::new(self.threshold.to_bits());
        let found = tree.search(self.x, &mut rows, &threshold, self.margin);
        self.threshold = f64::from_bits(threshold.load(Ordering::Relaxed));
        for (row, nearest) in found.into_iter().filter(|(_, nearest)| !nearest.early) {
            self.finish(Open { row, neighbour: nearest.row, square: f64::from(nearest.square) });
        }
    }
}

fn gathered(points: ArrayView2<'_, f32>, rows: &[u32]) -> Array2<f32> {
    let mut out = Array2::zeros((rows.len(), points.ncols()));
    if let Some(values) = out.as_slice_mut() {
        values.par_chunks_mut(points.ncols().max(1)).with_min_len(512).zip(rows).for_each(|(to, row)| {
            to.iter_mut().zip(points.row(*row as usize)).for_each(|(to, value)| *to = *value);
        });
    }
    out
}
