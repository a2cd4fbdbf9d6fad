//! How far computed values lie from exact ones.

use super::super::contraction::unit_roundings;

/// Squared lengths below which no sum of products overflows.
const LONGEST: f64 = 1e38;

/// The error of a computed `<x, c> - |c|^2 / 2`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    /// What each unit of `|x| |c| + |c|^2` may lose.
    gamma: f64,
    /// What products and sums too small to be normal may lose.
    least: f64,
}

impl Rounding {
    /// For vectors of `inner` entries.
    pub(super) fn of(inner: usize) -> Self {
        // The offset rounds once and its addition once.
        let roundings = unit_roundings(inner) + 2.0;
        let unit = f64::from(f32::EPSILON) / 2.0;
        let least = (inner as f64 + roundings) * f64::from(f32::from_bits(1));
        Self { gamma: roundings * unit / (1.0 - roundings * unit), least }
    }

    /// Whether vectors of these squared lengths are finite and too short for an overflow.
    pub(super) fn holds(self, squares: &[f64]) -> bool {
        squares.iter().all(|square| *square < LONGEST)
    }

    /// The error at most of the values of a point of squared length `square` with centres up to `longest`.
    pub(super) fn slack(self, square: f64, longest: f64) -> f64 {
        self.gamma * (square.sqrt() * longest + longest * longest) + self.least
    }
}

pub(super) fn square(distance: f32) -> f64 {
    f64::from(distance) * f64::from(distance)
}

/// The distance to a centre of that computed value at least.
pub(super) fn least_distance(square: f64, value: f32, slack: f64) -> f32 {
    below((square - 2.0 * (f64::from(value) + slack)).max(0.0).sqrt())
}

/// The next f32 below a distance, at least 0.
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest, and then down")]
pub(super) fn below(distance: f64) -> f32 {
    (distance as f32).next_down().max(0.0)
}
