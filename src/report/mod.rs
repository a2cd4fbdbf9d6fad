//! What runs report: one JSON object with a schema, tables for people, CSV and SVG for plots. Results are deterministic;
//! everything that changes from run to run is in `timing` and `memory`.

mod attack;
mod boundary;
mod certify;
mod compare;
mod csv;
mod escape;
mod grid;
mod hausdorff;
pub mod html;
mod inspect;
mod lottery;
mod memory;
mod methods;
mod png;
mod polynomial;
mod sheet;
mod spaces;
pub mod svg;
mod table;
mod trace;
mod train;
mod tuning;
mod units;
mod verification;
mod zonotope;

use serde::Serialize;

use crate::backend::Device;
use crate::certify::PruneCertificate;
use crate::network::{Applied, Network, Op, Refused};
use crate::prune::sparse::SparseRefit;
use crate::prune::structured::Refit;
use crate::prune::{Accuracy, AlternatingOptions, BlockTrace, Curve, Outcome, Timing, Verification};
use crate::train::TuningReport;

pub use attack::{AttackReport, AttackSettings, AttackedModel, Difference, attack_name, attack_table, attack_text};
pub use boundary::{BoundaryReport, ClassShare, DeadRegion, PolytopeReport, ViewReport, boundary_text, class_shares};
pub use certify::{CertifyReport, Compared, bounds_table, labels_table, outputs_table, prune_certificate_text};
pub use compare::{CompareReport, compare_table};
pub use csv::curves_csv;
pub(crate) use escape::escaped;
pub use grid::rows_table;
pub use hausdorff::{HausdorffReport, hausdorff_report, hausdorff_table};
pub use inspect::{InspectReport, InspectedBlock, InspectedConsumer, InspectedLayer, InspectedSpace, inspect_text};
pub use lottery::{LotteryReport, lottery_text};
pub use memory::{peak_bytes, resident_bytes};
pub use methods::{MethodsReport, methods_text};
pub use png::Raster;
pub use polynomial::{
    CellReport, ExpressionReport, MonomialReport, NewtonReport, PointValue, PolynomialGeometry, PolynomialReport,
    SubdivisionReport, polynomial_text,
};
pub use sheet::sheet;
pub use spaces::{DistilReport, SpaceReport, spaces_table};
pub use svg::{curves_svg, units_svg};
pub use table::{accuracy_table, curves_table, layers_table, prune_table, sparse_refits_table};
pub use trace::trace_json;
pub use train::{TrainedReport, train_text};
pub use tuning::tuning_table;
pub use units::{
    UnitReport, UnitSweepReport, outcome_text, rivals_text, unit_costs_table, unit_runs_csv, unit_runs_table,
    units_table,
};
pub use verification::{logits_text, verification_text};
pub use zonotope::{MembershipReport, SupportReport, ZonotopeReport, zonotope_report, zonotope_table};

/// The schema of every report.
pub const SCHEMA: &str = "tropix.report/1";

/// What every report begins with.
#[derive(Debug, Clone, Serialize)]
pub struct Heading {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The command that ran.
    pub command: &'static str,
    /// Version of tropix.
    pub version: &'static str,
    /// Seed of every random stream.
    pub seed: u64,
    /// The device that computed.
    pub device: Device,
}

impl Heading {
    /// The heading of a command's report.
    #[must_use]
    pub fn new(command: &'static str, seed: u64, device: &Device) -> Self {
        Self { schema: SCHEMA, command, version: env!("CARGO_PKG_VERSION"), seed, device: device.clone() }
    }
}

/// Files of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Files {
    /// The model that was read.
    pub input: String,
    /// The model that was written; absent with `--dry-run`.
    pub output: Option<String>,
}

/// Numbers before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// Weights of the pruned layers, biases not counted.
#[derive(Debug, Clone, Serialize)]
pub struct Weights {
    /// All of them.
    pub before: u64,
    /// Those that the plan keeps.
    pub after: u64,
    /// The share that the plan removes.
    pub rate: f64,
    /// Those that are not zero in the written file: fewer than the plan keeps where neurons went with their weights.
    pub nonzero: u64,
}

/// Weights of all linear and convolutional layers, whether or not the method prunes them.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkWeights {
    /// All of them.
    pub before: u64,
    /// Those that the plan keeps, and those of layers that are not pruned.
    pub after: u64,
    /// The share of them that the plan removes.
    pub rate: f64,
}

impl NetworkWeights {
    /// The weights of `network`, and what a run has removed of them.
    #[must_use]
    pub fn of(network: &Network, outcome: &Outcome) -> Self {
        let weights = network.nodes.iter().map(|node| match &node.op {
            Op::Linear { weight, .. } | Op::Conv { weight, .. } => weight.len() as u64,
            _ => 0,
        });
        let before: u64 = weights.sum();
        let removed = outcome.weights[0].saturating_sub(outcome.weights[1]);
        #[expect(clippy::cast_precision_loss, reason = "a share of a number of weights, which is far below 2^53")]
        let rate = removed as f64 / before.max(1) as f64;
        Self { before, after: before.saturating_sub(removed), rate }
    }
}

