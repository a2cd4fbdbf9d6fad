//! Distances of points to the last digit of f64, whatever their place and scale.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::points::Coordinate;
use crate::number::{scaled, unit_exponent};

/// A distance as a sum of two doubles, about thirty digits; the first is the double nearest to it, but where thirty digits
/// do not tell two of them apart.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Wide {
    pub(super) high: f64,
    low: f64,
}

/// The sum of two numbers and its rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// The distance of two points. Differences of coordinates are exact, as sums of two doubles; they are scaled by the
/// largest, so that no square overflows or vanishes, and squares and their sum carry their rounding errors along.
/// Infinite where f64 does not hold it.
fn distance<T: Coordinate>(x: ArrayView1<'_, T>, y: ArrayView1<'_, T>) -> Wide {
    let difference = |(x, y): (&T, &T)| two_sum((*x).into(), -(*y).into());
    let largest = x.iter().zip(y).map(|pair| difference(pair).0.abs()).fold(0.0, f64::max);
    if largest == 0.0 || !largest.is_finite() {
        return Wide { high: largest, low: 0.0 };
    }
    let power = unit_exponent(largest);
    let (mut sum, mut errors) = (0.0, 0.0);
    for (high, low) in x.iter().zip(y).map(difference) {
        let (high, low) = (scaled(high, power), scaled(low, power));
        let square = high * high;
        let (next, error) = two_sum(sum, square);
        errors += error + high.mul_add(high, -square) + (2.0 * high + low) * low;
        sum = next;
    }
    let (sum, errors) = two_sum(sum, errors);
    let root = sum.sqrt();
    let (high, low) = two_sum(root, ((-root).mul_add(root, sum) + errors) / (2.0 * root));
    Wide { high: scaled(high, -power), low: scaled(low, -power) }
}

/// Two samples as they were given.
pub(super) struct Exact<'a, T> {
    x: ArrayView2<'a, T>,
    y: ArrayView2<'a, T>,
    /// Brings the largest entry to order one.
    factor: f64,
}

/// The answer among some rows.
pub(super) struct Farthest {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) distance: f64,
    /// Pairs that were looked at.
    pub(super) pairs: f64,
}

impl<'a, T: Coordinate> Exact<'a, T> {
    /// `largest`: the largest size of an entry.
    pub(super) fn new(x: ArrayView2<'a, T>, y: ArrayView2<'a, T>, largest: f64) -> Self {
        let factor = if largest > 0.0 { scaled(1.0, unit_exponent(largest).clamp(-1022, 1022)) } else { 1.0 };
        Self { x, y, factor }
    }

    /// The farthest of the rows of `x` from its nearest row of `y`; each candidate is a row and a near neighbour.
    ///
    /// The distance to that neighbour is an upper bound: from the largest downwards, rows meet all of `y` until none can
    /// be farther.
    pub(super) fn farthest(&self, candidates: &[(u32, u32)]) -> Farthest {
        let bound = |(row, neighbour): &(u32, u32)| {
            (distance(self.x.row(*row as usize), self.y.row(*neighbour as usize)), *row)
        };
        let mut bounds: Vec<(Wide, u32)> = candidates.par_iter().with_min_len(256).map(bound).collect();
        let descending = |a: &Wide, b: &Wide| b.high.total_cmp(&a.high).then(b.low.total_cmp(&a.low));
        bounds.sort_unstable_by(|a, b| descending(&a.0, &b.0).then(a.1.cmp(&b.1)));
        let mut best: Option<(Wide, u32, usize)> = None;
        let mut rows = 0.0;
        for (bound, row) in bounds {
            if best.is_some_and(|best| bound <= best.0) {
                break;
            }
            rows += 1.0;
            let (nearest, to) = self.nearest(row as usize);
            if best.is_none_or(|best| nearest > best.0) {
                best = Some((nearest, row, to));
            }
        }
        let (distance, from, to) = best.unwrap_or((Wide { high: 0.0, low: 0.0 }, 0, 0));
        Farthest { from: from as usize, to, distance: distance.high, pairs: rows * self.y.nrows() as f64 }
    }

    /// The nearest row of `y`, the lowest on ties: squares in f64 leave those within their rounding.
    fn nearest(&self, row: usize) -> (Wide, usize) {
        let x = self.x.row(row);
        let squares = || {
            let rows = (0..self.y.nrows()).into_par_iter().with_min_len(1024);
            rows.map(|j| (self.square(x, self.y.row(j)), j))
        };
        let nearer = |a: (f64, usize), b: (f64, usize)| if (b.0, b.1) < (a.0, a.1) { b } else { a };
        let none = || (f64::INFINITY, usize::MAX);
        let least = squares().reduce(none, nearer).0;
        let dimension = (self.x.ncols() + 8) as f64;
        // Squares below the normal range are counted in full.
        let most = least * (1.0 + 4.0 * dimension * f64::EPSILON) + dimension * 1e-300;
        let close = squares().filter(|(square, _)| *square <= most);
        let close = close.map(|(_, j)| (distance(x, self.y.row(j)), j));
        let nearer = |a: (Wide, usize), b: (Wide, usize)| if (b.0, b.1) < (a.0, a.1) { b } else { a };
        close.reduce(|| (Wide { high: f64::INFINITY, low: 0.0 }, usize::MAX), nearer)
    }

    /// The square of the distance of two points, in f64 and in the scale of the largest entry; eight running sums, so that
    /// several coordinates are on their way.
    fn square(&self, x: ArrayView1<'_, T>, y: ArrayView1<'_, T>) -> f64 {
        let difference = |(x, y): (&T, &T)| (((*x).into() - (*y).into()) * self.factor).powi(2);
        let (Some(x), Some(y)) = (x.as_slice(), y.as_slice()) else { return x.iter().zip(y).map(difference).sum() };
        let mut lanes = [0.0; 8];
        for (x, y) in x.chunks(8).zip(y.chunks(8)) {
            lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(lane, pair)| *lane += difference(pair));
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn distances_keep_their_digits_at_every_scale_and_place() {
        let pairs = [
            (array![1e8, 0.0], array![100_000_003.0, 4.0], 5.0),
            (array![3e190, 0.0], array![0.0, 4e190], 5e190),
            (array![3e-200, 0.0], array![0.0, 4e-200], 5e-200),
            (array![1e200, 5e-324], array![1e200, 0.0], 5e-324),
            (array![1.5e308, 0.0], array![0.0, 0.0], 1.5e308),
            (array![1e15 + 0.125, 7.0], array![1e15, 7.0], 0.125),
            (array![1.0, 1.0], array![0.0, 0.0], std::f64::consts::SQRT_2),
        ];
        for (x, y, wanted) in pairs {
            assert_eq!(distance(x.view(), y.view()).high, wanted, "{x} {y}");
        }
        assert_eq!(distance(array![1.7e308].view(), array![-1.7e308].view()).high, f64::INFINITY);
    }

    /// Squares in f64 are equal for both; the second is nearer by a tenth of a unit in the last place.
    #[test]
    fn the_nearest_is_told_apart_beyond_f64() {
        let x = array![[0.0, 0.0]];
        let y = array![[1.0, 1e-8], [1.0, 0.9e-8]];
        let exact = Exact::new(x.view(), y.view(), 1.0);
        assert_eq!(exact.square(x.row(0), y.row(0)), exact.square(x.row(0), y.row(1)));
        assert_eq!(exact.nearest(0).1, 1);
    }
}
