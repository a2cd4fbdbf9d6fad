//! Decision regions, decision-boundary polytope and normals side by side, as in figure 2 of 2002.08838; mixed edges,
//! which are dual to the boundary itself, in red.

mod polytope;

use std::collections::BTreeMap;

use super::{Anchor, Canvas, Paint, Pane, Stroke, TINTS};
use crate::geometry::clip::{Bounds, Point};
use crate::network::boundary::{BoundaryAnalysis, EdgeKind};
use crate::network::slice::{ClassCell, PlanarNetwork};

const RED: &str = "#c1272d";
const GREY: &str = "#7a7a7a";
const SIDE: f64 = 340.0;
const GAP: f64 = 96.0;
const TOP: f64 = 72.0;

/// What to draw.
#[derive(Debug)]
pub struct BoundaryPicture<'a> {
    /// The heading.
    pub title: String,
    /// The network on the plane.
    pub network: &'a PlanarNetwork,
    /// Its boundary.
    pub found: &'a BoundaryAnalysis,
    /// Labels of the two coordinates.
    pub axes: [String; 2],
    /// Samples in the plane, with their labels.
    pub samples: Vec<(Point, Option<u32>)>,
    /// Points to name.
    pub marks: Vec<(Point, String)>,
}

/// Colours of classes: those with the largest regions get the tints that differ most.
struct Colours {
    order: Vec<usize>,
}

impl Colours {
    fn of(found: &BoundaryAnalysis) -> Self {
        let shares = crate::report::class_shares(found);
        Self { order: shares.into_iter().map(|share| share.class).collect() }
    }

    fn tint(&self, class: usize) -> &'static str {
        let place = self.order.iter().position(|c| *c == class).unwrap_or(self.order.len());
        TINTS[place % TINTS.len()]
    }
}

/// The picture: regions and boundary, and for one hidden layer also the polytope and the normals of its edges.
#[must_use]
pub fn boundary_svg(picture: &BoundaryPicture<'_>) -> String {
    let colours = Colours::of(picture.found);
    let width = if picture.found.shallow.is_some() { 3.0 * (SIDE + GAP) } else { SIDE + GAP + 40.0 };
    let size = [width + 10.0, TOP + SIDE + 90.0];
    let description = format!(
        "Decision regions of {} classes and {} pieces of their boundary{}",
        colours.order.len(),
        picture.found.boundary.len(),
        if picture.found.shallow.is_some() {
            ", the decision-boundary polytope, and the normals of its edges"
        } else {
            ""
        }
    );
    let mut canvas = Canvas::new(size, &picture.title, &description);
    canvas.bold([24.0, 26.0], 15.0, Anchor::Start, &picture.title);
    regions(&mut canvas, picture, &colours);
    if let Some(shallow) = &picture.found.shallow {
        polytope::polytope(&mut canvas, shallow, &colours);
        polytope::normals(&mut canvas, shallow);
    }
    canvas.finish()
}

fn regions(canvas: &mut Canvas, picture: &BoundaryPicture<'_>, colours: &Colours) {
    let found = picture.found;
    let pane = Pane::new([66.0, TOP], [SIDE, SIDE], found.window);
    let runs = if found.cells.len() > MOST_POLYGONS { runs(&found.cells, &found.window) } else { Vec::new() };
    for cell in if runs.is_empty() { &found.cells } else { &runs } {
        let tint = colours.tint(cell.class);
        // The border covers the seams between neighbours.
        canvas.polygon(&pane.all(&cell.polygon), Paint::both(tint, Stroke::solid(tint, 0.6)));
    }
    if let Some(shallow) = &found.shallow {
        for piece in shallow.pieces.iter().filter(|piece| piece.edge != EdgeKind::Mixed) {
            if let Some(ends) = piece.piece.shape.clipped(&found.window) {
                canvas.line(&pane.all(&ends), Stroke::dashed(GREY, 0.8, "3 3"));
            }
        }
    }
    for segment in &found.boundary {
        canvas.line(&pane.all(&segment.ends), Stroke::solid(RED, 2.4));
    }
    for (point, label) in picture.samples.iter().filter(|(point, _)| found.window.contains(*point)) {
        marker(canvas, pane.at(*point), *label);
    }
    let heading = if found.boundary.is_empty() { "decision regions" } else { "decision regions and boundary (red)" };
    pane.axes(canvas, heading, [&picture.axes[0], &picture.axes[1]]);
    for (point, name) in &picture.marks {
        let at = pane.at(*point);
        canvas.disc(at, 4.5, Paint::both("#ffffff", Stroke::solid("#000000", 1.6)));
        canvas.label(at, 7.0, [1.0, -1.0], 12.0, name, pane.corners());
    }
    for (class, at) in places(picture.network, &found.window) {
        canvas.label(pane.at(at), 0.0, [0.0, 1.0], 14.0, &format!("class {class}"), pane.corners());
    }
    if found.shallow.iter().flat_map(|shallow| &shallow.pieces).any(|piece| piece.edge != EdgeKind::Mixed) {
        legend(
            canvas,
            [66.0, TOP + SIDE + 56.0],
            "hypersurface outside the boundary",
            Stroke::dashed(GREY, 0.8, "3 3"),
        );
    }
}