/// One layer of the head.
#[derive(Debug, Clone, Serialize)]
pub struct LayerReport {
    /// Name of the node.
    pub name: String,
    /// Shape before.
    pub shape: [usize; 2],
    /// Shape after.
    pub new_shape: [usize; 2],
    /// Weights before, and after as the plan keeps them.
    pub weights: Change,
    /// Weights that are not zero after.
    pub nonzero: u64,
    /// Neurons before and after.
    pub neurons: Change,
    /// Neurons taken out because all incoming weights were zero, their constant folded into the next bias.
    pub constant: usize,
    /// Neurons taken out because all outgoing weights were zero.
    pub unread: usize,
}

/// A node that was not pruned.
#[derive(Debug, Clone, Serialize)]
pub struct Declined {
    /// Name of the node.
    pub name: String,
    /// Its operation.
    pub op: String,
    /// Why.
    pub reason: String,
}

impl Declined {
    /// A layer of `network` whose units cannot be removed.
    #[must_use]
    pub fn of(network: &Network, refused: Refused) -> Self {
        let op = network.node(&refused.layer).map_or_else(|_| String::new(), |node| node.op.name().to_owned());
        Self { name: refused.layer, op, reason: refused.reason }
    }
}

/// The report of `prune`.
#[derive(Debug, Clone, Serialize)]
pub struct PruneReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Name of the method.
    pub method: &'static str,
    /// Settings of the row protocol, for the method that has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<AlternatingOptions>,
    /// The files.
    pub model: Files,
    /// Every file that was written: data beside the model, and shards, come before it.
    pub files: Vec<String>,
    /// What was done to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Weights of the layers that the method prunes, before and after.
    pub weights: Weights,
    /// Weights of the whole network.
    pub network_weights: NetworkWeights,
    /// Hidden neurons before and after.
    pub neurons: Change,
    /// Bytes of the model file before and after.
    pub file_bytes: Change,
    /// Accuracy, if data were given.
    pub accuracy: Option<Accuracy>,
    /// Fine-tuning after pruning, if asked for; `accuracy` is that after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finetune: Option<TuningReport>,
    /// Layers of the head.
    pub layers: Vec<LayerReport>,
    /// What followed the cut.
    pub refit: Refit,
    /// The distribution of inputs that a refit assumed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<&'static str>,
    /// What a refit did, layer by layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refits: Vec<SparseRefit>,
    /// What was not pruned, and why.
    pub declined: Vec<Declined>,
    /// The alternation on each block, for the row protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternation: Vec<BlockTrace>,
    /// The certified error on a ball of inputs, if a radius or data were given and the network is a head from its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PruneCertificate>,
    /// The comparison with the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process in bytes, where the system tells it.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

impl PruneReport {
    /// Whether the network has weights in layers that the method does not prune.
    #[must_use]
    pub fn is_of_a_part(&self) -> bool {
        self.network_weights.before > self.weights.before
    }
}

/// Memory of the process.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// Peak resident set, mapped files included; absent where the system does not tell.
    pub peak_bytes: Option<u64>,
}

impl Memory {
    /// The peak so far.
    #[must_use]
    pub fn now() -> Self {
        Self { peak_bytes: peak_bytes() }
    }
}

/// The report of `sweep`.
#[derive(Debug, Clone, Serialize)]
pub struct SweepReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The file.
    pub model: Files,
    /// What was done to the data.
    pub data: String,
    /// Accuracy of the network as it is.
    pub accuracy: Accuracy,
    /// One curve per method, refit and seed.
    pub curves: Vec<Curve>,
    /// The distribution of inputs that refits assumed, if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<&'static str>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// The report of `evaluate`.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluateReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The file.
    pub model: Files,
    /// What was done to the data.
    pub data: String,
    /// Accuracy; `before` is the network it is compared with, or itself.
    pub accuracy: Accuracy,
    /// Deviation of logits from the reference, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<crate::prune::LogitCheck>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// The layers of a head after a run: what the plan keeps and what became of the neurons.
#[must_use]
pub fn layers(applied: &Applied, kept: &[u64]) -> Vec<LayerReport> {
    let layer = |(layer, kept): (&crate::network::AppliedLayer, &u64)| {
        let [shape, new_shape] = layer.shape;
        LayerReport {
            name: layer.name.clone(),
            shape,
            new_shape,
            weights: Change { before: shape[0] as u64 * shape[1] as u64, after: *kept },
            nonzero: layer.nonzero,
            neurons: Change { before: shape[0] as u64, after: new_shape[0] as u64 },
            constant: layer.constant,
            unread: layer.unread,
        }
    };
    applied.layers.iter().zip(kept).map(layer).collect()
}

/// The weights of a run.
#[must_use]
pub fn weights(outcome: &Outcome) -> Weights {
    let nonzero = outcome.applied.layers.iter().map(|layer| layer.nonzero).sum();
    Weights { before: outcome.weights[0], after: outcome.weights[1], rate: outcome.rate, nonzero }
}

/// Hidden neurons before and after; the outputs of the last layer are classes and do not count.
#[must_use]
pub fn hidden_neurons(layers: &[LayerReport]) -> Change {
    let hidden = &layers[..layers.len().saturating_sub(1)];
    let sum = |of: fn(&LayerReport) -> u64| hidden.iter().map(of).sum();
    Change { before: sum(|layer| layer.neurons.before), after: sum(|layer| layer.neurons.after) }
}
