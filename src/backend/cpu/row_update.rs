//! Alternating minimisation of problem (2), neuron by neuron, sixteen neurons in step.
//!
//! After any half-step the elements of neuron `i` are `max(0, t_ji - cut_i) / divisor_i`: first with cut 0 and divisor 1,
//! then with `lambda / ||A^_i||` and the scale at the last update of elements. So a task keeps two numbers a neuron, and
//! elements are written once, at the end.

use pulp::Arch;
use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{HalfStep, RowUpdate, check};
use crate::error::Result;

/// Neurons of one task: one cache line of a row of the targets.
const NEURONS: usize = 16;

type Neurons = [f64; NEURONS];

pub(super) fn row_update(
    norms: &HostMatrix,
    targets: &HostMatrix,
    lambda: f32,
    first: HalfStep,
    half_steps: usize,
) -> Result<RowUpdate<HostMatrix>> {
    let [k, p] = check::row_update(norms.shape(), targets.shape(), lambda)?;
    let arch = Arch::new();
    let starts: Vec<usize> = (0..p).step_by(NEURONS).collect();
    let blocks: Vec<Block> = starts
        .into_par_iter()
        .map_init(Vec::new, |copy: &mut Vec<[f32; NEURONS]>, start| {
            // Rows of the targets lie a power of two apart as a rule: a copy keeps them from evicting each other.
            copy.clear();
            copy.extend((0..k).map(|class| part(&targets.row(class)[start..])));
            let mut block = Block::new(part(&norms.values()[start..]).map(f64::from));
            arch.dispatch(
                #[inline(always)]
                || block.alternate(copy, f64::from(lambda), first, half_steps),
            );
            block
        })
        .collect();
    let gather = |rows: usize, pick: &(dyn Fn(&Block, usize) -> Neurons + Sync)| {
        let mut out = HostMatrix::unwritten("row_update", [rows, p])?;
        out.values_mut().par_chunks_mut(p.max(1)).enumerate().for_each(|(row, out)| {
            for (out, block) in out.chunks_mut(NEURONS).zip(&blocks) {
                out.iter_mut().zip(pick(block, row)).for_each(|(out, value)| *out = narrow(value));
            }
        });
        Ok(out)
    };
    let mut elements = HostMatrix::unwritten("row_update", [k, p])?;
    elements.values_mut().par_chunks_mut(p.max(1)).enumerate().for_each(|(class, out)| {
        arch.dispatch(
            #[inline(always)]
            || {
                let targets = targets.row(class).chunks(NEURONS);
                for ((out, targets), block) in out.chunks_mut(NEURONS).zip(targets).zip(&blocks) {
                    for (i, (out, target)) in out.iter_mut().zip(targets).enumerate() {
                        *out = narrow(block.element(*target, i));
                    }
                }
            },
        );
    });
    Ok(RowUpdate {
        scale: gather(1, &|block, _| block.scale)?,
        elements,
        objective: gather(half_steps + 1, &|block, step| block.objective[step])?,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
#[inline(always)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The first entries of a row, zeros past its end.
fn part(row: &[f32]) -> [f32; NEURONS] {
    let mut part = [0.0; NEURONS];
    part.iter_mut().zip(row).for_each(|(part, value)| *part = *value);
    part
}

/// The state of sixteen neurons; those past the last have norm 0.
struct Block {
    norms: Neurons,
    scale: Neurons,
    /// What an update of elements takes off each target.
    cut: Neurons,
    /// One over what it divides by, 0 where the neuron is gone.
    inverse: Neurons,
    objective: Vec<Neurons>,
}

impl Block {
    fn new(norms: Neurons) -> Self {
        Self { norms, scale: [1.0; NEURONS], cut: [0.0; NEURONS], inverse: [1.0; NEURONS], objective: Vec::new() }
    }

    /// The element of neuron `i` that belongs to a target.
    #[inline(always)]
    fn element(&self, target: f32, i: usize) -> f64 {
        (f64::from(target) - self.cut[i]).max(0.0) * self.inverse[i]
    }

    #[inline(always)]
    fn alternate(&mut self, targets: &[[f32; NEURONS]], lambda: f64, first: HalfStep, half_steps: usize) {
        self.objective.reserve_exact(half_steps + 1);
        self.objective.push(self.cost(targets, lambda));
        let threshold = self.norms.map(|norm| if norm > 0.0 { lambda / norm } else { 0.0 });
        for step in 0..half_steps {
            match check::half_step(first, step) {
                HalfStep::Rows => self.update_rows(targets, &threshold),
                HalfStep::Elements => {
                    self.cut = threshold;
                    for i in 0..NEURONS {
                        let kept = self.scale[i] > 0.0 && self.norms[i] > 0.0;
                        self.inverse[i] = if kept { 1.0 / self.scale[i] } else { 0.0 };
                    }
                }
            }
            self.objective.push(self.cost(targets, lambda));
        }
    }

    /// `s_i = max(0, sum_j t~_ji t_ji - lambda sum_j t~_ji / ||A^_i||) / sum_j t~_ji^2`.
    #[inline(always)]
    fn update_rows(&mut self, targets: &[[f32; NEURONS]], threshold: &Neurons) {
        let (mut gain, mut sum, mut square) = ([0.0; NEURONS], [0.0; NEURONS], [0.0; NEURONS]);
        for target in targets {
            for i in 0..NEURONS {
                let new = self.element(target[i], i);
                gain[i] += new * f64::from(target[i]);
                sum[i] += new;
                square[i] += new * new;
            }
        }
        for i in 0..NEURONS {
            let kept = square[i] > 0.0 && self.norms[i] > 0.0;
            self.scale[i] = if kept { (gain[i] - threshold[i] * sum[i]).max(0.0) / square[i] } else { 0.0 };
        }
    }

    /// `sum_j 1/2 (t~_ji s_i - t_ji)^2 ||A^_i||^2 + lambda t~_ji s_i ||A^_i||`.
    #[inline(always)]
    fn cost(&self, targets: &[[f32; NEURONS]], lambda: f64) -> Neurons {
        let mut cost = [0.0; NEURONS];
        for target in targets {
            for i in 0..NEURONS {
                let (kept, norm) = (self.element(target[i], i) * self.scale[i], self.norms[i]);
                let gap = (kept - f64::from(target[i])) * norm;
                cost[i] += 0.5 * gap * gap + lambda * kept * norm;
            }
        }
        cost
    }
}
