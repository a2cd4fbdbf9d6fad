//! The page of `inspect`.

use super::super::InspectReport;
use super::super::grid::Grid;
use super::super::inspect::{InspectedSpace, nodes_grid};
use super::super::table::grouped;
use super::bars::lengths;
use super::page::Page;
use super::parts::{declined, drawing, notes, warnings};
use super::table::table;
use super::text::file_name;

/// The page of a model; `network` is a picture of its operators, if it is a graph of them.
#[must_use]
pub fn inspect_page(report: &InspectReport, network: Option<&str>) -> Page {
    let mut page = Page::new(&report.heading, &file_name(&report.model.input), &lead(report));
    page.about("Model", Some(&report.model.input));
    let shape: Vec<String> = report.input.iter().map(ToString::to_string).collect();
    page.about("Shape of a sample", Some(&shape.join(" x ")));
    page.section("What to know", &warnings(&report.warnings));
    let caption = "Operators from top to bottom, each in the colour of the space of units that it writes; the strip on a box has \
                   that of the space that it reads, and grey is what stays. The title of a box tells more.";
    page.section("The network", &network.map_or_else(String::new, |svg| drawing(svg, caption)));
    page.section("What can go: spaces of units", &spaces(&report.spaces));
    page.section("What can go: layers", &blocks(report));
    let frozen = report.frozen.iter().map(|one| format!("{} units of `{}`: {}", one.units, one.name, one.reason));
    let stays: Vec<String> = frozen.chain(report.carried.iter().cloned()).collect();
    page.section("What stays, and why", &(notes(&stays) + &declined_layers(report)));
    // A graph of operators alone is one node.
    if report.spaces.is_empty() || report.layers.len() > 1 {
        page.section("Nodes", &table(&nodes_grid(report), &[]));
    }
    let extra = report.extra.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    page.section("Tensors that are kept as they are", &notes(&extra));
    page
}

fn lead(report: &InspectReport) -> String {
    let sum = |units: usize| grouped(units as u64);
    if !report.spaces.is_empty() {
        let units = report.spaces.iter().map(|space| space.units).sum();
        let stays = match report.frozen.len() + report.carried.len() {
            0 => "nothing else has units".to_owned(),
            1 => "one more stays as it is".to_owned(),
            count => format!("{count} more stay as they are"),
        };
        return format!(
            "{} units in {} spaces can go, together with all that writes and reads them; {stays}.",
            sum(units),
            report.spaces.len()
        );
    }
    if report.blocks.is_empty() {
        return "No units of this model can go; below is why.".to_owned();
    }
    let units = report.blocks.iter().map(|block| block.units).sum();
    format!("{} neurons and channels of {} layers can go.", sum(units), report.blocks.len())
}

fn spaces(spaces: &[InspectedSpace]) -> String {
    let rows = spaces.iter().enumerate().map(|(at, space)| {
        let sets = if space.sets > 1 { format!(" in {} sets", space.sets) } else { String::new() };
        let coupled = if space.coupled { ", coupled by statistics" } else { "" };
        let units = format!("{}{sets}{coupled}", space.units);
        vec![(at + 1).to_string(), units, space.writers.join(", "), space.readers.join(", ")]
    });
    let grid = Grid::new(["space", "units", "written by", "read by"]).of_prose().with(rows);
    #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
    let units: Vec<f64> = spaces.iter().map(|space| space.units as f64).collect();
    table(&grid, &[("units", lengths(&units))])
}

/// Layers whose units can go; of a graph these are among the spaces.
fn blocks(report: &InspectReport) -> String {
    let shown = if report.spaces.is_empty() { report.blocks.as_slice() } else { &[] };
    let rows = shown.iter().map(|block| {
        let readers: Vec<&str> = block.consumers.iter().map(|reader| reader.node.as_str()).collect();
        vec![block.producer.clone(), block.units.to_string(), block.function.to_owned(), readers.join(", ")]
    });
    let grid = Grid::new(["layer", "units", "function", "read by"]).with(rows);
    #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
    let units: Vec<f64> = shown.iter().map(|block| block.units as f64).collect();
    table(&grid, &[("", lengths(&units))])
}

fn declined_layers(report: &InspectReport) -> String {
    if report.spaces.is_empty() { declined(&report.declined) } else { String::new() }
}
