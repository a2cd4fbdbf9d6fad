//! Greedy selection of units under a joint least-squares refit: orthogonal matching pursuit over blocks of columns.
//!
//! With the covariance `G = E (p - E p)(p - E p)^T` of what the next layer reads, `n` blocks of `q` columns, and the
//! covariance `T = E (z - E z)(p - E p)^T` of its target with it, the loss of a set `S` of units is
//! `E |z - E z|^2 - tr(T_S (G_SS + d I)^-1 T_S^T)`. Each step adds the unit that lowers it most: with the Schur complements
//! `R = G - G_S^T (G_SS + d I)^-1 G_S` and `U = T - T_S (G_SS + d I)^-1 G_S` of what is chosen, the unit with the largest
//! `|L_i^-1 U_i^T|_F^2`, `L_i L_i^T = R_ii + d I`.
//!
//! Where several layers read the units, each through columns of its own, the losses add up: so do the decreases of a unit.

use ndarray::Array2;
use rayon::prelude::*;

use super::cholesky::dot;
use crate::backend::vectorised;

/// Columns that one task holds, in whole units.
const COLUMNS: usize = 64;

/// The units in the order in which they were chosen, and what each of them took off the loss.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Units, the first chosen first.
    pub order: Vec<usize>,
    /// The decrease of the loss at each step.
    pub decreases: Vec<f64>,
}

/// Neighbouring units and what is left of them. Columns are those of the units.
struct Chunk {
    first: usize,
    units: usize,
    /// The factor `V` with `V^T V = G_S^T (G_SS + d I)^-1 G_S`, row by row.
    factor: Vec<f64>,
    /// `R_ii` of each unit, `q x q`.
    blocks: Vec<f64>,
    /// `U^T`: a row of `m` per column.
    targets: Vec<f64>,
}

/// A unit that was chosen.
struct Chosen {
    unit: usize,
    /// `L_i`, `q x q`.
    factor: Vec<f64>,
    /// `L_i^-1 U_i^T`, `q x m`.
    targets: Vec<f64>,
    /// The columns of `V` of the unit: `rows x q`.
    coefficients: Vec<f64>,
}

/// What one group of readers makes of the units.
pub(super) struct Problem<'a> {
    /// `G`: `n q x n q`, the columns of a unit side by side.
    pub(super) gram: &'a Array2<f64>,
    /// `T`: `m x n q`.
    pub(super) target: &'a Array2<f64>,
    /// Columns per unit.
    pub(super) q: usize,
    /// `d`.
    pub(super) ridge: f64,
}

