//! Tables for people.

use super::grid::Grid;
use super::{Change, LayerReport, PruneReport};
use crate::prune::sparse::SparseRefit;
use crate::prune::structured::Refit;
use crate::prune::{Accuracy, Curve};

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) fn bytes(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
    let size = number as f64;
    match number {
        0..10_000 => format!("{number} B"),
        10_000..10_000_000 => format!("{:.1} kB", size / 1e3),
        _ => format!("{:.1} MB", size / 1e6),
    }
}

/// The name of a row for the bytes of a file, which may have grown: metadata and wider layouts take some.
pub(super) fn file(change: Change) -> &'static str {
    if change.after > change.before { "file (grew)" } else { "file" }
}

/// The result of `prune`: sizes and accuracy before and after.
#[must_use]
pub fn prune_table(report: &PruneReport) -> String {
    prune_grid(report).to_string()
}

pub(super) fn prune_grid(report: &PruneReport) -> Grid {
    let mut table = Grid::new(["", "before", "after"]);
    let (of_head, of_all) = (&report.weights, &report.network_weights);
    let mut weights = |what: &str, rate: f64, before: u64, after: u64| {
        table.add_row([format!("{what} ({} removed)", percent(rate)), grouped(before), grouped(after)]);
    };
    if report.is_of_a_part() {
        weights("weights of the network", of_all.rate, of_all.before, of_all.after);
        weights("weights of the pruned layers", of_head.rate, of_head.before, of_head.after);
    } else {
        weights("weights", of_head.rate, of_head.before, of_head.after);
    }
    table.add_row(["hidden neurons".to_owned(), grouped(report.neurons.before), grouped(report.neurons.after)]);
    table.add_row([
        file(report.file_bytes).to_owned(),
        bytes(report.file_bytes.before),
        bytes(report.file_bytes.after),
    ]);
    if let Some(accuracy) = &report.accuracy {
        for (name, values) in [("top-1 accuracy", accuracy.top1), ("top-5 accuracy", accuracy.top5)] {
            if let Some([before, after]) = values {
                table.add_row([format!("{name} (n = {})", accuracy.n), percent(before), percent(after)]);
            }
        }
        table.add_row(["agreement".to_owned(), String::new(), percent(accuracy.agreement)]);
    }
    table
}

/// What refits of sparse layers leave unexplained of their targets.
#[must_use]
pub fn sparse_refits_table(refits: &[SparseRefit]) -> String {
    sparse_refits_grid(refits).to_string()
}

pub(super) fn sparse_refits_grid(refits: &[SparseRefit]) -> Grid {
    let mut table = Grid::new(["layer", "inputs unseen", "unexplained", "without refit"]);
    for layer in refits {
        let inputs = layer.inputs.to_string();
        table.add_row([layer.name.clone(), inputs, percent(layer.loss), percent(layer.without_refit)]);
    }
    table
}

/// The layers of a run.
#[must_use]
pub fn layers_table(layers: &[LayerReport]) -> String {
    layers_grid(layers).to_string()
}

pub(super) fn layers_grid(layers: &[LayerReport]) -> Grid {
    let mut table = Grid::new(["layer", "shape", "new shape", "weights kept", "rate", "constant", "unread"]);
    for layer in layers {
        #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
        let rate = 1.0 - layer.weights.after as f64 / layer.weights.before.max(1) as f64;
        let shape = |[rows, columns]: [usize; 2]| format!("{rows} x {columns}");
        table.add_row([
            layer.name.clone(),
            shape(layer.shape),
            shape(layer.new_shape),
            grouped(layer.weights.after),
            percent(rate),
            layer.constant.to_string(),
            layer.unread.to_string(),
        ]);
    }
    table
}

/// Accuracy of one network.
#[must_use]
pub fn accuracy_table(accuracy: &Accuracy, compared: bool) -> String {
    accuracy_grid(accuracy, compared).to_string()
}

pub(super) fn accuracy_grid(accuracy: &Accuracy, compared: bool) -> Grid {
    let mut table = Grid::new(["", "value"]);
    table.add_row(["samples".to_owned(), grouped(accuracy.n as u64)]);
    for (name, values) in [("top-1 accuracy", accuracy.top1), ("top-5 accuracy", accuracy.top5)] {
        if let Some([_, after]) = values {
            table.add_row([name.to_owned(), percent(after)]);
        }
    }
    if compared {
        table.add_row(["agreement".to_owned(), percent(accuracy.agreement)]);
    }
    table
}

/// Area under each curve, and accuracy at some of its rates (agreement where there are no labels).
#[must_use]
pub fn curves_table(curves: &[Curve]) -> String {
    curves_grid(curves).to_string()
}

pub(super) fn curves_grid(curves: &[Curve]) -> Grid {
    let rates: Vec<f64> =
        curves.first().map(|curve| curve.points.iter().map(|point| point.rate).collect()).unwrap_or_default();
    let shown: Vec<usize> = [0.0, 0.5, 0.8, 0.9, 0.95, 0.98]
        .iter()
        .filter_map(|wanted| rates.iter().position(|rate| (rate - wanted).abs() < 0.006))
        .collect();
    let refits = curves.iter().any(|curve| curve.refit != Refit::None);
    let mut header = vec!["method".to_owned()];
    header.extend(refits.then(|| "refit".to_owned()));
    header.extend(["seed".to_owned(), "AUC".to_owned()]);
    header.extend(shown.iter().map(|at| format!("at {:.0} %", rates[*at] * 100.0)));
    let mut table = Grid::new(header);
    for curve in curves {
        let auc = curve.auc.map_or_else(|| "-".to_owned(), |auc| format!("{:.2}", auc * 100.0));
        let mut row = vec![curve.method.name().to_owned()];
        row.extend(refits.then(|| curve.refit.name().to_owned()));
        row.extend([curve.seed.to_string(), auc]);
        for at in &shown {
            let point = curve.points.get(*at);
            row.push(
                point.map(|point| format!("{:.2}", point.top1.unwrap_or(point.agreement) * 100.0)).unwrap_or_default(),
            );
        }
        table.add_row(row);
    }
    table
}
