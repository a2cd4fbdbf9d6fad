//! Structured pruning: whole units go, and files become smaller everywhere.
//!
//! Layers are reduced one by one from the input to the output, each on the network that the earlier ones have left. A
//! method sees one [`Pair`](crate::network::Pair) at a time and returns a [`Reduced`](crate::network::Reduced) one; it
//! does not know whether the units are neurons or channels.

mod allocate;
mod options;
mod run;
mod select;
mod walk;

use serde::Serialize;

use crate::network::{Network, Op};

pub use allocate::{Keep, LayerKeep};
pub use options::UnitOptions;
pub use run::{UnitOutcome, prune_units};
pub use walk::{UnitLayer, Walked, reduce_units};

/// The structured methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitMethod {
    /// The units with the largest `||(a_i, b_i)|| ||c_i||`: incoming times outgoing norm, the same for every scaling of a
    /// unit.
    PathL2,
    /// The units with the largest L1 norm of incoming weights (Li et al., *Pruning filters for efficient convnets*,
    /// 2017).
    L1,
    /// The units with the largest row scores `r_i` of problem (2), see
    /// [`Backend::row_scores`](crate::backend::Backend::row_scores).
    TropicalRows,
    /// Random units, from the stream `random-neurons/<layer>` of the seed.
    RandomNeurons,
    /// Greedy selection and joint least squares on synthetic inputs, see [`synth`](crate::prune::synth). The default where
    /// there are convolutions.
    SynthRefit,
}

impl UnitMethod {
    /// All methods, in the order of tables.
    pub const ALL: [Self; 5] = [Self::SynthRefit, Self::PathL2, Self::L1, Self::TropicalRows, Self::RandomNeurons];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PathL2 => "path-l2",
            Self::L1 => "l1",
            Self::TropicalRows => "tropical-rows",
            Self::RandomNeurons => "random-neurons",
            Self::SynthRefit => "synth-refit",
        }
    }

    /// The method that keeps most of a network of this kind.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let convolves = network.nodes.iter().any(|node| matches!(node.op, Op::Conv { .. }));
        if convolves { Self::SynthRefit } else { Self::PathL2 }
    }

    /// Whether the seed changes the result.
    #[must_use]
    pub fn is_random(self) -> bool {
        matches!(self, Self::RandomNeurons | Self::SynthRefit)
    }
}
