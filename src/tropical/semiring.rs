//! The max-plus semiring.

use std::ops::{Add, Div, Mul};

/// An element of the tropical semiring `(R u {-inf}, max, +)` (2002.08838, definition 1).
///
/// Operators are those of the semiring: `a + b` is `max(a, b)`, `a * b` the ordinary sum, `a / b` the ordinary
/// difference. Addition is associative, commutative and idempotent with neutral element [`MaxPlus::ZERO`];
/// multiplication is commutative with neutral element [`MaxPlus::ONE`], distributes over addition exactly, and is
/// absorbed by zero. It is associative up to the rounding of f64.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct MaxPlus(f64);

impl MaxPlus {
    /// Minus infinity, the neutral element of addition.
    pub const ZERO: Self = Self(f64::NEG_INFINITY);
    /// The number 0, the neutral element of multiplication.
    pub const ONE: Self = Self(0.0);

    /// A number as an element; `None` for NaN and plus infinity, which the semiring does not have.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (value < f64::INFINITY).then_some(Self(value))
    }

    /// The number, minus infinity for zero.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// The power `x^a`, which is the ordinary product `a x`; `ZERO^0` is `ONE`.
    ///
    /// `a` is finite, and not negative for `ZERO`, which has no inverse: `None` otherwise, or where the product
    /// overflows.
    #[must_use]
    pub fn power(self, a: f64) -> Option<Self> {
        if a == 0.0 {
            return Some(Self::ONE);
        }
        if self == Self::ZERO {
            return (a > 0.0).then_some(Self::ZERO);
        }
        Self::new(a * self.0).filter(|power| power.0.is_finite())
    }
}

impl Add for MaxPlus {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl Mul for MaxPlus {
    type Output = Self;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "the product of the semiring is the ordinary sum")]
    fn mul(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Div for MaxPlus {
    type Output = Option<Self>;

    /// The quotient; `None` for division by zero.
    fn div(self, other: Self) -> Option<Self> {
        (other != Self::ZERO).then_some(Self(self.0 - other.0))
    }
}
