//! Bounds as functions of the radius, and what rounding adds to them.

use std::ops::Add;

use serde::Serialize;

/// Half the distance from 1 to the next f64.
pub(super) const UNIT: f64 = f64::EPSILON / 2.0;

/// `constant + slope r`: a bound that holds on every ball of radius `r` up to the one it was computed for.
///
/// Bounds made of `nu_r(a, b) = r |a| + |b|` have this form. Others are convex in `r`, and the chord from 0 to the
/// radius they were computed for lies above them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Radial {
    /// The bound at radius 0.
    pub constant: f64,
    /// What the bound grows by for each unit of the radius.
    pub slope: f64,
}

impl Radial {
    /// The bound of nothing.
    pub const ZERO: Self = Self { constant: 0.0, slope: 0.0 };

    /// The chord of a convex function of the radius from its value at 0 to its value at `radius`.
    #[must_use]
    pub fn chord(at_zero: f64, at_radius: f64, radius: f64) -> Self {
        let slope = if radius > 0.0 { ((at_radius - at_zero) / radius).max(0.0) } else { 0.0 };
        Self { constant: at_zero, slope: slope * (1.0 + 8.0 * UNIT) }
    }

    /// The bound on the ball of radius `radius`; infinite where it is not a number.
    #[must_use]
    pub fn at(self, radius: f64) -> f64 {
        let growth = if radius == 0.0 { 0.0 } else { self.slope * radius };
        let bound = (self.constant + growth) * (1.0 + 8.0 * UNIT);
        if bound.is_nan() { f64::INFINITY } else { bound }
    }

    /// The bound times a factor of at least 0.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { constant: self.constant * factor, slope: self.slope * factor }
    }
}

impl Add for Radial {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { constant: self.constant + other.constant, slope: self.slope + other.slope }
    }
}

/// Covers the rounding of f64: a computed bound becomes `bound (1 + eta) + eta T`.
///
/// `T` is the sum of `nu_r` over everything that enters, each generator with its coefficient and with its scaled
/// partner. Whatever a bound is made of (`e_i = w_i - lambda_i w~`, `tau_jk`, `l_j`, norms, sums over neurons) is a sum of
/// at most `n + K + d + 2` products, so that its error is at most `gamma_(n + K + d + 2)` times the sum of the absolute
/// terms (Higham, section 3.1), which `T` contains; each bound is a sum of norms and moves by no more than its arguments.
/// At most eight such steps follow one another. `eta = 64 (n + K + d + 64) u` exceeds eight times that gamma for every
/// size that fits a memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    pub(super) eta: f64,
}

impl Rounding {
    /// The margin for sums of up to `terms` products.
    pub(super) fn new(terms: usize) -> Self {
        Self { eta: 64.0 * (terms as f64 + 64.0) * UNIT }
    }

    /// A computed bound with its margin; `size` is `T`.
    pub(super) fn cover(self, bound: Radial, size: Radial) -> Radial {
        bound.times(1.0 + self.eta) + size.times(self.eta)
    }
}
