//! Pruning of any graph of operators: units of every space go, whatever lies between the layers.
//!
//! Scores are made of the weights around a unit, so that they hold for every activation: of the weights as they were, where
//! [`super::structured`] looks at what earlier layers have left. What is left is checked before it is
//! given away: with the labels that the units had, nothing meets that was apart.

mod biases;
mod choose;
mod fit;
mod groups;
mod heads;
mod norms;
mod pairs;
mod pass;
mod plan;
mod project;
mod rank;
mod reader;
mod refit;
mod resume;
mod run;
mod score;
mod shortcut;
#[cfg(test)]
mod tests;
mod watch;

use serde::Serialize;

use crate::error::Result;
use crate::network::format::OnnxSource;
use crate::network::spaces::{Analysis, FrozenUnits, MappedOperator, OperatorGraph, Spaces};

pub use fit::SpaceRefit;
pub use run::prune_spaces;

/// What tells units of a space apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Importance {
    /// The sum of the sizes of the weights that compute a unit (Li et al., 2017).
    L1,
    /// The root of the sum of their squares.
    L2,
    /// Norm of what computes a unit times norm of what reads it, the same for every scaling of a unit.
    PathL2,
    /// The sum of distances to the other units (He et al., *Filter pruning via geometric median*, 2019).
    Fpgm,
    /// The size of the factor of the batch norm (Liu et al., *Network slimming*, 2017).
    NormScale,
    /// None: chance, from the stream `random-neurons/<space>` of the seed.
    Random,
    /// Greedy selection and joint least squares of what reads the units, see [`prune_spaces`]; sums of units where only sums lie
    /// between writers and readers, pairs of sums where two values are multiplied; [`Importance::PathL2`] where nothing reads
    /// them that a fit can be made for.
    SynthRefit,
}

impl Importance {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 7] =
        [Self::L1, Self::L2, Self::PathL2, Self::Fpgm, Self::NormScale, Self::Random, Self::SynthRefit];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::PathL2 => "path-l2",
            Self::Fpgm => "fpgm",
            Self::NormScale => "norm-scale",
            Self::Random => "random-neurons",
            Self::SynthRefit => "synth-refit",
        }
    }
}

/// Settings of a run.
#[derive(Debug, Clone)]
pub struct SpaceOptions {
    /// What tells units apart.
    pub importance: Importance,
    /// Share of the units of each space that stays, of those that are left where heads went first.
    pub keep: f64,
    /// Share of the heads of each attention that stays, if whole heads are to go.
    pub heads: Option<f64>,
    /// Whether `keep` is the share of the units of all spaces together, those with the least score for a parameter first.
    pub global: bool,
    /// Share of the units of a space that goes at most.
    pub max_ratio: f64,
    /// Steps in which units go, scores taken anew after each.
    pub steps: usize,
    /// Units that stay are a multiple of this, in spaces that are large enough.
    pub round_to: usize,
    /// Units of a space, or of each of its cells, that stay in any case.
    pub min_keep: usize,
    /// Whether spaces with several writers, such as residual trunks, keep all their units.
    pub leave_trunks: bool,
    /// Names of operators whose units stay.
    pub ignore: Vec<String>,
    /// Seed of [`Importance::Random`] and of what a refit draws.
    pub seed: u64,
    /// The ridge of a refit, in units of the mean diagonal of the covariance.
    pub ridge: f64,
    /// Whether the batch norms of both networks take their statistics from the inputs of a refit, for inputs that are made up.
    pub batch_statistics: bool,
}

impl Default for SpaceOptions {
    fn default() -> Self {
        Self {
            importance: Importance::L1,
            keep: 0.5,
            heads: None,
            global: false,
            max_ratio: 1.0,
            steps: 1,
            round_to: 1,
            min_keep: 1,
            leave_trunks: false,
            ignore: Vec::new(),
            seed: 0,
            ridge: 1e-3,
            batch_statistics: false,
        }
    }
}

/// What became of one space.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceOutcome {
    /// The first operator that writes its units.
    pub name: String,
    /// Further operators that write them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<String>,
    /// The operators that read them.
    pub readers: Vec<String>,
    /// Sets of units of which each keeps equally many, if there are several.
    pub cells: usize,
    /// Whether statistics are taken over the units, so that those that stay change.
    pub coupled: bool,
    /// Units before.
    pub before: usize,
    /// Units after.
    pub after: usize,
    /// What a refit did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit: Option<SpaceRefit>,
}

/// What became of the heads of an attention.
#[derive(Debug, Clone, Serialize)]
pub struct HeadOutcome {
    /// The first operator that writes them.
    pub name: String,
    /// Heads before, those that go together counted once.
    pub before: usize,
    /// Heads after.
    pub after: usize,
    /// What a refit did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit: Option<SpaceRefit>,
}

/// A smaller graph.
#[derive(Debug)]
pub struct SpaceRun {
    graph: OperatorGraph,
    /// Values that have another shape.
    changed: Vec<String>,
    /// What became of each space.
    pub spaces: Vec<SpaceOutcome>,
    /// What became of heads, where whole ones were to go.
    pub heads: Vec<HeadOutcome>,
    /// Units that stay, and why.
    pub frozen: Vec<FrozenUnits>,
    /// Elements of the weights before and after.
    pub parameters: [u64; 2],
    /// Operators that are carried along as they are, with the reason.
    pub carried: Vec<String>,
}

/// What can go from a model.
#[derive(Debug)]
pub struct FoundSpaces {
    /// The spaces, and the units that stay.
    pub spaces: Spaces,
    /// Operators that are carried along as they are, with the reason.
    pub carried: Vec<String>,
    /// The operators that compute values, with the spaces that they write and read.
    pub operators: Vec<MappedOperator>,
}

/// The spaces of a model.
///
/// # Errors
///
/// [`Error::Unsupported`](crate::Error::Unsupported) for inputs with axes of unknown length.
pub fn find_spaces(source: &OnnxSource) -> Result<FoundSpaces> {
    let graph = source.operators();
    let analysis = Analysis::run(graph, 1, true, None)?;
    let spaces = Spaces::of(graph, &analysis);
    let operators = spaces.map(graph, &analysis);
    Ok(FoundSpaces { spaces, carried: carried(graph, &analysis), operators })
}

fn carried(graph: &OperatorGraph, analysis: &Analysis<'_>) -> Vec<String> {
    let line = |carried: &crate::network::spaces::Carried| {
        let operator = &graph.operators[carried.operator];
        format!("`{}` ({}) stays as it is: {}", operator.name, operator.kind, carried.why.text())
    };
    analysis.carried.iter().map(line).collect()
}
