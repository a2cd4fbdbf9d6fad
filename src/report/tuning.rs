//! Fine-tuning in tables.

use super::grid::Grid;
use super::table::percent;
use crate::number::fixed;
use crate::train::TuningReport;

/// What was trained, and one row per epoch, the first before any.
#[must_use]
pub fn tuning_table(report: &TuningReport) -> String {
    format!("{}\n{}", tuning_text(report), tuning_grid(report))
}

pub(super) fn tuning_text(report: &TuningReport) -> String {
    format!(
        "fine-tuned: {} by {}, batches of {} of {} samples",
        report.scope.name(),
        report.optimiser.name(),
        report.batch,
        report.training_samples
    )
}

pub(super) fn tuning_grid(report: &TuningReport) -> Grid {
    let before = vec!["0".to_owned(), String::new(), String::new(), percent(report.before)];
    let epochs = report.epochs.iter().map(|epoch| {
        let numbers = [epoch.epoch.to_string(), format!("{:.2e}", epoch.rate), fixed(epoch.loss, 4)];
        [numbers.to_vec(), vec![percent(epoch.held_out)]].concat()
    });
    let accuracy = format!("held-out accuracy (n = {})", report.held_out_samples);
    let header = ["epoch", "learning rate", "training loss", &accuracy];
    Grid::new(header).with(std::iter::once(before).chain(epochs))
}
