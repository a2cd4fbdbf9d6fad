//! The report of `compare`.

use serde::Serialize;

use super::grid::Grid;
use super::table::percent;
use super::{Change, Heading, Memory};
use crate::certify::NetworkBound;
use crate::number::fixed;
use crate::prune::{Comparison, Latency, Timing};

/// Two networks side by side.
#[derive(Debug, Clone, Serialize)]
pub struct CompareReport {
    /// What every report begins with; the device is the CPU that ran both.
    #[serde(flatten)]
    pub heading: Heading,
    /// The two files.
    pub models: [String; 2],
    /// What was done to the data.
    pub data: String,
    /// Accuracy, agreement and difference of outputs.
    pub comparison: Comparison,
    /// How far outputs can be apart on the ball that holds the data, or why nothing is proved of it.
    pub certificate: NetworkBound,
    /// Bytes of the files.
    pub file_bytes: Change,
    /// Elements of all tensors.
    pub parameters: Change,
    /// Multiply-adds for one sample, where all shapes are known.
    pub multiply_adds: Option<Change>,
    /// Measured, so it changes from run to run.
    pub latency: Vec<Latency>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// The table of a comparison.
#[must_use]
pub fn compare_table(report: &CompareReport) -> String {
    compare_grid(report).to_string()
}

pub(super) fn compare_grid(report: &CompareReport) -> Grid {
    let mut rows = Vec::new();
    let mut row = |name: String, a: String, b: String, note: String| rows.push(vec![name, a, b, note]);
    let comparison = &report.comparison;
    if let Some([a, b]) = comparison.top1 {
        let name = format!("top-1 accuracy (n = {})", comparison.samples);
        row(name, percent(a), percent(b), String::new());
    }
    row("agreement".to_owned(), String::new(), percent(comparison.agreement), String::new());
    let (largest, mean) = (comparison.difference, comparison.mean_difference);
    let place = format!("sample {}, output {}; mean {mean:.3e}", largest.sample, largest.output);
    row("largest difference of an output".to_owned(), String::new(), format!("{:.3e}", largest.value), place);
    match &report.certificate {
        NetworkBound::Certified { radius, error, output } => {
            let place = format!("output {output}, inputs of norm up to {}", fixed(*radius, 3));
            row("certified: no difference beyond".to_owned(), String::new(), format!("{error:.3e}"), place);
        }
        NetworkBound::NotCertified { reason } => {
            row("certified".to_owned(), String::new(), "no".to_owned(), reason.clone());
        }
    }
    let mut change = |name: &str, change: Change| {
        row(name.to_owned(), change.before.to_string(), change.after.to_string(), times(change.before, change.after));
    };
    change("file (bytes)", report.file_bytes);
    change("parameters", report.parameters);
    if let Some(cost) = report.multiply_adds {
        change("multiply-adds", cost);
    }
    for latency in &report.latency {
        let milliseconds = |at: usize| format!("{:.3} +- {:.3} ms", 1e3 * latency.median[at], 1e3 * latency.spread[at]);
        let name = format!("latency, batch of {}", latency.batch);
        row(name, milliseconds(0), milliseconds(1), format!("{:.2} x faster", latency.ratio));
    }
    let [a, b] = report.models.each_ref().map(String::as_str);
    Grid::new(["", a, b, ""]).with(rows.into_iter())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn times(before: u64, after: u64) -> String {
    if after > before && before > 0 {
        return format!("grew, {:.2} x larger", after as f64 / before as f64);
    }
    if after == 0 { String::new() } else { format!("{:.2} x smaller", before as f64 / after as f64) }
}
