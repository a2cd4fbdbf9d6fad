//! Passes over a graph, one after the other: heads, then units in as many steps as are asked for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::pass::Passes;
use super::{HeadOutcome, Importance, SpaceOptions, SpaceOutcome, SpaceRun, biases, carried, heads, plan, score};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::{ModelFile, OnnxSource, Saved, save_operators};
use crate::network::spaces::{Analysis, OperatorGraph, Role, Space, Spaces, Unit};
use crate::prune::{Observer, Timing};

/// Takes units out of every space of a model. `inputs`, one row each, are what [`Importance::SynthRefit`] works on.
///
/// Heads go first, then units one by one from what is left, in steps: after step `i` of `n` the share `keep^(i/n)` of the units
/// is there, scores are taken anew from what each step has left. Spaces are taken in the order of the graph, and each is
/// refitted on what the earlier ones have left. `timing` gets the seconds of both networks (`prune/streams`), of the moments of
/// what readers see (`prune/moments`) and of choosing and solving (`prune/solve`), and a span for each space.
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
    timing: &mut Timing,
) -> Result<SpaceRun> {
    let original = source.operators();
    let fits = options.importance == Importance::SynthRefit;
    let graph = if fits { biases::with_biases(original)? } else { original.clone() };
    known(&graph, &options.ignore)?;
    let (found, carried) = {
        let analysis = Analysis::run(&graph, 1, true, None)?;
        (Spaces::of(&graph, &analysis), carried(&graph, &analysis))
    };
    if found.spaces.is_empty() {
        let first = found.frozen.first().map(|frozen| format!(": `{}` {}", frozen.name, frozen.reason));
        let problem = format!("no units can go from this network{}", first.unwrap_or_default());
        return Err(Error::Unsupported { problem });
    }
    let outcomes = found.spaces.iter().map(|space| outcome(&graph, space)).collect();
    let all = options.steps.max(1) + usize::from(options.heads.is_some());
    let mut passes = Passes { backend, source, inputs, options, observer, timing, done: 0, all };
    let mut work = Work { graph, found, outcomes, heads: Vec::new(), changed: BTreeSet::new() };
    if let Some(share) = options.heads {
        work.heads(&mut passes, share)?;
    }
    work.units(&mut passes)?;
    let smaller = if fits { biases::without_zeros(work.graph, original) } else { work.graph };
    Ok(SpaceRun {
        parameters: [original.parameters(), smaller.parameters()],
        carried,
        changed: work.changed.into_iter().collect(),
        graph: smaller,
        spaces: work.outcomes,
        heads: work.heads,
        frozen: work.found.frozen,
    })
}

/// A graph on its way through the passes.
struct Work {
    graph: OperatorGraph,
    /// What could go at first.
    found: Spaces,
    outcomes: Vec<SpaceOutcome>,
    heads: Vec<HeadOutcome>,
    /// Values that have another shape.
    changed: BTreeSet<String>,
}

impl Work {
    /// Takes heads out, so that `share` of them stays.
    fn heads<B: Backend>(&mut self, passes: &mut Passes<'_, B>, share: f64) -> Result<()> {
        let options = passes.options;
        let analysis = Analysis::of_heads(&self.graph)?;
        let (spaces, stay) = heads::head_spaces(&self.graph, &analysis)?;
        let keeps = plan::of_heads(&self.graph, (&spaces, &self.found.spaces), share, options);
        let score = |space: &Space, importance: Importance| {
            heads::head_scores(&self.graph, space, &self.found.spaces, importance, options.seed)
        };
        let passed = passes.pass((&self.graph, &analysis), &spaces, &keeps, &score)?;
        for (space, (went, refit)) in spaces.iter().zip(&passed.spaces) {
            let members = heads::Members::of(space);
            for (outcome, own) in self.outcomes.iter_mut().zip(&self.found.spaces) {
                let lost = |unit: &&Unit| members.head(own, unit).is_some_and(|head| went.contains(&head));
                outcome.after -= own.units.iter().filter(lost).count();
            }
            let before = space.units.len();
            let (name, after) = (space.name.clone(), before - went.len());
            self.heads.push(HeadOutcome { name, before, after, refit: *refit });
        }
        self.found.frozen.extend(stay);
        self.changed.extend(passed.changed);
        self.graph = passed.graph;
        Ok(())
    }

    /// Takes units out one by one, in steps.
    fn units<B: Backend>(&mut self, passes: &mut Passes<'_, B>) -> Result<()> {
        let options = passes.options;
        let mut first: Option<plan::First> = None;
        for step in 1..=options.steps.max(1) {
            let passed = {
                let analysis = Analysis::run(&self.graph, 1, true, None)?;
                let spaces = Spaces::of(&self.graph, &analysis).spaces;
                let first = first.get_or_insert_with(|| plan::First::of(&spaces));
                let share = share(options, step);
                let score =
                    |space: &Space, importance: Importance| score::scores(&self.graph, space, importance, options.seed);
                let keeps = plan::of_units(&self.graph, (&spaces, first), share, options, &score)?;
                let passed = passes.pass((&self.graph, &analysis), &spaces, &keeps, &score)?;
                for (space, (went, refit)) in spaces.iter().zip(&passed.spaces) {
                    first.lost(space, went.len());
                    let own = self.found.spaces.iter().position(|first| first.is_along(space));
                    if let Some(outcome) = own.and_then(|own| self.outcomes.get_mut(own)) {
                        outcome.after -= went.len();
                        outcome.refit = refit.or(outcome.refit);
                    }
                }
                passed
            };
            self.changed.extend(passed.changed);
            self.graph = passed.graph;
        }
        Ok(())
    }
}

/// The share that stays after a step: `keep^(step / steps)`, so that each takes the same share of what it finds.
fn share(options: &SpaceOptions, step: usize) -> f64 {
    if step >= options.steps {
        return options.keep;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of steps are small")]
    let part = step as f64 / options.steps as f64;
    options.keep.powf(part)
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
    /// What is left.
    pub(crate) fn graph(&self) -> &OperatorGraph {
        &self.graph
    }

    /// Exchanges what is left for the same with other weights.
    pub(crate) fn exchange(&mut self, graph: OperatorGraph) {
        self.graph = graph;
    }

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
