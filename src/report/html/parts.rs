//! What pages of several commands hold.

use super::super::grid::Grid;
use super::super::table::{bytes, grouped, percent};
use super::super::{Change, Declined, Memory, escaped};
use super::bars::{bar, lengths};
use super::table::table;
use super::text::{prose, sentence};
use crate::certify::PruneCertificate;
use crate::prune::{Accuracy, Timing};
use crate::train::TuningReport;

/// Paragraphs.
pub(super) fn paragraphs<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!("<p>{}</p>\n", prose(&sentence(text))))
        .collect()
}

fn list(class: &str, items: &[String]) -> String {
    let lines: String = items.iter().map(|item| format!("<li>{}</li>\n", prose(&sentence(item)))).collect();
    if lines.is_empty() { lines } else { format!("<ul class=\"{class}\">\n{lines}</ul>\n") }
}

/// A list of sentences.
pub(super) fn notes(items: &[String]) -> String {
    list("notes", items)
}

/// A list of what the reader should know.
pub(super) fn warnings(items: &[String]) -> String {
    list("notes warnings", items)
}

/// A picture with what it shows.
pub(super) fn picture(svg: &str, caption: &str) -> String {
    figure("chart", svg, caption)
}

/// Pictures side by side in one, with small letters.
pub(super) fn panes(svg: &str, caption: &str) -> String {
    figure("panes", svg, caption)
}

/// A drawing that keeps its size: it is moved under its frame.
pub(super) fn drawing(svg: &str, caption: &str) -> String {
    figure("drawing", svg, caption)
}

fn figure(class: &str, svg: &str, caption: &str) -> String {
    let caption = prose(caption);
    format!(
        "<figure class=\"{class}\">\n<div class=\"picture\" tabindex=\"0\">\n{svg}</div>\n<figcaption>{caption}</figcaption>\n</figure>\n"
    )
}

/// A number before and after, with a bar.
pub(super) struct Tile {
    name: String,
    /// One number, or what it was and what it became.
    values: Vec<String>,
    bar: String,
}

#[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
fn part(of: u64, whole: u64) -> f64 {
    of as f64 / whole.max(1) as f64
}

impl Tile {
    /// A number that became another one.
    pub(super) fn change(name: &str, change: Change, show: fn(u64) -> String) -> Self {
        let whole = change.before.max(change.after);
        let [before, after] = [change.before, change.after].map(|of| part(of, whole));
        let (from, to) = (show(change.before), show(change.after));
        Self { name: name.to_owned(), bar: bar(before, after, &format!("{to} of {from}")), values: vec![from, to] }
    }

    /// Bytes of files that became others.
    pub(super) fn file(change: Change) -> Self {
        Self::change("File", change, bytes)
    }

    /// Shares from 0 to 1.
    pub(super) fn shares(name: String, [before, after]: [f64; 2]) -> Self {
        let (from, to) = (percent(before), percent(after));
        Self { name, bar: bar(before, after, &format!("{to}, before {from}")), values: vec![from, to] }
    }

    /// One share.
    pub(super) fn share(name: String, share: f64) -> Self {
        Self { name, bar: bar(1.0, share, &percent(share)), values: vec![percent(share)] }
    }

    /// What was measured on data.
    pub(super) fn accuracy(accuracy: Option<&Accuracy>) -> Vec<Self> {
        let Some(accuracy) = accuracy else { return Vec::new() };
        let n = grouped(accuracy.n as u64);
        let top = |k: usize, shares: Option<[f64; 2]>| {
            shares.map(|shares| Self::shares(format!("Top-{k} accuracy, {n} samples"), shares))
        };
        let agreement = Self::share("The same class as before".to_owned(), accuracy.agreement);
        [top(1, accuracy.top1), top(5, accuracy.top5), Some(agreement)].into_iter().flatten().collect()
    }
}

