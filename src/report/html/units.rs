//! The page of `prune` with a structured method.

use super::super::UnitReport;
use super::super::table::grouped;
use super::super::units::{outcome_text, rivals_text, unit_layers_grid};
use super::super::verification::logits_text;
use super::bars::bars;
use super::page::Page;
use super::parts::{
    Tile, became, certificate, declined, gone, measured, notes, paragraphs, tiles, time, tuning, warnings,
};
use super::table::table;
use super::text::{file_name, portion};
use crate::prune::structured::Refit;

/// The page of a run.
#[must_use]
pub fn units_page(report: &UnitReport) -> Page {
    let lead = format!(
        "{} of the hidden neurons and channels are gone: {}{}",
        portion(gone(report.neurons)),
        became("parameters", report.parameters),
        measured(report.accuracy.as_ref())
    );
    let mut page =
        Page::new(&report.heading, &format!("{}, pruned by {}", file_name(&report.model.input), report.method), &lead);
    page.about("Model", Some(&report.model.input));
    page.about("Written", Some(&report.files.join(", ")));
    page.about("Data", report.data.as_deref());
    let refit = if report.refit == Refit::None { String::new() } else { format!(", refit {}", report.refit.name()) };
    let prior = report.prior.map(|prior| format!(", prior {prior}")).unwrap_or_default();
    let allocated =
        if report.allocation == "uniform" { String::new() } else { format!(", allocated by {}", report.allocation) };
    page.about("Method", Some(&format!("`{}`{refit}{prior}{allocated}", report.method)));
    page.about("Why this one", report.why);
    let most = report.max_error.map(|error| format!("no logit moves by more than {error}, proved"));
    page.about("Asked for", most.as_deref());

    let mut sums = vec![
        Tile::change("Parameters", report.parameters, grouped),
        Tile::change("Hidden neurons and channels", report.neurons, grouped),
        Tile::file(report.file_bytes),
    ];
    sums.extend(Tile::accuracy(report.accuracy.as_ref()));
    page.section("Before and after", &tiles(&sums));
    page.section("What to know", &warnings(&report.warnings));
    #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
    let pairs: Vec<[f64; 2]> = report.layers.iter().map(|layer| [layer.before as f64, layer.after as f64]).collect();
    let bars = bars(&pairs, |[before, after]| format!("{after} of {before}"));
    page.section("By layer", &table(&unit_layers_grid(report), &[("neurons left", bars)]));
    page.section("Proof", &certificate(report.certificate.as_ref(), report.uncertified.as_deref()));
    let rivals = report.rivals.as_ref().map(rivals_text);
    page.section("Beside simpler methods", &paragraphs(rivals.as_deref()));
    page.section("Fine-tuning", &tuning(report.finetune.as_ref()));
    page.section("What stays, and why", &declined(&report.declined));
    let checks = report.verification.iter().flat_map(|[before, after]| {
        [format!("before: {}", logits_text(before)), format!("after: {}", logits_text(after))]
    });
    let checks: Vec<String> = checks.chain(report.outcome.as_ref().map(outcome_text)).collect();
    page.section("Beside the reference", &notes(&checks));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}
