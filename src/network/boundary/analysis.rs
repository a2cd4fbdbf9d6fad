//! Everything about the decision boundary of a network on a plane.

use ndarray::{Array2, Axis};
use serde::Serialize;

use super::idle::{IdleNeuron, idle_neurons};
use super::membership::{BoundaryTest, boundary_points, test_boundary};
use super::polytope::{BoundaryPiece, BoundaryPolytope, EdgeKind, patterns_of};
use crate::backend::{Activation, Backend};
use crate::error::Result;
use crate::geometry::Patterns;
use crate::geometry::clip::{Bounds, Point};
use crate::network::shallow::ShallowNetwork;
use crate::network::slice::{BoundarySegment, ClassCell, PlanarNetwork, decision_regions};
use crate::network::tropicalize::{BoundaryMap, Form};
use crate::tropical::{Shape, narrow, regions, window};

/// What to look at.
#[derive(Debug, Clone)]
pub struct BoundaryOptions {
    /// The polynomial of the boundary.
    pub form: Form,
    /// The rectangle to look at; found from the boundary where there is none, the square -1..1 for deep networks.
    pub window: Option<Bounds>,
    /// Boundary points to test for membership in the hypersurface.
    pub samples: usize,
    /// Affine cells up to which deep networks are subdivided.
    pub most_cells: usize,
    /// Classify a grid with this many points a side instead of subdividing a deep network.
    pub grid: Option<usize>,
    /// Seed of the boundary points.
    pub seed: u64,
}

/// How regions and boundary were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Exactness {
    /// Whole plane, from the decision-boundary polytope of a shallow network.
    Polytope,
    /// The window, by cutting it along every neuron's kink.
    Subdivision,
    /// The window, at the points of a grid only; nothing is known between them.
    Grid,
}

/// A shallow network with its polytope.
#[derive(Debug)]
pub struct ShallowAnalysis {
    /// The shallow network.
    pub shallow: ShallowNetwork,
    /// Its map.
    pub map: BoundaryMap,
    /// All activation patterns.
    pub patterns: Patterns,
    /// The polytope.
    pub polytope: BoundaryPolytope,
    /// The hypersurface of `R`, one piece for each edge of the polytope.
    pub pieces: Vec<BoundaryPiece>,
    /// Sampled boundary points, tested on the device.
    pub test: BoundaryTest,
    /// Neurons that the polytope does not need.
    pub idle: Vec<IdleNeuron>,
}

/// The decision boundary of a network on a plane.
#[derive(Debug)]
pub struct BoundaryAnalysis {
    /// How it was found.
    pub exactness: Exactness,
    /// The rectangle of `cells` and `boundary`.
    pub window: Bounds,
    /// Pieces of the decision regions in the window.
    pub cells: Vec<ClassCell>,
    /// The boundary in the window; empty for a grid.
    pub boundary: Vec<BoundarySegment>,
    /// Affine pieces of the network in the window: those of `R` for a polytope, none counted for a grid.
    pub linear_cells: usize,
    /// The shallow network, where the network is one.
    pub shallow: Option<ShallowAnalysis>,
}

/// Analyses the boundary of a network with two inputs: by the polytope for one hidden layer, by subdivision of the
/// window for more, or on a grid where that is asked for.
///
/// # Errors
///
/// What [`patterns_of`], [`decision_regions`] and the backend return.
pub fn analyse<B: Backend>(
    backend: &B,
    network: &PlanarNetwork,
    options: &BoundaryOptions,
) -> Result<BoundaryAnalysis> {
    if let (None, Some(shallow)) = (options.grid, network.shallow()?) {
        return of_shallow(backend, shallow, options);
    }
    let window = options.window.unwrap_or(Bounds::square([0.0; 2], 1.0));
    if let Some(side) = options.grid {
        let cells = grid(backend, network, &window, side)?;
        return Ok(BoundaryAnalysis {
            exactness: Exactness::Grid,
            window,
            cells,
            boundary: Vec::new(),
            linear_cells: 0,
            shallow: None,
        });
    }
    let found = decision_regions(network, &window, options.most_cells)?;
    Ok(BoundaryAnalysis {
        exactness: Exactness::Subdivision,
        window,
        cells: found.cells,
        boundary: found.boundary,
        linear_cells: found.linear_cells,
        shallow: None,
    })
}

