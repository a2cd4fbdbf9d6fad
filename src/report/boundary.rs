//! What `boundary` reports.

use serde::Serialize;

use super::grid::Grid;
use super::polynomial::{number, numbers, place};
use super::table::percent;
use super::{Files, Heading, Memory};
use crate::geometry::clip::{Bounds, doubled_area};
use crate::network::Form;
use crate::network::boundary::{
    BoundaryAnalysis, BoundaryPiece, BoundaryTest, EdgeKind, Exactness, IdleNeuron, ShallowAnalysis,
};
use crate::network::slice::{BoundarySegment, Plane};
use crate::prune::Timing;

/// The report of `boundary`.
#[derive(Debug, Serialize)]
pub struct BoundaryReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The file.
    pub model: Files,
    /// What was done to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The plane that was looked at.
    pub view: ViewReport,
    /// How regions and boundary were found.
    pub exactness: Exactness,
    /// Affine pieces in the window: of `R` for a polytope, of the network for a subdivision.
    pub linear_cells: usize,
    /// The share of the window that each class has, largest first.
    pub shares: Vec<ClassShare>,
    /// The decision boundary in the window.
    pub boundary: Vec<BoundarySegment>,
    /// The polytope, for one hidden layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polytope: Option<PolytopeReport>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// The plane of a picture.
#[derive(Debug, Serialize)]
pub struct ViewReport {
    /// `inputs` for a network with two, `points` or `principal axes` for a slice.
    pub kind: &'static str,
    /// Numbers of the three samples that the slice goes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<[usize; 3]>,
    /// The rectangle, in coordinates of the plane.
    pub window: Bounds,
    /// Origin and axes in the space of inputs; absent for two inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plane: Option<[Vec<f64>; 3]>,
}

impl ViewReport {
    /// A view of a plane; the whole space of two inputs needs no axes.
    #[must_use]
    pub fn new(kind: &'static str, samples: Option<[usize; 3]>, window: Bounds, plane: &Plane) -> Self {
        let axes = || [plane.origin.clone(), plane.axes[0].clone(), plane.axes[1].clone()];
        Self { kind, samples, window, plane: (kind != "inputs").then(axes) }
    }
}

/// The share of a class.
#[derive(Debug, Serialize)]
pub struct ClassShare {
    /// The class.
    pub class: usize,
    /// Its share of the window.
    pub share: f64,
}

/// A decision-boundary polytope.
#[derive(Debug, Serialize)]
pub struct PolytopeReport {
    /// The form of `R`.
    pub form: Form,
    /// Neurons.
    pub neurons: usize,
    /// Activation patterns of the plane.
    pub patterns: usize,
    /// Vertices of the dual subdivision, the regions of `R`.
    pub vertices: usize,
    /// Edges that are dual to the decision boundary.
    pub mixed_edges: usize,
    /// Edges that are dual to the rest of the hypersurface.
    pub surplus_edges: usize,
    /// Edges that are dual to the border of a region where classes agree.
    pub dead_borders: usize,
    /// Regions in which several classes agree: exponent and classes. Theorem 2 as printed does not hold there.
    pub dead_regions: Vec<DeadRegion>,
    /// Sampled points of the boundary, tested for membership in the hypersurface.
    pub membership: BoundaryTest,
    /// Neurons that can go without changing the polytope.
    pub idle_neurons: Vec<IdleNeuron>,
    /// All pieces of the decision boundary, unclipped, with the classes on both sides.
    pub pieces: Vec<BoundaryPiece>,
}

/// A region where the logits of several classes are equal and largest.
#[derive(Debug, Serialize)]
pub struct DeadRegion {
    /// The gradient of `R` there.
    pub exponent: Vec<f64>,
    /// The classes.
    pub classes: Vec<usize>,
}

impl PolytopeReport {
    /// What is reported of a shallow network.
    #[must_use]
    pub fn of(found: &ShallowAnalysis) -> Self {
        let polytope = &found.polytope;
        let dead = polytope.dead_regions().into_iter().map(|v| DeadRegion {
            exponent: polytope.polynomial.exponents().row(v).to_vec(),
            classes: polytope.classes[v].clone(),
        });
        Self {
            form: found.map.form,
            neurons: found.shallow.neurons(),
            patterns: found.patterns.len(),
            vertices: polytope.subdivision.regions(),
            mixed_edges: polytope.count(EdgeKind::Mixed),
            surplus_edges: polytope.count(EdgeKind::Surplus),
            dead_borders: polytope.count(EdgeKind::DeadBorder),
            dead_regions: dead.collect(),
            membership: found.test.clone(),
            idle_neurons: found.idle.clone(),
            pieces: found.pieces.iter().filter(|piece| piece.edge != EdgeKind::Surplus).cloned().collect(),
        }
    }
}

