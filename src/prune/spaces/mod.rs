//! Pruning of any graph of operators: units of every space go, whatever lies between the layers.
//!
//! Scores are made of the weights around a unit, so that they hold for every activation: of the weights as they were, where
//! [`super::structured`] looks at what earlier layers have left. What is left is checked before it is
//! given away: with the labels that the units had, nothing meets that was apart.

mod biases;
mod choose;
mod heads;
mod pass;
mod reader;
mod refit;
mod score;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use serde::Serialize;

use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::{ModelFile, OnnxSource, Saved, save_operators};
use crate::network::spaces::{Analysis, FrozenUnits, OperatorGraph, Role, Space, Spaces, Unit, UnitPart};
use crate::prune::Observer;
use pass::Passes;

pub use refit::SpaceRefit;

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
    /// Greedy selection and joint least squares of what reads the units, see [`prune_spaces`]; [`Importance::PathL2`] where
    /// nothing reads them that a fit can be made for.
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
}

impl Default for SpaceOptions {
    fn default() -> Self {
        Self {
            importance: Importance::L1,
            keep: 0.5,
            heads: None,
            round_to: 1,
            min_keep: 1,
            leave_trunks: false,
            ignore: Vec::new(),
            seed: 0,
            ridge: 1e-3,
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
}

/// The spaces of a model.
///
/// # Errors
///
/// [`Error::Unsupported`] for inputs with axes of unknown length.
pub fn find_spaces(source: &OnnxSource) -> Result<FoundSpaces> {
    let graph = source.operators();
    let analysis = Analysis::run(graph, 1, true, None)?;
    Ok(FoundSpaces { spaces: Spaces::of(graph, &analysis), carried: carried(graph, &analysis) })
}

fn carried(graph: &OperatorGraph, analysis: &Analysis<'_>) -> Vec<String> {
    let line = |carried: &crate::network::spaces::Carried| {
        let operator = &graph.operators[carried.operator];
        format!("`{}` ({}) stays as it is: {}", operator.name, operator.kind, carried.why.text())
    };
    analysis.carried.iter().map(line).collect()
}

/// Takes units out of every space of a model. `inputs`, one row each, are what [`Importance::SynthRefit`] works on.
///
/// Heads go first, then units one by one from what is left. Spaces are taken in the order of the graph, and each is refitted on
/// what the earlier ones have left.
///
/// # Errors
///
/// [`Error::Unsupported`] if no space has a unit to spare, no head can go where heads are to, a size cannot be written, or a
/// refit is asked for of a model that does not run; [`Error::Argument`] for a name in `ignore` that is none;
/// [`Error::Internal`] if what is left does not fit together.
pub fn prune_spaces<B: Backend>(
    backend: &B,
    source: &OnnxSource,
    inputs: Option<&dyn RowSource>,
    options: &SpaceOptions,
    observer: &dyn Observer,
) -> Result<SpaceRun> {
    let original = source.operators();
    let fits = options.importance == Importance::SynthRefit;
    let mut graph = if fits { biases::with_biases(original)? } else { original.clone() };
    known(&graph, &options.ignore)?;
    let (mut found, carried) = {
        let analysis = Analysis::run(&graph, 1, true, None)?;
        (Spaces::of(&graph, &analysis), carried(&graph, &analysis))
    };
    if found.spaces.is_empty() {
        let first = found.frozen.first().map(|frozen| format!(": `{}` {}", frozen.name, frozen.reason));
        let problem = format!("no units can go from this network{}", first.unwrap_or_default());
        return Err(Error::Unsupported { problem });
    }
    let mut outcomes: Vec<SpaceOutcome> = found.spaces.iter().map(|space| outcome(&graph, space)).collect();
    let all = 1 + usize::from(options.heads.is_some());
    let mut passes = Passes { backend, source, inputs, options, observer, done: 0, all };
    let (mut changed, mut heads) = (BTreeSet::new(), Vec::new());
    if let Some(share) = options.heads {
        let passed = {
            let analysis = Analysis::of_heads(&graph)?;
            let (spaces, stay) = heads::head_spaces(&graph, &analysis)?;
            found.frozen.extend(stay);
            let plain = SpaceOptions { round_to: 1, min_keep: 1, ..SpaceOptions::default() };
            let keep =
                |space: &Space| choose::keeps(space, if left(&graph, space, options) { 1.0 } else { share }, &plain);
            let keeps: Vec<Vec<usize>> = spaces.iter().map(keep).collect();
            let score = |space: &Space, importance: Importance| {
                heads::head_scores(&graph, space, &found.spaces, importance, options.seed)
            };
            let passed = passes.pass((&graph, &analysis), &spaces, &keeps, &score)?;
            for (space, (went, refit)) in spaces.iter().zip(&passed.spaces) {
                let members = heads::Members::of(space);
                for (outcome, own) in outcomes.iter_mut().zip(&found.spaces) {
                    let lost = |unit: &&Unit| members.head(own, unit).is_some_and(|head| went.contains(&head));
                    outcome.after -= own.units.iter().filter(lost).count();
                }
                let before = space.units.len();
                heads.push(HeadOutcome { name: space.name.clone(), before, after: before - went.len(), refit: *refit });
            }
            passed
        };
        changed.extend(passed.changed);
        graph = passed.graph;
    }
    let passed = {
        let analysis = Analysis::run(&graph, 1, true, None)?;
        let spaces = Spaces::of(&graph, &analysis).spaces;
        let keep = |space: &Space| {
            choose::keeps(space, if left(&graph, space, options) { 1.0 } else { options.keep }, options)
        };
        let keeps: Vec<Vec<usize>> = spaces.iter().map(keep).collect();
        let score = |space: &Space, importance: Importance| score::scores(&graph, space, importance, options.seed);
        let passed = passes.pass((&graph, &analysis), &spaces, &keeps, &score)?;
        for (space, (went, refit)) in spaces.iter().zip(&passed.spaces) {
            let own = found.spaces.iter().position(|first| same(first, space));
            if let Some(outcome) = own.and_then(|own| outcomes.get_mut(own)) {
                outcome.after -= went.len();
                outcome.refit = refit.or(outcome.refit);
            }
        }
        passed
    };
    changed.extend(passed.changed);
    let smaller = if fits { biases::without_zeros(passed.graph, original) } else { passed.graph };
    let parameters = [original.parameters(), smaller.parameters()];
    let changed = changed.into_iter().collect();
    Ok(SpaceRun { parameters, carried, changed, graph: smaller, spaces: outcomes, heads, frozen: found.frozen })
}

/// Whether a space keeps all its units.
fn left(graph: &OperatorGraph, space: &Space, options: &SpaceOptions) -> bool {
    let ignored = space.parts.iter().any(|part| options.ignore.contains(&graph.operators[part.operator].name));
    ignored || (options.leave_trunks && space.is_trunk())
}

/// Whether two spaces lie along the same axes, one of them in a graph that has become smaller.
fn same(a: &Space, b: &Space) -> bool {
    let axis = |part: &UnitPart| (part.operator, part.input, part.axis);
    a.parts.iter().map(axis).eq(b.parts.iter().map(axis))
}

fn outcome(graph: &OperatorGraph, space: &Space) -> SpaceOutcome {
    let names = |role: Role| -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (_, part) in space.of_role(role) {
            let name = &graph.operators[part.operator].name;
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    };
    let mut tied = names(Role::Writer);
    tied.retain(|name| *name != space.name);
    SpaceOutcome {
        name: space.name.clone(),
        tied,
        readers: names(Role::Reader),
        cells: space.cells.len(),
        coupled: space.coupled,
        before: space.units.len(),
        after: space.units.len(),
        refit: None,
    }
}

impl SpaceRun {
    /// Writes the smaller graph in place of that of `model`, which it came from.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if `output` is not named as an ONNX file, and those of
    /// [`save`](crate::network::format::save).
    pub fn save(
        &self,
        model: &ModelFile,
        output: &Path,
        force: bool,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Saved> {
        let changed: HashSet<&str> = self.changed.iter().map(String::as_str).collect();
        save_operators(model, (&self.graph, &changed), output, force, metadata)
    }
}

fn known(graph: &OperatorGraph, names: &[String]) -> Result<()> {
    match names.iter().find(|name| graph.operators.iter().all(|operator| operator.name != **name)) {
        Some(name) => {
            let problem = format!("there is no operator `{name}`; `tropix inspect` names them");
            Err(Error::Argument { argument: "ignore", problem })
        }
        None => Ok(()),
    }
}
