//! The order in which the rows of `A` and the elements of `B` of one block reach zero, and the walk along it.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::options::{AlternatingOptions, Objective};
use crate::backend::{Backend, HalfStep};
use crate::error::{Error, Result};
use crate::network::{Mask, Tensor};

/// The order of removal in one block.
pub(super) struct BlockOrder {
    pub(super) norms: Vec<f64>,
    /// Score of each row, by neuron.
    row_scores: Vec<f32>,
    /// Rows in ascending order of their scores.
    rows: Vec<u32>,
    /// `score bits << 32 | j p + i`, ascending: the elements of `B`.
    elements: Vec<u64>,
    /// Coefficients: `|B|` or class weights, `k x p`.
    pub(super) coefficients: Arc<Array2<f32>>,
}

/// Reads a matrix to the host.
pub(super) fn host(tensor: &Tensor) -> Result<Array2<f32>> {
    let [rows, columns] = tensor.matrix_shape();
    Array2::from_shape_vec((rows, columns), tensor.to_vec())
        .map_err(|error| Error::Internal { what: error.to_string() })
}

/// `|B|`, or the class weights of the joint polynomial.
fn coefficients(b: &Array2<f32>, objective: Objective) -> Array2<f32> {
    match objective {
        Objective::Decoupled => b.mapv(f32::abs),
        Objective::Coupled => {
            let negative: Vec<f32> =
                b.columns().into_iter().map(|column| column.iter().map(|v| (-v).max(0.0)).sum()).collect();
            Array2::from_shape_fn(b.raw_dim(), |(j, i)| (b[[j, i]] + negative[i]).max(0.0))
        }
    }
}

/// Everything about a block that does not depend on the rate.
pub(super) fn block_order<B: Backend>(
    backend: &B,
    a: &B::Matrix,
    constants: Option<&B::Matrix>,
    b: &Array2<f32>,
    options: &AlternatingOptions,
) -> Result<BlockOrder> {
    let coefficients = Arc::new(coefficients(b, options.objective));
    let scores = backend.row_scores(a, constants, &backend.upload(coefficients.as_ref())?)?;
    let norms: Vec<f64> = backend.download(&scores.norms)?.into_iter().collect();
    let mut limits: Vec<f64> = backend.download(&scores.rows)?.into_iter().collect();
    let element = |j: usize, i: usize| f64::from(coefficients[[j, i]]) * norms[i];
    if options.first == HalfStep::Elements {
        // A row goes when its last element goes.
        limits = (0..norms.len()).map(|i| (0..b.nrows()).map(|j| element(j, i)).fold(0.0, f64::max)).collect();
    }
    if norms.iter().chain(&limits).any(|score| !score.is_finite()) {
        return Err(Error::Overflow { what: "generator norm", layer: "of the block".to_owned() });
    }
    #[expect(clippy::cast_possible_truncation, reason = "scores are ordered in f32")]
    let row_scores: Vec<f32> = limits.iter().map(|limit| *limit as f32).collect();
    let count = u32::try_from(b.len()).map_err(|_| Error::TooLarge {
        operation: "row protocol",
        bytes: b.len() as u64 * 4,
        limit: u64::from(u32::MAX) * 4,
    })?;
    let neurons = norms.len().max(1);
    #[expect(clippy::cast_possible_truncation, reason = "scores are ordered in f32")]
    let mut elements: Vec<u64> = (0..count)
        .into_par_iter()
        .map(|index| {
            let (j, i) = (index as usize / neurons, index as usize % neurons);
            let score = (element(j, i) as f32).min(row_scores[i]);
            u64::from(score.to_bits()) << 32 | u64::from(index)
        })
        .collect();
    elements.par_sort_unstable();
    let mut rows: Vec<u32> = (0..u32::try_from(norms.len()).unwrap_or(u32::MAX)).collect();
    rows.sort_by(|a, b| row_scores[*a as usize].total_cmp(&row_scores[*b as usize]).then(a.cmp(b)));
    Ok(BlockOrder { norms, row_scores, rows, elements, coefficients })
}

impl BlockOrder {
    /// What a plan keeps of the order, to tell a tie from a difference.
    pub(super) fn scores(&self, reached: f64) -> BlockScores {
        let (norms, row_scores) = (self.norms.clone(), self.row_scores.clone());
        BlockScores { norms, row_scores, coefficients: Arc::clone(&self.coefficients), reached }
    }

