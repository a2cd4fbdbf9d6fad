//! The page of `compare`.

use super::super::compare::compare_grid;
use super::super::table::{grouped, percent};
use super::super::{Change, CompareReport};
use super::page::Page;
use super::parts::{Tile, paragraphs, tiles, time, warnings};
use super::table::table;
use super::text::file_name;
use crate::certify::NetworkBound;
use crate::number::fixed;

/// The page of a comparison.
#[must_use]
pub fn compare_page(report: &CompareReport) -> Page {
    let comparison = &report.comparison;
    let [a, b] = &report.models;
    let mut page = Page::new(&report.heading, &format!("{} beside {}", file_name(b), file_name(a)), &lead(report));
    page.about("First model", Some(a));
    page.about("Second model", Some(b));
    page.about("Data", Some(&report.data));
    let n = grouped(comparison.samples as u64);
    let mut sums: Vec<Tile> = Vec::new();
    sums.extend(comparison.top1.map(|shares| Tile::shares(format!("Top-1 accuracy, {n} samples"), shares)));
    sums.push(Tile::share(format!("The same class, {n} samples"), comparison.agreement));
    sums.extend([Tile::file(report.file_bytes), Tile::change("Parameters", report.parameters, grouped)]);
    sums.extend(report.multiply_adds.map(|change| Tile::change("Multiply-adds for a sample", change, grouped)));
    for latency in &report.latency {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds of a run")]
        let [before, after] = latency.median.map(|seconds| (1e6 * seconds).round() as u64);
        let name = format!("Time for a batch of {}, median", latency.batch);
        sums.push(Tile::change(&name, Change { before, after }, |micros| format!("{} µs", grouped(micros))));
    }
    page.section("Side by side", &tiles(&sums));
    page.section("What to know", &warnings(&report.warnings));
    let mut grid = compare_grid(report);
    let names = report.models.each_ref().map(|model| file_name(model));
    if names[0] != names[1] {
        grid.header.iter_mut().skip(1).zip(names).for_each(|(header, name)| *header = name);
    }
    page.section("In numbers", &table(&grid, &[]));
    page.section("Proof", &paragraphs([proof(&report.certificate).as_str()]));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}

fn proof(bound: &NetworkBound) -> String {
    match bound {
        NetworkBound::Certified { radius, error, output } => format!(
            "No output differs by more than {error:.3e} on any input of norm up to {}; output {output} has the largest bound.",
            fixed(*radius, 3)
        ),
        NetworkBound::NotCertified { reason } => format!("Nothing is proved of the difference: {reason}."),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn lead(report: &CompareReport) -> String {
    let comparison = &report.comparison;
    let [a, b] = report.models.each_ref().map(|model| file_name(model));
    let ratio = report.file_bytes.before as f64 / report.file_bytes.after.max(1) as f64;
    let size = if ratio >= 1.005 {
        format!("its file is {ratio:.2} times smaller")
    } else if ratio <= 0.995 {
        format!("its file is {:.2} times larger", ratio.recip())
    } else {
        "its file is as large".to_owned()
    };
    let accuracy = comparison.top1.map_or_else(String::new, |[before, after]| {
        format!(", top-1 accuracy is {} where it was {}", percent(after), percent(before))
    });
    let speed = report.latency.first().map_or_else(String::new, |latency| {
        if latency.ratio >= 1.0 {
            format!(", and a batch of {} is {:.2} times as fast", latency.batch, latency.ratio)
        } else {
            format!(", and a batch of {} takes {:.2} times as long", latency.batch, latency.ratio.recip())
        }
    });
    format!(
        "`{b}` gives the same class as `{a}` on {} of {} samples{accuracy}; {size}{speed}.",
        percent(comparison.agreement),
        grouped(comparison.samples as u64)
    )
}
