//! Alternating minimisation of problem (2), neuron by neuron, from four sums over the targets of a neuron.
//!
//! After any half-step the elements of neuron `i` are `max(0, t_ji - cut_i) inverse_i`: first with cut 0 and inverse 1,
//! then with `cut = lambda / ||A^_i||` and one over the scale at the last update of elements. A target falls into what
//! the cut takes off and what it leaves,
//!
//! ```text
//! t = m + d,   m = min(t, cut),   d = max(0, t - cut),   d m = cut d
//! ```
//!
//! so that the sums of `m`, `m^2`, `d` and `d^2` give all that half-steps and objectives need. Targets are read once for
//! the sums and once for the elements, however many half-steps there are.

use pulp::Arch;
use rayon::prelude::*;

use super::column_sums::column_sums;
use super::matrix::HostMatrix;
use crate::backend::{HalfStep, RowUpdate, check};
use crate::error::Result;

/// Rows of elements that one task writes.
const ROWS: usize = 4;

/// Neurons whose cuts stay in the L1 cache from row to row.
const NEURONS: usize = 512;

pub(super) fn row_update(
    norms: &HostMatrix,
    targets: &HostMatrix,
    lambda: f32,
    first: HalfStep,
    half_steps: usize,
) -> Result<RowUpdate<HostMatrix>> {
    let [_, p] = check::row_update(norms.shape(), targets.shape(), lambda)?;
    let lambda = f64::from(lambda);
    let threshold = |norm: f64| if norm > 0.0 { lambda / norm } else { 0.0 };
    let cuts: Vec<f64> = norms.values().iter().map(|norm| threshold(f64::from(*norm))).collect();
    let [below, below_squares, above, above_squares] = column_sums(
        targets,
        &cuts,
        #[inline(always)]
        |target, cut| {
            // Comparisons compile to one instruction; `f64::min` also looks for NaN.
            let below = if target < cut { target } else { cut };
            let above = target - below;
            [below, below * below, above, above * above]
        },
    );
    let mut objective = HostMatrix::unwritten("row_update", [half_steps + 1, p])?;
    let (mut scale, mut taken, mut inverse) = (vec![0.0; p], vec![0.0; p], vec![0.0; p]);
    for i in 0..p {
        let cut = cuts[i];
        let after = Parts { cut, below_squares: below_squares[i], above: above[i], above_squares: above_squares[i] };
        let before = Parts {
            cut: 0.0,
            below_squares: 0.0,
            above: below[i] + above[i],
            above_squares: below_squares[i] + 2.0 * cut * above[i] + above_squares[i],
        };
        let mut neuron = Neuron {
            norm: f64::from(norms.values()[i]),
            lambda,
            threshold: cut,
            parts: before,
            inverse: 1.0,
            scale: 1.0,
        };
        objective.values_mut()[i] = narrow(neuron.cost());
        for step in 0..half_steps {
            match check::half_step(first, step) {
                HalfStep::Rows => neuron.update_row(),
                HalfStep::Elements => neuron.update_elements(after),
            }
            objective.values_mut()[(step + 1) * p + i] = narrow(neuron.cost());
        }
        (scale[i], taken[i], inverse[i]) = (narrow(neuron.scale), neuron.parts.cut, neuron.inverse);
    }
    let elements = elements(targets, &taken, &inverse)?;
    Ok(RowUpdate { scale: HostMatrix::row_vector(scale), elements, objective })
}

/// `max(0, t_ji - cut_i) inverse_i`.
fn elements(targets: &HostMatrix, cuts: &[f64], inverse: &[f64]) -> Result<HostMatrix> {
    let p = cuts.len();
    let mut elements = HostMatrix::unwritten("row_update", targets.shape())?;
    let arch = Arch::new();
    let bands =
        elements.values_mut().par_chunks_mut((ROWS * p).max(1)).zip(targets.values().par_chunks((ROWS * p).max(1)));
    bands.for_each(|(out, targets)| {
        arch.dispatch(
            #[inline(always)]
            || {
                for ((block, cuts), inverse) in cuts.chunks(NEURONS).enumerate().zip(inverse.chunks(NEURONS)) {
                    for (out, targets) in out.chunks_mut(p).zip(targets.chunks(p)) {
                        let place = block * NEURONS..block * NEURONS + cuts.len();
                        let (out, targets) = (&mut out[place.clone()], &targets[place]);
                        for (((out, target), cut), inverse) in out.iter_mut().zip(targets).zip(cuts).zip(inverse) {
                            let above = f64::from(*target) - cut;
                            *out = narrow(if above > 0.0 { above } else { 0.0 } * inverse);
                        }
                    }
                }
            },
        );
    });
    Ok(elements)
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
#[inline(always)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The sums over the targets of a neuron at a cut.
#[derive(Clone, Copy)]
struct Parts {
    cut: f64,
    below_squares: f64,
    above: f64,
    above_squares: f64,
}

/// The alternation on one neuron.
struct Neuron {
    norm: f64,
    lambda: f64,
    /// `lambda / norm`, 0 without a norm.
    threshold: f64,
    parts: Parts,
    /// One over what the elements divide by, 0 where the neuron is gone.
    inverse: f64,
    scale: f64,
}

impl Neuron {
    /// `s = max(0, sum_j t~_j t_j - lambda sum_j t~_j / norm) / sum_j t~_j^2`.
    fn update_row(&mut self) {
        let Parts { cut, above, above_squares, .. } = self.parts;
        let square = above_squares * self.inverse * self.inverse;
        // t~_j (t_j - threshold) = inverse d (d + cut - threshold).
        let gain = (above_squares + (cut - self.threshold) * above) * self.inverse;
        self.scale = if square > 0.0 && self.norm > 0.0 { gain.max(0.0) / square } else { 0.0 };
    }

    fn update_elements(&mut self, parts: Parts) {
        self.parts = parts;
        self.inverse = if self.scale > 0.0 && self.norm > 0.0 { 1.0 / self.scale } else { 0.0 };
    }

    /// `sum_j 1/2 (t~_j s - t_j)^2 norm^2 + lambda t~_j s norm`, where `t~_j s - t_j = (ratio - 1) d - m`.
    fn cost(&self) -> f64 {
        let Parts { cut, below_squares, above, above_squares } = self.parts;
        let ratio = self.inverse * self.scale;
        let lost = 1.0 - ratio;
        let gaps = lost * lost * above_squares + 2.0 * lost * cut * above + below_squares;
        0.5 * gaps.max(0.0) * self.norm * self.norm + self.lambda * ratio * above * self.norm
    }
}