/// Chooses `keep` of the units for all problems together. Of units that lower the loss alike the lowest is taken.
pub(super) fn select(problems: &[Problem<'_>], keep: usize) -> Selection {
    let n = problems.first().map_or(0, |problem| problem.gram.nrows().checked_div(problem.q).unwrap_or(0));
    let all: Vec<usize> = (0..n).collect();
    select_in_cells(problems, &[(&all, keep)])
}

/// The same where units lie in cells of which each keeps a number of its own.
pub(super) fn select_in_cells(problems: &[Problem<'_>], cells: &[(&[usize], usize)]) -> Selection {
    let mut remainders: Vec<Remainder<'_>> = problems.iter().map(Remainder::new).collect();
    let n = problems.first().map_or(0, |problem| problem.gram.nrows().checked_div(problem.q).unwrap_or(0));
    let mut left: Vec<usize> = cells.iter().map(|(cell, keep)| (*keep).min(cell.len())).collect();
    let keep: usize = left.iter().sum();
    let (mut free, mut cell_of) = (vec![false; n], vec![0; n]);
    for (number, (cell, _)) in cells.iter().enumerate().filter(|(number, _)| left[*number] > 0) {
        cell.iter().for_each(|unit| (free[*unit], cell_of[*unit]) = (true, number));
    }
    let mut selection = Selection { order: Vec::new(), decreases: Vec::new() };
    for step in 0..keep {
        let mut decreases = vec![0.0; n];
        remainders.iter().for_each(|remainder| remainder.add_decreases(&free, &mut decreases));
        // The largest decrease, the lowest unit of equal ones.
        let candidates = decreases.iter().enumerate().filter(|(unit, _)| free[*unit]);
        let best = candidates.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let Some((unit, decrease)) = best else { break };
        free[unit] = false;
        let cell = cell_of[unit];
        left[cell] -= 1;
        if left[cell] == 0 {
            cells[cell].0.iter().for_each(|unit| free[*unit] = false);
        }
        selection.order.push(unit);
        selection.decreases.push(*decrease);
        if selection.order.len() < keep {
            remainders.iter_mut().for_each(|remainder| remainder.eliminate(unit, step));
        }
    }
    selection
}

/// What the chosen units leave of a problem.
struct Remainder<'a> {
    problem: &'a Problem<'a>,
    /// Units of a chunk.
    width: usize,
    chunks: Vec<Chunk>,
}

impl<'a> Remainder<'a> {
    fn new(problem: &'a Problem<'a>) -> Self {
        let (gram, target, q) = (problem.gram, problem.target, problem.q);
        let n = gram.nrows().checked_div(q).unwrap_or(0);
        let width = (COLUMNS / q.max(1)).max(1);
        let chunk = |first: usize| {
            let units = width.min(n - first);
            let blocks = (first..first + units)
                .flat_map(|unit| (0..q * q).map(move |at| gram[[unit * q + at / q, unit * q + at % q]]))
                .collect();
            let targets = (first * q..(first + units) * q).flat_map(|column| target.column(column).to_vec()).collect();
            Chunk { first, units, factor: Vec::new(), blocks, targets }
        };
        Self { problem, width, chunks: (0..n).step_by(width).map(chunk).collect() }
    }

    /// Adds what each free unit would take off the loss.
    fn add_decreases(&self, free: &[bool], decreases: &mut [f64]) {
        let (q, m, ridge) = (self.problem.q, self.problem.target.nrows(), self.problem.ridge);
        let chunks = self.chunks.par_iter().zip(decreases.par_chunks_mut(self.width));
        chunks.for_each(|(chunk, decreases)| chunk.add_decreases(free, decreases, q, m, ridge));
    }

    /// Takes what the unit chosen at `step` explains off what is left.
    fn eliminate(&mut self, unit: usize, step: usize) {
        let Problem { gram, target, q, ridge } = *self.problem;
        let rows = step * q;
        let chosen = self.chunks[unit / self.width].choose(unit, rows, q, target.nrows(), ridge);
        self.chunks.par_iter_mut().for_each(|chunk| chunk.eliminate(gram, &chosen, rows, q));
    }
}

impl Chunk {
    /// Adds by how much each free unit lowers the loss.
    fn add_decreases(&self, free: &[bool], decreases: &mut [f64], q: usize, m: usize, ridge: f64) {
        for (local, decrease) in decreases.iter_mut().enumerate().filter(|(local, _)| free[self.first + local]) {
            *decrease += self.solved(local, q, m, ridge).1.iter().map(|value| value * value).sum::<f64>();
        }
    }

    /// `L_i` and `L_i^-1 U_i^T` of a unit.
    fn solved(&self, local: usize, q: usize, m: usize, ridge: f64) -> (Vec<f64>, Vec<f64>) {
        let factor = factored(&self.blocks[local * q * q..(local + 1) * q * q], q, ridge);
        let mut targets = self.targets[local * q * m..(local + 1) * q * m].to_vec();
        substitute(&factor, q, &mut targets, m);
        (factor, targets)
    }

    fn choose(&self, unit: usize, rows: usize, q: usize, m: usize, ridge: f64) -> Chosen {
        let local = unit - self.first;
        let (factor, targets) = self.solved(local, q, m, ridge);
        let width = self.units * q;
        let of_row = |row: usize| &self.factor[row * width + local * q..][..q];
        Chosen { unit, factor, targets, coefficients: (0..rows).flat_map(of_row).copied().collect() }
    }

    /// Takes what the chosen unit explains off what is left.
    fn eliminate(&mut self, gram: &Array2<f64>, chosen: &Chosen, rows: usize, q: usize) {
        let (width, m) = (self.units * q, chosen.targets.len() / q.max(1));
        let mut new = vec![0.0; q * width];
        for (a, new) in new.chunks_exact_mut(width.max(1)).enumerate() {
            let row = gram.row(chosen.unit * q + a);
            new.iter_mut().enumerate().for_each(|(at, new)| *new = row[self.first * q + at]);
        }
        vectorised(
            #[inline(always)]
            || {
                for row in 0..rows {
                    let old = &self.factor[row * width..][..width];
                    for (a, new) in new.chunks_exact_mut(width).enumerate() {
                        let factor = chosen.coefficients[row * q + a];
                        new.iter_mut().zip(old).for_each(|(new, old)| *new -= factor * old);
                    }
                }
            },
        );
        substitute(&chosen.factor, q, &mut new, width);
        vectorised(
            #[inline(always)]
            || {
                for (column, targets) in self.targets.chunks_exact_mut(m.max(1)).enumerate() {
                    for (a, chosen) in chosen.targets.chunks_exact(m.max(1)).enumerate() {
                        let factor = new[a * width + column];
                        targets.iter_mut().zip(chosen).for_each(|(value, chosen)| *value -= factor * chosen);
                    }
                }
            },
        );
        for (local, block) in self.blocks.chunks_exact_mut((q * q).max(1)).enumerate() {
            for new in new.chunks_exact(width) {
                let new = &new[local * q..(local + 1) * q];
                for (block, left) in block.chunks_exact_mut(q).zip(new) {
                    block.iter_mut().zip(new).for_each(|(value, right)| *value -= left * right);
                }
            }
        }
        self.factor.extend(new);
    }
}

/// `L` with `L L^T = block + ridge I`, `q x q`; a pivot on which nothing is left is 0.
fn factored(block: &[f64], q: usize, ridge: f64) -> Vec<f64> {
    let largest = (0..q).fold(0.0, |most: f64, i| most.max(block[i * q + i] + ridge));
    let mut factor = vec![0.0; q * q];
    for i in 0..q {
        for j in 0..=i {
            let shift = if i == j { ridge } else { 0.0 };
            let rest = block[i * q + j] + shift - dot(&factor[i * q..i * q + j], &factor[j * q..j * q + j]);
            let pivot = factor[j * q + j];
            factor[i * q + j] = match (i == j, pivot > 0.0) {
                (true, _) if rest > largest * f64::EPSILON * 16.0 => rest.sqrt(),
                (false, true) => rest / pivot,
                _ => 0.0,
            };
        }
    }
    factor
}

/// Replaces `rows`, `q x width`, by `L^-1 rows`; rows without a pivot become 0.
fn substitute(factor: &[f64], q: usize, rows: &mut [f64], width: usize) {
    for a in 0..q {
        let (above, row) = rows.split_at_mut(a * width);
        let (row, pivot) = (&mut row[..width], factor[a * q + a]);
        if pivot <= 0.0 {
            row.fill(0.0);
            continue;
        }
        vectorised(
            #[inline(always)]
            || {
                for (b, above) in above.chunks_exact(width.max(1)).enumerate() {
                    let factor = factor[a * q + b];
                    row.iter_mut().zip(above).for_each(|(value, above)| *value -= factor * above);
                }
                row.iter_mut().for_each(|value| *value /= pivot);
            },
        );
    }
}
