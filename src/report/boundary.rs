//! What `boundary` reports.

use serde::Serialize;

use super::polynomial::{number, numbers, place};
use super::table::rows_table;
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
const MOST_ROWS: usize = 16;

/// The report for people.
#[must_use]
pub fn boundary_text(report: &BoundaryReport) -> String {
    let window = &report.view.window;
    let how = match report.exactness {
        Exactness::Polytope => "exact on the whole plane, from the decision-boundary polytope",
        Exactness::Subdivision => "exact in the window, by subdivision",
        Exactness::Grid => "sampled on a grid; nothing is known between its points",
    };
    let mut text = format!(
        "{}, {}\nwindow: {} to {} x {} to {}\n{how}",
        report.model.input,
        match report.view.samples {
            Some([a, b, c]) => format!("slice through the samples {a}, {b}, {c}"),
            None if report.view.kind == "inputs" => "two inputs".to_owned(),
            None => "slice along two principal axes".to_owned(),
        },
        number(window.low[0]),
        number(window.high[0]),
        number(window.low[1]),
        number(window.high[1]),
    );
    let shares = report.shares.iter().map(|s| vec![s.class.to_string(), format!("{:.2} %", 100.0 * s.share)]);
    text.push_str(&format!("\n{}", rows_table(&["class", "share of the window"], shares)));
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

fn polytope_text(polytope: &PolytopeReport) -> String {
    let membership = &polytope.membership;
    let mut text = format!(
        "\npolytope: {} neurons, {} activation patterns, {} vertices\nedges: {} mixed (the decision boundary), {} surplus\n\
         sampled boundary points in the hypersurface: {} of {}",
        polytope.neurons,
        polytope.patterns,
        polytope.vertices,
        polytope.mixed_edges,
        polytope.surplus_edges,
        membership.hypersurface + membership.kink,
        membership.points,
    );
    if membership.dead > 0 {
        text.push_str(&format!(", {} where classes agree on a neighbourhood", membership.dead));
    }
    for dead in &polytope.dead_regions {
        let classes: Vec<String> = dead.classes.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "\nundecided region: classes {} have equal logits, slope of R ({})",
            classes.join(" and "),
            numbers(&dead.exponent)
        ));
    }
    if !polytope.idle_neurons.is_empty() {
        let list: Vec<String> = polytope.idle_neurons.iter().map(|idle| idle.neuron.to_string()).collect();
        text.push_str(&format!(
            "\nneurons that can go one at a time without changing the polytope: {}",
            list.join(", ")
        ));
    }
    let rows = polytope.pieces.iter().take(MOST_ROWS).map(|piece| {
        let side = |classes: &Vec<usize>| classes.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        vec![format!("{} | {}", side(&piece.classes[0]), side(&piece.classes[1])), place(&piece.piece.shape)]
    });
    if !polytope.pieces.is_empty() {
        text.push_str(&format!("\n{}", rows_table(&["classes", "decision boundary"], rows)));
    }
    if polytope.pieces.len() > MOST_ROWS {
        text.push_str(&format!("\n... {} more, all with --json", polytope.pieces.len() - MOST_ROWS));
    }
    text
}
