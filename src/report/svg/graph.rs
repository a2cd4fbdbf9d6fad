//! A network as a drawing: operators from top to bottom, each in the colour of the space of units that it writes.

use super::COLOURS;
use super::canvas::{Anchor, Canvas, Paint, Stroke};
use super::layers::layered;
use crate::network::spaces::{MappedOperator, Spaces};

/// Colours of spaces, grey left to what stays.
const SPACES: [&str; 6] = [COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[3], COLOURS[4], COLOURS[5]];

/// The same, light enough to write on.
const LIGHT: [&str; 6] = ["#b3d4e8", "#f5c9a8", "#b0e0d0", "#efd3e3", "#d9eefa", "#f8e2b0"];
const KEPT: &str = "#d4d4d4";
const NONE: &str = "#ffffff";

/// Height of a box, of the strip on it that shows what it reads, and of a layer.
const BOX: f64 = 36.0;
const STRIP: f64 = 6.0;
const LAYER: f64 = 62.0;
const GAP: f64 = 16.0;
const MARGIN: f64 = 24.0;
const LEGEND: f64 = 380.0;
const LINE: f64 = 20.0;
/// Width of a character in a box, on the safe side.
const CHARACTER: f64 = 6.0;
/// Characters of a name that are shown, and of a line of the legend.
const SHOWN: usize = 24;

/// Draws the operators of a network. Boxes have the colour of the space that they write and a strip in that of the first one
/// that they read; what stays is grey, and its title says why.
#[must_use]
pub fn graph_svg(name: &str, operators: &[MappedOperator], spaces: &Spaces) -> String {
    let widths: Vec<f64> = operators.iter().map(width).collect();
    let edges: Vec<(usize, usize)> = (operators.iter().enumerate())
        .flat_map(|(to, operator)| operator.from.iter().map(move |from| (*from, to)))
        .collect();
    let layout = layered(&widths, &edges, LAYER, GAP);
    #[expect(clippy::cast_precision_loss, reason = "numbers of layers and lines")]
    let (down, lines) = (layout.layers as f64 * LAYER, (spaces.spaces.len() + 4) as f64 * LINE);
    let (left, top) = (MARGIN, MARGIN + 40.0);
    let size = [left + layout.width + 2.0 * MARGIN + LEGEND, top + down.max(lines) + MARGIN];
    let description = format!(
        "{} operators from top to bottom; the colour of a box is that of the space of units that it writes, that of its strip \
         the space that it reads, grey is what stays",
        operators.len()
    );
    let mut canvas = Canvas::new(size, name, &description);
    canvas.plain([left, MARGIN + 14.0], 16.0, Anchor::Start, name);
    let at = |[x, y]: [f64; 2]| [left + x, top + y];
    for way in &layout.edges {
        // Straight down beside boxes, and slanted between layers.
        let ends = |point: &[f64; 2]| {
            let [x, y] = at(*point);
            [[x, y - 0.5 * BOX], [x, y + 0.5 * BOX]]
        };
        let passed: Vec<[f64; 2]> = way.iter().flat_map(ends).collect();
        let points = &passed[1..passed.len() - 1];
        let last = points.len() - 1;
        canvas.line(&points[..last], Stroke::solid("#666666", 1.0));
        canvas.arrow(points[last - 1], points[last], Stroke::solid("#666666", 1.0));
    }
    for ((operator, place), width) in operators.iter().zip(&layout.nodes).zip(&widths) {
        draw(&mut canvas, operator, spaces, at(*place), *width);
    }
    legend(&mut canvas, spaces, [left + layout.width + 2.0 * MARGIN, top]);
    canvas.finish()
}

fn width(operator: &MappedOperator) -> f64 {
    let longest = operator.kind.chars().count().max(label(operator).chars().count());
    #[expect(clippy::cast_precision_loss, reason = "the length of a line")]
    let text = longest as f64 * CHARACTER;
    text.max(60.0) + 14.0
}

