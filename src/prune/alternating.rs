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
use serde::Serialize;

use super::block_order::{BlockOrder, BlockScores, BlockTarget, block_order, host, remove_smallest};
use super::options::{AlternatingOptions, KeptWeights, Objective, Target};

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{DeviceHead, Head, LayerPlan, Mask, Plan, Rewrite, Tensor, rewritten_head};

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

/// A plan of the row protocol.
#[derive(Debug, Clone)]
pub(crate) struct RowPlan {
    pub(crate) plan: Plan,
    pub(crate) trace: Vec<BlockTrace>,
    scores: Vec<BlockScores>,
}

impl RowPlan {
    /// Of the scores that decide on element `(i, j)` of a layer, as a row of one block and an element of the one before,
    /// the one nearest to its cut, and that cut.
    pub(crate) fn nearest_cut(&self, layer: usize, i: usize, j: usize) -> (f64, f64) {
        let row = self.scores.get(layer).map(|block| (block.row(i), block.reached));
        let before = layer.checked_sub(1).and_then(|before| self.scores.get(before));
        let element = before.map(|block| (block.element(i, j), block.reached));
        let gap = |(score, cut): &(f64, f64)| (score - cut).abs() / cut.max(f64::MIN_POSITIVE);
        row.into_iter().chain(element).min_by(|a, b| gap(a).total_cmp(&gap(b))).unwrap_or((f64::MAX, 0.0))
    }
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
    ) -> Result<RowPlan> {
        let layers = &head.layers;
        let mut plans: Vec<LayerPlan> = layers
            .iter()
            .map(|layer| {
                let [rows, columns] = layer.weight.matrix_shape();
                let keep = Mask::full(rows, columns);
                LayerPlan { name: layer.name.clone(), keep, removed_rows: Vec::new(), rewrites: Vec::new() }
            })
            .collect();
        let (mut trace, mut scores) = (Vec::new(), Vec::new());
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
            scores.push(order.scores(lambda));
            trace.push(self.finish(backend, order, [first, second], &layers[block + 1].weight, removed, lambda)?);
        }
        Ok(RowPlan { plan: Plan { layers: plans }, trace, scores })
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
        let targets = backend.upload(order.coefficients.as_ref())?;
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
