//! Hypersurfaces and dual subdivisions, as in figure 1 of 2002.08838: the hypersurface with a label in each region, and
//! the subdivision with the normals of its edges, which the pieces of the hypersurface are parallel to.

use std::f64::consts::TAU;

use super::{Anchor, Canvas, Paint, Pane, Stroke};
use crate::geometry::clip::{Bounds, Point, doubled_area};
use crate::tropical::{DualSubdivision, Polynomial, Shape, hypersurface, monomial, region, window};

/// Colour of hypersurfaces and normals.
const RED: &str = "#c1272d";
const BLACK: &str = "#000000";
const SIDE: f64 = 300.0;
const GAP: f64 = 92.0;

/// A polynomial in two variables to draw.
#[derive(Debug)]
pub struct Drawn<'a> {
    /// The polynomial.
    pub polynomial: &'a Polynomial,
    /// Its subdivision.
    pub subdivision: &'a DualSubdivision,
    /// Names of the two variables.
    pub names: &'a [String],
    /// The heading.
    pub title: String,
}

/// Hypersurface and dual subdivision side by side; for several polynomials a column for each, one above the other.
#[must_use]
pub fn polynomial_svg(drawn: &[Drawn<'_>]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a handful of columns")]
    let columns = if drawn.len() == 1 { 2.0 } else { drawn.len() as f64 };
    let rows = if drawn.len() == 1 { 1.0 } else { 2.0 };
    let size = [columns * (SIDE + GAP) + 20.0, 36.0 + rows * (SIDE + GAP)];
    let titles: Vec<&str> = drawn.iter().map(|one| one.title.as_str()).collect();
    let description = drawn.iter().map(|one| {
        let edges = one.subdivision.edges.len();
        format!("{}: {} linear regions, {edges} pieces of the hypersurface", one.title, one.subdivision.regions())
    });
    let title = format!("Tropical hypersurfaces and dual subdivisions of {}", titles.join("; "));
    let mut canvas = Canvas::new(size, &title, &description.collect::<Vec<_>>().join(". "));
    let mut left = 64.0;
    for one in drawn {
        canvas.bold(
            [left - 40.0, 24.0],
            14.0,
            Anchor::Start,
            &shortened(&one.title, if drawn.len() == 1 { 80 } else { 34 }),
        );
        let top = 66.0;
        let second = if drawn.len() == 1 { [left + SIDE + GAP, top] } else { [left, top + SIDE + GAP] };
        draw_hypersurface(&mut canvas, one, [left, top]);
        draw_subdivision(&mut canvas, one, second);
        left += SIDE + GAP;
    }
    canvas.finish()
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 3).chain("...".chars()).collect()
}

fn draw_hypersurface(canvas: &mut Canvas, one: &Drawn<'_>, corner: Point) {
    let pane = Pane::new(corner, [SIDE, SIDE], window(one.subdivision));
    let names = [one.names[0].as_str(), one.names[1].as_str()];
    pane.axes(canvas, &format!("hypersurface, {} regions", one.subdivision.regions()), names);
    for piece in hypersurface(one.polynomial, one.subdivision) {
        if let Some(ends) = piece.shape.clipped(pane.bounds()) {
            // Multiplicities show as width.
            let width = 1.6 + 0.9 * f64::from(u32::try_from(piece.multiplicity.unwrap_or(1)).unwrap_or(5).min(5));
            canvas.line(&pane.all(&ends), Stroke::solid(RED, width));
            if let Some(multiplicity) = piece.multiplicity.filter(|m| *m > 1) {
                let [a, b] = ends.map(|end| pane.at(end));
                let (middle, text) = ([0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])], format!("m = {multiplicity}"));
                canvas.label(middle, 6.0, [a[1] - b[1], b[0] - a[0]], 12.0, &text, pane.corners());
            }
        }
    }
    for cell in &one.subdivision.cells {
        if let (Ok(dual), true) = (<Point>::try_from(cell.dual.as_slice()), one.subdivision.rank() == 2) {
            canvas.disc(pane.at(dual), 3.2, Paint::fill(RED));
        }
    }
    let mut regions: Vec<(f64, usize, Point)> = Vec::new();
    for vertex in &one.subdivision.vertices {
        let polygon = pane.all(&region(one.polynomial, one.subdivision, *vertex, pane.bounds()));
        if !polygon.is_empty() {
            regions.push((doubled_area(&polygon).abs(), *vertex, centroid(&polygon)));
        }
    }
    // Large regions choose first.
    regions.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, vertex, centre) in regions {
        let text = shortened(&monomial(one.polynomial, vertex, one.names), 16);
        canvas.label(centre, 0.0, [1.0, 0.0], 13.0, &text, pane.corners());
    }
}

