//! Shapes and text on a canvas, in pixels.

use std::fmt::Write as _;

use super::{escaped, opening};
use crate::geometry::clip::Point;

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Stroke<'a> {
    /// Colour.
    pub colour: &'a str,
    /// Width in pixels.
    pub width: f64,
    /// Dash pattern, empty for a solid line.
    pub dash: &'a str,
}

impl<'a> Stroke<'a> {
    /// A solid line.
    #[must_use]
    pub fn solid(colour: &'a str, width: f64) -> Self {
        Self { colour, width, dash: "" }
    }

    /// A dashed line.
    #[must_use]
    pub fn dashed(colour: &'a str, width: f64, dash: &'a str) -> Self {
        Self { colour, width, dash }
    }

    fn attributes(&self) -> String {
        let dash = if self.dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{}""#, self.dash) };
        format!(r#"stroke="{}" stroke-width="{:.2}"{dash}"#, self.colour, self.width)
    }
}

/// How an area is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Paint<'a> {
    /// Colour of the inside, if any.
    pub fill: Option<&'a str>,
    /// Its border, if any.
    pub stroke: Option<Stroke<'a>>,
}

impl<'a> Paint<'a> {
    /// The inside only.
    #[must_use]
    pub fn fill(colour: &'a str) -> Self {
        Self { fill: Some(colour), stroke: None }
    }

    /// The border only.
    #[must_use]
    pub fn stroke(stroke: Stroke<'a>) -> Self {
        Self { fill: None, stroke: Some(stroke) }
    }

    /// Inside and border.
    #[must_use]
    pub fn both(colour: &'a str, stroke: Stroke<'a>) -> Self {
        Self { fill: Some(colour), stroke: Some(stroke) }
    }

    fn attributes(&self) -> String {
        let stroke = self.stroke.map(|stroke| format!(" {}", stroke.attributes())).unwrap_or_default();
        format!(r#"fill="{}"{stroke}"#, self.fill.unwrap_or("none"))
    }
}

/// Where a text has its anchor point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At its left end.
    Start,
    /// In its middle.
    Middle,
    /// At its right end.
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A picture that grows by shapes; later ones lie above earlier ones.
#[derive(Debug)]
pub struct Canvas {
    svg: String,
    /// Rectangles that labels keep clear of: left, top, right, bottom.
    taken: Vec<[f64; 4]>,
    size: [f64; 2],
}

/// Width of a character of Helvetica, in font sizes, on the safe side.
const CHARACTER: f64 = 0.58;

impl Canvas {
    /// An empty white canvas of `size` pixels.
    #[must_use]
    pub fn new(size: [f64; 2], title: &str, description: &str) -> Self {
        Self { svg: opening(size[0], size[1], title, description), taken: Vec::new(), size }
    }

