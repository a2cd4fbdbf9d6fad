//! Pruning: methods score weights, a rate picks a cut-off in the order of scores, and a
//! [`Plan`](crate::network::Plan) says what stays. Methods know nothing of files.

mod alternating;
mod answers;
mod block_order;
mod catalogue;
mod compare;
mod curve;
mod magnitude;
mod options;
mod path;
mod ranking;
mod run;
mod select;
pub mod spaces;
pub mod sparse;
pub mod structured;
pub mod synth;
mod timing;
mod verify;

use serde::Serialize;

pub use alternating::BlockTrace;
pub use answers::evaluate_models;
pub use catalogue::{Profile, Samples, Scope, catalogue};
pub use compare::{Comparison, Difference, Latency, compare_outputs, latency};
pub use curve::{Curve, Point, area_under_curve, curve};
pub use options::{AlternatingOptions, Data, KeptWeights, Objective, PruneOptions, Target};
pub use ranking::{Planned, Ranking};
pub use run::{Accuracy, Observer, Outcome, evaluate, evaluate_network, prune, sweep};
pub use timing::{Span, Timing};
pub use verify::{LogitCheck, MaskComparison, Verification, check_logits, check_network, check_sample, compare_masks};

/// The unstructured methods and the row protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Elements in generator units with path norms to the logits; one order over all layers. The default.
    TropicalPath,
    /// The paper's protocol: rows of `A` and elements of `B`, block by block.
    Tropical,
    /// Smallest magnitudes, one order over all layers.
    ClassBlind,
    /// Smallest magnitudes, the same rate in every layer.
    ClassBlindLayer,
    /// Smallest magnitudes, the same rate in every row.
    ClassUniform,
    /// Smallest magnitudes in units of the standard deviation of their row, the same rate in every layer.
    ClassDistribution,
    /// Layer-adaptive magnitudes, one order over all layers.
    Lamp,
    /// The scores of [`Method::TropicalPath`], layer-adaptive as those of [`Method::Lamp`].
    TropicalLamp,
    /// A random order, the same rate in every layer.
    Random,
}

impl Method {
    /// All methods, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::TropicalPath,
        Self::Tropical,
        Self::ClassBlind,
        Self::ClassBlindLayer,
        Self::ClassUniform,
        Self::ClassDistribution,
        Self::Lamp,
        Self::TropicalLamp,
        Self::Random,
    ];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TropicalPath => "tropical-path",
            Self::Tropical => "tropical",
            Self::ClassBlind => "class-blind",
            Self::ClassBlindLayer => "class-blind-layer",
            Self::ClassUniform => "class-uniform",
            Self::ClassDistribution => "class-distribution",
            Self::Lamp => "lamp",
            Self::TropicalLamp => "tropical-lamp",
            Self::Random => "random",
        }
    }

    /// Whether the seed changes the result.
    #[must_use]
    pub fn is_random(self) -> bool {
        self == Self::Random
    }
}

/// How many of `count` weights a rate removes: the nearest integer to `rate * count`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53 and a rate lies between 0 and 1"
)]
fn removals(rate: f64, count: u64) -> u64 {
    ((rate.clamp(0.0, 1.0) * count as f64).round() as u64).min(count)
}