fn of_shallow<B: Backend>(backend: &B, shallow: ShallowNetwork, options: &BoundaryOptions) -> Result<BoundaryAnalysis> {
    let map = BoundaryMap::of(&shallow, options.form);
    let patterns = patterns_of(&map)?;
    let polytope = BoundaryPolytope::new(&map, &patterns)?;
    let pieces = polytope.pieces();
    let mixed = || pieces.iter().filter(|piece| piece.edge == EdgeKind::Mixed);
    let view = options.window.unwrap_or_else(|| around(mixed(), &polytope));
    let centre: Point = std::array::from_fn(|k| 0.5 * (view.low[k] + view.high[k]));
    let radius = 0.25 * ((view.high[0] - view.low[0]) + (view.high[1] - view.low[1]));
    let points = boundary_points(&shallow, options.samples, &centre, radius, options.seed);
    let test = test_boundary(backend, &map, &points)?;
    let idle = idle_neurons(&shallow, options.form, &polytope, &patterns)?;
    let boundary = mixed().filter_map(|piece| {
        let ends = piece.piece.shape.clipped(&view)?;
        let mut classes = [piece.classes[0][0], piece.classes[1][0]];
        classes.sort_unstable();
        Some(BoundarySegment { ends, classes })
    });
    let boundary = boundary.collect();
    let regions = regions(&polytope.polynomial, &polytope.subdivision, &view);
    let linear_cells = regions.len();
    let cells = regions.into_iter().map(|(v, polygon)| ClassCell { class: polytope.classes[v][0], polygon });
    Ok(BoundaryAnalysis {
        exactness: Exactness::Polytope,
        window: view,
        cells: cells.collect(),
        boundary,
        linear_cells,
        shallow: Some(ShallowAnalysis { shallow, map, patterns, polytope, pieces, test, idle }),
    })
}

/// A square around the vertices of the boundary.
fn around<'a>(mixed: impl Iterator<Item = &'a BoundaryPiece>, polytope: &BoundaryPolytope) -> Bounds {
    let ends = mixed.flat_map(|piece| match piece.piece.shape {
        Shape::Segment { from, to } => vec![from, to],
        Shape::Ray { from, .. } => vec![from],
        Shape::Line { through, .. } => vec![through],
    });
    match Bounds::around(ends, 0.4) {
        Some(bounds) => bounds.squared(),
        None => window(&polytope.subdivision),
    }
}

/// Classes at the middles of `side x side` squares, computed on the device; neighbours in a row of one class are
/// joined.
#[expect(clippy::cast_precision_loss, reason = "a grid has far fewer than 2^53 points")]
fn grid<B: Backend>(backend: &B, network: &PlanarNetwork, window: &Bounds, side: usize) -> Result<Vec<ClassCell>> {
    let place = |k: usize, i: f64| window.low[k] + (window.high[k] - window.low[k]) * i / side as f64;
    let points = Array2::from_shape_fn((side * side, 2), |(i, k)| {
        place(k, if k == 0 { (i % side) as f64 } else { (i / side) as f64 } + 0.5)
    });
    let mut signal = backend.upload(&narrow(&points, "point")?)?;
    for (number, (weights, bias)) in network.layers.iter().enumerate() {
        let last = number + 1 == network.layers.len();
        let weights = backend.upload(&narrow(weights, "weight")?)?;
        let bias = backend.upload(&narrow(&bias.clone().insert_axis(Axis(0)), "bias")?)?;
        let activation = if last { Activation::Identity } else { Activation::Relu };
        signal = backend.affine(&signal, &weights, Some(&bias), activation)?;
    }
    let classes = backend.download_indices(&backend.classify(&signal, None)?.class)?;
    let mut cells = Vec::new();
    for (row, classes) in classes.chunks_exact(side).enumerate() {
        let mut start = 0;
        for run in classes.chunk_by(|a, b| a == b) {
            let (x, y) = ([start as f64, (start + run.len()) as f64].map(|i| place(0, i)), row as f64);
            let [low, high] = [place(1, y), place(1, y + 1.0)];
            let polygon = vec![[x[0], low], [x[1], low], [x[1], high], [x[0], high]];
            cells.push(ClassCell { class: run[0] as usize, polygon });
            start += run.len();
        }
    }
    Ok(cells)
}