/// Tiles side by side.
pub(super) fn tiles(tiles: &[Tile]) -> String {
    let one = |tile: &Tile| {
        let values: Vec<String> = tile.values.iter().map(|value| format!("<span>{}</span>", escaped(value))).collect();
        let (name, value, bar) = (escaped(&tile.name), values.join(" → "), &tile.bar);
        format!("<li><span class=\"name\">{name}</span><span class=\"value\">{value}</span>{bar}</li>\n")
    };
    format!("<ul class=\"tiles\">\n{}</ul>\n", tiles.iter().map(one).collect::<String>())
}

/// How a sentence on sizes goes on: what was measured.
pub(super) fn measured(accuracy: Option<&Accuracy>) -> String {
    let Some(accuracy) = accuracy else { return ". Accuracy was not measured: `--data` does that.".to_owned() };
    let n = grouped(accuracy.n as u64);
    match accuracy.top1 {
        Some([before, after]) if before.total_cmp(&after).is_eq() => {
            format!("; top-1 accuracy on {n} samples is {}, as before.", percent(after))
        }
        Some([before, after]) => {
            format!("; top-1 accuracy on {n} samples went from {} to {}.", percent(before), percent(after))
        }
        None => format!("; {} of {n} samples get the same class as before.", percent(accuracy.agreement)),
    }
}

/// Parameters before and after, as a part of a sentence.
pub(super) fn became(what: &str, change: Change) -> String {
    let (from, to) = (grouped(change.before), grouped(change.after));
    if change.after < change.before {
        format!("{from} {what} became {to} ({} less)", percent(1.0 - part(change.after, change.before)))
    } else {
        format!("{from} {what} became {to}")
    }
}

/// The share of something that is gone.
pub(super) fn gone(change: Change) -> f64 {
    1.0 - part(change.after, change.before)
}

/// Nodes whose units stay.
pub(super) fn declined(nodes: &[Declined]) -> String {
    notes(&nodes.iter().map(|node| format!("`{}` ({}): {}", node.name, node.op, node.reason)).collect::<Vec<_>>())
}

/// What is proved of the error, or why nothing is.
pub(super) fn certificate(found: Option<&PruneCertificate>, missing: Option<&str>) -> String {
    let Some(certificate) = found else { return paragraphs(missing) };
    let line = super::super::certify::prune_certificate_line(certificate);
    let mut html = paragraphs([format!("Proved, for every input and not for samples alone: {line}.").as_str()]);
    if !certificate.layers.is_empty() {
        html.push_str("<h3>Mean bounds of the error that a layer makes by itself</h3>\n");
        html.push_str(&table(&super::super::certify::bounds_grid(&certificate.layers), &[]));
    }
    if !certificate.left_out.is_empty() {
        let text =
            format!("Left out, as it would take long: {} (`--bounds` asks for it).", certificate.left_out.join(", "));
        html.push_str(&paragraphs([text.as_str()]));
    }
    html
}

/// Fine-tuning, epoch by epoch.
pub(super) fn tuning(report: Option<&TuningReport>) -> String {
    let Some(report) = report else { return String::new() };
    let text = super::super::tuning::tuning_text(report);
    paragraphs([text.as_str()]) + &table(&super::super::tuning::tuning_grid(report), &[])
}

/// Seconds by phase, parts of a phase after it, and memory.
pub(super) fn time(timing: &Timing, memory: Option<&Memory>) -> String {
    let phases: Vec<(&str, f64)> = timing.phases().collect();
    let rows = phases.iter().map(|(name, seconds)| vec![(*name).to_owned(), format!("{seconds:.3} s")]);
    let seconds: Vec<f64> = phases.iter().map(|(_, seconds)| *seconds).collect();
    let mut html = table(&Grid::new(["phase", "time"]).with(rows), &[("", lengths(&seconds))]);
    if let Some(peak) = memory.and_then(|memory| memory.peak_bytes) {
        html.push_str(&paragraphs([format!("Peak memory of the process: {}.", bytes(peak)).as_str()]));
    }
    html
}
