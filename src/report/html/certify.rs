//! The page of `certify`.

use super::super::CertifyReport;
use super::super::certify::{bounds_grid, labels_grid, number, outputs_grid};
use super::super::grid::Grid;
use super::bars::bars;
use super::page::Page;
use super::parts::{paragraphs, time, warnings};
use super::table::table;
use super::text::file_name;
use crate::number::fixed;

/// The page of a certificate.
#[must_use]
pub fn certify_page(report: &CertifyReport) -> Page {
    let certificate = &report.certificate;
    let largest = certificate.largest();
    let from = if report.radius_from == "data" { ", the longest sample" } else { "" };
    let found = if largest.lower > 0.0 {
        format!(" A search found an input where one differs by {}.", number(largest.lower))
    } else {
        String::new()
    };
    let lead = format!(
        "No output differs by more than {} on any input of norm up to {}{from}: that is proved.{found}",
        number(largest.upper),
        fixed(certificate.radius, 4)
    );
    let (original, compressed) = (&report.model.original, &report.model.compressed);
    let mut page =
        Page::new(&report.heading, &format!("{} against {}", file_name(compressed), file_name(original)), &lead);
    page.about("Original", Some(original));
    page.about("Compressed", Some(compressed));
    page.about("Data", report.data.as_deref());
    page.section("What to know", &warnings(&report.warnings));
    let pairs: Vec<[f64; 2]> = certificate.outputs.iter().map(|one| [one.error.upper, one.error.lower]).collect();
    let bars = bars(&pairs, |[upper, lower]| format!("found {}, proved {}", number(lower), number(upper)));
    let told = "The difference of an output lies between what was found and what is proved.";
    page.section("By output", &(table(&outputs_grid(certificate), &[("found in proved", bars)]) + &paragraphs([told])));
    let told = "Mean bounds of the error that a layer makes by itself.";
    let layers = table(&bounds_grid(&certificate.layers), &[]);
    page.section("By layer", &if layers.is_empty() { layers } else { layers + &paragraphs([told]) });
    if let Some(labels) = &certificate.labels {
        let outside = format!("{} samples lie outside the ball: nothing is certified of them.", labels.outside);
        let outside = (labels.outside > 0).then_some(outside.as_str());
        page.section("Classes of the samples", &(table(&labels_grid(labels), &[]) + &paragraphs(outside)));
    }
    let rows = report.layer_timing.iter().map(|(name, seconds)| vec![name.clone(), format!("{seconds:.3} s")]);
    let bounds = table(&Grid::new(["bounds of", "time"]).with(rows), &[]);
    page.section("Time", &(time(&report.timing, Some(&report.memory)) + &bounds));
    page
}
