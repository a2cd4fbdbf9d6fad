//! The largest output error on a ball of one or two dimensions, by enumeration.
//!
//! `D_j` is linear between the lines `a_i x + b_i = 0`. In one dimension its extremes on an interval lie at the
//! breakpoints and the ends. On a disc they lie where two lines cross, where a line meets the circle, or, on an arc on
//! which `D_j` is `g x + c`, at `r g / |g|`. Where a computed crossing is off, it is the crossing of lines that are off by
//! rounding alone, and `D_j` moves by no more than `eta T`: the values are exact up to that.

use std::f64::consts::TAU;

use ndarray::Array2;
use rayon::prelude::*;

use super::block::Block;
use super::layer::check_radius;
use crate::error::Result;

/// Neurons up to which a disc is enumerated: there are up to half the square of crossings.
const MOST: usize = 700;
/// Points that are evaluated together.
const CHUNK: usize = 4096;

/// The largest `|f_j(x) - f~_j(x)|` for `|x| <= radius` and every output, exact up to rounding; `None` above two
/// dimensions or for more than 700 neurons on a disc.
///
/// # Errors
///
/// [`Error::Data`](crate::Error::Data) for blocks of different shapes, [`Error::Argument`](crate::Error::Argument) for a
/// radius that is negative or not finite.
pub fn exact_errors(original: &Block, compressed: &Block, radius: f64) -> Result<Option<Vec<f64>>> {
    check_radius(radius)?;
    let difference = original.minus(compressed)?;
    Ok(exact(&difference, radius).map(|found| found.into_iter().map(|(value, _)| value).collect()))
}

/// The largest `|f_j(x)|` on the ball for every output, with the point that attains it.
pub(super) fn exact(difference: &Block, radius: f64) -> Option<Vec<(f64, Vec<f64>)>> {
    let points = match difference.inputs() {
        1 => breakpoints(difference, radius),
        2 if difference.neurons() <= MOST => on_the_disc(difference, radius),
        _ => return None,
    };
    let d = difference.inputs();
    let best = points.par_chunks(CHUNK * d).map(|points| {
        let points = Array2::from_shape_vec((points.len() / d, d), points.to_vec()).ok()?;
        let values = difference.evaluate(&points);
        let best = values.columns().into_iter().map(|values| {
            let better = |best: (f64, usize), (at, value): (usize, &f64)| {
                if value.abs() > best.0 { (value.abs(), at) } else { best }
            };
            let (value, at) = values.iter().enumerate().fold((-1.0, 0), better);
            (value, points.row(at).to_vec())
        });
        Some(best.collect::<Vec<_>>())
    });
    best.reduce_with(|a, b| {
        let pairs = a?.into_iter().zip(b?);
        Some(pairs.map(|(a, b)| if b.0 > a.0 { b } else { a }).collect())
    })?
}

/// The breakpoints inside the interval and its ends.
fn breakpoints(block: &Block, radius: f64) -> Vec<f64> {
    let zeros = block.weight.iter().zip(&block.bias).map(|(a, b)| -b / a).filter(|x| x.abs() <= radius);
    zeros.chain([-radius, 0.0, radius]).collect()
}

/// Points, two numbers each, among which are the extremes of every output on the disc.
fn on_the_disc(block: &Block, radius: f64) -> Vec<f64> {
    let lines: Vec<([f64; 2], [f64; 2], f64)> = block
        .weight
        .rows()
        .into_iter()
        .zip(&block.bias)
        .filter_map(|(a, b)| {
            let norm = a[0].hypot(a[1]);
            let (normal, distance) = ([a[0] / norm, a[1] / norm], -b / norm);
            // A line as the point nearest to the origin, its direction, and half the length of its chord.
            let chord = (radius * radius - distance * distance).sqrt();
            chord.is_finite().then(|| ([normal[0] * distance, normal[1] * distance], [-normal[1], normal[0]], chord))
        })
        .collect();
    let along = |(foot, direction, _): &([f64; 2], [f64; 2], f64), t: f64| {
        [foot[0] + t * direction[0], foot[1] + t * direction[1]]
    };
    let mut points = vec![0.0, 0.0];
    let mut angles = Vec::new();
    for line in &lines {
        for end in [-line.2, line.2] {
            let [x, y] = along(line, end);
            angles.push(y.atan2(x));
        }
        let crossings = block.weight.rows().into_iter().zip(&block.bias).filter_map(|(a, b)| {
            let (slope, offset) = (a[0] * line.1[0] + a[1] * line.1[1], a[0] * line.0[0] + a[1] * line.0[1] + b);
            let t = -offset / slope;
            (t.abs() <= line.2).then(|| along(line, t))
        });
        points.extend(crossings.flatten());
    }
    angles.sort_by(f64::total_cmp);
    if angles.is_empty() {
        angles.push(0.0);
    }
    for (at, start) in angles.iter().enumerate() {
        let end = angles.get(at + 1).copied().unwrap_or(angles[0] + TAU);
        let on = |angle: f64| [radius * angle.cos(), radius * angle.sin()];
        let middle = on((start + end) / 2.0);
        points.extend(on(*start));
        points.extend(middle);
        // On the arc every output is linear: its slope, from the neurons that are on in the middle.
        let active: Vec<usize> = (0..block.neurons())
            .filter(|i| block.weight[[*i, 0]] * middle[0] + block.weight[[*i, 1]] * middle[1] + block.bias[*i] > 0.0)
            .collect();
        for c in block.next.rows() {
            let slope = |axis: usize| active.iter().map(|i| c[*i] * block.weight[[*i, axis]]).sum::<f64>();
            let top = slope(1).atan2(slope(0));
            for angle in [top, top + TAU / 2.0] {
                if (angle - start).rem_euclid(TAU) <= end - start {
                    points.extend(on(angle));
                }
            }
        }
    }
    // Rounding must not put a point outside.
    for point in points.as_chunks_mut::<2>().0 {
        let norm = point[0].hypot(point[1]);
        if norm > radius {
            point.iter_mut().for_each(|x| *x *= radius / norm);
        }
    }
    points
}
