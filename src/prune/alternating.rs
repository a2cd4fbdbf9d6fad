//! Problem (2) of the paper: keep the zonotopes of a block `f(x) = B max(A x + c, 0) + b` while rows of `A` and elements
//! of `B` become zero,
//!
//! ```text
//! min over A~, B~ of  1/2 sum_j ||Diag(B~_j) A~ - Diag(B_j) A^||_F^2 + lambda sum_j ||Diag(B~_j) A~||_{2,1}
//! ```
//!
//! with `A^ = [A | c]` and, for the decoupled objective, one term for the positive and one for the negative part of each
//! row of `B`. All rows stay parallel, so a block falls apart into neurons, and the order in which everything reaches
//! zero as `lambda` grows is known from one pass: row `i` at `r_i`, element `(j, i)` at `min(e_ji, r_i)`
//! (see [`Backend::row_scores`]). A rate is reached by walking along that order.
//!
//! Deep heads are pruned block by block from input to output; the elements removed from a layer as `B` are gone when it
//! becomes `A`.

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use crate::backend::{Backend, HalfStep};
use crate::error::{Error, Result};
use crate::network::{DeviceHead, Head, LayerPlan, Mask, Plan, Rewrite, Tensor, rewritten_head};

/// Which zonotopes the objective keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// One zonotope for the positive and one for the negative part of each row of `B`: coefficients `|B|`.
    Decoupled,
    /// One zonotope per class: coefficients `w_i = B_i + N`, `N = sum_l max(-B_l, 0)`.
    Coupled,
}

/// What is written for the weights that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptWeights {
    /// The original values.
    Original,
    /// The minimisers `A~`, `B~` of problem (2).
    Shrunk,
}

/// Settings of the row protocol.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlternatingOptions {
    /// The objective.
    pub objective: Objective,
    /// Whether the bias is a coordinate of the generator.
    pub bias_in_generator: bool,
    /// What is written for the weights that stay.
    pub kept: KeptWeights,
    /// The first half-step of the alternation. Rows first is the paper's order; it removes neurons that elements first
    /// would keep.
    pub first: HalfStep,
    /// Half-steps of the alternation whose objective is recorded.
    pub half_steps: usize,
}

impl Default for AlternatingOptions {
    fn default() -> Self {
        Self {
            objective: Objective::Decoupled,
            bias_in_generator: true,
            kept: KeptWeights::Original,
            first: HalfStep::Rows,
            half_steps: 6,
        }
    }
}

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// The share of the head's weights to remove.
    Rate(f64),
    /// The weight of the penalty, in units of generator norms, for every block.
    Lambda(f64),
}

/// What the alternation did on one block.
#[derive(Debug, Clone, Serialize)]
pub struct BlockTrace {
    /// Names of the two layers.
    pub layers: [String; 2],
    /// The weight of the penalty: as given, or the score at which the rate was reached.
    pub lambda: f64,
    /// The objective before the first and after every half-step.
    pub objective: Vec<f64>,
    /// Rows of `A` that were removed.
    pub removed_rows: usize,
    /// Neurons at zero after the alternation whose generators are longer than lambda in some class: the stationary
    /// points that rows first runs into.
    pub killed_early: usize,
}

/// The order of removal in one block.
pub(crate) struct BlockOrder {
    norms: Vec<f64>,
    /// Score of each row, by neuron.
    row_scores: Vec<f32>,
    /// Rows in ascending order of their scores.
    rows: Vec<u32>,
    /// `score bits << 32 | j p + i`, ascending: the elements of `B`.
    elements: Vec<u64>,
    /// Coefficients: `|B|` or class weights, `k x p`.
    coefficients: Array2<f32>,
}