/// The shares of the classes, from the areas of their cells.
#[must_use]
pub fn class_shares(found: &BoundaryAnalysis) -> Vec<ClassShare> {
    let mut areas: Vec<f64> = Vec::new();
    for cell in &found.cells {
        areas.resize(areas.len().max(cell.class + 1), 0.0);
        areas[cell.class] += doubled_area(&cell.polygon);
    }
    let total: f64 = areas.iter().sum();
    let shares = areas.into_iter().enumerate().filter(|(_, area)| *area > 0.0);
    let mut shares: Vec<ClassShare> = shares.map(|(class, area)| ClassShare { class, share: area / total }).collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.class.cmp(&b.class)));
    shares
}

/// Pieces of a boundary that a table shows.
pub(super) const MOST_ROWS: usize = 16;

/// What is looked at.
fn view_name(report: &BoundaryReport) -> String {
    match report.view.samples {
        Some([a, b, c]) => format!("slice through the samples {a}, {b}, {c}"),
        None if report.view.kind == "inputs" => "two inputs".to_owned(),
        None => "slice along two principal axes".to_owned(),
    }
}

/// Where it is looked at.
fn window_text(report: &BoundaryReport) -> String {
    let Bounds { low, high } = &report.view.window;
    let [left, right, bottom, top] = [low[0], high[0], low[1], high[1]].map(number);
    format!("window: {left} to {right} x {bottom} to {top}")
}

/// Both on a line.
pub(super) fn view_text(report: &BoundaryReport) -> String {
    format!("{}, {}", view_name(report), window_text(report))
}

/// The report for people.
#[must_use]
pub fn boundary_text(report: &BoundaryReport) -> String {
    let how = match report.exactness {
        Exactness::Polytope => "exact on the whole plane, from the decision-boundary polytope",
        Exactness::Subdivision => "exact in the window, by subdivision",
        Exactness::Grid => "sampled on a grid; nothing is known between its points",
    };
    let (view, window) = (view_name(report), window_text(report));
    let mut text = format!("{}, {view}\n{window}\n{how}", report.model.input);
    text.push_str(&format!("\n{}", shares_grid(&report.shares)));
    if report.exactness != Exactness::Grid {
        text.push_str(&format!(
            "\naffine pieces in the window: {}, pieces of boundary: {}",
            report.linear_cells,
            report.boundary.len()
        ));
    }
    if let Some(polytope) = &report.polytope {
        text.push_str(&polytope_text(polytope));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}

/// The shares of the classes as a table.
pub(super) fn shares_grid(shares: &[ClassShare]) -> Grid {
    let rows = shares.iter().map(|one| vec![one.class.to_string(), percent(one.share)]);
    Grid::new(["class", "share of the window"]).with(rows)
}

/// The first pieces of the decision boundary, unclipped.
pub(super) fn pieces_grid(polytope: &PolytopeReport) -> Grid {
    let rows = polytope.pieces.iter().take(MOST_ROWS).map(|piece| {
        let side = |classes: &Vec<usize>| classes.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        vec![format!("{} | {}", side(&piece.classes[0]), side(&piece.classes[1])), place(&piece.piece.shape)]
    });
    Grid::new(["classes", "decision boundary"]).with(rows)
}

/// What is said of a polytope, line by line.
pub(super) fn polytope_lines(polytope: &PolytopeReport) -> Vec<String> {
    let membership = &polytope.membership;
    let agreeing = match membership.dead {
        0 => String::new(),
        dead => format!(", {dead} where classes agree on a neighbourhood"),
    };
    let mut lines = vec![
        format!(
            "polytope: {} neurons, {} activation patterns, {} vertices",
            polytope.neurons, polytope.patterns, polytope.vertices
        ),
        format!("edges: {} mixed (the decision boundary), {} surplus", polytope.mixed_edges, polytope.surplus_edges),
        format!(
            "sampled boundary points in the hypersurface: {} of {}{agreeing}",
            membership.hypersurface + membership.kink,
            membership.points
        ),
    ];
    lines.extend(polytope.dead_regions.iter().map(|dead| {
        let classes: Vec<String> = dead.classes.iter().map(ToString::to_string).collect();
        let (classes, slope) = (classes.join(" and "), numbers(&dead.exponent));
        format!("undecided region: classes {classes} have equal logits, slope of R ({slope})")
    }));
    if !polytope.idle_neurons.is_empty() {
        let list: Vec<String> = polytope.idle_neurons.iter().map(|idle| idle.neuron.to_string()).collect();
        lines.push(format!("neurons that can go one at a time without changing the polytope: {}", list.join(", ")));
    }
    lines
}

fn polytope_text(polytope: &PolytopeReport) -> String {
    let mut text: String = polytope_lines(polytope).iter().map(|line| format!("\n{line}")).collect();
    if !polytope.pieces.is_empty() {
        text.push_str(&format!("\n{}", pieces_grid(polytope)));
    }
    if polytope.pieces.len() > MOST_ROWS {
        text.push_str(&format!("\n... {} more, all with --json", polytope.pieces.len() - MOST_ROWS));
    }
    text
}
