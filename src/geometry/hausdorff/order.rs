//! The order in which rows of one sample meet the other: at random, or from the centre outwards.

use ndarray::{ArrayView1, ArrayView2};
use pulp::{Arch, Simd, WithSimd};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::rng;

/// Dimension from which central rows are tried.
const CENTRAL: usize = 8;

/// Rows of `X` whose mean is the centre.
const SAMPLE: usize = 256;

/// The rows of `Y`, drawn part by part.
///
/// Random parts bound the distance of every row of `X` by its rank among all. In many dimensions distances concentrate
/// and `|x - y|^2` varies mostly with `|y - c|^2` for the mean `c` of `X`: the rows of `Y` nearest to `c` are near to
/// nearly all rows of `X` (hubs). The first part takes half of each kind, later parts the kind that held more neighbours.
pub(super) struct Order {
    rows: Vec<u32>,
    drawn: usize,
    stream: ChaCha8Rng,
    /// Squares of the distances of the rows from the centre; empty if parts are random.
    squares: Vec<f32>,
    /// The central rows of the first part.
    hubs: Vec<u32>,
}

impl Order {
    pub(super) fn new(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>, seed: u64) -> Self {
        let squares = if x.ncols() < CENTRAL { Vec::new() } else { squares(x, y) };
        let rows = (0..).take(y.nrows()).collect();
        Self { rows, drawn: 0, stream: rng::stream(seed, "hausdorff"), squares, hubs: Vec::new() }
    }

    /// The number of rows drawn so far.
    pub(super) fn drawn(&self) -> usize {
        self.drawn
    }

    /// The first part, in ascending order.
    pub(super) fn first(&mut self, size: usize) -> Vec<u32> {
        if self.squares.is_empty() || size >= self.rows.len() {
            return self.next(size);
        }
        self.hubs = self.next(size / 2);
        let central = std::mem::take(&mut self.squares);
        let mut part = self.next(size - self.hubs.len());
        self.squares = central;
        part.extend(&self.hubs);
        part.sort_unstable();
        part
    }

    /// Chooses the kind of later parts by the neighbours that were found in the first one.
    pub(super) fn learn(&mut self, neighbours: impl ExactSizeIterator<Item = u32>) {
        let count = neighbours.len();
        let hubs = neighbours.filter(|neighbour| self.hubs.contains(neighbour)).count();
        if 2 * hubs <= count {
            self.squares = Vec::new();
        }
    }

    /// The next part, in ascending order.
    pub(super) fn next(&mut self, size: usize) -> Vec<u32> {
        let end = self.rows.len().min(self.drawn + size);
        let left = &mut self.rows[self.drawn..];
        let count = end - self.drawn;
        if self.squares.is_empty() {
            // Fisher and Yates.
            for at in 0..count {
                let other = self.stream.random_range(at..left.len());
                left.swap(at, other);
            }
        } else if count < left.len() {
            let key = |row: &u32| self.squares[*row as usize];
            left.select_nth_unstable_by(count, |a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
        }
        let mut part = left[..count].to_vec();
        part.sort_unstable();
        self.drawn = end;
        part
    }
}

/// The squares of the distances of the rows of `y` from the mean of some rows of `x`.
fn squares(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> Vec<f32> {
    let mut centre = vec![0.0_f32; x.ncols()];
    let step = x.nrows().div_ceil(SAMPLE);
    let count = x.nrows().div_ceil(step) as f32;
    for row in x.rows().into_iter().step_by(step) {
        centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    let square = |row| {
        let row: ArrayView1<'_, f32> = y.row(row);
        match row.as_slice() {
            Some(row) => Arch::new().dispatch(Square { row, centre: &centre }),
            None => Arch::new().dispatch(Square { row: &row.to_vec(), centre: &centre }),
        }
    };
    (0..y.nrows()).into_par_iter().with_min_len(512).map(square).collect()
}

/// The square of the distance of a row from the centre.
struct Square<'a> {
    row: &'a [f32],
    centre: &'a [f32],
}

impl WithSimd for Square<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let mut lanes = [0.0_f32; 16];
        for (row, centre) in self.row.chunks(16).zip(self.centre.chunks(16)) {
            for ((lane, value), centre) in lanes.iter_mut().zip(row).zip(centre) {
                let difference = value - centre;
                *lane += difference * difference;
            }
        }
        lanes.iter().sum()
    }
}
