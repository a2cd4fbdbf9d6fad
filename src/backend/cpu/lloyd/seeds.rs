//! Points that are centres, as they are when seeds are drawn from the points: at distance 0 they need no product.
//!
//! A point `x = c_k` has `v_k - v_j = |c_k - c_j|^2 / 2` for the exact values `v_j = <x, c_j> - |c_j|^2 / 2`. Where that exceeds
//! the errors of both for every `j`, `k` is the label. Most pairs of centres are told apart without their distance:
//!
//! ```text
//! | |c_k| - |c_j| |                          <= |c_k - c_j|          centres ordered by length: a few neighbours are left
//! |s_k - s_j| / sqrt(ceil(d / 16))           <= |c_k - c_j|          s_l = sum of every 16th entry from the l-th on
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};

use rayon::prelude::*;

use super::super::matrix::HostMatrix;
use super::centres::Centres;
use super::count;
use super::rounding::Rounding;
use crate::backend::vectorised;

/// Sums of a sketch.
const LANES: usize = 16;

/// Entries that tell most rows apart.
const SAMPLED: usize = 32;

/// Multiply-adds of a product that take as long as a look at a neighbour.
const LOOK: usize = 4096;

/// More than enough for the f64 in which distances of centres are computed.
const MARGIN: f64 = 1.01;

/// Points that are a centre and nearer to it than to any other, whatever rounding does.
pub(super) struct Seeds {
    /// Such points and their centres, ascending by centre, then by point.
    pub(super) points: Vec<(u32, u32)>,
    /// All others, ascending.
    pub(super) others: Vec<u32>,
}

impl Seeds {
    pub(super) fn of(points: &HostMatrix, centres: &Centres, rounding: Rounding) -> Self {
        let [k, _] = centres.values.shape();
        let mut keys: Vec<(u64, u32)> = (0..k).map(|c| (key(centres.values.row(c)), count(c))).collect();
        keys.sort_unstable();
        let equal = |i: usize| {
            let (row, key) = (points.row(i), key(points.row(i)));
            let first = keys.partition_point(|(other, _)| *other < key);
            let same = keys[first..].iter().take_while(|(other, _)| *other == key);
            same.map(|(_, c)| *c).find(|c| centres.values.row(*c as usize) == row)
        };
        let found: Vec<Option<u32>> = (0..points.shape()[0]).into_par_iter().map(equal).collect();
        let apart = apart(centres, rounding, &found);
        let own = |i: usize| found[i].filter(|c| apart[*c as usize]);
        let all = 0..found.len();
        let mut points: Vec<(u32, u32)> = all.clone().filter_map(|i| Some((count(i), own(i)?))).collect();
        points.sort_unstable_by_key(|(point, centre)| (*centre, *point));
        Self { points, others: all.filter(|i| own(*i).is_none()).map(count).collect() }
    }
}

/// Equal for equal rows.
fn key(row: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for entry in row.iter().step_by(row.len().div_ceil(SAMPLED).max(1)) {
        entry.to_bits().hash(&mut hasher);
    }
    hasher.finish()
}

/// Which of the centres that points are exceed the errors of values by their distance to each other one.
fn apart(centres: &Centres, rounding: Rounding, found: &[Option<u32>]) -> Vec<bool> {
    let ([k, d], sizes) = (centres.values.shape(), &centres.sizes);
    let mut asked = vec![false; k];
    found.iter().flatten().for_each(|c| asked[*c as usize] = true);
    if !asked.contains(&true) {
        return asked;
    }
    let longest = sizes.iter().fold(0.0_f64, |longest, square| longest.max(*square));
    // Both values lie within the slack, and their difference is half the squared distance.
    let least = 4.0 * rounding.slack(longest, longest.sqrt()) * MARGIN;
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|a, b| sizes[*a].total_cmp(&sizes[*b]).then(a.cmp(b)));
    let lengths: Vec<f64> = order.iter().map(|c| sizes[*c].sqrt()).collect();
    let sketches: Vec<[f64; LANES]> = order.par_iter().map(|c| sketch(centres.values.row(*c))).collect();
    let (window, group) = (least.sqrt() * MARGIN, d.div_ceil(LANES) as f64);
    let looks = (k * d / LOOK).max(LANES);
    let alone = |at: usize| {
        let close = |other: usize| {
            let gap = square_distance(&sketches[at], &sketches[other]) / group;
            let exact = || distance(centres.values.row(order[at]), centres.values.row(order[other]), least);
            // Written so that what is not a number is close.
            !(gap > least * MARGIN || exact() > least)
        };
        let near = |other: &usize| (lengths[*other] - lengths[at]).abs() <= window;
        let (mut before, mut after) = ((0..at).rev().take_while(near), (at + 1..k).take_while(near));
        let many = before.clone().nth(looks).is_some() || after.clone().nth(looks).is_some();
        !many && !before.any(close) && !after.any(close)
    };
    let alone: Vec<bool> = (0..k).into_par_iter().map(|at| asked[order[at]] && alone(at)).collect();
    let mut apart = vec![false; k];
    order.iter().zip(alone).for_each(|(c, alone)| apart[*c] = alone);
    apart
}

