//! Hausdorff distances of large point samples.

use ndarray::{ArrayView1, ArrayView2};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use serde::Serialize;

use super::search::Search;
use crate::backend::Backend;
use crate::error::{Error, Result};

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
            let row = points.row(row);
            match row.as_slice() {
                Some(row) => Arch::new().dispatch(MostBits(row)),
                None => Arch::new().dispatch(MostBits(&row.to_vec())),
            }
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

/// The square of the distance of two points, in f64; eight running sums, so that several coordinates are on their way.
pub(super) fn square(x: ArrayView1<'_, f32>, y: ArrayView1<'_, f32>) -> f64 {
    let difference = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
    let (Some(x), Some(y)) = (x.as_slice(), y.as_slice()) else { return x.iter().zip(y).map(difference).sum() };
    let mut lanes = [0.0; 8];
    for (x, y) in x.chunks(8).zip(y.chunks(8)) {
        lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(lane, pair)| *lane += difference(pair));
    }
    lanes.iter().sum()
}

/// The largest of the bits of values without their signs.
struct MostBits<'a>(&'a [f32]);

impl WithSimd for MostBits<'_> {
    type Output = u32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> u32 {
        self.0.iter().fold(0, |most, value| most.max(value.to_bits() & 0x7fff_ffff))
    }
}