/// The numbers of the spaces that an operator writes, and its name.
fn label(operator: &MappedOperator) -> String {
    let numbers = operator.writes.iter().map(|space| (space + 1).to_string()).collect::<Vec<_>>().join(" ");
    let name = shown(&operator.name);
    if numbers.is_empty() { name } else { format!("{numbers}: {name}") }
}

/// The end of a name: paths of modules differ there.
fn shown(name: &str) -> String {
    let count = name.chars().count();
    if count <= SHOWN {
        name.to_owned()
    } else {
        format!("..{}", name.chars().skip(count - SHOWN + 2).collect::<String>())
    }
}

fn corners([x, y]: [f64; 2], width: f64, height: f64) -> [[f64; 2]; 4] {
    [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
}

fn draw(canvas: &mut Canvas, operator: &MappedOperator, spaces: &Spaces, [x, y]: [f64; 2], width: f64) {
    let name = |space: usize| spaces.spaces.get(space).map_or("", |space| space.name.as_str());
    let mut title = format!("{} ({})", operator.name, operator.kind);
    for space in &operator.writes {
        title.push_str(&format!("\nwrites units of space {}, `{}`", space + 1, name(*space)));
    }
    for space in &operator.reads {
        title.push_str(&format!("\nreads units of space {}, `{}`", space + 1, name(*space)));
    }
    if let Some(kept) = &operator.kept {
        title.push_str(&format!("\nits units stay: {kept}"));
    }
    canvas.open(&title);
    let corner = [x - 0.5 * width, y - 0.5 * BOX];
    let border = operator.writes.first().map_or("#7f7f7f", |space| SPACES[space % SPACES.len()]);
    let mut fills: Vec<&str> = operator.writes.iter().map(|space| LIGHT[space % LIGHT.len()]).collect();
    if fills.is_empty() {
        fills.push(if operator.kept.is_some() { KEPT } else { NONE });
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of spaces")]
    let share = width / fills.len() as f64;
    let mut from = corner;
    for fill in fills {
        canvas.polygon(&corners(from, share, BOX), Paint::fill(fill));
        from[0] += share;
    }
    canvas.polygon(&corners(corner, width, BOX), Paint::stroke(Stroke::solid(border, 1.4)));
    if let Some(space) = operator.reads.first() {
        let strip = [corner[0] + 1.0, corner[1] + 1.0];
        canvas.polygon(&corners(strip, width - 2.0, STRIP), Paint::fill(SPACES[space % SPACES.len()]));
    }
    canvas.plain([x, y + 3.0], 11.0, Anchor::Middle, &operator.kind);
    canvas.plain([x, y + 14.0], 9.5, Anchor::Middle, &label(operator));
    canvas.close();
}

fn legend(canvas: &mut Canvas, spaces: &Spaces, [x, y]: [f64; 2]) {
    let mut at = y;
    let mut entry = |fill: &str, border: &str, text: &str| {
        canvas.polygon(&corners([x, at], 16.0, 12.0), Paint::both(fill, Stroke::solid(border, 1.4)));
        canvas.plain([x + 24.0, at + 10.0], 11.0, Anchor::Start, text);
        at += LINE;
    };
    for (number, space) in spaces.spaces.iter().enumerate() {
        let sets = if space.cells.len() > 1 { format!(" in {} sets", space.cells.len()) } else { String::new() };
        let coupled = if space.coupled { ", coupled" } else { "" };
        let text = format!("{}: {} units{sets} of {}{coupled}", number + 1, space.units.len(), shown(&space.name));
        entry(LIGHT[number % LIGHT.len()], SPACES[number % SPACES.len()], &text);
    }
    entry(KEPT, "#7f7f7f", "units that stay; the reason is the title of the box");
    entry(NONE, "#7f7f7f", "no units");
    entry(SPACES[0], SPACES[0], "strip of a box: the space that it reads");
}
