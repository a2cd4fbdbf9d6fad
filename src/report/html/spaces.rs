//! The page of `prune` where units of any graph go.

use super::super::SpaceReport;
use super::super::spaces::spaces_grid;
use super::super::table::{grouped, percent};
use super::bars::bars;
use super::page::Page;
use super::parts::{Tile, became, drawing, gone, measured, notes, paragraphs, tiles, time, tuning, warnings};
use super::table::table;
use super::text::{file_name, portion, share};
use crate::prune::spaces::SpaceOutcome;

/// The page of a run; `network` is a picture of the operators as they were, in the colours of their spaces.
#[must_use]
pub fn spaces_page(report: &SpaceReport, network: Option<&str>) -> Page {
    let gone_share = portion(gone(report.neurons));
    let of_what = if report.global || report.heads.is_empty() && uneven(report) {
        "of the units are gone, more in some spaces than in others"
    } else if report.heads.is_empty() {
        "of the units of every space are gone"
    } else {
        "of the units are gone, those of whole heads among them"
    };
    let sizes = became("parameters", report.parameters);
    let lead = format!("{gone_share} {of_what}: {sizes}{}", measured(report.accuracy.as_ref()));
    let mut page =
        Page::new(&report.heading, &format!("{}, pruned by {}", file_name(&report.model.input), report.method), &lead);
    page.about("Model", Some(&report.model.input));
    page.about("Written", Some(&report.files.join(", ")));
    page.about("Data", report.data.as_deref());
    let steps = if report.steps > 1 { format!(" in {} steps", report.steps) } else { String::new() };
    let together = if report.global { " of all units together" } else { "" };
    page.about("Asked for", Some(&format!("keep {}{together}{steps}, by `{}`", share(report.keep), report.method)));

    let mut sums = vec![
        Tile::change("Parameters", report.parameters, grouped),
        Tile::change("Units", report.neurons, grouped),
        Tile::file(report.file_bytes),
    ];
    sums.extend(Tile::accuracy(report.accuracy.as_ref()));
    page.section("Before and after", &tiles(&sums));
    page.section("What to know", &warnings(&report.warnings));
    page.section("By space", &by_space(report));
    let caption = "The operators before pruning, each in the colour of the space of units that it writes; the strip on a box has \
                   that of the space that it reads, and grey is what stays.";
    page.section("The network", &network.map_or_else(String::new, |svg| drawing(svg, caption)));
    let heads = report.heads.iter().map(|one| format!("`{}`: {} heads became {}", one.name, one.before, one.after));
    page.section("Heads", &notes(&heads.collect::<Vec<_>>()));
    let distilled = report.distilled.as_ref().map(ToString::to_string);
    page.section("Inputs of the refit", &paragraphs(distilled.as_deref()));
    page.section("Fine-tuning", &tuning(report.finetune.as_ref()));
    let frozen = report.frozen.iter().map(|one| format!("{} units of `{}`: {}", one.units, one.name, one.reason));
    let stays: Vec<String> = frozen.chain(report.carried.iter().cloned()).collect();
    page.section("What stays, and why", &notes(&stays));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}

/// Whether spaces lost other shares than the one that was asked for, by more than a unit.
fn uneven(report: &SpaceReport) -> bool {
    let wanted = report.neurons;
    #[expect(clippy::cast_precision_loss, reason = "numbers of units")]
    let off = |space: &SpaceOutcome| {
        let share = 1.0 - gone(wanted);
        (space.after as f64 - share * space.before as f64).abs() > 1.0
    };
    report.spaces.iter().any(off)
}

fn by_space(report: &SpaceReport) -> String {
    #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
    let pairs: Vec<[f64; 2]> = report.spaces.iter().map(|space| [space.before as f64, space.after as f64]).collect();
    let bars = bars(&pairs, |[before, after]| format!("{after} of {before} units"));
    let mut grid = spaces_grid(report);
    // Spaces have the numbers of the picture.
    grid.header.insert(0, "space".to_owned());
    grid.rows.iter_mut().enumerate().for_each(|(at, row)| row.insert(0, (at + 1).to_string()));
    if report.spaces.iter().any(|space| space.refit.is_some()) {
        let loss = |space: &SpaceOutcome| space.refit.map_or_else(String::new, |refit| percent(refit.loss));
        grid.header.push("unexplained".to_owned());
        grid.rows.iter_mut().zip(&report.spaces).for_each(|(row, space)| row.push(loss(space)));
    }
    let refitted = report.spaces.iter().any(|space| space.refit.is_some());
    let told = "Unexplained is the share of the variance of what readers compute that the refit leaves, on inputs that it has not \
                seen.";
    table(&grid, &[("units left", bars)]) + &paragraphs(refitted.then_some(told))
}