fn draw_subdivision(canvas: &mut Canvas, one: &Drawn<'_>, corner: Point) {
    let at = |i: usize| [one.polynomial.exponents()[[i, 0]], one.polynomial.exponents()[[i, 1]]];
    let nodes = one.subdivision.vertices.iter().map(|v| at(*v));
    let bounds = Bounds::around(nodes, 0.3).unwrap_or(Bounds::square([0.0; 2], 1.0));
    let pane = Pane::new(corner, [SIDE, SIDE], bounds);
    let labels = one.names.iter().map(|name| format!("exponent of {name}")).collect::<Vec<_>>();
    pane.axes(canvas, &format!("dual subdivision, {} nodes", one.subdivision.regions()), [&labels[0], &labels[1]]);
    for cell in &one.subdivision.cells {
        let polygon: Vec<Point> = cell.vertices.iter().map(|v| pane.at(at(*v))).collect();
        canvas.polygon(&polygon, Paint::fill("#efefef"));
    }
    let pieces = hypersurface(one.polynomial, one.subdivision);
    for (edge, piece) in one.subdivision.edges.iter().zip(&pieces) {
        let ends = edge.ends.map(|i| pane.at(at(i)));
        normal(canvas, &piece.shape, ends);
        canvas.line(&ends, Stroke::solid(BLACK, 1.8));
    }
    for vertex in &one.subdivision.vertices {
        canvas.disc(pane.at(at(*vertex)), 3.6, Paint::fill(BLACK));
    }
    for vertex in &one.subdivision.vertices {
        let place = pane.at(at(*vertex));
        let text = shortened(&monomial(one.polynomial, *vertex, one.names), 16);
        let edges = one.subdivision.edges.iter().filter(|edge| edge.ends.contains(vertex));
        let others = edges.map(|edge| pane.at(at(edge.ends[usize::from(edge.ends[0] == *vertex)])));
        let angles = others.map(|other| (other[1] - place[1]).atan2(other[0] - place[0])).collect();
        canvas.label(place, 7.0, free_direction(angles), 11.0, &text, pane.corners());
    }
}

/// The middle of the widest gap between angles, where a label meets no edge; upwards where there are none.
fn free_direction(mut angles: Vec<f64>) -> Point {
    angles.sort_by(f64::total_cmp);
    let Some(first) = angles.first().copied() else { return [0.0, -1.0] };
    let ends = angles.iter().copied().skip(1).chain([first + TAU]);
    let gaps = angles.iter().zip(ends).map(|(start, end)| (end - start, 0.5 * (start + end)));
    // Equal gaps but for rounding: the first.
    let widest = gaps.reduce(|best, next| if next.0 > best.0 + 1e-6 { next } else { best });
    widest.map_or([0.0, -1.0], |(_, middle)| [middle.cos(), middle.sin()])
}

/// A dashed normal in the middle of an edge: outwards at the border, across inside.
fn normal(canvas: &mut Canvas, shape: &Shape, ends: [Point; 2]) {
    let (direction, from, to) = match *shape {
        Shape::Ray { direction, .. } => (direction, 0.0, 24.0),
        Shape::Line { direction, .. } => (direction, -6.0, 6.0),
        Shape::Segment { from, to } => ([to[0] - from[0], to[1] - from[1]], -6.0, 6.0),
    };
    let length = direction[0].hypot(direction[1]).max(f64::MIN_POSITIVE);
    let middle = [0.5 * (ends[0][0] + ends[1][0]), 0.5 * (ends[0][1] + ends[1][1])];
    // Pixels count downwards.
    let along = |t: f64| [middle[0] + t * direction[0] / length, middle[1] - t * direction[1] / length];
    canvas.line(&[along(from), along(to)], Stroke::dashed(RED, 1.4, "4 2.5"));
    // Labels keep clear of it; one rectangle around a slanted line would take far too much room.
    for step in 0..8 {
        let [x, y] = along(from + (to - from) * f64::from(step) / 7.0);
        canvas.reserve([x - 1.0, y - 1.0], [x + 1.0, y + 1.0]);
    }
}

/// The mean of the corners; inside a convex polygon.
#[expect(clippy::cast_precision_loss, reason = "a handful of corners")]
pub(super) fn centroid(polygon: &[Point]) -> Point {
    let count = polygon.len().max(1) as f64;
    polygon.iter().fold([0.0; 2], |sum, p| [sum[0] + p[0] / count, sum[1] + p[1] / count])
}
