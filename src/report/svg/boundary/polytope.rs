//! The decision-boundary polytope and the normals of its edges.

use ndarray::Array2;

use super::super::{Anchor, Canvas, Paint, Pane, Stroke};
use super::{Colours, GAP, GREY, RED, SIDE, TOP, legend};
use crate::geometry::clip::{Bounds, Point};
use crate::geometry::{Zonotope, zonotope_polygon};
use crate::network::boundary::{EdgeKind, IdleNeuron, ShallowAnalysis};
use crate::tropical::Shape;

/// Dash patterns of the outlines of class zonotopes.
const DASHES: [&str; 4] = ["7 3", "2 3", "9 3 2 3", "12 4"];

/// Outlines of class zonotopes that are still told apart.
const MOST_OUTLINES: usize = 4;

/// The polytope with its class zonotopes.
pub(super) fn polytope(canvas: &mut Canvas, shallow: &ShallowAnalysis, colours: &Colours) {
    let left = 66.0 + SIDE + GAP;
    let polytope = &shallow.polytope;
    let at = |i: usize| [polytope.polynomial.exponents()[[i, 0]], polytope.polynomial.exponents()[[i, 1]]];
    let classes = shallow.map.biases.len();
    let outlines: Vec<Vec<Point>> =
        (0..classes).filter(|_| classes <= MOST_OUTLINES).map(|class| outline(shallow, class, None)).collect();
    let nodes = polytope.subdivision.vertices.iter().map(|v| at(*v));
    let bounds = Bounds::around(nodes.chain(outlines.iter().flatten().copied()), 0.08);
    let pane = Pane::new([left, TOP], [SIDE, SIDE], bounds.unwrap_or(Bounds::square([0.0; 2], 1.0)));
    for cell in &polytope.subdivision.cells {
        let polygon: Vec<Point> = cell.vertices.iter().map(|v| pane.at(at(*v))).collect();
        canvas.polygon(&polygon, Paint::fill("#f4f4f4"));
    }
    for (class, outline) in outlines.iter().enumerate() {
        let outline: Vec<Point> = outline.iter().map(|v| pane.at(*v)).collect();
        canvas.polygon(&outline, Paint::stroke(Stroke::dashed("#0072b2", 1.2, DASHES[class % DASHES.len()])));
    }
    let edges = || polytope.subdivision.edges.iter().zip(&polytope.kinds);
    let many = polytope.subdivision.edges.len() > 400;
    for (edge, kind) in edges().filter(|(_, kind)| **kind != EdgeKind::Mixed) {
        let inner = edge.cells.len() > 1;
        let width = if many && inner { 0.35 } else { 1.4 };
        let colour = if *kind == EdgeKind::DeadBorder { "#e69f00" } else { "#000000" };
        canvas.line(&edge.ends.map(|i| pane.at(at(i))), Stroke::solid(colour, width));
    }
    for (edge, _) in edges().filter(|(_, kind)| **kind == EdgeKind::Mixed) {
        canvas.line(&edge.ends.map(|i| pane.at(at(i))), Stroke::solid(RED, if many { 1.4 } else { 2.6 }));
    }
    if !many {
        for vertex in &polytope.subdivision.vertices {
            let class = polytope.classes[*vertex][0];
            let paint = Paint::both(colours.tint(class), Stroke::solid("#000000", 1.0));
            canvas.disc(pane.at(at(*vertex)), 3.4, paint);
        }
    }
    let heading = format!("polytope: {} vertices, mixed edges red", polytope.subdivision.regions());
    pane.axes(canvas, &heading, ["slope of R, first coordinate", "slope of R, second coordinate"]);
    let [x, y] = [left - 40.0, TOP + SIDE + 56.0];
    idle(canvas, shallow, &pane, [x, y + 18.0]);
    for class in 0..outlines.len() {
        let stroke = Stroke::dashed("#0072b2", 1.2, DASHES[class % DASHES.len()]);
        #[expect(clippy::cast_precision_loss, reason = "a handful of classes")]
        legend(canvas, [x + 118.0 * class as f64, y], &format!("zonotope {class}"), stroke);
    }
}

