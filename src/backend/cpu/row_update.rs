//! Alternating minimisation of problem (2), neuron by neuron, sixteen neurons in step.

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
    let blocks: Vec<Block> = (0..p)
        .step_by(NEURONS)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|start| {
            let mut block = Block::new(norms, targets, start);
            arch.dispatch(
                #[inline(always)]
                || block.alternate(f64::from(lambda), first, half_steps),
            );
            block
        })
        .collect();
    let gather = |rows: usize, pick: &(dyn Fn(&Block, usize) -> Neurons + Sync)| {
        let mut out = HostMatrix::unwritten("row_update", [rows, p])?;
        out.values_mut().par_chunks_mut(p.max(1)).enumerate().for_each(|(row, out)| {
            for (out, block) in out.chunks_mut(NEURONS).zip(&blocks) {
                #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
                out.iter_mut().zip(pick(block, row)).for_each(|(out, value)| *out = value as f32);
            }
        });
        Ok(out)
    };
    Ok(RowUpdate {
        scale: gather(1, &|block, _| block.scale)?,
        elements: gather(k, &|block, class| block.elements[class])?,
        objective: gather(half_steps + 1, &|block, step| block.objective[step])?,
    })
}

/// The state of sixteen neurons; those past the last have norm 0.
struct Block {
    norms: Neurons,
    targets: Vec<Neurons>,
    scale: Neurons,
    elements: Vec<Neurons>,
    objective: Vec<Neurons>,
}

impl Block {
    fn new(norms: &HostMatrix, targets: &HostMatrix, start: usize) -> Self {
        let part = |row: &[f32]| {
            let mut part = [0.0; NEURONS];
            part.iter_mut().zip(&row[start..]).for_each(|(part, value)| *part = f64::from(*value));
            part
        };
        let columns: Vec<Neurons> = (0..targets.shape()[0]).map(|class| part(targets.row(class))).collect();
        Self {
            norms: part(norms.values()),
            elements: columns.clone(),
            targets: columns,
            scale: [1.0; NEURONS],
            objective: Vec::new(),
        }
    }

    #[inline(always)]
    fn alternate(&mut self, lambda: f64, first: HalfStep, half_steps: usize) {
        self.objective.reserve_exact(half_steps + 1);
        self.objective.push(self.cost(lambda));
        let threshold = self.norms.map(|norm| if norm > 0.0 { lambda / norm } else { 0.0 });
        for step in 0..half_steps {
            match check::half_step(first, step) {
                HalfStep::Rows => self.update_rows(&threshold),
                HalfStep::Elements => self.update_elements(&threshold),
            }
            self.objective.push(self.cost(lambda));
        }
    }

    /// `s_i = max(0, sum_j t~_ji t_ji - lambda sum_j t~_ji / ||A^_i||) / sum_j t~_ji^2`.
    #[inline(always)]
    fn update_rows(&mut self, threshold: &Neurons) {
        let (mut gain, mut sum, mut square) = ([0.0; NEURONS], [0.0; NEURONS], [0.0; NEURONS]);
        for (new, old) in self.elements.iter().zip(&self.targets) {
            for i in 0..NEURONS {
                gain[i] += new[i] * old[i];
                sum[i] += new[i];
                square[i] += new[i] * new[i];
            }
        }
        for i in 0..NEURONS {
            let kept = square[i] > 0.0 && self.norms[i] > 0.0;
            self.scale[i] = if kept { (gain[i] - threshold[i] * sum[i]).max(0.0) / square[i] } else { 0.0 };
        }
    }

    /// `t~_ji = max(0, t_ji - lambda / ||A^_i||) / s_i`.
    #[inline(always)]
    fn update_elements(&mut self, threshold: &Neurons) {
        for (new, old) in self.elements.iter_mut().zip(&self.targets) {
            for i in 0..NEURONS {
                let kept = self.scale[i] > 0.0 && self.norms[i] > 0.0;
                new[i] = if kept { (old[i] - threshold[i]).max(0.0) / self.scale[i] } else { 0.0 };
            }
        }
    }

    /// `sum_j 1/2 (t~_ji s_i - t_ji)^2 ||A^_i||^2 + lambda t~_ji s_i ||A^_i||`.
    #[inline(always)]
    fn cost(&self, lambda: f64) -> Neurons {
        let mut cost = [0.0; NEURONS];
        for (new, old) in self.elements.iter().zip(&self.targets) {
            for i in 0..NEURONS {
                let (kept, norm) = (new[i] * self.scale[i], self.norms[i]);
                let gap = (kept - old[i]) * norm;
                cost[i] += 0.5 * gap * gap + lambda * kept * norm;
            }
        }
        cost
    }
}
