//! The page of `prune` where weights go.

use super::super::table::{grouped, layers_grid, percent, sparse_refits_grid};
use super::super::verification::verification_text;
use super::super::{Change, LayerReport, PruneReport};
use super::bars::bar;
use super::page::Page;
use super::parts::{Tile, certificate, declined, measured, notes, tiles, time, tuning, warnings};
use super::table::table;
use super::text::{file_name, portion};
use crate::number::fixed;
use crate::prune::structured::Refit;

/// The page of a run.
#[must_use]
pub fn prune_page(report: &PruneReport) -> Page {
    let (weights, part) = (&report.weights, report.is_of_a_part());
    let lead = format!(
        "{} of the weights{} are zero: {} of {} stay{}",
        portion(weights.rate),
        if part { " of the layers that the method prunes" } else { "" },
        grouped(weights.after),
        grouped(weights.before),
        measured(report.accuracy.as_ref())
    );
    let mut page =
        Page::new(&report.heading, &format!("{}, pruned by {}", file_name(&report.model.input), report.method), &lead);
    page.about("Model", Some(&report.model.input));
    page.about("Written", Some(&report.files.join(", ")));
    page.about("Data", report.data.as_deref());
    let refit = if report.refit == Refit::None { String::new() } else { format!(", refit {}", report.refit.name()) };
    let prior = report.prior.map(|prior| format!(", prior {prior}")).unwrap_or_default();
    page.about("Method", Some(&format!("`{}`{refit}{prior}", report.method)));

    let name = if part { "Weights of the pruned layers" } else { "Weights" };
    let mut sums = vec![Tile::change(name, Change { before: weights.before, after: weights.after }, grouped)];
    if part {
        let all = &report.network_weights;
        let change = Change { before: all.before, after: all.after };
        sums.push(Tile::change("Weights of the network", change, grouped));
    }
    sums.extend([Tile::change("Hidden neurons", report.neurons, grouped), Tile::file(report.file_bytes)]);
    sums.extend(Tile::accuracy(report.accuracy.as_ref()));
    page.section("Before and after", &tiles(&sums));
    let zeros = "Zeros take as much room as other numbers, and no common runtime skips them: the file shrinks by the neurons alone of \
                 which nothing is left.";
    page.section("What to know", &(warnings(&report.warnings) + &notes(&[zeros.to_owned()])));
    #[expect(clippy::cast_precision_loss, reason = "a share of weights")]
    let left = |layer: &LayerReport| layer.weights.after as f64 / layer.weights.before.max(1) as f64;
    let bars = report.layers.iter().map(|layer| bar(1.0, left(layer), &percent(left(layer)))).collect();
    page.section("By layer", &table(&layers_grid(&report.layers), &[("weights left", bars)]));
    page.section("Refits", &table(&sparse_refits_grid(&report.refits), &[]));
    let blocks = report.alternation.iter().map(|block| {
        let [a, b] = &block.layers;
        format!(
            "`{a}`, `{b}`: lambda {}, {} rows removed, {} neurons at zero that the other order keeps",
            fixed(block.lambda, 6),
            block.removed_rows,
            block.killed_early
        )
    });
    page.section("Blocks", &notes(&blocks.collect::<Vec<_>>()));
    page.section("Proof", &certificate(report.certificate.as_ref(), None));
    page.section("Fine-tuning", &tuning(report.finetune.as_ref()));
    page.section("What stays, and why", &declined(&report.declined));
    let checks: Vec<String> = report
        .verification
        .iter()
        .flat_map(|found| verification_text(found).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    page.section("Beside the reference", &notes(&checks));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}
