//! The report of a structured run.

use serde::Serialize;

use super::table::{bytes, grouped, percent, table};
use super::{Change, Declined, Files, Heading, Memory};
use crate::network::Network;
use crate::prune::structured::{UnitLayer, Walked};
use crate::prune::{Accuracy, LogitCheck, Timing};

/// A quick certificate of a structured plan; `certify` finds tighter ones.
#[derive(Debug, Clone, Serialize)]
pub struct UnitCertificate {
    /// Norm of the inputs, that of the longest sample.
    pub radius: f64,
    /// No logit moves by more than this on any such input.
    pub error: f64,
}

/// The report of `prune` with a structured method.
#[derive(Debug, Clone, Serialize)]
pub struct UnitReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Name of the method.
    pub method: &'static str,
    /// The files.
    pub model: Files,
    /// What was done to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Elements of all tensors before and after, biases counted.
    pub parameters: Change,
    /// Units of the prunable layers before and after.
    pub neurons: Change,
    /// Bytes of the model file before and after.
    pub file_bytes: Change,
    /// Accuracy, if data were given.
    pub accuracy: Option<Accuracy>,
    /// The prunable layers.
    pub layers: Vec<UnitLayer>,
    /// What was not pruned, and why.
    pub declined: Vec<Declined>,
    /// The certified error on the ball that holds the data, if data were given and the network is a head from its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<UnitCertificate>,
    /// Deviation of logits from the reference before and after, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<[LogitCheck; 2]>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process in bytes, where the system tells it.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

impl UnitReport {
    /// Elements of all tensors before and after.
    #[must_use]
    pub fn parameters(before: &Network, after: &Network) -> Change {
        let count = |network: &Network| network.tensors().map(|tensor| tensor.len() as u64).sum();
        Change { before: count(before), after: count(after) }
    }

    /// Units of the prunable layers before and after.
    #[must_use]
    pub fn neurons(walked: &Walked) -> Change {
        let sum = |of: fn(&UnitLayer) -> usize| walked.layers.iter().map(|layer| of(layer) as u64).sum();
        Change { before: sum(|layer| layer.before), after: sum(|layer| layer.after) }
    }
}

/// Sizes and accuracy before and after, and the layers.
#[must_use]
pub fn units_table(report: &UnitReport) -> String {
    let mut sizes = table(&["", "before", "after"]);
    let mut row = |name: &str, change: Change, show: fn(u64) -> String| {
        sizes.add_row([name.to_owned(), show(change.before), show(change.after)]);
    };
    row("parameters", report.parameters, grouped);
    row("hidden neurons", report.neurons, grouped);
    row("file", report.file_bytes, bytes);
    if let Some(accuracy) = &report.accuracy {
        for (name, values) in [("top-1 accuracy", accuracy.top1), ("top-5 accuracy", accuracy.top5)] {
            if let Some([before, after]) = values {
                sizes.add_row([format!("{name} (n = {})", accuracy.n), percent(before), percent(after)]);
            }
        }
        sizes.add_row(["agreement".to_owned(), String::new(), percent(accuracy.agreement)]);
    }
    let refitted = report.layers.iter().any(|layer| layer.refit.is_some());
    let mut head = vec!["layer", "read by", "neurons", "kept"];
    head.extend(refitted.then_some("unexplained"));
    let mut layers = table(&head);
    for layer in &report.layers {
        let (before, after) = (layer.before as u64, layer.after as u64);
        let mut row = vec![layer.name.clone(), layer.next.clone(), grouped(before), grouped(after)];
        if refitted {
            // The share of the target's variance that the refit leaves.
            let share = layer.refit.as_ref().filter(|refit| refit.variance > 0.0);
            row.push(share.map_or_else(String::new, |refit| percent(refit.loss / refit.variance)));
        }
        layers.add_row(row);
    }
    format!("{sizes}\n{layers}")
}
