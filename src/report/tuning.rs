//! Fine-tuning in tables.

use super::table::{percent, rows_table};
use crate::number::fixed;
use crate::train::TuningReport;

/// One row per epoch, the first before any.
#[must_use]
pub fn tuning_table(report: &TuningReport) -> String {
    let before = vec!["0".to_owned(), String::new(), String::new(), percent(report.before)];
    let epochs = report.epochs.iter().map(|epoch| {
        let numbers = [epoch.epoch.to_string(), format!("{:.2e}", epoch.rate), fixed(epoch.loss, 4)];
        [numbers.to_vec(), vec![percent(epoch.held_out)]].concat()
    });
    let accuracy = format!("held-out accuracy (n = {})", report.held_out_samples);
    let header = ["epoch", "learning rate", "training loss", &accuracy];
    format!(
        "fine-tuned: {} by {}, batches of {} of {} samples\n{}",
        report.scope.name(),
        report.optimiser.name(),
        report.batch,
        report.training_samples,
        rows_table(&header, std::iter::once(before).chain(epochs))
    )
}
