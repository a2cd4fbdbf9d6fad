//! The report of a structured run.

use serde::Serialize;

use super::grid::Grid;
use super::table::{bytes, file, grouped, percent};
use super::{Change, Declined, Files, Heading, Memory};
use crate::certify::PruneCertificate;
use crate::network::Network;
use crate::prune::structured::{
    OutcomeCheck, Refit, Rivals, UnitCost, UnitLayer, UnitRun, UnitSummary, Walked, summaries,
};
use crate::prune::{Accuracy, LogitCheck, Timing};
use crate::train::TuningReport;

/// The report of `prune` with a structured method.
#[derive(Debug, Clone, Serialize)]
pub struct UnitReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Name of the method.
    pub method: &'static str,
    /// Why this method, where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// What followed it.
    pub refit: Refit,
    /// How the neurons that went were divided among the layers.
    pub allocation: &'static str,
    /// The certified error that was allowed, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_error: Option<f64>,
    /// The distribution of inputs that was assumed, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<&'static str>,
    /// The files.
    pub model: Files,
    /// Every file that was written: data beside the model, and shards, come before it.
    pub files: Vec<String>,
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
    /// Fine-tuning after pruning, if asked for; `accuracy` and `certificate` are those after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finetune: Option<TuningReport>,
    /// The prunable layers.
    pub layers: Vec<UnitLayer>,
    /// What was not pruned, and why.
    pub declined: Vec<Declined>,
    /// The certified error on a ball of inputs, if a radius or data were given and the layers follow one
    /// another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PruneCertificate>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertified: Option<String>,
    /// Deviation of logits from the reference before and after, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<[LogitCheck; 2]>,
    /// The network beside that of a run with the reference, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeCheck>,
    /// The network beside those of simpler methods, where refits rest on a prior.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rivals: Option<Rivals>,
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
    format!("{}\n{}", unit_sizes_grid(report), unit_layers_grid(report))
}

pub(super) fn unit_sizes_grid(report: &UnitReport) -> Grid {
    let mut sizes = Grid::new(["", "before", "after"]);
    let mut row = |name: &str, change: Change, show: fn(u64) -> String| {
        sizes.add_row([name.to_owned(), show(change.before), show(change.after)]);
    };
    row("parameters", report.parameters, grouped);
    row("hidden neurons", report.neurons, grouped);
    row(file(report.file_bytes), report.file_bytes, bytes);
    if let Some(accuracy) = &report.accuracy {
        for (name, values) in [("top-1 accuracy", accuracy.top1), ("top-5 accuracy", accuracy.top5)] {
            if let Some([before, after]) = values {
                sizes.add_row([format!("{name} (n = {})", accuracy.n), percent(before), percent(after)]);
            }
        }
        sizes.add_row(["agreement".to_owned(), String::new(), percent(accuracy.agreement)]);
    }
    sizes
}

pub(super) fn unit_layers_grid(report: &UnitReport) -> Grid {
    let refitted = report.layers.iter().any(|layer| layer.refit.is_some() || layer.loss.is_some());
    let mut head = vec!["layer", "read by", "neurons", "for free", "kept"];
    head.extend(refitted.then_some("unexplained"));
    let judged = report.layers.iter().any(|layer| layer.held_out.is_some());
    head.extend(judged.then_some("on inputs unseen"));
    let mut layers = Grid::new(head);
    for layer in &report.layers {
        let (before, after) = (layer.before as u64, layer.after as u64);
        let free = layer.lossless.total().to_string();
        let mut row = vec![layer.name.clone(), layer.next.clone(), grouped(before), free, grouped(after)];
        if refitted {
            // The share of the target's variance that the refit leaves.
            let share = layer.refit.as_ref().filter(|refit| refit.variance > 0.0);
            let share = layer.loss.or(share.map(|refit| refit.loss / refit.variance));
            row.push(share.map_or_else(String::new, percent));
        }
        if judged {
            row.push(layer.held_out.map_or_else(String::new, |held| percent(held.loss)));
        }
        layers.add_row(row);
    }
    layers
}

/// A run with the reference in a line.
#[must_use]
pub fn outcome_text(check: &OutcomeCheck) -> String {
    format!(
        "reference, run again: logits of {} samples differ by {:.2e} of their size (rms), {} allowed",
        check.samples, check.difference, check.tolerance
    )
}

/// Simpler methods beside this one, in a line.
#[must_use]
pub fn rivals_text(rivals: &Rivals) -> String {
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    let others: Vec<String> =
        rivals.others.iter().map(|other| format!("`{}` {}", other.method, share(other.agreement))).collect();
    let (inputs, own) = (rivals.inputs, share(rivals.agreement));
    format!(
        "agrees with the original on {own} of {inputs} synthetic inputs unseen; as many units by {}",
        others.join(", ")
    )
}

/// The report of `sweep --keep`.
#[derive(Debug, Clone, Serialize)]
pub struct UnitSweepReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The file.
    pub model: Files,
    /// What was done to the data.
    pub data: String,
    /// Accuracy of the network as it is.
    pub accuracy: Accuracy,
    /// Elements of all its tensors.
    pub parameters: u64,
    /// Its size.
    #[serde(flatten)]
    pub cost: UnitCost,
    /// Mean and spread over seeds.
    pub summaries: Vec<UnitSummary>,
    /// Every run.
    pub runs: Vec<UnitRun>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// One row per method and refit, one column per share of the neurons that stays: mean and spread in per cent.
