//! Pictures of zonotopes and of Hausdorff distances in the plane.

use super::{Anchor, COLOURS, Canvas, Paint, Pane, Stroke, TINTS};
use crate::geometry::ConvexPolygon;
use crate::geometry::clip::{Bounds, Point};
use crate::number::fixed;

const SIZE: Point = [620.0, 584.0];
const CORNER: Point = [72.0, 64.0];
const PANE: Point = [510.0, 420.0];

/// Vertices, generators or points beyond which none are marked one by one.
const MARKED: usize = 200;

fn view<'a>(points: impl Iterator<Item = &'a Point>) -> Pane {
    let bounds = Bounds::around(points.copied(), 0.08).unwrap_or(Bounds { low: [-1.0; 2], high: [1.0; 2] });
    Pane::new(CORNER, PANE, bounds)
}

fn opening(title: &str, description: &str, pane: &Pane, heading: &str, axes: [&str; 2]) -> Canvas {
    let mut canvas = Canvas::new(SIZE, title, description);
    canvas.bold([CORNER[0], 26.0], 16.0, Anchor::Start, title);
    pane.axes(&mut canvas, heading, axes);
    canvas
}

/// A zonotope in the plane, or its shadow from a higher dimension: the polygon, its vertices, its centre, and the generators from its lowest vertex.
#[must_use]
pub fn zonotope_svg(
    title: &str,
    polygon: &ConvexPolygon,
    centre: Point,
    generators: &[Point],
    axes: [&str; 2],
    shadow_from: Option<usize>,
) -> String {
    let pane = view(polygon.vertices().iter());
    let count = polygon.len();
    let description = format!("a zonotope with {} generators; in this plane it has {count} vertices", generators.len());
    let shadow = shadow_from.map(|d| format!(" of the shadow from dimension {d}")).unwrap_or_default();
    let heading = format!("{} generators, {count} vertices{shadow}", generators.len());
    let mut canvas = opening(title, &description, &pane, &heading, axes);
    let border = Stroke::solid(COLOURS[0], 2.0);
    if count > 2 {
        canvas.polygon(&pane.all(polygon.vertices()), Paint::both(TINTS[1], border));
    } else {
        canvas.line(&pane.all(polygon.vertices()), border);
    }
    if let (Some(lowest), true) = (polygon.vertices().first(), generators.len() <= 40) {
        for [x, y] in generators {
            // Into the upper half-plane, where the polygon is.
            let sign = if *y < 0.0 || (*y == 0.0 && *x < 0.0) { -1.0 } else { 1.0 };
            let tip = [lowest[0] + sign * x, lowest[1] + sign * y];
            canvas.arrow(pane.at(*lowest), pane.at(tip), Stroke::dashed(COLOURS[1], 1.4, "5 3"));
        }
    }
    if count <= MARKED {
        for vertex in polygon.vertices() {
            canvas.disc(pane.at(*vertex), 3.2, Paint::fill(COLOURS[0]));
        }
    }
    canvas.disc(pane.at(centre), 3.6, Paint::both("#ffffff", Stroke::solid(COLOURS[6], 1.6)));
    let [[left, _], [_, bottom]] = pane.corners();
    let y = bottom + 58.0;
    canvas.disc([left + 6.0, y - 4.0], 3.2, Paint::fill(COLOURS[0]));
    canvas.text([left + 16.0, y], 12.0, Anchor::Start, "vertex");
    canvas.disc([left + 86.0, y - 4.0], 3.6, Paint::both("#ffffff", Stroke::solid(COLOURS[6], 1.6)));
    canvas.text([left + 96.0, y], 12.0, Anchor::Start, "centre");
    if generators.len() <= 40 {
        canvas.arrow([left + 160.0, y - 4.0], [left + 192.0, y - 4.0], Stroke::dashed(COLOURS[1], 1.4, "5 3"));
        canvas.text([left + 200.0, y], 12.0, Anchor::Start, "generator, turned upwards, at the lowest vertex");
    }
    canvas.finish()
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub enum PlaneSide {
    /// A polygon.
    Polygon(ConvexPolygon),
    /// Points; of many, an even selection is drawn.
    Points(Vec<Point>),
}

impl PlaneSide {
    fn points(&self) -> &[Point] {
        match self {
            Self::Polygon(polygon) => polygon.vertices(),
            Self::Points(points) => points,
        }
    }
}

/// Two polygons or two point samples in the plane, and the pair of points that attains their Hausdorff distance.
#[must_use]
pub fn hausdorff_svg(title: &str, names: [&str; 2], sides: [&PlaneSide; 2], pair: [Point; 2], distance: f64) -> String {
    let pane = view(sides.iter().flat_map(|side| side.points()));
    let description = format!(
        "{} and {}, and the pair of points that attains their Hausdorff distance {}",
        names[0],
        names[1],
        fixed(distance, 6)
    );
    let heading = format!("Hausdorff distance {}", fixed(distance, 6));
    let mut canvas = opening(title, &description, &pane, &heading, ["x1", "x2"]);
    let [[left, _], [right, bottom]] = pane.corners();
    for (at, side) in sides.into_iter().enumerate() {
        let (colour, dash) = [(COLOURS[0], ""), (COLOURS[1], "7 4")][at];
        let y = bottom + 58.0 + 20.0 * at as f64;
        match side {
            PlaneSide::Polygon(polygon) => {
                let stroke = Stroke::dashed(colour, 2.0, dash);
                if polygon.len() > 1 {
                    let path: Vec<Point> =
                        polygon.vertices().iter().chain(polygon.vertices().first()).copied().collect();
                    canvas.line(&pane.all(&path), stroke);
                } else if let Some(only) = polygon.vertices().first() {
                    canvas.disc(pane.at(*only), 4.0, Paint::fill(colour));
                }
                canvas.line(&[[left, y - 4.0], [left + 26.0, y - 4.0]], stroke);
            }
            PlaneSide::Points(points) => {
                let paint = if at == 0 { Paint::fill(colour) } else { Paint::stroke(Stroke::solid(colour, 1.2)) };
                for point in points.iter().step_by(points.len().div_ceil(20 * MARKED).max(1)) {
                    canvas.disc(pane.at(*point), 2.2, paint);
                }
                canvas.disc([left + 13.0, y - 4.0], 3.0, paint);
            }
        }
        let shown: String = names[at].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
        canvas.text([left + 34.0, y], 12.0, Anchor::Start, &format!("{}: {shown}", ["A", "B"][at]));
    }
    let pixels = pair.map(|point| pane.at(point));
    canvas.line(&pixels, Stroke::solid(COLOURS[6], 2.4));
    for pixel in pixels {
        canvas.disc(pixel, 4.2, Paint::both("#ffffff", Stroke::solid(COLOURS[6], 1.8)));
    }
    canvas.line(&[[right - 150.0, bottom + 54.0], [right - 124.0, bottom + 54.0]], Stroke::solid(COLOURS[6], 2.4));
    canvas.text([right - 116.0, bottom + 58.0], 12.0, Anchor::Start, "where it is attained");
    canvas.finish()
}
