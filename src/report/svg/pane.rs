//! A rectangle of the plane on a part of a canvas, with axes.

use super::canvas::{Anchor, Canvas, Paint, Stroke};
use crate::geometry::clip::{Bounds, Point};

/// A view of the plane: equal scales on both axes, the second axis upwards.
#[derive(Debug, Clone, Copy)]
pub struct Pane {
    /// Left upper corner in pixels.
    corner: Point,
    /// Width and height in pixels.
    size: Point,
    /// What is shown.
    bounds: Bounds,
}

impl Pane {
    /// A pane of `size` pixels at `corner` that shows at least `bounds`: the shorter side is widened to equal scales.
    #[must_use]
    pub fn new(corner: Point, size: Point, bounds: Bounds) -> Self {
        let extent: Point = std::array::from_fn(|k| (bounds.high[k] - bounds.low[k]).max(f64::MIN_POSITIVE));
        let scale = (size[0] / extent[0]).min(size[1] / extent[1]);
        let half = size.map(|s| 0.5 * s / scale);
        let centre: Point = std::array::from_fn(|k| 0.5 * (bounds.low[k] + bounds.high[k]));
        let bounds = Bounds {
            low: std::array::from_fn(|k| centre[k] - half[k]),
            high: std::array::from_fn(|k| centre[k] + half[k]),
        };
        Self { corner, size, bounds }
    }

    /// What the pane shows.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The pixel of a point.
    #[must_use]
    pub fn at(&self, point: Point) -> Point {
        let share = |k: usize| (point[k] - self.bounds.low[k]) / (self.bounds.high[k] - self.bounds.low[k]);
        [self.corner[0] + share(0) * self.size[0], self.corner[1] + (1.0 - share(1)) * self.size[1]]
    }

    /// The pixels of points.
    #[must_use]
    pub fn all(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|point| self.at(*point)).collect()
    }

    /// Left upper and right lower corner in pixels.
    #[must_use]
    pub fn corners(&self) -> [Point; 2] {
        [self.corner, [self.corner[0] + self.size[0], self.corner[1] + self.size[1]]]
    }

    /// A frame with ticks, labels of the axes and a heading above.
    pub fn axes(&self, canvas: &mut Canvas, heading: &str, labels: [&str; 2]) {
        let [[left, top], [right, bottom]] = self.corners();
        canvas.bold([left, top - 10.0], 14.0, Anchor::Start, heading);
        let tick = Stroke::solid("#555555", 1.0);
        for k in 0..2 {
            let step =
                nice_step((self.bounds.high[k] - self.bounds.low[k]) / if self.size[k] > 250.0 { 6.0 } else { 4.0 });
            let first = (self.bounds.low[k] / step).ceil();
            let mut number = 0.0;
            loop {
                let value = (first + number) * step;
                if value > self.bounds.high[k] {
                    break;
                }
                let text = decimal(value, step);
                if k == 0 {
                    let [x, _] = self.at([value, self.bounds.low[1]]);
                    canvas.line(&[[x, bottom], [x, bottom + 4.0]], tick);
                    canvas.text([x, bottom + 17.0], 11.0, Anchor::Middle, &text);
                } else {
                    let [_, y] = self.at([self.bounds.low[0], value]);
                    canvas.line(&[[left - 4.0, y], [left, y]], tick);
                    canvas.text([left - 7.0, y + 4.0], 11.0, Anchor::End, &text);
                }
                number += 1.0;
            }
        }
        canvas.text([0.5 * (left + right), bottom + 33.0], 12.0, Anchor::Middle, labels[0]);
        canvas.upright([left - 40.0, 0.5 * (top + bottom)], 12.0, labels[1]);
        let frame = [[left, top], [right, top], [right, bottom], [left, bottom]];
        canvas.polygon(&frame, Paint::stroke(Stroke::solid("#555555", 1.0)));
    }
}

/// The least of 1, 2, 5 times a power of ten that is not below `step`.
fn nice_step(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|nice| *nice >= step * (1.0 - 1e-9)).unwrap_or(step)
}

/// A tick's value with the decimals that its step has; powers of ten beyond a million and below a ten-thousandth.
fn decimal(value: f64, step: f64) -> String {
    let value = if value.abs() < 1e-9 * step { 0.0 } else { value };
    if value != 0.0 && !(1e-4..1e6).contains(&step) {
        return format!("{value:.1e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 4")]
    let decimals = (-step.log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_equal_and_the_second_axis_points_upwards() {
        let pane = Pane::new([10.0, 20.0], [200.0, 100.0], Bounds { low: [0.0, 0.0], high: [1.0, 1.0] });
        assert_eq!(pane.at([0.5, 0.5]), [110.0, 70.0]);
        assert_eq!(pane.at([0.5, 1.0]), [110.0, 20.0]);
        assert_eq!(pane.at([1.0, 0.5]), [160.0, 70.0]);
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!([nice_step(0.3), nice_step(1.0), nice_step(70.0)], [0.5, 1.0, 100.0]);
        assert_eq!([decimal(0.5, 0.25), decimal(-0.0, 1.0), decimal(3.0, 1.0)], ["0.5", "0", "3"].map(String::from));
    }
}
