//! The page of `boundary`.

use super::super::BoundaryReport;
use super::super::boundary::{MOST_ROWS, PolytopeReport, pieces_grid, polytope_lines, shares_grid, view_text};
use super::super::table::percent;
use super::bars::lengths;
use super::page::Page;
use super::parts::{notes, panes, paragraphs, time, warnings};
use super::table::table;
use super::text::file_name;
use crate::network::boundary::Exactness;

/// The page of a boundary; `drawn` is its picture.
#[must_use]
pub fn boundary_page(report: &BoundaryReport, drawn: &str) -> Page {
    let mut page =
        Page::new(&report.heading, &format!("Decision boundary of {}", file_name(&report.model.input)), &lead(report));
    page.about("Model", Some(&report.model.input));
    page.about("Data", report.data.as_deref());
    page.about("View", Some(&view_text(report)));
    let caption = match (&report.polytope, report.boundary.is_empty()) {
        (Some(_), _) => {
            "Decision regions with their boundary in red; the polytope whose mixed edges, in red, are dual to it; and the \
             normals of its edges."
        }
        (None, false) => "Decision regions with their boundary in red.",
        (None, true) => "Decision regions.",
    };
    page.section("Picture", &panes(drawn, caption));
    page.section("What to know", &warnings(&report.warnings));
    let shares: Vec<f64> = report.shares.iter().map(|one| one.share).collect();
    page.section("Classes", &table(&shares_grid(&report.shares), &[("", lengths(&shares))]));
    page.section("The polytope", &report.polytope.as_ref().map_or_else(String::new, of_polytope));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}

fn of_polytope(polytope: &PolytopeReport) -> String {
    let more = polytope.pieces.len().saturating_sub(MOST_ROWS);
    let more = format!("{more} more pieces stand in the JSON below.");
    let more = (polytope.pieces.len() > MOST_ROWS).then_some(more.as_str());
    notes(&polytope_lines(polytope)) + &table(&pieces_grid(polytope), &[]) + &paragraphs(more)
}

fn lead(report: &BoundaryReport) -> String {
    let classes: Vec<String> =
        report.shares.iter().take(3).map(|one| format!("class {} has {}", one.class, percent(one.share))).collect();
    let others = if report.shares.len() > 3 {
        format!(" and {} more classes the rest", report.shares.len() - 3)
    } else {
        String::new()
    };
    let pieces = report.boundary.len();
    let how = match report.exactness {
        Exactness::Polytope => {
            format!("The boundary has {pieces} pieces in the window and is exact on the whole plane")
        }
        Exactness::Subdivision => format!("The boundary has {pieces} pieces, exact in the window"),
        Exactness::Grid => "Classes were sampled on a grid, and nothing is known between its points".to_owned(),
    };
    format!("{how}; of the window {}{others}.", classes.join(", "))
}
