//! Convex bodies given by zonotopes, and their Hausdorff distance between two bounds in any dimension.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;
use serde::Serialize;

use super::matching::matching_bound;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::directions::directions;
use crate::geometry::interval::Interval;
use crate::geometry::zonotope::{Zonotope, dot, norm};

/// Directions that one call of the backend takes.
const BATCH: usize = 1 << 14;

/// How hard to look for the lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IntervalOptions {
    /// Seed of the directions.
    pub seed: u64,
    /// Random directions that the backend evaluates.
    pub directions: usize,
    /// Of these, so many with the largest differences climb on.
    pub climbers: usize,
    /// Steps of each, at most.
    pub steps: usize,
}

impl Default for IntervalOptions {
    fn default() -> Self {
        Self { seed: 0, directions: 1 << 14, climbers: 16, steps: 60 }
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

/// `h_P(u) - h_Q(u)` and its gradient `v_P(u) - v_Q(u)`, in f64.
fn difference(p: &[Zonotope], q: &[Zonotope], u: ArrayView1<'_, f64>) -> (f64, Array1<f64>) {
    let ((a, v), (b, w)) = (top(p, u), top(q, u));
    (a - b, v - w)
}

/// The support function of the hull of zonotopes, and a point that attains it.
fn top(hull: &[Zonotope], u: ArrayView1<'_, f64>) -> (f64, Array1<f64>) {
    let one = |zonotope: &Zonotope| {
        let (mut value, mut vertex) = (dot(zonotope.shift().view(), u), zonotope.shift().clone());
        for generator in zonotope.generators().rows() {
            let product = dot(generator, u);
            if product > 0.0 {
                value += product;
                vertex += &generator;
            }
        }
        (value, vertex)
    };
    let values = hull.iter().map(one);
    values.reduce(|best, next| if next.0 > best.0 { next } else { best }).unwrap_or((0.0, Array1::zeros(u.len())))
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
/// differences climb along the gradient `v_P(u) - v_Q(u)` of the difference on the sphere, in f64, with steps that halve
/// where they do not gain. The bound is the last value in f64, less its rounding.
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
    let sampled = sample(backend, &p, &q, dimension, options)?;
    let best = sampled
        .par_iter()
        .map(|u| climb(&p, &q, u.clone(), options.steps))
        .reduce_with(|a, b| if b.0 > a.0 { b } else { a });
    let first = sampled.first().map_or(0.0, |u| difference(&p, &q, u.view()).0.abs());
    let (value, direction) = best.unwrap_or((0.0, Array1::zeros(dimension)));
    let lower = (value - rounding(&p, &q)).max(0.0);
    let (mut upper, mut upper_by) = (0.0, UpperBound::Matching);
    for (a, b) in p.iter().zip(&q) {
        let (bound, by) = matching_bound(a, b)?;
        if bound > upper {
            (upper, upper_by) = (bound, by);
        }
    }
    let interval = Interval { lower, upper: upper.max(lower) };
    Ok(HausdorffInterval {
        interval,
        direction: direction.to_vec(),
        sampled: first,
        upper_by,
        directions: options.directions,
    })
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

/// The random unit directions with the largest differences, by the support functions of the backend.
fn sample<B: Backend>(
    backend: &B,
    p: &[Zonotope],
    q: &[Zonotope],
    dimension: usize,
    options: IntervalOptions,
) -> Result<Vec<Array1<f64>>> {
    #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
    let upload = |zonotope: &Zonotope| -> Result<(B::Matrix, B::Matrix)> {
        let shift = zonotope.shift().mapv(|value| value as f32).insert_axis(Axis(0));
        Ok((backend.upload(&zonotope.generators().mapv(|value| value as f32))?, backend.upload(&shift)?))
    };
    let side = |zonotopes: &[Zonotope]| zonotopes.iter().map(upload).collect::<Result<Vec<_>>>();
    let (on_p, on_q) = (side(p)?, side(q)?);
    let supports = |side: &[(B::Matrix, B::Matrix)], u: &B::Matrix| -> Result<Array2<f64>> {
        let mut most: Option<Array2<f64>> = None;
        for (generators, shift) in side {
            let values = backend.download(&backend.support_function(generators, Some(shift), u)?)?;
            most = Some(match most {
                Some(most) => ndarray::Zip::from(&most).and(&values).map_collect(|a, b| a.max(*b)),
                None => values,
            });
        }
        Ok(most.unwrap_or_default())
    };
    let mut best: Vec<(f64, usize)> = Vec::new();
    let mut first = 0;
    while first < options.directions {
        let count = BATCH.min(options.directions - first);
        let u = backend.upload(&directions(count, dimension, options.seed, "hausdorff", first as u64))?;
        let (a, b) = (supports(&on_p, &u)?, supports(&on_q, &u)?);
        best.extend(a.iter().zip(&b).map(|(a, b)| (a - b).abs()).zip(first..));
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        best.truncate(options.climbers.max(1));
        first += count;
    }
    let unit = |at: usize| {
        let u = directions(1, dimension, options.seed, "hausdorff", at as u64).row(0).mapv(f64::from);
        let length = norm(u.view());
        u / length
    };
    let mut found: Vec<Array1<f64>> = best.into_iter().map(|(_, at)| unit(at)).collect();
    // The axes, and the direction between the centres, which alone matters for a translation.
    found.extend((0..dimension).map(|k| Array1::from_shape_fn(dimension, |j| f64::from(u8::from(j == k)))).take(8));
    for (a, b) in p.iter().zip(q) {
        let between = a.centre() - b.centre();
        let length = norm(between.view());
        if length > 0.0 {
            found.extend([&between / length, &between / -length]);
        }
    }
    Ok(found)
}

/// Climbs from a unit direction: towards the gradient by steps that halve where they do not gain and grow where they do.
fn climb(p: &[Zonotope], q: &[Zonotope], mut u: Array1<f64>, steps: usize) -> (f64, Array1<f64>) {
    let (mut value, mut gradient) = difference(p, q, u.view());
    let mut share: f64 = 1.0;
    for _ in 0..steps {
        let length = norm(gradient.view()) * value.signum();
        // Where the gradient has the direction of `u`, its length is the value: a maximum of its cell.
        if length.abs() - value.abs() <= 1e-13 * length.abs() || share < 1e-9 {
            break;
        }
        // At share 1 this is the fixed point iteration: the direction in which the two vertices differ.
        let mut next = &u * (1.0 - share) + &(&gradient * (share / length));
        let size = norm(next.view());
        if size == 0.0 {
            share /= 2.0;
            continue;
        }
        next /= size;
        let (new, slope) = difference(p, q, next.view());
        if new.abs() > value.abs() {
            (u, value, gradient) = (next, new, slope);
            share = (2.0 * share).min(1.0);
        } else {
            share /= 2.0;
        }
    }
    debug_assert!((dot(u.view(), u.view()) - 1.0).abs() < 1e-9);
    (value.abs(), u)
}
