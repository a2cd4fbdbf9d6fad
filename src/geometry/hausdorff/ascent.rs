//! Ascent on `|h_P - h_Q|` over the unit sphere: lower bounds of the Hausdorff distance of hulls of zonotopes.

use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};
use rayon::prelude::*;

use super::bodies::IntervalOptions;
use crate::backend::{Activation, Backend, Cutoff, Transpose};
use crate::error::{Error, Result};
use crate::geometry::directions::directions;
use crate::geometry::zonotope::{Zonotope, dot, norm};

/// Directions that one call of the backend takes.
const BATCH: usize = 1 << 14;

/// Relative difference of support functions in f32 within which both zonotopes count as the farthest.
const TIE: f32 = 1e-5;

/// Entries that the pre-activations of all climbers may have.
const ENTRIES: usize = 1 << 24;

/// Climbers that take their last steps in f64.
const POLISHED: usize = 4;

/// Steps of these, at most.
const STEPS: usize = 60;

/// A large difference and where it is.
pub(super) struct Found {
    /// `|h_P(u) - h_Q(u)|` in f64.
    pub(super) value: f64,
    /// The unit direction `u`.
    pub(super) direction: Array1<f64>,
    /// The largest difference among the random directions.
    pub(super) sampled: f64,
}

/// Looks for a direction with a large difference: random ones, of which the best climb.
pub(super) fn largest_difference<B: Backend>(
    backend: &B,
    p: &[Zonotope],
    q: &[Zonotope],
    dimension: usize,
    options: IntervalOptions,
) -> Result<Found> {
    let pair = Pair { p, q };
    let mut starts = sample(backend, pair, dimension, options)?;
    let sampled = starts.first().map_or(0.0, |u| pair.difference(u.view()).0.abs());
    // The axes, and the directions between centres, which alone matter for a translation.
    starts.extend((0..dimension).map(|k| Array1::from_shape_fn(dimension, |j| f64::from(u8::from(j == k)))).take(8));
    for (a, b) in p.iter().zip(q) {
        let between = a.centre() - b.centre();
        let length = norm(between.view());
        if length > 0.0 {
            starts.extend([&between / length, &between / -length]);
        }
    }
    let mut reached: Vec<(f64, Array1<f64>)> =
        starts.into_iter().map(|u| (pair.difference(u.view()).0.abs(), u)).collect();
    if let Some(device) = Device::upload(backend, pair)? {
        let each = (ENTRIES / device.width.max(1)).max(1);
        for starts in reached.clone().chunks(each) {
            let ends = device.climb(backend, pair, starts, options.steps)?;
            let value = |u: Array1<f64>| (pair.difference(u.view()).0.abs(), u);
            reached.extend(ends.into_iter().map(value));
        }
    }
    // Stable, so that of equal values the first stays.
    reached.sort_by(|a, b| b.0.total_cmp(&a.0));
    reached.truncate(POLISHED);
    let ends: Vec<(f64, Array1<f64>)> = reached.into_par_iter().map(|(_, u)| pair.polish(u)).collect();
    let best = ends.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best });
    let (value, direction) = best.unwrap_or((0.0, Array1::zeros(dimension)));
    Ok(Found { value, direction, sampled })
}

/// Two hulls of zonotopes.
#[derive(Clone, Copy)]
struct Pair<'a> {
    p: &'a [Zonotope],
    q: &'a [Zonotope],
}