/// Reads a matrix to the host.
fn host(tensor: &Tensor) -> Result<Array2<f32>> {
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
pub(crate) fn block_order<B: Backend>(
    backend: &B,
    a: &B::Matrix,
    constants: Option<&B::Matrix>,
    b: &Array2<f32>,
    options: &AlternatingOptions,
) -> Result<BlockOrder> {
    let coefficients = coefficients(b, options.objective);
    let scores = backend.row_scores(a, constants, &backend.upload(&coefficients)?)?;
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
    /// Removes weights from the masks of `A` and `B`, lowest scores first and elements before rows, while the budget
    /// lasts or up to lambda. Returns the rows removed, ascending, the score that was reached, and the row that no
    /// longer fitted with the rest of the budget.
    fn walk(&self, a: &mut Mask, b: &mut Mask, target: BlockTarget) -> (Vec<usize>, f64, Option<(usize, u64)>) {
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
fn remove_smallest(weight: &Tensor, keep: &mut Mask, row: usize, count: u64) {
    let mut values = vec![0.0; keep.shape()[1]];
    weight.read(row * values.len(), &mut values);
    let mut kept: Vec<usize> = (0..values.len()).filter(|j| keep.keeps(row, *j)).collect();
    kept.sort_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()).then(a.cmp(b)));
    for column in kept.into_iter().take(usize::try_from(count).unwrap_or(usize::MAX)) {
        keep.remove(row, column);
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
enum BlockTarget {
    Weights(u64),
    Lambda(f64),
}

/// The row protocol on a head, with the first block's order kept between rates.
pub(crate) struct RowProtocol {
    options: AlternatingOptions,
    first: BlockOrder,
}

impl RowProtocol {
    pub(crate) fn new<B: Backend>(
        backend: &B,
        head: &Head,
        device: &DeviceHead<B>,
        options: AlternatingOptions,
    ) -> Result<Self> {
        let layers = &head.layers;
        let [_, second, ..] = layers.as_slice() else {
            let problem = "the row protocol needs a block of two linear layers with ReLU between".to_owned();
            return Err(Error::Unsupported { problem });
        };
        if options.objective == Objective::Coupled && options.kept == KeptWeights::Shrunk && layers.len() > 2 {
            let problem = "coupled weights keep logits only up to a shift common to all classes, so they can be written \
                           for the last block alone; use the decoupled objective or keep the original weights";
            return Err(Error::Argument { argument: "kept-weights", problem: problem.to_owned() });
        }
        let constants = device.biases[0].as_ref().filter(|_| options.bias_in_generator);
        let first = block_order(backend, &device.weights[0], constants, &host(&second.weight)?, &options)?;
        Ok(Self { options, first })
    }

    /// The plan at a rate or a lambda.
    ///
    /// Each block removes as many weights as bring the layers up to its second one to the rate, so that the whole head
    /// meets it.
    pub(crate) fn plan<B: Backend>(
        &self,
        backend: &B,
        head: &Head,
        device: &DeviceHead<B>,
        target: Target,
    ) -> Result<(Plan, Vec<BlockTrace>)> {
        let layers = &head.layers;
        let mut plans: Vec<LayerPlan> = layers
            .iter()
            .map(|layer| {
                let [rows, columns] = layer.weight.matrix_shape();
                let keep = Mask::full(rows, columns);
                LayerPlan { name: layer.name.clone(), keep, removed_rows: Vec::new(), rewrites: Vec::new() }
            })
            .collect();
        let mut traces = Vec::new();
        for block in 0..layers.len() - 1 {
            let later;
            let order = if block == 0 {
                &self.first
            } else {
                let so_far = Plan { layers: plans.clone() };
                let a = backend.upload(&rewritten_head(head, &so_far)?.layers[block].weight)?;
                let constants = device.biases[block].as_ref().filter(|_| self.options.bias_in_generator);
                later = block_order(backend, &a, constants, &host(&layers[block + 1].weight)?, &self.options)?;
                &later
            };
            let (before, after) = plans.split_at_mut(block + 1);
            let (first, second) = (&mut before[block], &mut after[0]);
            let block_target = match target {
                Target::Lambda(lambda) => BlockTarget::Lambda(lambda),
                Target::Rate(rate) if block == 0 => BlockTarget::Weights(super::removals(
                    rate,
                    (layers[0].weight.len() + layers[1].weight.len()) as u64,
                )),
                Target::Rate(rate) => {
                    let done: u64 = layers[..=block].iter().map(|layer| layer.weight.len() as u64).sum();
                    let all = done + layers[block + 1].weight.len() as u64;
                    BlockTarget::Weights(super::removals(rate, all) - super::removals(rate, done))
                }
            };
            let (removed, lambda, rest) = order.walk(&mut first.keep, &mut second.keep, block_target);
            if let Some((row, count)) = rest {
                remove_smallest(&layers[block].weight, &mut first.keep, row, count);
            }
            traces.push(self.finish(backend, order, [first, second], &layers[block + 1].weight, removed, lambda)?);
        }
        Ok((Plan { layers: plans }, traces))
    }

    /// Runs the alternation at the lambda that was reached, records its objective, and takes over its weights if asked.
    fn finish<B: Backend>(
        &self,
        backend: &B,
        order: &BlockOrder,
        [first, second]: [&mut LayerPlan; 2],
        b: &Tensor,
        removed: Vec<usize>,
        lambda: f64,
    ) -> Result<BlockTrace> {
        #[expect(clippy::cast_possible_truncation, reason = "devices compute in f32")]
        let norms: Vec<f32> = order.norms.iter().map(|norm| *norm as f32).collect();
        let norms = Array2::from_shape_vec((1, norms.len()), norms);
        let norms = backend.upload(&norms.map_err(|error| Error::Internal { what: error.to_string() })?)?;
        let targets = backend.upload(&order.coefficients)?;
        #[expect(clippy::cast_possible_truncation, reason = "devices compute in f32")]
        let update =
            backend.row_update(&norms, &targets, lambda as f32, self.options.first, self.options.half_steps)?;
        let objective = backend.download(&update.objective)?;
        let scale = backend.download(&update.scale)?;
        let longest =
            |i: usize| order.coefficients.column(i).iter().fold(0.0, |m: f64, t| m.max(f64::from(*t))) * order.norms[i];
        let killed = (0..order.norms.len()).filter(|i| scale[[0, *i]] == 0.0 && longest(*i) > lambda * (1.0 + 1e-6));
        let trace = BlockTrace {
            layers: [first.name.clone(), second.name.clone()],
            lambda,
            objective: objective.rows().into_iter().map(|row| row.sum()).collect(),
            removed_rows: removed.len(),
            killed_early: killed.count(),
        };
        first.removed_rows = removed;
        if self.options.kept == KeptWeights::Shrunk {
            let elements = backend.download(&update.elements)?;
            let original = host(b)?;
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            let values = elements.indexed_iter().map(|((j, i), t)| match self.options.objective {
                Objective::Decoupled => (*t as f32).copysign(original[[j, i]]),
                Objective::Coupled => *t as f32,
            });
            second.rewrites.push(Rewrite::Replace(values.collect()));
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            first.rewrites.push(Rewrite::ScaleRows(scale.iter().map(|s| *s as f32).collect()));
        }
        Ok(trace)
    }
}