/// Cells that are drawn one by one; a file with more would be large.
const MOST_POLYGONS: usize = 3000;

/// Cells as runs of one class along scan lines, a line for each pixel: the classes are exact at the middle of the line.
#[expect(clippy::cast_precision_loss, reason = "a few hundred lines")]
fn runs(cells: &[ClassCell], window: &Bounds) -> Vec<ClassCell> {
    const LINES: usize = 340;
    let height = |line: f64| window.low[1] + (window.high[1] - window.low[1]) * line / LINES as f64;
    let mut lines: Vec<Vec<(f64, f64, usize)>> = vec![Vec::new(); LINES];
    for cell in cells {
        let share = |y: f64| (y - window.low[1]) / (window.high[1] - window.low[1]);
        let [low, high] =
            cell.polygon.iter().fold([1.0_f64, 0.0], |[l, h], p| [l.min(share(p[1])), h.max(share(p[1]))]);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the lines")]
        let [first, last] = [low, high].map(|s| (s * LINES as f64 - 0.5).clamp(0.0, LINES as f64 - 1.0) as usize);
        for (line, spans) in lines.iter_mut().enumerate().take(last + 2).skip(first) {
            let y = height(line as f64 + 0.5);
            let edges = cell.polygon.iter().zip(cell.polygon.iter().cycle().skip(1));
            let crossings = edges.filter(|(p, q)| (p[1] > y) != (q[1] > y));
            let xs = crossings.map(|(p, q)| p[0] + (q[0] - p[0]) * (y - p[1]) / (q[1] - p[1]));
            let [left, right] = xs.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, r], x| [l.min(x), r.max(x)]);
            if left < right {
                spans.push((left, right, cell.class));
            }
        }
    }
    let mut found = Vec::new();
    for (line, mut spans) in lines.into_iter().enumerate() {
        spans.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        for run in spans.chunk_by(|a, b| a.2 == b.2) {
            let (left, right, class) = (run[0].0, run[run.len() - 1].1, run[0].2);
            let [low, high] = [height(line as f64), height(line as f64 + 1.0)];
            found.push(ClassCell { class, polygon: vec![[left, low], [right, low], [right, high], [left, high]] });
        }
    }
    found
}

/// A sample: a disc for even labels, a triangle for odd ones.
fn marker(canvas: &mut Canvas, [x, y]: Point, label: Option<u32>) {
    let fill = ["#000000", "#ffffff", "#7a7a7a", "#d0d0d0"][label.unwrap_or(0) as usize / 2 % 4];
    let paint = Paint::both(fill, Stroke::solid("#000000", 0.7));
    if label.unwrap_or(0).is_multiple_of(2) {
        // A small polygon: labels need not keep clear of samples.
        let corner = |i: u32| (std::f64::consts::TAU * f64::from(i) / 8.0).sin_cos();
        let disc: Vec<Point> = (0..8).map(corner).map(|(s, c)| [x + 2.2 * c, y + 2.2 * s]).collect();
        canvas.polygon(&disc, paint);
    } else {
        canvas
            .polygon(&[[x - 2.6, y + 2.0], [x + 2.6, y + 2.0], [x, y - 2.8]], Paint { fill: Some("#ffffff"), ..paint });
    }
}

/// A point well inside the largest part of each class: of the middles of a grid, the one that is farthest from points
/// of other classes and from the border.
fn places(network: &PlanarNetwork, window: &Bounds) -> Vec<(usize, Point)> {
    const GRID: usize = 36;
    #[expect(clippy::cast_precision_loss, reason = "a small grid")]
    let at = |k: usize, i: usize| window.low[k] + (window.high[k] - window.low[k]) * (i as f64 + 0.5) / GRID as f64;
    let classes: Vec<usize> = (0..GRID * GRID).map(|i| network.class([at(0, i % GRID), at(1, i / GRID)])).collect();
    let mut best: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (i, class) in classes.iter().enumerate() {
        let (x, y) = (i % GRID, i / GRID);
        let border = (x + 1).min(y + 1).min(GRID - x).min(GRID - y);
        let others = classes.iter().enumerate().filter(|(_, other)| *other != class);
        let gaps = others.map(|(j, _)| (j % GRID).abs_diff(x).pow(2) + (j / GRID).abs_diff(y).pow(2));
        let room = gaps.min().unwrap_or(usize::MAX).min(border * border);
        let entry = best.entry(*class).or_insert((room, i));
        if room > entry.0 {
            *entry = (room, i);
        }
    }
    best.into_iter().map(|(class, (_, i))| (class, [at(0, i % GRID), at(1, i / GRID)])).collect()
}

fn legend(canvas: &mut Canvas, [x, y]: Point, text: &str, stroke: Stroke<'_>) {
    canvas.line(&[[x, y - 4.0], [x + 26.0, y - 4.0]], stroke);
    canvas.text([x + 33.0, y], 12.0, Anchor::Start, text);
}
