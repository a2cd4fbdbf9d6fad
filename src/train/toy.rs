//! Labelled points in the plane, made from a seed.

use std::f64::consts::{PI, TAU};

use ndarray::Array2;
use rand::RngExt;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::prune::synth::normal;
use crate::rng;

/// A set of labelled points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Toy {
    /// Two half circles that reach into each other.
    Moons,
    /// A circle of radius 1/2 in one of radius 1.
    Circles,
    /// Three normal clouds around points at distance 2 from the origin, one of each class.
    Blobs,
    /// Four normal clouds around `(+-1, +-1)`, opposite ones of one class.
    Xor,
}

impl Toy {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Moons => "moons",
            Self::Circles => "circles",
            Self::Blobs => "blobs",
            Self::Xor => "xor",
        }
    }

    /// Classes.
    #[must_use]
    pub fn classes(self) -> usize {
        if self == Self::Blobs { 3 } else { 2 }
    }

    /// `count` points, classes in turn, with normal noise of deviation `noise`, from the stream `train/toy/<name>` of the seed.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for no points or a noise that is negative or not finite.
    #[expect(clippy::cast_possible_truncation, reason = "points are f32; classes are at most 3")]
    pub fn points(self, count: usize, noise: f64, seed: u64) -> Result<(Array2<f32>, Vec<u32>)> {
        if count == 0 || !(noise >= 0.0 && noise.is_finite()) {
            let problem = format!("{count} points with noise {noise}: at least one, noise at least 0");
            return Err(Error::Argument { argument: "toy", problem });
        }
        let mut stream = rng::stream(seed, &format!("train/toy/{}", self.name()));
        let mut points = Array2::zeros((count, 2));
        let mut labels = Vec::with_capacity(count);
        for (at, mut point) in points.rows_mut().into_iter().enumerate() {
            let label = at % self.classes();
            let along: f64 = stream.random_range(0.0..1.0);
            let sign = if label == 0 { 1.0 } else { -1.0 };
            let [x, y] = match self {
                Self::Moons if label == 0 => [(PI * along).cos() - 0.5, (PI * along).sin() - 0.25],
                Self::Moons => [0.5 - (PI * along).cos(), 0.25 - (PI * along).sin()],
                Self::Circles => {
                    let radius = if label == 0 { 1.0 } else { 0.5 };
                    [radius * (TAU * along).cos(), radius * (TAU * along).sin()]
                }
                Self::Blobs => {
                    let angle = TAU * (label as f64) / 3.0;
                    [2.0 * angle.cos(), 2.0 * angle.sin()]
                }
                Self::Xor if along < 0.5 => [1.0, sign],
                Self::Xor => [-1.0, -sign],
            };
            for (slot, value) in point.iter_mut().zip([x, y]) {
                *slot = (value + noise * f64::from(normal(&mut stream))) as f32;
            }
            labels.push(label as u32);
        }
        Ok((points, labels))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn points_without_noise_lie_where_they_are_said_to() {
        for toy in [Toy::Moons, Toy::Circles, Toy::Blobs, Toy::Xor] {
            let (points, labels) = toy.points(60, 0.0, 3).unwrap();
            for (point, label) in points.rows().into_iter().zip(&labels) {
                let [x, y] = [f64::from(point[0]), f64::from(point[1])];
                let holds = match toy {
                    Toy::Moons if *label == 0 => ((x + 0.5).hypot(y + 0.25) - 1.0).abs() < 1e-6 && y >= -0.25 - 1e-6,
                    Toy::Moons => ((x - 0.5).hypot(y - 0.25) - 1.0).abs() < 1e-6 && y <= 0.25 + 1e-6,
                    Toy::Circles => (x.hypot(y) - if *label == 0 { 1.0 } else { 0.5 }).abs() < 1e-6,
                    Toy::Blobs => (x.hypot(y) - 2.0).abs() < 1e-6,
                    Toy::Xor => (x * y - if *label == 0 { 1.0 } else { -1.0 }).abs() < 1e-6,
                };
                assert!(holds, "{toy:?}: {x} {y} {label}");
            }
            assert_eq!(labels.iter().filter(|label| **label == 0).count(), 60 / toy.classes());
            assert_eq!(toy.points(60, 0.1, 3).unwrap(), toy.points(60, 0.1, 3).unwrap());
            assert_ne!(toy.points(60, 0.1, 3).unwrap().0, toy.points(60, 0.1, 4).unwrap().0);
        }
        assert!(Toy::Moons.points(0, 0.1, 0).is_err() && Toy::Moons.points(5, -0.1, 0).is_err());
    }
}