    /// Removes weights from the masks of `A` and `B`, lowest scores first and elements before rows, while the budget
    /// lasts or up to lambda. Returns the rows removed, ascending, the score that was reached, and the row that no
    /// longer fitted with the rest of the budget.
    pub(super) fn walk(
        &self,
        a: &mut Mask,
        b: &mut Mask,
        target: BlockTarget,
    ) -> (Vec<usize>, f64, Option<(usize, u64)>) {
        let (budget, limit) = match target {
            BlockTarget::Weights(budget) => (budget, f32::MAX),
            #[expect(clippy::cast_possible_truncation, reason = "scores are ordered in f32")]
            BlockTarget::Lambda(lambda) => (u64::MAX, lambda as f32),
        };
        let neurons = self.norms.len();
        let mut walk = Walk { order: self, budget, next_row: 0, rows_fit: true, removed: Vec::new(), reached: 0.0 };
        for entry in &self.elements {
            #[expect(clippy::cast_possible_truncation, reason = "the two halves of an entry")]
            let (score, index) = (f32::from_bits((entry >> 32) as u32), (*entry as u32) as usize);
            if score > limit {
                break;
            }
            walk.rows(a, |row_score| row_score < score);
            if walk.budget == 0 || !walk.rows_fit {
                break;
            }
            if b.remove(index / neurons, index % neurons) {
                walk.budget -= 1;
                walk.reached = score;
            }
        }
        walk.rows(a, |row_score| row_score <= limit);
        walk.removed.sort_unstable();
        match target {
            BlockTarget::Lambda(lambda) => (walk.removed, lambda, None),
            BlockTarget::Weights(_) => {
                let rest = self.rows.get(walk.next_row).map(|row| (*row as usize, walk.budget));
                (walk.removed, f64::from(walk.reached), rest.filter(|(_, budget)| *budget > 0))
            }
        }
    }
}

/// Removes the smallest of the weights that stay in a row, so that a rate is met to the weight.
pub(super) fn remove_smallest(weight: &Tensor, keep: &mut Mask, row: usize, count: u64) {
    let mut values = vec![0.0; keep.shape()[1]];
    weight.read(row * values.len(), &mut values);
    let mut kept: Vec<usize> = (0..values.len()).filter(|j| keep.keeps(row, *j)).collect();
    kept.sort_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()).then(a.cmp(b)));
    for column in kept.into_iter().take(usize::try_from(count).unwrap_or(usize::MAX)) {
        keep.remove(row, column);
    }
}

/// The scores of one block and the score at which its walk ended.
#[derive(Debug, Clone)]
pub(super) struct BlockScores {
    norms: Vec<f64>,
    row_scores: Vec<f32>,
    coefficients: Arc<Array2<f32>>,
    pub(super) reached: f64,
}

impl BlockScores {
    /// The score at which row `i` of `A` goes.
    pub(super) fn row(&self, i: usize) -> f64 {
        f64::from(self.row_scores[i])
    }

    /// The score at which element `(j, i)` of `B` goes.
    pub(super) fn element(&self, j: usize, i: usize) -> f64 {
        (f64::from(self.coefficients[[j, i]]) * self.norms[i]).min(self.row(i))
    }
}

/// A walk along the order of one block.
struct Walk<'a> {
    order: &'a BlockOrder,
    /// Weights that may still go.
    budget: u64,
    next_row: usize,
    /// Whether every row met so far fitted into the budget.
    rows_fit: bool,
    removed: Vec<usize>,
    reached: f32,
}

impl Walk<'_> {
    /// Removes the next rows in the order while their scores qualify.
    fn rows(&mut self, a: &mut Mask, qualifies: impl Fn(f32) -> bool) {
        while self.rows_fit && self.next_row < self.order.rows.len() {
            let row = self.order.rows[self.next_row] as usize;
            let score = self.order.row_scores[row];
            if !qualifies(score) {
                return;
            }
            let weight = a.kept_in_row(row) as u64;
            // One neuron stays, or the block would be constant.
            if weight > self.budget || self.removed.len() + 1 >= self.order.rows.len() {
                self.rows_fit = false;
                return;
            }
            self.budget -= weight;
            self.reached = score;
            a.remove_row(row);
            self.removed.push(row);
            self.next_row += 1;
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum BlockTarget {
    Weights(u64),
    Lambda(f64),
}
