//! Hausdorff distances of large point samples: exact nearest neighbours only where they can matter.
//!
//! `h(X, Y) = max_i min_j |x_i - y_j|` needs the nearest neighbour of one row only, once it is known that every other row
//! has a nearer one. For each row there is an upper bound of its minimum, from the part of `Y` it has met; the largest
//! *lower* bound of a finished row is a threshold, below which other rows are left. Rows meet a random part of `Y` that
//! doubles, the rows with the largest bounds all of `Y`. Where nearly every row survives the first part (near copies), a k-d
//! tree goes on if a probe finds that its searches look at few points.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array2, ArrayView1, ArrayView2};
use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;

use super::tree::Tree;
use crate::backend::{Backend, vectorised};
use crate::error::{Error, Result};
use crate::rng;

/// Rows of `Y` that all rows of `X` meet first.
const FIRST: usize = 16;

/// Rows with the largest bounds that meet all of `Y` before each part.
const WORST: usize = 4;

/// Up to so many rows of `Y`, every row of `X` meets all of them.
const FEW: usize = 256;

/// Ratio of squares: of the distance to the first part, over the distance to all of `Y`, from which a tree is tried.
const NEARER: f64 = 4.0;

/// Rows that the probe of the tree searches for.
const PROBE: usize = 16;

/// Share of `Y` that a search in the tree may look at: a contraction takes a pair in this share of the tree's time.
const WORTH: f64 = 1.0 / 16.0;

/// A pair of points that attains a distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PointPair {
    /// Row of the first sample.
    pub from: usize,
    /// Row of the second sample, the nearest to it.
    pub to: usize,
    /// Their distance, in f64 from the f32 coordinates.
    pub distance: f64,
}

/// How the rows were told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointMethod {
    /// Every row met all of the other sample.
    All,
    /// Parts of the other sample, on the backend.
    Parts,
    /// A first part on the backend, then a k-d tree on the host.
    Tree,
}

/// A directed Hausdorff distance of point samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DirectedHausdorff {
    /// The pair that attains it.
    pub pair: PointPair,
    /// How it was found.
    pub method: PointMethod,
    /// Distances computed, over those of all pairs.
    pub work: f64,
}

/// A symmetric Hausdorff distance of point samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PointHausdorff {
    /// `max(h(X, Y), h(Y, X))`.
    pub distance: f64,
    /// `h(X, Y)`, with a row of `X` first.
    pub forward: DirectedHausdorff,
    /// `h(Y, X)`, with a row of `Y` first.
    pub backward: DirectedHausdorff,
}

/// The Hausdorff distance of two finite sets of points, `n x d` and `m x d`; see [`directed_hausdorff`].
///
/// # Errors
///
/// As [`directed_hausdorff`].
pub fn hausdorff<B: Backend>(
    backend: &B,
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    seed: u64,
) -> Result<PointHausdorff> {
    let forward = directed_hausdorff(backend, x, y, seed)?;
    let backward = directed_hausdorff(backend, y, x, seed)?;
    let distance = forward.pair.distance.max(backward.pair.distance);
    Ok(PointHausdorff { distance, forward, backward })
}

/// The directed Hausdorff distance `max_i min_j |x_i - y_j|` of two finite sets of points, `n x d` and `m x d`, and a pair
/// that attains it.
///
/// Exact: distances in f32 only choose rows and candidates, with all that their rounding leaves open; the pair is found in
/// f64. No `n x m` matrix is stored. `seed` chooses the parts, never the distance. Pairs at exactly the same distance: the
/// lowest row of `X` among those that were left to the end, its lowest neighbour.
///
/// # Errors
///
/// [`Error::Argument`] for samples without points, of different dimensions, with entries that are not finite, or with
/// 2^32 rows; what the backend returns.
pub fn directed_hausdorff<B: Backend>(
    backend: &B,
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    seed: u64,
) -> Result<DirectedHausdorff> {
    let largest = checked(x, y)?;
    // Squares of f32 leave its range beyond 1e19, and lose digits below 1e-19: powers of two scale exactly.
    if largest > 0.0 && !(1e-12..=1e15).contains(&largest) {
        #[expect(clippy::cast_possible_truncation, reason = "a small exponent")]
        let exponent = -(largest.log2().floor() as i32);
        let factor = 2.0_f64.powi(exponent);
        #[expect(clippy::cast_possible_truncation, reason = "a power of two")]
        let scaled = |points: ArrayView2<'_, f32>| points.mapv(|value| (f64::from(value) * factor) as f32);
        let mut found = Search::new(backend, scaled(x).view(), scaled(y).view(), seed).run()?;
        found.pair.distance = square(x.row(found.pair.from), y.row(found.pair.to)).sqrt();
        return Ok(found);
    }
    Search::new(backend, x, y, seed).run()
}

