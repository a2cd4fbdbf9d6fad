//! alpha-CROWN on the difference of two blocks over the ball: every ReLU is replaced by a line on the side that matters.
//!
//! With `l, u = b -+ r |a|`: where a coefficient is positive, `relu(z) <= u (z - l) / (u - l)`; where it is negative,
//! `relu(z) >= alpha z` for any `alpha` in 0..1. What remains is linear in `x`, and its largest value on the ball,
//! `r |v| + c`, is convex in the slopes `alpha`, which projected subgradient steps choose.

use ndarray::{Array1, Array2, Axis, Zip, concatenate};
use rayon::prelude::*;

use super::problem::{Problem, row_norms};
use super::radial::Radial;
use crate::error::{Error, Result};

/// Neurons of both blocks with the lines above them.
struct Lines {
    a: Array2<f64>,
    b: Array1<f64>,
    /// Slope of the chord, and of the exact line where the sign is certain.
    chord: Array1<f64>,
    /// Offset of the chord.
    lift: Array1<f64>,
    /// Whether the sign is open, so that the slope below may be chosen.
    open: Vec<bool>,
}

impl Lines {
    fn of(problem: &Problem) -> Result<Self> {
        let joined = concatenate(Axis(0), &[problem.a.view(), problem.other_a.view()]);
        let a = joined.map_err(|error| Error::Internal { what: error.to_string() })?;
        let b: Array1<f64> = problem.b.iter().chain(&problem.other_b).copied().collect();
        let lines = row_norms(&a).into_iter().zip(&b).map(|(norm, b)| {
            let (low, high) = (b - problem.radius * norm, b + problem.radius * norm);
            if low >= 0.0 {
                (1.0, 0.0, false)
            } else if high <= 0.0 {
                (0.0, 0.0, false)
            } else {
                // The line through (l, 0) and (u, u); the rounding of its two numbers is part of `eta T`.
                let slope = high / (high - low);
                (slope, -slope * low, true)
            }
        });
        let lines: Vec<(f64, f64, bool)> = lines.collect();
        Ok(Self {
            a,
            b,
            chord: lines.iter().map(|line| line.0).collect(),
            lift: lines.iter().map(|line| line.1).collect(),
            open: lines.iter().map(|line| line.2).collect(),
        })
    }
}

/// The bound of `|D_j|` for every output, after at most `steps` subgradient steps.
pub(super) fn crown(problem: &Problem, steps: usize) -> Result<Vec<Radial>> {
    let lines = Lines::of(problem)?;
    let m = problem.outputs();
    let coefficients = concatenate(Axis(1), &[problem.c.view(), problem.other_c.mapv(|c| -c).view()])
        .map_err(|error| Error::Internal { what: error.to_string() })?;
    // Both signs of every output, in few blocks so that the products are matrix products.
    let rows: Vec<(usize, f64)> = (0..m).flat_map(|j| [(j, 1.0), (j, -1.0)]).collect();
    let block = rows.len().div_ceil(rayon::current_num_threads()).clamp(1, 64);
    let bounds: Vec<Radial> = rows
        .par_chunks(block)
        .flat_map_iter(|rows| {
            let pick = |j: usize, sign: f64| coefficients.row(j).mapv(|c| sign * c);
            let mut c = Array2::zeros((rows.len(), lines.b.len()));
            let mut linear = Array2::zeros((rows.len(), lines.a.ncols()));
            let mut constant = Array1::zeros(rows.len());
            for (at, (j, sign)) in rows.iter().enumerate() {
                c.row_mut(at).assign(&pick(*j, *sign));
                linear.row_mut(at).assign(&problem.linear.row(*j).mapv(|v| sign * v));
                constant[at] = sign * problem.constant[*j] + problem.slack[*j];
            }
            descend(&lines, &c, &linear, &constant, problem.radius, steps)
        })
        .collect();
    Ok(bounds
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[above, below]| {
            let at_zero = above.constant.max(below.constant);
            let largest = above.at(problem.radius).max(below.at(problem.radius));
            Radial::chord(at_zero, largest, problem.radius)
        })
        .collect())
}

/// The smallest bound found for each row of coefficients.
fn descend(
    lines: &Lines,
    c: &Array2<f64>,
    linear: &Array2<f64>,
    constant: &Array1<f64>,
    radius: f64,
    steps: usize,
) -> Vec<Radial> {
    // Slopes begin at the chord, so that neurons that cancel each other do.
    let mut slopes = Array2::from_shape_fn(c.raw_dim(), |(_, i)| lines.chord[i]);
    let lift = c.mapv(|c| c.max(0.0)).dot(&lines.lift) + constant;
    let mut squares = Array2::<f64>::zeros(c.raw_dim());
    let mut best = vec![Radial { constant: f64::INFINITY, slope: f64::INFINITY }; c.nrows()];
    for step in 0..=steps {
        let weights = c * &slopes;
        let mut v = weights.dot(&lines.a) + linear;
        let norms = row_norms(&v);
        let offsets = weights.dot(&lines.b) + &lift;
        for ((best, slope), constant) in best.iter_mut().zip(&norms).zip(&offsets) {
            let bound = Radial { constant: *constant, slope: *slope };
            if bound.at(radius) < best.at(radius) {
                *best = bound;
            }
        }
        if step == steps {
            break;
        }
        for (mut v, norm) in v.rows_mut().into_iter().zip(&norms) {
            v.mapv_inplace(|v| if *norm > 0.0 { v * radius / norm } else { 0.0 });
        }
        // d bound / d alpha_i = c_i (a_i v / |v| r + b_i), divided by the size of all gradients of this slope so far.
        let mut gradient = v.dot(&lines.a.t());
        for mut row in gradient.rows_mut() {
            row += &lines.b;
        }
        gradient *= c;
        for (mut column, open) in gradient.columns_mut().into_iter().zip(&lines.open) {
            if !open {
                column.fill(0.0);
            }
        }
        Zip::from(&mut slopes).and(&mut squares).and(&gradient).and(c).for_each(|slope, square, gradient, c| {
            if *c < 0.0 {
                *square += gradient * gradient;
                if *square > 0.0 {
                    *slope = (*slope - 0.5 * gradient / square.sqrt()).clamp(0.0, 1.0);
                }
            }
        });
    }
    best
}
