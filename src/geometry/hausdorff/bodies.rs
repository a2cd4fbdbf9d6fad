//! Convex bodies given by zonotopes, and their Hausdorff distance between two bounds in any dimension.

use ndarray::Array1;
use serde::Serialize;

use super::ascent::{Found, largest_difference};
use super::matching::matching_bound;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::interval::Interval;
use crate::geometry::zonotope::{Zonotope, norm};

/// How hard to look for the lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IntervalOptions {
    /// Seed of the directions.
    pub seed: u64,
    /// Random directions that the backend evaluates.
    pub directions: usize,
    /// Of these, so many with the largest differences climb on, together on the backend.
    pub climbers: usize,
    /// Steps that they take there.
    pub steps: usize,
}

impl Default for IntervalOptions {
    fn default() -> Self {
        Self { seed: 0, directions: 1 << 14, climbers: 64, steps: 40 }
    }
}

/// Bounds of a Hausdorff distance of convex bodies, and where the lower one is attained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HausdorffInterval {
    /// The bounds.
    pub interval: Interval,
    /// The unit direction of the lower bound.
    pub direction: Vec<f64>,
    /// The largest difference among the random directions, before climbing.
    pub sampled: f64,
    /// How the upper bound came about.
    pub upper_by: UpperBound,
    /// Random directions evaluated.
    pub directions: usize,
}

/// Where an upper bound comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpperBound {
    /// A matching of generators: `||c - c'|| + 1/2 sum ||g_i - g'_i||`.
    Matching,
    /// The same matching, with the differences as one matrix: `||c - c'|| + 1/2 sqrt(p) sigma_max`.
    Spectral,
    /// Balls about the centres that hold the bodies.
    Radii,
}

/// The Hausdorff distance of two zonotopes, `max_(|u| = 1) |h_P(u) - h_Q(u)|`, between two bounds.
///
/// See [`hull_interval`], of which this is the case of one zonotope on each side.
///
/// # Errors
///
/// As [`hull_interval`].
pub fn zonotope_interval<B: Backend>(
    backend: &B,
    p: &Zonotope,
    q: &Zonotope,
    options: IntervalOptions,
) -> Result<HausdorffInterval> {
    hull_interval(backend, std::slice::from_ref(p), std::slice::from_ref(q), options)
}

/// The Hausdorff distance of `conv(P_1, .., P_k)` and `conv(Q_1, .., Q_k)` between two bounds.
///
/// From below: any direction gives `|h_P(u) - h_Q(u)|`. The backend evaluates random directions; those with the largest
/// differences climb along the gradient `v_P(u) - v_Q(u)` of the difference, all of them together by products of the
/// backend, without a value that comes back on the way; the best take their last steps in f64, and the bound is the
/// last value in f64, less its rounding.
///
/// From above: `d(conv P, conv Q) <= max_i d(P_i, Q_i)`, and `d(P_i, Q_i) <= |c - c'| + 1/2 sum_j |g_j - g'_s(j)|` for
/// the centres and any matching of generators, of which the signs are free and the shorter list is filled up with zeros
/// (math: support functions differ by at most the sum of the differences); also in the form of one operator norm, and by
/// the radii of both. The best of them.
///
/// # Errors
///
/// [`Error::Argument`] for no zonotopes, numbers of zonotopes that differ, or different dimensions; what the backend returns.
pub fn hull_interval<B: Backend>(
    backend: &B,
    p: &[Zonotope],
    q: &[Zonotope],
    options: IntervalOptions,
) -> Result<HausdorffInterval> {
    let Some(dimension) = p.first().map(Zonotope::dimension) else {
        return Err(Error::Argument { argument: "first", problem: "no zonotopes".to_owned() });
    };
    if p.len() != q.len() {
        let problem = format!("{} zonotopes beside {}", q.len(), p.len());
        return Err(Error::Argument { argument: "second", problem });
    }
    if let Some(other) = p.iter().chain(q).find(|zonotope| zonotope.dimension() != dimension) {
        let problem = format!("dimension {} beside {dimension}", other.dimension());
        return Err(Error::Argument { argument: "second", problem });
    }
    // Both moved by the middle of the centres: the difference keeps its digits, the distance its value.
    let middle = p.iter().chain(q).fold(Array1::zeros(dimension), |sum, zonotope| sum + zonotope.centre())
        / (2 * p.len()) as f64;
    let back = middle.mapv(|entry: f64| 0.0 - entry);
    let moved = |zonotopes: &[Zonotope]| -> Result<Vec<Zonotope>> {
        zonotopes.iter().map(|zonotope| zonotope.translated(back.view())).collect()
    };
    let (p, q) = (moved(p)?, moved(q)?);
    let Found { value, direction, sampled } = largest_difference(backend, &p, &q, dimension, options)?;
    let lower = (value - rounding(&p, &q)).max(0.0);
    let (mut upper, mut upper_by) = (0.0, UpperBound::Matching);
    for (a, b) in p.iter().zip(&q) {
        let (bound, by) = matching_bound(a, b)?;
        if bound > upper {
            (upper, upper_by) = (bound, by);
        }
    }
    let interval = Interval { lower, upper: upper.max(lower) };
    Ok(HausdorffInterval { interval, direction: direction.to_vec(), sampled, upper_by, directions: options.directions })
}

/// What rounding may add to a difference in f64: all terms of both sums, by the number of operations.
fn rounding(p: &[Zonotope], q: &[Zonotope]) -> f64 {
    let size = |zonotope: &Zonotope| {
        let terms = zonotope.generators().nrows() + zonotope.dimension() + 4;
        let lengths: f64 = zonotope.generators().rows().into_iter().map(norm).sum();
        terms as f64 * f64::EPSILON * (lengths + norm(zonotope.shift().view()))
    };
    let most = |zonotopes: &[Zonotope]| zonotopes.iter().map(size).fold(0.0, f64::max);
    most(p) + most(q)
}