#[must_use]
pub fn unit_runs_table(runs: &[UnitRun]) -> String {
    unit_runs_grid(runs).to_string()
}

pub(super) fn unit_runs_grid(runs: &[UnitRun]) -> Grid {
    let summaries = summaries(runs);
    let mut keeps: Vec<f64> = Vec::new();
    for one in &summaries {
        if !keeps.contains(&one.keep) {
            keeps.push(one.keep);
        }
    }
    let mut header = vec!["method".to_owned(), "refit".to_owned(), "seeds".to_owned()];
    header.extend(keeps.iter().map(|keep| format!("{} %", share(*keep))));
    let mut table = Grid::new(header);
    for group in summaries.chunk_by(|a, b| (a.method, a.refit) == (b.method, b.refit)) {
        let Some(first) = group.first() else { continue };
        let mut row = vec![first.method.name().to_owned(), first.refit.name().to_owned(), first.seeds.to_string()];
        row.extend(keeps.iter().map(|keep| {
            let one = group.iter().find(|one| one.keep.total_cmp(keep).is_eq());
            one.map_or_else(String::new, |one| match one.seeds {
                1 => format!("{:.1}", one.mean * 100.0),
                _ => format!("{:.1}±{:.1}", one.mean * 100.0, one.spread * 100.0),
            })
        }));
        table.add_row(row);
    }
    table
}

/// What the networks of a sweep cost, the original one first; one row for all runs at one share whose networks have the
/// same sizes.
#[must_use]
pub fn unit_costs_table(report: &UnitSweepReport) -> String {
    unit_costs_grid(report).to_string()
}

pub(super) fn unit_costs_grid(report: &UnitSweepReport) -> Grid {
    let timed = report.runs.iter().any(|run| run.cost.latency.is_some());
    let mut head = vec!["kept", "by", "parameters", "file", "multiply-adds"];
    head.extend(timed.then_some("times faster"));
    let mut table = Grid::new(head);
    let mut row = |kept: String, by: String, parameters: u64, cost: UnitCost, ratio: String| {
        let adds = cost.multiply_adds.map(grouped).unwrap_or_default();
        let mut row = vec![kept, by, grouped(parameters), grouped(cost.file_bytes) + " B", adds];
        row.extend(timed.then_some(ratio));
        table.add_row(row);
    };
    row("100 %".to_owned(), String::new(), report.parameters, report.cost, String::new());
    let mut left: Vec<&UnitRun> = report.runs.iter().collect();
    left.sort_by(|a, b| b.keep.total_cmp(&a.keep));
    // The names of methods in the file make bytes differ by a few between networks of the same shapes.
    let same = |a: &UnitRun, b: &UnitRun| {
        a.keep.total_cmp(&b.keep).is_eq()
            && (a.parameters, a.cost.multiply_adds) == (b.parameters, b.cost.multiply_adds)
    };
    while let Some(first) = left.first().copied() {
        let (group, others): (Vec<&UnitRun>, Vec<&UnitRun>) = left.into_iter().partition(|run| same(first, run));
        let at_share = report.runs.iter().filter(|run| run.keep.total_cmp(&first.keep).is_eq()).count();
        let mut names: Vec<&str> = group.iter().map(|run| run.method.name()).collect();
        names.dedup();
        let by = match names.as_slice() {
            _ if group.len() == at_share => "all".to_owned(),
            names if names.len() > 2 => "others".to_owned(),
            names => names.join(", "),
        };
        let mut ratios: Vec<f64> =
            group.iter().filter_map(|run| run.cost.latency).map(|latency| latency.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = match ratios.as_slice() {
            [] => String::new(),
            [one] => format!("{one:.2}"),
            [least, .., most] => format!("{:.2} ({least:.2} to {most:.2})", ratios[ratios.len() / 2]),
        };
        row(format!("{} %", share(first.keep)), by, first.parameters, first.cost, ratio);
        left = others;
    }
    table
}

/// A share in per cent; ten decimals hide what it in binary adds to its decimal form.
fn share(keep: f64) -> f64 {
    (keep * 1e12).round() / 1e10
}

/// One line per run, with the mean and the spread over the seeds of its method, refit and share.
#[must_use]
pub fn unit_runs_csv(runs: &[UnitRun]) -> String {
    let mut text = String::from(
        "method,refit,keep,seed,units,parameters,file_bytes,multiply_adds,latency_ratio,top1,agreement,mean,spread\n",
    );
    let summaries = summaries(runs);
    let same = |run: &UnitRun, one: &UnitSummary| {
        (run.method, run.refit) == (one.method, one.refit) && run.keep.total_cmp(&one.keep).is_eq()
    };
    for run in runs {
        let over = summaries.iter().find(|one| same(run, one));
        let over = over.map_or_else(|| ",".to_owned(), |one| format!("{:.6},{:.6}", one.mean, one.spread));
        let top1 = run.top1.map(|top1| format!("{top1:.6}")).unwrap_or_default();
        let (method, refit) = (run.method.name(), run.refit.name());
        let cost = run.cost;
        let adds = cost.multiply_adds.map(|adds| adds.to_string()).unwrap_or_default();
        let ratio = cost.latency.map(|latency| format!("{:.4}", latency.ratio)).unwrap_or_default();
        text.push_str(&format!(
            "{method},{refit},{},{},{},{},{},{adds},{ratio},{top1},{:.6},{over}\n",
            run.keep, run.seed, run.units, run.parameters, cost.file_bytes, run.agreement
        ));
    }
    text
}
