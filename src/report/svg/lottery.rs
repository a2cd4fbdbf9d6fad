//! Figure 3 of 2002.08838: decision regions and polytopes of a network, and of what pruning and training again make of it.

use super::{Anchor, Canvas, Paint, Pane, Stroke, planar};
use crate::geometry::clip::Point;
use crate::lottery::{Lottery, LotteryOptions, Picture, Start};
use crate::network::boundary::BoundaryPolytope;

const SIDE: f64 = 132.0;
const GAP: f64 = 12.0;
const LEFT: f64 = 104.0;
const TOP: f64 = 82.0;
/// Green for the original polytope, blue for the others, as in the paper.
const GREEN: &str = "#009e73";
const BLUE: &str = "#0072b2";

/// Draws the networks of the first seed: a column for each rate, two rows for each start.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few rows and columns")]
pub fn lottery_svg(found: &Lottery, options: &LotteryOptions) -> String {
    let (original, others) = &found.pictures;
    let columns = 1 + options.rates.len();
    let size = [LEFT + columns as f64 * (SIDE + GAP) + 8.0, TOP + 4.0 * (2.0 * (SIDE + GAP) + 10.0) + 8.0];
    let seed = found.originals.first().map_or(0, |original| original.seed);
    let title = format!("A network of {} neurons, pruned and trained again", options.hidden);
    let description =
        format!("decision regions and decision-boundary polytopes of seed {seed} by start and by what is gone");
    let mut canvas = Canvas::new(size, &title, &description);
    canvas.bold([20.0, 26.0], 15.0, Anchor::Start, &title);
    let below = "regions, and below them polytopes: original green, pruned blue; thick edges are dual to the boundary";
    canvas.text([20.0, 46.0], 12.0, Anchor::Start, below);
    let left = |column: usize| LEFT + column as f64 * (SIDE + GAP);
    canvas.text([left(0) + 0.5 * SIDE, TOP - 10.0], 12.0, Anchor::Middle, "original");
    for (column, rate) in options.rates.iter().enumerate() {
        let text = format!("{:.0} % gone", 100.0 * rate);
        canvas.text([left(1 + column) + 0.5 * SIDE, TOP - 10.0], 12.0, Anchor::Middle, &text);
    }
    for (row, start) in Start::ALL.into_iter().enumerate() {
        let top = TOP + row as f64 * (2.0 * (SIDE + GAP) + 10.0);
        canvas.text([LEFT - 12.0, top + 0.5 * SIDE], 12.0, Anchor::End, start.name());
        cell(&mut canvas, original, original, [left(0), top]);
        for column in 0..options.rates.len() {
            if let Some(picture) = others.get(column * Start::ALL.len() + row) {
                cell(&mut canvas, original, picture, [left(1 + column), top]);
            }
        }
    }
    canvas.finish()
}

fn polytope(picture: &Picture) -> Option<&BoundaryPolytope> {
    picture.found.shallow.as_ref().map(|shallow| &shallow.polytope)
}

/// Regions, and below them the polytope beside the original one, each as large as the pane: sizes say nothing of orientation.
fn cell(canvas: &mut Canvas, original: &Picture, picture: &Picture, [left, top]: Point) {
    let upper = Pane::new([left, top], [SIDE, SIDE], picture.found.window);
    planar::regions(canvas, &upper, &picture.found);
    frame(canvas, &upper);
    let corner = [left, top + SIDE + GAP];
    let mut outline = None;
    for (of, colour) in [(original, GREEN), (picture, BLUE)] {
        let Some(polytope) = polytope(of) else { continue };
        let pane = Pane::new(corner, [SIDE, SIDE], planar::around(std::iter::once(polytope)));
        planar::polytope(canvas, &pane, polytope, (colour, 0.7));
        outline = Some(pane);
        if std::ptr::eq(original, picture) {
            break;
        }
    }
    if let Some(pane) = outline {
        frame(canvas, &pane);
    }
}

fn frame(canvas: &mut Canvas, pane: &Pane) {
    let [[left, top], [right, bottom]] = pane.corners();
    let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
    canvas.polygon(&corners, Paint::stroke(Stroke::solid("#999999", 1.0)));
}
