//! Decision regions and decision-boundary polytopes, each in a pane.

use super::{Canvas, Paint, Pane, Stroke, TINTS};
use crate::geometry::ConvexPolygon;
use crate::geometry::clip::{Bounds, Point};
use crate::network::boundary::{BoundaryAnalysis, BoundaryPolytope, EdgeKind};

pub(super) const RED: &str = "#c1272d";

/// Tinted decision regions with the boundary between them.
pub(super) fn regions(canvas: &mut Canvas, pane: &Pane, found: &BoundaryAnalysis) {
    for cell in &found.cells {
        let tint = TINTS[cell.class % TINTS.len()];
        canvas.polygon(&pane.all(&cell.polygon), Paint::both(tint, Stroke::solid(tint, 0.6)));
    }
    for piece in &found.boundary {
        canvas.line(&pane.all(&piece.ends), Stroke::solid(RED, 1.8));
    }
}

/// The nodes of a polytope.
pub(super) fn nodes(polytope: &BoundaryPolytope) -> impl Iterator<Item = Point> + '_ {
    polytope.subdivision.vertices.iter().map(|vertex| node(polytope, *vertex))
}

fn node(polytope: &BoundaryPolytope, at: usize) -> Point {
    let exponents = polytope.polynomial.exponents();
    [exponents[[at, 0]], exponents[[at, 1]]]
}

/// A pane's bounds around some polytopes.
pub(super) fn around<'p>(polytopes: impl Iterator<Item = &'p BoundaryPolytope>) -> Bounds {
    Bounds::around(polytopes.flat_map(nodes), 0.08).unwrap_or(Bounds::square([0.0; 2], 1.0))
}

/// The outline of a polytope in lines of a width; edges that are dual to the boundary are twice as thick.
pub(super) fn polytope(canvas: &mut Canvas, pane: &Pane, polytope: &BoundaryPolytope, (colour, width): (&str, f64)) {
    let hull = ConvexPolygon::hull(&nodes(polytope).collect::<Vec<_>>());
    canvas.polygon(&pane.all(hull.vertices()), Paint::stroke(Stroke::solid(colour, width)));
    let edges = polytope.subdivision.edges.iter().zip(&polytope.kinds);
    for (edge, _) in edges.filter(|(_, kind)| **kind == EdgeKind::Mixed) {
        canvas.line(&edge.ends.map(|at| pane.at(node(polytope, at))), Stroke::solid(colour, 2.0 * width));
    }
}