/// Sums of every 16th entry.
fn sketch(row: &[f32]) -> [f64; LANES] {
    vectorised(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let (whole, tail) = row.as_chunks::<LANES>();
            for chunk in whole {
                for lane in 0..LANES {
                    sums[lane] += f64::from(chunk[lane]);
                }
            }
            sums.iter_mut().zip(tail).for_each(|(sum, entry)| *sum += f64::from(*entry));
            sums
        },
    )
}

fn square_distance(a: &[f64; LANES], b: &[f64; LANES]) -> f64 {
    let mut gaps = [0.0; LANES];
    for lane in 0..LANES {
        gaps[lane] = (a[lane] - b[lane]) * (a[lane] - b[lane]);
    }
    gaps.iter().sum()
}

/// The squared distance, or what of it exceeds `enough` first.
fn distance(a: &[f32], b: &[f32], enough: f64) -> f64 {
    let mut sum = 0.0;
    for (a, b) in a.chunks(256).zip(b.chunks(256)) {
        sum += a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>();
        if sum > enough {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::error::Result;

    fn assert_seeds(points: &Array2<f32>, centres: &Array2<f32>, seeds: &[(u32, u32)], others: &[u32]) -> Result<()> {
        let (points, centres) = (HostMatrix::upload(points)?, Centres::of(&HostMatrix::upload(centres)?)?);
        let found = Seeds::of(&points, &centres, Rounding::of(points.shape()[1]));
        assert_eq!((found.points.as_slice(), found.others.as_slice()), (seeds, others));
        Ok(())
    }

    /// Row `i` has `i` in column `i` and 10 elsewhere.
    fn spread(n: usize) -> Array2<f32> {
        Array2::from_shape_fn((n, 20), |(i, j)| if i == j { (0_u8..).nth(i).map_or(0.0, f32::from) } else { 10.0 })
    }

    #[test]
    fn points_that_are_centres_need_no_product() -> Result<()> {
        let points = spread(8);
        // Point 5 is no centre, and centre 2 is no point.
        let mut centres = points.select(ndarray::Axis(0), &[7, 0, 3, 1]);
        centres[[2, 19]] = 11.0;
        assert_seeds(&points, &centres, &[(7, 0), (0, 1), (1, 3)], &[2, 3, 4, 5, 6])
    }

    #[test]
    fn centres_within_rounding_of_each_other_need_one() -> Result<()> {
        let points = spread(4);
        let mut centres = points.clone();
        // One unit in the last place of an entry: the values of both are the same to a computed sum.
        centres.row_mut(1).assign(&points.row(2));
        centres[[1, 7]] = centres[[1, 7]].next_up();
        assert_seeds(&points, &centres, &[(0, 0), (3, 3)], &[1, 2])?;
        // Copies, too.
        centres.row_mut(3).assign(&points.row(2));
        assert_seeds(&points, &centres, &[(0, 0)], &[1, 2, 3])
    }

    #[test]
    fn sketches_never_exceed_distances() {
        for seed in 0..20 {
            let row = |operand| -> Vec<f32> { (0..37).map(|at| crate::bench::value(seed, operand, at)).collect() };
            let (a, b) = (row(1), row(2));
            let gap = square_distance(&sketch(&a), &sketch(&b)) / 3.0;
            assert!(gap > 0.0 && gap <= distance(&a, &b, f64::INFINITY), "{gap}");
        }
        // Attained where all entries of a sum differ alike.
        let (a, b) = (vec![1.0_f32; 32], vec![0.0_f32; 32]);
        assert!((square_distance(&sketch(&a), &sketch(&b)) / 2.0 - distance(&a, &b, f64::INFINITY)).abs() < 1e-12);
    }
}
