//! The report of a run on the graph of operators.

use std::fmt;

use serde::Serialize;

use super::grid::Grid;
use super::table::{bytes, grouped, percent};
use super::{Change, Files, Heading, Memory};
use crate::network::spaces::FrozenUnits;
use crate::prune::spaces::{HeadOutcome, SpaceOutcome, SpaceRun};
use crate::prune::synth::{DistilOptions, Distilled};
use crate::prune::{Accuracy, Timing};
use crate::train::TuningReport;

/// The report of `prune` where units of any graph go.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Name of the method.
    pub method: &'static str,
    /// The share of units that was to stay.
    pub keep: f64,
    /// Whether that was the share of all units together.
    pub global: bool,
    /// Steps in which they went.
    pub steps: usize,
    /// The files.
    pub model: Files,
    /// Every file that was written.
    pub files: Vec<String>,
    /// Elements of all weights before and after.
    pub parameters: Change,
    /// Units before and after.
    pub neurons: Change,
    /// Bytes of the model's files before and after.
    pub file_bytes: Change,
    /// Accuracy, if data were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    /// What was done to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The spaces.
    pub spaces: Vec<SpaceOutcome>,
    /// Heads that went whole, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadOutcome>,
    /// The inputs of the refit, where they were distilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distilled: Option<DistilReport>,
    /// What fine-tuning did, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finetune: Option<TuningReport>,
    /// Units that stay, and why.
    pub frozen: Vec<FrozenUnits>,
    /// Operators that are carried along as they are.
    pub carried: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Memory.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// Inputs that were distilled.
#[derive(Debug, Clone, Serialize)]
pub struct DistilReport {
    /// How many.
    pub inputs: usize,
    /// Gradient steps.
    pub steps: u32,
    /// Batch norms whose statistics they were moved to.
    pub norms: usize,
    /// The loss before the first and before the last step.
    pub loss: [f64; 2],
}

impl DistilReport {
    /// What became of inputs.
    #[must_use]
    pub fn of(distilled: &Distilled, options: &DistilOptions) -> Self {
        let Distilled { inputs, norms, loss } = distilled;
        Self { inputs: inputs.nrows(), steps: options.steps, norms: *norms, loss: *loss }
    }
}

impl fmt::Display for DistilReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.loss;
        let Self { inputs, steps, norms, .. } = self;
        write!(out, "{inputs} inputs distilled in {steps} steps to {norms} batch norms: loss {before:.3} -> {after:.3}")
    }
}

impl SpaceReport {
    /// Parameters and units of a run.
    #[must_use]
    pub fn changes(run: &SpaceRun) -> [Change; 2] {
        let [before, after] = run.parameters;
        let sum = |of: fn(&SpaceOutcome) -> usize| run.spaces.iter().map(|space| of(space) as u64).sum();
        [Change { before, after }, Change { before: sum(|space| space.before), after: sum(|space| space.after) }]
    }
}

pub(super) fn spaces_grid(report: &SpaceReport) -> Grid {
    let row = |space: &SpaceOutcome| {
        let units = if space.cells > 1 {
            format!("{} in {} sets", space.before, space.cells)
        } else {
            space.before.to_string()
        };
        let more = |names: &[String]| match names {
            [] => String::new(),
            [one] => one.clone(),
            [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        };
        vec![space.name.clone(), more(&space.tied), units, space.after.to_string(), more(&space.readers)]
    };
    Grid::new(["units of", "tied to", "before", "after", "read by"]).with(report.spaces.iter().map(row))
}

/// The spaces as a table, and what went in all.
#[must_use]
pub fn spaces_table(report: &SpaceReport) -> String {
    let mut text = spaces_grid(report).to_string();
    let line = |name: &str, change: &Change, write: fn(u64) -> String| {
        #[expect(clippy::cast_precision_loss, reason = "a share to show")]
        let gone = 1.0 - change.after as f64 / change.before.max(1) as f64;
        format!("\n{name}: {} -> {} ({} less)", write(change.before), write(change.after), percent(gone))
    };
    text.push_str(&line("units", &report.neurons, grouped));
    text.push_str(&line("parameters", &report.parameters, grouped));
    text.push_str(&line("file", &report.file_bytes, bytes));
    text
}
