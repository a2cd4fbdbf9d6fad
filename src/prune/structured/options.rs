//! What a structured run is asked to do.

use super::UnitMethod;
use super::allocate::{Keep, LayerKeep};
use crate::prune::synth::SynthOptions;

/// Settings of one structured run.
#[derive(Debug, Clone)]
pub struct UnitOptions {
    /// The method.
    pub method: UnitMethod,
    /// Seed of every random stream.
    pub seed: u64,
    /// Units that stay in every layer.
    pub keep: Keep,
    /// Layers that keep another number.
    pub layers: Vec<LayerKeep>,
    /// Numbers of units are multiples of this.
    pub round_to: usize,
    /// Units of a layer that stay in any case.
    pub min_keep: usize,
    /// Settings of [`UnitMethod::SynthRefit`]; its seed is that of the run.
    pub synth: SynthOptions,
    /// Whether only layers of the head are reduced, as for data that are its inputs.
    pub head_only: bool,
}

impl UnitOptions {
    /// Keeps a share of the units of every layer by `method`, with everything else at its default.
    #[must_use]
    pub fn new(method: UnitMethod, keep: f64) -> Self {
        Self {
            method,
            seed: 0,
            keep: Keep::Share(keep),
            layers: Vec::new(),
            round_to: 1,
            min_keep: 1,
            synth: SynthOptions::default(),
            head_only: false,
        }
    }
}