impl Pair<'_> {
    /// `h_P(u) - h_Q(u)` and its gradient `v_P(u) - v_Q(u)`, in f64.
    fn difference(self, u: ArrayView1<'_, f64>) -> (f64, Array1<f64>) {
        let ((a, v), (b, w)) = (top(self.p, u), top(self.q, u));
        (a - b, v - w)
    }

    /// Climbs from a unit direction: towards the gradient by steps that halve where they do not gain and grow where
    /// they do.
    fn polish(self, mut u: Array1<f64>) -> (f64, Array1<f64>) {
        let (mut value, mut gradient) = self.difference(u.view());
        let mut share: f64 = 1.0;
        for _ in 0..STEPS {
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
            let (new, slope) = self.difference(next.view());
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

/// Both hulls as one network on the device, scaled to order one.
///
/// A zonotope is `h(u) = sum_j w_j max(<r_j, u>, 0)` with its generators and `w = 1`, and its shift `s` as two more rows,
/// `s` with 1 and `-s` with -1. The rows of all zonotopes are stacked: a climber's pre-activations are one product, its
/// gradient is `sum_j w_j [<r_j, u> > 0] r_j` over the rows of the farthest zonotope of either side.
struct Device<B: Backend> {
    /// `N x d`: the rows of all zonotopes.
    rows: B::Matrix,
    /// `w`, negated for the second side.
    weights: Vec<f32>,
    width: usize,
    /// Absent where each side is one zonotope.
    hulls: Option<Hulls<B>>,
}

/// What chooses the farthest zonotope of each side.
struct Hulls<B: Backend> {
    /// `N x 2k`: `w` in the columns of each row's zonotope.
    supports: B::Matrix,
    /// `2k x 2`: 0 for the zonotopes of a side, far below all supports for the others; a max-plus factor.
    sides: B::Matrix,
    /// `2 x 2k`: 1 for the zonotopes of a side.
    members: B::Matrix,
    /// `2k x N`: 1 for the rows of a zonotope.
    owners: B::Matrix,
}

impl<B: Backend> Device<B> {
    /// Uploads the rows; nothing where all are zero.
    fn upload(backend: &B, pair: Pair<'_>) -> Result<Option<Self>> {
        let zonotopes = || pair.p.iter().chain(pair.q);
        let size = zonotopes().map(|z| 2.0 * z.radius() + norm(z.shift().view())).fold(0.0, f64::max);
        if size <= 0.0 || !size.is_finite() {
            return Ok(None);
        }
        let (mut parts, mut weights, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (number, zonotope) in zonotopes().enumerate() {
            let sign = if number < pair.p.len() { 1.0_f32 } else { -1.0 };
            let shift = zonotope.shift().view().insert_axis(Axis(0));
            parts.extend([zonotope.generators() / size, &shift / size, &shift / -size]);
            weights.extend(std::iter::repeat_n(sign, zonotope.generators().nrows() + 1));
            weights.push(-sign);
            ends.push(weights.len());
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let rows = concatenate(Axis(0), &views).map_err(|error| Error::Internal { what: error.to_string() })?;
        let (width, count) = (weights.len(), ends.len());
        let hulls = if count == 2 {
            None
        } else {
            let owner: Vec<usize> = (0..width).map(|row| ends.partition_point(|end| *end <= row)).collect();
            let side = |zonotope: usize| usize::from(zonotope >= pair.p.len());
            let of = |row: usize, zonotope: usize| f32::from(u8::from(owner[row] == zonotope));
            // Supports take the weights of their own side as positive.
            let signs = [1.0, -1.0];
            Some(Hulls {
                supports: backend.upload(&Array2::from_shape_fn((width, count), |(row, zonotope)| {
                    of(row, zonotope) * weights[row] * signs[side(zonotope)]
                }))?,
                sides: backend.upload(&Array2::from_shape_fn((count, 2), |(zonotope, of)| {
                    if side(zonotope) == of { 0.0 } else { -1e6_f32 }
                }))?,
                members: backend.upload(&Array2::from_shape_fn((2, count), |(of, zonotope)| {
                    f32::from(u8::from(side(zonotope) == of))
                }))?,
                owners: backend.upload(&Array2::from_shape_fn((count, width), |(zonotope, row)| of(row, zonotope)))?,
            })
        };
        Ok(Some(Self { rows: backend.upload(&narrow(&rows))?, weights, width, hulls }))
    }

    /// Takes all starts uphill, each towards its sign, by steps of `1 / sqrt(t)`, `t = 1, 2, ..`, on the unit ball;
    /// nothing comes back before the end. Returns unit directions.
    fn climb(
        &self,
        backend: &B,
        pair: Pair<'_>,
        starts: &[(f64, Array1<f64>)],
        steps: usize,
    ) -> Result<Vec<Array1<f64>>> {
        let count = starts.len();
        let dimension = starts.first().map_or(0, |start| start.1.len());
        let signs: Vec<f32> =
            starts.par_iter().map(|start| if pair.difference(start.1.view()).0 < 0.0 { -1.0 } else { 1.0 }).collect();
        let signed = Array2::from_shape_fn((count, self.width), |(at, row)| signs[at] * self.weights[row]);
        let signed = backend.upload(&signed)?;
        let mut u = backend.upload(&narrow(&Array2::from_shape_fn((count, dimension), |(at, k)| starts[at].1[k])))?;
        // A row counts where its product is above zero.
        let on = Cutoff { score: f32::MIN_POSITIVE, index: 0 };
        for t in 0..steps {
            let products = backend.affine(&u, &self.rows, None, Activation::Relu)?;
            let mut active = backend.threshold_mask(&signed, &products, on)?;
            if let Some(hulls) = &self.hulls {
                let supports = backend.matmul(&products, Transpose::No, &hulls.supports, Transpose::No)?;
                let tops = backend.max_plus_matmul(&supports, &hulls.sides)?;
                let tops = backend.matmul(&tops, Transpose::No, &hulls.members, Transpose::No)?;
                let behind = backend.weighted_sum(&supports, Some(&tops), [1.0, -1.0], Activation::Identity)?;
                let behind = backend.matmul(&behind, Transpose::No, &hulls.owners, Transpose::No)?;
                active = backend.threshold_mask(&active, &behind, Cutoff { score: -TIE, index: 0 })?;
            }
            let gradient = backend.matmul(&active, Transpose::No, &self.rows, Transpose::No)?;
            #[expect(clippy::cast_possible_truncation, reason = "a step length")]
            let length = (1.0 / ((t + 1) as f64).sqrt()) as f32;
            u = backend.ball_step(&u, &gradient, length, 1.0)?;
        }
        let ends = backend.download(&u)?;
        let unit = |row: ArrayView1<'_, f64>| {
            let length = norm(row);
            (length > 0.0 && length.is_finite()).then(|| &row / length)
        };
        Ok(ends.rows().into_iter().filter_map(unit).collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
fn narrow(values: &Array2<f64>) -> Array2<f32> {
    values.mapv(|value| value as f32)
}

/// The random unit directions with the largest differences, by the support functions of the backend.
fn sample<B: Backend>(
    backend: &B,
    pair: Pair<'_>,
    dimension: usize,
    options: IntervalOptions,
) -> Result<Vec<Array1<f64>>> {
    let upload = |zonotope: &Zonotope| -> Result<(B::Matrix, B::Matrix)> {
        let shift = zonotope.shift().clone().insert_axis(Axis(0));
        Ok((backend.upload(&narrow(zonotope.generators()))?, backend.upload(&narrow(&shift))?))
    };
    let side = |zonotopes: &[Zonotope]| zonotopes.iter().map(upload).collect::<Result<Vec<_>>>();
    let (on_p, on_q) = (side(pair.p)?, side(pair.q)?);
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
    Ok(best.into_iter().map(|(_, at)| unit(at)).collect())
}