    /// The finished picture.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    /// A line through points.
    pub fn line(&mut self, points: &[Point], stroke: Stroke<'_>) {
        let path = list(points);
        let line =
            format!(r#"<polyline points="{path}" fill="none" {} stroke-linejoin="round"/>"#, stroke.attributes());
        self.push(&line);
    }

    /// A closed polygon.
    pub fn polygon(&mut self, points: &[Point], paint: Paint<'_>) {
        if points.len() > 1 {
            let path = list(points);
            self.push(&format!(r#"<polygon points="{path}" {} stroke-linejoin="round"/>"#, paint.attributes()));
        }
    }

    /// A disc, which labels keep clear of.
    pub fn disc(&mut self, [x, y]: Point, radius: f64, paint: Paint<'_>) {
        self.push(&format!(r#"<circle cx="{x:.2}" cy="{y:.2}" r="{radius:.2}" {}/>"#, paint.attributes()));
        self.taken.push([x - radius, y - radius, x + radius, y + radius]);
    }

    /// A line with an arrow head at its end.
    pub fn arrow(&mut self, from: Point, to: Point, stroke: Stroke<'_>) {
        let length = (to[0] - from[0]).hypot(to[1] - from[1]);
        if length == 0.0 {
            return;
        }
        let along = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
        let head = (2.5 * stroke.width + 4.0).min(length);
        let base = [to[0] - head * along[0], to[1] - head * along[1]];
        let wing = |side: f64| [base[0] - side * 0.4 * head * along[1], base[1] + side * 0.4 * head * along[0]];
        self.line(&[from, base], stroke);
        self.polygon(&[to, wing(1.0), wing(-1.0)], Paint::fill(stroke.colour));
    }

    /// Begins a group of shapes with a title, which viewers show beside the pointer.
    pub fn open(&mut self, title: &str) {
        let title = escaped(title);
        self.push(&format!("<g>\n<title>{title}</title>"));
    }

    /// Ends a group of shapes.
    pub fn close(&mut self) {
        self.push("</g>");
    }

    /// Text on a ground of one colour: without a halo, and labels do not keep clear of it.
    pub fn plain(&mut self, [x, y]: Point, size: f64, anchor: Anchor, text: &str) {
        let (anchor, text) = (anchor.name(), escaped(text));
        self.push(&format!(r#"<text x="{x:.2}" y="{y:.2}" font-size="{size}" text-anchor="{anchor}">{text}</text>"#));
    }

    /// Text with its anchor on the base line at `at`.
    pub fn text(&mut self, [x, y]: Point, size: f64, anchor: Anchor, text: &str) {
        self.styled(x, y, size, anchor, text, "");
    }

    /// Bold text.
    pub fn bold(&mut self, [x, y]: Point, size: f64, anchor: Anchor, text: &str) {
        self.styled(x, y, size, anchor, text, r#" font-weight="bold""#);
    }

    /// Text that reads upwards, centred at `at`.
    pub fn upright(&mut self, [x, y]: Point, size: f64, text: &str) {
        let text = escaped(text);
        let transform = format!("translate({x:.2} {y:.2}) rotate(-90)");
        self.push(&format!(r#"<text transform="{transform}" font-size="{size}" text-anchor="middle">{text}</text>"#));
    }

    fn styled(&mut self, x: f64, y: f64, size: f64, anchor: Anchor, text: &str, style: &str) {
        #[expect(clippy::cast_precision_loss, reason = "the length of a line")]
        let width = CHARACTER * size * text.chars().count() as f64;
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        self.taken.push([left, y - 0.8 * size, left + width, y + 0.25 * size]);
        let (anchor, text) = (anchor.name(), escaped(text));
        let place = format!(r#"x="{x:.2}" y="{y:.2}" font-size="{size}" text-anchor="{anchor}"{style}"#);
        // A white halo keeps text readable above lines. It is an element of its own: not every viewer knows `paint-order`.
        self.push(&format!(
            r##"<text {place} fill="none" stroke="#ffffff" stroke-width="3" stroke-linejoin="round" aria-hidden="true">{text}</text>"##
        ));
        self.push(&format!("<text {place}>{text}</text>"));
    }

    /// Keeps labels clear of a rectangle, given by two corners.
    pub fn reserve(&mut self, low: Point, high: Point) {
        self.taken.push([low[0].min(high[0]), low[1].min(high[1]), low[0].max(high[0]), low[1].max(high[1])]);
    }

    /// Text beside `at`, where it meets no earlier text, disc or reserved rectangle, `within` a rectangle of pixels (low
    /// and high corner); `distance` away, or in the middle for 0. Tries `preferred` (a direction in pixels) first, and
    /// says whether it found a place: there is no label otherwise.
    pub fn label(
        &mut self,
        at: Point,
        distance: f64,
        preferred: Point,
        size: f64,
        text: &str,
        within: [Point; 2],
    ) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "the length of a label")]
        let width = CHARACTER * size * text.chars().count() as f64;
        let start = preferred[1].atan2(preferred[0]);
        let turns = [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0];
        let rings: &[f64] = if distance > 0.0 { &[1.0, 1.9] } else { &[0.0, 14.0, 28.0] };
        // Rather farther away than on another side, where a line may be.
        for turn in turns {
            for ring in rings {
                let angle: f64 = start + turn * std::f64::consts::FRAC_PI_4;
                let gap = if distance > 0.0 { distance * ring } else { *ring };
                // The nearest point of the label's box lies `gap` away.
                let shift = if distance > 0.0 { [0.5 * width, 0.42 * size] } else { [0.0; 2] };
                let centre = [
                    at[0] + angle.cos() * gap + angle.cos().clamp(-0.7, 0.7) / 0.7 * shift[0],
                    at[1] + angle.sin() * gap + angle.sin().clamp(-0.7, 0.7) / 0.7 * shift[1],
                ];
                let around =
                    [centre[0] - width / 2.0, centre[1] - 0.6 * size, centre[0] + width / 2.0, centre[1] + 0.6 * size];
                let inside = around[0] >= within[0][0]
                    && around[1] >= within[0][1]
                    && around[2] <= within[1][0].min(self.size[0])
                    && around[3] <= within[1][1].min(self.size[1]);
                let free = self
                    .taken
                    .iter()
                    .all(|t| around[2] <= t[0] || t[2] <= around[0] || around[3] <= t[1] || t[3] <= around[1]);
                if inside && free {
                    self.text([centre[0], centre[1] + 0.35 * size], size, Anchor::Middle, text);
                    return true;
                }
            }
        }
        false
    }

    fn push(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.svg, "{line}");
    }
}

fn list(points: &[Point]) -> String {
    // Adding zero makes minus zero plain.
    let pair = |[x, y]: &Point| format!("{:.2},{:.2}", x + 0.0, y + 0.0);
    points.iter().map(pair).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_goes_where_there_is_room() {
        let mut canvas = Canvas::new([100.0, 100.0], "t", "d");
        let whole = [[0.0, 0.0], [100.0, 100.0]];
        canvas.reserve([50.0, 40.0], [100.0, 60.0]);
        assert!(canvas.label([50.0, 50.0], 4.0, [1.0, 0.0], 10.0, "ab", whole));
        assert!(!canvas.label([50.0, 50.0], 4.0, [1.0, 0.0], 10.0, "a label that is far too long", whole));
        assert!(canvas.finish().contains(">ab</text>"));
    }

    #[test]
    fn text_is_escaped() {
        let mut canvas = Canvas::new([10.0, 10.0], "a < b", "");
        canvas.text([0.0, 0.0], 10.0, Anchor::Start, "x & y");
        let svg = canvas.finish();
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y"));
    }
}