/// The zonotopes without a neuron that can go, as in figure 4: the vertices that it gives lie inside the polytope.
fn idle(canvas: &mut Canvas, shallow: &ShallowAnalysis, pane: &Pane, [x, y]: Point) {
    // A neuron that is active all over moves the polytope, and one without generators has nothing to show.
    let still = |idle: &&IdleNeuron| !idle.without_generators && idle.translation.iter().all(|t| *t == 0.0);
    let Some(neuron) = shallow.idle.iter().find(still).map(|idle| idle.neuron) else { return };
    let classes = shallow.map.biases.len();
    let stroke = Stroke::dashed("#d55e00", 1.6, "1.5 3");
    let takes_part = |class: &usize| shallow.map.weights[[*class, neuron]] > 0.0;
    for class in (0..classes).filter(|_| classes <= MOST_OUTLINES).filter(takes_part) {
        let smaller: Vec<Point> = outline(shallow, class, Some(neuron)).iter().map(|v| pane.at(*v)).collect();
        canvas.polygon(&smaller, Paint::stroke(stroke));
    }
    legend(canvas, [x, y], &format!("without neuron {neuron}: the same polytope"), stroke);
}

/// The zonotope of a class, of all neurons or without one.
fn outline(shallow: &ShallowAnalysis, class: usize, without: Option<usize>) -> Vec<Point> {
    let (p, n) = (shallow.map.generators.nrows(), shallow.map.shift.len());
    let scaled = Array2::from_shape_fn((p, n), |(j, t)| {
        let weight = if without == Some(j) { 0.0 } else { shallow.map.weights[[class, j]] };
        weight * shallow.map.generators[[j, t]]
    });
    let polygon = Zonotope::new(scaled, Some(shallow.map.shift.clone())).and_then(|z| zonotope_polygon(&z));
    polygon.map(|polygon| polygon.vertices().to_vec()).unwrap_or_default()
}

/// The normals of its edges.
pub(super) fn normals(canvas: &mut Canvas, shallow: &ShallowAnalysis) {
    let left = 66.0 + 2.0 * (SIDE + GAP);
    let pane = Pane::new([left, TOP], [SIDE, SIDE], Bounds::square([0.0; 2], 1.15));
    let polytope = &shallow.polytope;
    let draw = |canvas: &mut Canvas, mixed: bool| {
        for (piece, edge) in shallow.pieces.iter().zip(&polytope.subdivision.edges) {
            if (piece.edge == EdgeKind::Mixed) != mixed {
                continue;
            }
            // Normals at the border point outwards; an inner edge has both.
            let (direction, both) = match piece.piece.shape {
                Shape::Ray { direction, .. } => (direction, false),
                Shape::Line { direction, .. } => (direction, true),
                Shape::Segment { .. } if !mixed => continue,
                Shape::Segment { from, to } => ([to[0] - from[0], to[1] - from[1]], true),
            };
            let length = direction[0].hypot(direction[1]);
            if length == 0.0 || edge.cells.is_empty() {
                continue;
            }
            let unit = direction.map(|x| x / length);
            let stroke = if mixed { Stroke::solid(RED, 1.8) } else { Stroke::solid(GREY, 0.9) };
            // Inner edges are drawn shorter, so that the outer fan can be told.
            let reach = if both { 0.55 } else { 1.0 };
            let tip = unit.map(|x| reach * x);
            if both {
                canvas.line(&[pane.at(tip.map(|x| -x)), pane.at(tip)], Stroke { width: 0.9, ..stroke });
            } else {
                canvas.arrow(pane.at([0.0; 2]), pane.at(tip), stroke);
            }
        }
    };
    draw(canvas, false);
    draw(canvas, true);
    pane.axes(canvas, "normals of the edges, mixed red", ["first coordinate", "second coordinate"]);
    let inner = shallow
        .pieces
        .iter()
        .any(|piece| piece.edge == EdgeKind::Mixed && !matches!(piece.piece.shape, Shape::Ray { .. }));
    let note = if inner { "arrows: outer edges; short lines: mixed edges inside" } else { "arrows: outer edges" };
    canvas.text([left, TOP + SIDE + 56.0], 12.0, Anchor::Start, note);
}