/// The largest size of an entry.
fn checked(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> Result<f64> {
    let argument = |argument, problem| Err(Error::Argument { argument, problem });
    let mut largest = 0.0_f32;
    for (name, points) in [("first sample", x), ("second sample", y)] {
        if points.nrows() == 0 {
            return argument(name, "has no points".to_owned());
        }
        if u32::try_from(points.nrows()).is_err() {
            return argument(name, format!("has {} points; at most 2^32 - 1 are numbered", points.nrows()));
        }
        // Without its sign, a float is the larger the larger its bits; infinity and NaN are beyond all others.
        let rows = (0..points.nrows()).into_par_iter().with_min_len(1024);
        let bits = |row: usize| {
            vectorised(|| points.row(row).iter().fold(0_u32, |most, value| most.max(value.to_bits() & 0x7fff_ffff)))
        };
        let most = f32::from_bits(rows.map(bits).reduce(|| 0, u32::max));
        if !most.is_finite() {
            let first = points.indexed_iter().find(|(_, value)| !value.is_finite());
            let place = first.map_or_else(String::new, |((i, j), value)| format!("entry {j} of point {i} is {value}"));
            return argument(name, place);
        }
        largest = largest.max(most);
    }
    if x.ncols() != y.ncols() {
        return argument("second sample", format!("has dimension {}, the first has {}", y.ncols(), x.ncols()));
    }
    Ok(f64::from(largest))
}

fn square(x: ArrayView1<'_, f32>, y: ArrayView1<'_, f32>) -> f64 {
    x.iter().zip(y).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
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

/// A row that has not been left, and the square of the nearest neighbour it has met, in f32.
#[derive(Clone, Copy)]
struct Open {
    row: u32,
    neighbour: u32,
    square: f64,
}

struct Search<'a, B: Backend> {
    backend: &'a B,
    x: ArrayView2<'a, f32>,
    y: ArrayView2<'a, f32>,
    /// All of `y`, once some rows meet it.
    whole: Option<B::Matrix>,
    /// A random order of the rows of `y`, as far as it is drawn.
    order: Vec<u32>,
    drawn: usize,
    stream: rand_chacha::ChaCha8Rng,
    /// Relative error of a square in f32, twice over.
    slack: f64,
    /// No answer lies below this square.
    threshold: f64,
    /// Rows that have met all of `y`.
    finished: Vec<Open>,
    pairs: f64,
}

impl<'a, B: Backend> Search<'a, B> {
    fn new(backend: &'a B, x: ArrayView2<'a, f32>, y: ArrayView2<'a, f32>, seed: u64) -> Self {
        Self {
            backend,
            x,
            y,
            whole: None,
            order: (0..).take(y.nrows()).collect(),
            drawn: 0,
            stream: rng::stream(seed, "hausdorff"),
            slack: 2.0 * (x.ncols() + 4) as f64 * 2.0_f64.powi(-24),
            threshold: 0.0,
            finished: Vec::new(),
            pairs: 0.0,
        }
    }

    fn run(mut self) -> Result<DirectedHausdorff> {
        let (n, m) = (self.x.nrows(), self.y.nrows());
        let mut method = if m <= FEW { PointMethod::All } else { PointMethod::Parts };
        let first = if method == PointMethod::All { m } else { FIRST };
        let part = self.part(first);
        let mut open = self.nearest(&(0..).take(n).collect::<Vec<_>>(), Some(&part))?;
        let (mut size, mut probed) = (first, false);
        while !open.is_empty() {
            if self.drawn == m {
                open.iter().for_each(|row| self.finish(*row));
                break;
            }
            self.finish_worst(&mut open)?;
            if open.is_empty() {
                break;
            }
            // Most rows are open after the first part, and neighbours are far nearer than those of a random part.
            if !probed && 2 * open.len() > n && open.len() > PROBE && self.nearer(&open) {
                probed = true;
                if let Some(tree) = self.probe(&open) {
                    self.search(&tree, &open);
                    method = PointMethod::Tree;
                    break;
                }
            }
            let part = self.part(size);
            let rows: Vec<u32> = open.iter().map(|row| row.row).collect();
            for (old, new) in open.iter_mut().zip(self.nearest(&rows, Some(&part))?) {
                if new.square < old.square {
                    *old = new;
                }
            }
            self.leave(&mut open);
            size *= 2;
        }
        let pair = self.refine();
        Ok(DirectedHausdorff { pair, method, work: self.pairs / (n as f64 * m as f64) })
    }

    /// The next rows of `y` in random order (Fisher and Yates).
    fn part(&mut self, size: usize) -> Vec<u32> {
        let end = self.y.nrows().min(self.drawn + size);
        for at in self.drawn..end {
            let other = self.stream.random_range(at..self.order.len());
            self.order.swap(at, other);
        }
        let mut part = self.order[self.drawn..end].to_vec();
        part.sort_unstable();
        self.drawn = end;
        part
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
        open.retain(|row| row.square * (1.0 + self.slack) + f64::MIN_POSITIVE > self.threshold);
    }

    /// A row has met all of `y`: the answer is at least its distance.
    fn finish(&mut self, row: Open) {
        self.threshold = self.threshold.max(row.square * (1.0 - self.slack));
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
        let rows: Vec<u32> = open.iter().map(|row| row.row).collect();
        let threshold = AtomicU64::new(self.threshold.to_bits());
        let found = tree.search(self.x, &rows, &threshold, self.slack);
        self.threshold = f64::from_bits(threshold.load(Ordering::Relaxed));
        for (row, nearest) in rows.into_iter().zip(found).filter(|(_, nearest)| !nearest.early) {
            self.finish(Open { row, neighbour: nearest.row, square: f64::from(nearest.square) });
        }
    }

    /// The exact answer among the finished rows.
    fn refine(&self) -> PointPair {
        // The distance to the neighbour in f32 is an upper bound in f64; the largest may be the answer.
        let mut candidates: Vec<(f64, u32)> = self
            .finished
            .iter()
            .filter(|row| row.square * (1.0 + self.slack) + f64::MIN_POSITIVE >= self.threshold)
            .map(|row| (square(self.x.row(row.row as usize), self.y.row(row.neighbour as usize)), row.row))
            .collect();
        candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let y = self.y;
        let mut best: Option<(f64, u32, usize)> = None;
        for (bound, row) in candidates {
            if best.is_some_and(|best| bound <= best.0) {
                break;
            }
            let x = self.x.row(row as usize);
            let squares = (0..y.nrows()).into_par_iter().with_min_len(1024);
            let nearer = |a: (f64, usize), b: (f64, usize)| if (b.0, b.1) < (a.0, a.1) { b } else { a };
            let nearest = squares.map(|j| (square(x, y.row(j)), j)).reduce(|| (f64::INFINITY, usize::MAX), nearer);
            if best.is_none_or(|best| nearest.0 > best.0) {
                best = Some((nearest.0, row, nearest.1));
            }
        }
        let (square, from, to) = best.unwrap_or((0.0, 0, 0));
        PointPair { from: from as usize, to, distance: square.sqrt() }
    }
}
