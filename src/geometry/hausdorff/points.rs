//! Hausdorff distances of large point samples.

use ndarray::{ArrayView2, CowArray, Ix2};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use serde::Serialize;

use super::exact::Exact;
use super::margin::Margin;
use super::narrow::Narrow;
use super::search::Search;
use crate::backend::Backend;
use crate::error::{Error, Result};

/// What coordinates of points may be: f32 or f64.
pub trait Coordinate: Copy + PartialEq + Into<f64> + Send + Sync {
    /// The same numbers in f32, where it holds all of them.
    fn in_f32(points: ArrayView2<'_, Self>) -> Option<CowArray<'_, f32, Ix2>>;
}

impl Coordinate for f32 {
    fn in_f32(points: ArrayView2<'_, Self>) -> Option<CowArray<'_, f32, Ix2>> {
        Some(points.into())
    }
}

impl Coordinate for f64 {
    fn in_f32(points: ArrayView2<'_, Self>) -> Option<CowArray<'_, f32, Ix2>> {
        #[expect(clippy::cast_possible_truncation, reason = "what rounding does is what is asked")]
        let narrow = |value: &Self| *value as f32;
        let same = points.iter().all(|value| Self::from(narrow(value)) == *value);
        same.then(|| points.map(narrow).as_standard_layout().into_owned().into())
    }
}

/// A pair of points that attains a distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PointPair {
    /// Row of the first sample.
    pub from: usize,
    /// Row of the second sample, the nearest to it.
    pub to: usize,
    /// Their distance, the f64 nearest to that of the coordinates as given.
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
pub fn hausdorff<B: Backend, T: Coordinate>(
    backend: &B,
    x: ArrayView2<'_, T>,
    y: ArrayView2<'_, T>,
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
/// Exact for the coordinates as given, in f32 or f64, at any place and scale: points moved to their middle, scaled by a power
/// of two and rounded to f32 choose rows and candidates, with all that rounding leaves open; the pair is found among these
/// from the given numbers, with about thirty digits. No `n x m` matrix is stored. `seed` chooses the parts, never the
/// distance. Pairs at exactly the same distance: the lowest row of `X` among those that were left to the end, its lowest
/// neighbour.
///
/// # Errors
///
/// [`Error::Argument`] for samples without points, of different dimensions, with entries that are not finite, or with
/// 2^32 rows; [`Error::OutOfRange`] for a distance beyond f64; what the backend returns.
pub fn directed_hausdorff<B: Backend, T: Coordinate>(
    backend: &B,
    x: ArrayView2<'_, T>,
    y: ArrayView2<'_, T>,
    seed: u64,
) -> Result<DirectedHausdorff> {
    let largest = checked(x, y)?;
    let narrow = Narrow::of(x, y, largest);
    let margin = Margin::new(x.ncols(), narrow.shift);
    let found = Search::new(backend, narrow.x.view(), narrow.y.view(), margin, seed).run()?;
    let farthest = Exact::new(x, y, largest).farthest(&found.candidates);
    if !farthest.distance.is_finite() {
        let what = format!("the distance of the points {} and {}", farthest.from, farthest.to);
        return Err(Error::OutOfRange { what });
    }
    let all = x.nrows() as f64 * y.nrows() as f64;
    let pair = PointPair { from: farthest.from, to: farthest.to, distance: farthest.distance };
    Ok(DirectedHausdorff { pair, method: found.method, work: (found.pairs + farthest.pairs) / all })
}

/// The largest size of an entry.
fn checked<T: Coordinate>(x: ArrayView2<'_, T>, y: ArrayView2<'_, T>) -> Result<f64> {
    let argument = |argument, problem| Err(Error::Argument { argument, problem });
    let mut largest = 0.0_f64;
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
        let most = f64::from_bits(rows.map(bits).reduce(|| 0, u64::max));
        if !most.is_finite() {
            let mut entries = points.indexed_iter().map(|(place, value)| (place, (*value).into()));
            let first = entries.find(|(_, value): &(_, f64)| !value.is_finite());
            let place = first.map_or_else(String::new, |((i, j), value)| format!("entry {j} of point {i} is {value}"));
            return argument(name, place);
        }
        largest = largest.max(most);
    }
    if x.ncols() != y.ncols() {
        return argument("second sample", format!("has dimension {}, the first has {}", y.ncols(), x.ncols()));
    }
    Ok(largest)
}

/// The largest of the bits of values without their signs.
struct MostBits<'a, T>(&'a [T]);

impl<T: Coordinate> WithSimd for MostBits<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> u64 {
        let bits = |value: &T| (*value).into().to_bits() & (u64::MAX >> 1);
        self.0.iter().fold(0, |most, value| most.max(bits(value)))
    }
}
