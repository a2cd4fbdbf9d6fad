//! What a run is asked to do.

use serde::Serialize;

use super::Method;
use crate::backend::{HalfStep, RowSource};
use crate::network::ApplyOptions;

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

/// Settings of one pruning run.
#[derive(Debug, Clone, Copy)]
pub struct PruneOptions {
    /// The method.
    pub method: Method,
    /// Seed of every random stream.
    pub seed: u64,
    /// How far to prune.
    pub target: Target,
    /// Settings of the row protocol.
    pub alternating: AlternatingOptions,
    /// How the plan is carried out.
    pub apply: ApplyOptions,
    /// Whether to recompute with the reference.
    pub verify: bool,
}

/// Samples on the host.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// `n x inputs`.
    pub inputs: &'a dyn RowSource,
    /// `n` labels below the number of classes.
    pub labels: Option<&'a [u32]>,
}
