//! The report of `lottery`.

use serde::Serialize;

use super::grid::rows_table;
use super::table::percent;
use super::{Heading, Memory};
use crate::lottery::{LotteryOptions, Original, Spread, Start, Summary, Ticket};
use crate::prune::Timing;

/// The report of `lottery`.
#[derive(Debug, Clone, Serialize)]
pub struct LotteryReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Settings.
    pub options: LotteryOptions,
    /// Where the samples come from, and what was done to them.
    pub data: String,
    /// Samples that networks were trained on, and others on which accuracy is measured.
    pub samples: [usize; 2],
    /// The original networks.
    pub originals: Vec<Original>,
    /// Means over seeds.
    pub summaries: Vec<Summary>,
    /// Every network that was pruned and trained again.
    pub tickets: Vec<Ticket>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// The level of the tests of signs.
const LEVEL: f64 = 0.05;

/// The text of a report, without its costs.
#[must_use]
pub fn lottery_text(report: &LotteryReport) -> String {
    let options = &report.options;
    let accuracies = report.originals.iter().map(|original| original.accuracy);
    #[expect(clippy::cast_precision_loss, reason = "numbers of seeds")]
    let accuracy = accuracies.sum::<f64>() / report.originals.len().max(1) as f64;
    let masks = if options.iterative { "of the network before, start by start" } else { "of the original network" };
    let plain = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    let spread = |of: &Spread| match of.deviation {
        Some(deviation) => format!("{} +- {deviation:.3}", plain(of.mean)),
        None => plain(of.mean),
    };
    let share = |of: &Spread| of.mean.map_or_else(String::new, percent);
    let rows = report.summaries.iter().map(|summary| {
        let beside = summary
            .rewound
            .map_or_else(String::new, |rival| format!("{} : {}, p = {:.3}", rival.nearer, rival.farther, rival.p));
        let degenerate =
            if summary.degenerate > 0 { format!(" ({} points)", summary.degenerate) } else { String::new() };
        vec![
            format!("{:.0} %", 100.0 * summary.rate),
            summary.start.name().to_owned(),
            format!("{}{degenerate}", spread(&summary.orientation)),
            plain(summary.hausdorff.mean),
            plain(summary.boundary.mean),
            share(&summary.disagreement),
            share(&summary.kept_edges),
            share(&summary.accuracy),
            beside,
        ]
    });
    let header = [
        "gone",
        "start",
        "M1, orientation",
        "M2",
        "M3, boundary",
        "M4, differ",
        "M5, edges",
        "accuracy",
        "rewound nearer",
    ];
    let mut text = format!(
        "{} hidden neurons, {} seeds from {}: held-out accuracy {}; the smallest weights {masks} go\n{}\n{}",
        options.hidden,
        report.originals.len(),
        report.heading.seed,
        percent(accuracy),
        rows_table(&header, rows),
        findings(&report.summaries),
    );
    text.push_str(&format!("\ndata: {}", report.data));
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}

/// For how many rates the claim holds, of each other start.
fn findings(summaries: &[Summary]) -> String {
    let lines = Start::ALL.into_iter().skip(1).map(|start| {
        let (mut kept, mut against, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for summary in summaries.iter().filter(|summary| summary.start == start) {
            let Some(rival) = summary.rewound else { continue };
            let side = match rival.p < LEVEL {
                true if rival.nearer > rival.farther => &mut kept,
                true => &mut against,
                false => &mut open,
            };
            side.push(format!("{:.0}", 100.0 * summary.rate));
        }
        let list = |rates: &[String]| if rates.is_empty() { "none".to_owned() } else { format!("{} %", rates.join(", ")) };
        format!(
            "rewound keeps the orientation better than {}: at {}; worse: at {}; no difference at the level of 5 %: at {}",
            start.name(),
            list(&kept),
            list(&against),
            list(&open)
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
