//! The page of `evaluate`.

use super::super::EvaluateReport;
use super::super::table::{accuracy_grid, grouped, percent};
use super::super::verification::logits_text;
use super::page::Page;
use super::parts::{Tile, paragraphs, tiles, time, warnings};
use super::table::table;
use super::text::file_name;

/// The page of an evaluation; `against` names the model that it was compared with, if it was.
#[must_use]
pub fn evaluate_page(report: &EvaluateReport, against: Option<&str>) -> Page {
    let accuracy = &report.accuracy;
    let n = grouped(accuracy.n as u64);
    let right = accuracy.top1.map(|[_, after]| format!("{} of {n} samples get their label", percent(after)));
    let alike = against
        .map(|other| format!("{} of {n} get the class that `{}` gives", percent(accuracy.agreement), file_name(other)));
    let said: Vec<String> = right.into_iter().chain(alike).collect();
    let lead = if said.is_empty() {
        format!("{n} samples ran through the model; there are no labels to judge it by.")
    } else {
        format!("{}.", said.join("; "))
    };
    let mut page = Page::new(&report.heading, &format!("{}, evaluated", file_name(&report.model.input)), &lead);
    page.about("Model", Some(&report.model.input));
    page.about("Against", against);
    page.about("Data", Some(&report.data));
    let top = |k: usize, values: Option<[f64; 2]>| {
        values.map(|[_, after]| Tile::share(format!("Top-{k} accuracy, {n} samples"), after))
    };
    let mut sums: Vec<Tile> = top(1, accuracy.top1).into_iter().chain(top(5, accuracy.top5)).collect();
    sums.extend(against.map(|_| Tile::share("The same class".to_owned(), accuracy.agreement)));
    page.section("Accuracy", &(tiles(&sums) + &table(&accuracy_grid(accuracy, against.is_some()), &[])));
    page.section("What to know", &warnings(&report.warnings));
    let check = report.verification.as_ref().map(logits_text);
    page.section("Beside the reference", &paragraphs(check.as_deref()));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}
