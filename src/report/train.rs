//! The report of `train`.

use serde::Serialize;

use super::grid::rows_table;
use super::table::{grouped, percent};
use super::{Heading, Memory};
use crate::number::{fixed, shortest};
use crate::prune::Timing;
use crate::train::{Ended, Initial, TrainReport};

/// The report of `train`.
#[derive(Debug, Clone, Serialize)]
pub struct TrainedReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The model whose weights were trained, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The layers of a new network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The model whose answers were learnt, if labels were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<String>,
    /// The model that was written.
    pub output: String,
    /// Weights and biases.
    pub parameters: u64,
    /// How weights began; as they were, if absent.
    pub initial: Option<Initial>,
    /// Where the samples come from, and what was done to them.
    pub data: String,
    /// What training did.
    pub training: TrainReport,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// Epochs that a table shows at most; of more it shows evenly spaced ones.
const SHOWN: usize = 12;

/// The text of a report, without its costs.
#[must_use]
pub fn train_text(report: &TrainedReport) -> String {
    let (training, options) = (&report.training, &report.training.options);
    let what = report.layout.as_ref().or(report.model.as_ref()).map_or("network", String::as_str);
    let began =
        report.initial.map_or_else(|| "its weights".to_owned(), |initial| format!("{} weights", initial.name()));
    let target =
        report.teacher.as_ref().map_or_else(|| "labels".to_owned(), |teacher| format!("the answers of {teacher}"));
    let head = format!(
        "{what}: {} parameters, {} of them trained from {began} to {target}\n{} at {} ({}), batches of {} of {} samples",
        grouped(report.parameters),
        grouped(training.trained),
        options.optimiser.name(),
        shortest(options.rate),
        options.schedule.name(),
        options.batch,
        grouped(training.training_samples as u64),
    );
    let count = training.epochs.len();
    let every = count.div_ceil(SHOWN).max(1);
    let shown = |at: usize, epoch: usize| {
        (at + 1).is_multiple_of(every) || at == 0 || at + 1 == count || epoch == training.chosen
    };
    let before = vec!["0".to_owned(), String::new(), String::new(), percent(training.before)];
    let epochs = training.epochs.iter().enumerate().filter(|(at, epoch)| shown(*at, epoch.epoch)).map(|(_, epoch)| {
        let rate = format!("{:.2e}", epoch.rate);
        vec![epoch.epoch.to_string(), rate, fixed(epoch.loss, 4), percent(epoch.held_out)]
    });
    let accuracy = format!("held-out accuracy (n = {})", training.held_out_samples);
    let header = ["epoch", "learning rate", "training loss", &accuracy];
    let table = rows_table(&header, std::iter::once(before).chain(epochs));
    let ended = match training.ended {
        Ended::Done => "",
        Ended::Early => ", ended early: the held-out accuracy no longer grew",
        Ended::Diverged => ", ended: the loss left the finite numbers; this is the state of the epoch before",
    };
    let resumed = match training.resumed {
        0 => String::new(),
        epochs => format!(", {epochs} epochs from the checkpoint"),
    };
    let (chosen, data) = (training.chosen, &report.data);
    let mut text = format!("{head}\n{table}\nstate of epoch {chosen}{resumed}{ended}; data: {data}");
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}
