//! Exact numbers: integers times a power of ten.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use crate::number::scaled;

/// `digits * 10^exponent`.
///
/// A double that is written with at most 15 digits stands for that decimal, so that `0.1 + 0.2` is `0.3`; any other stands
/// for itself. Both are what a reader who recomputes a printed number has in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: BigInt,
    pub(super) exponent: i32,
}

/// Digits of a decimal that every double tells apart.
const DIGITS: usize = 15;

pub(super) fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

impl Decimal {
    /// What a finite double stands for.
    pub(super) fn of(value: f64) -> Self {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let all: String = digits.chars().filter(|c| *c != '.').collect();
        if all.trim_start_matches('-').len() <= DIGITS {
            let exponent = exponent.parse::<i32>().unwrap_or(0) - i32::try_from(fraction).unwrap_or(0);
            return Self { digits: all.parse::<i64>().unwrap_or(0).into(), exponent };
        }
        Self::binary(value)
    }

    /// The double itself: `m 2^-k = m 5^k 10^-k`.
    fn binary(value: f64) -> Self {
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let field = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
        let (mantissa, power) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
        let zeros = mantissa.trailing_zeros().min(52);
        let (mantissa, power) = (mantissa >> zeros, power + i32::try_from(zeros).unwrap_or(0));
        let sign = if value.is_sign_negative() { Sign::Minus } else { Sign::Plus };
        let mantissa = BigInt::from_biguint(sign, mantissa.into());
        match u32::try_from(power) {
            Ok(power) => Self { digits: mantissa << power, exponent: 0 },
            Err(_) => Self { digits: mantissa * BigInt::from(5).pow(power.unsigned_abs()), exponent: power },
        }
    }

    /// The digits at a smaller exponent.
    pub(super) fn at(&self, exponent: i32) -> BigInt {
        &self.digits * power_of_ten(self.exponent.saturating_sub(exponent).unsigned_abs())
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self { digits: self.at(exponent) + other.at(exponent), exponent }
    }

    pub(super) fn subtract(&self, other: &Self) -> Self {
        self.add(&Self { digits: -&other.digits, exponent: other.exponent })
    }

    pub(super) fn multiply(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, exponent: self.exponent + other.exponent }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let exponent = self.exponent.min(other.exponent);
        self.at(exponent).cmp(&other.at(exponent))
    }

    /// The nearest double; infinite beyond them.
    pub(super) fn nearest(&self) -> f64 {
        // Decimal digits of any number are read with one rounding.
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }
}

/// Whether arithmetic in f64 is the one meant: integers, and what came from f32.
fn plain(a: f64, b: f64) -> bool {
    let whole = |x: f64| x.fract() == 0.0 && x.abs() < 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "what rounding does is what is asked")]
    let single = |x: f64| f64::from(x as f32) == x;
    (whole(a) && whole(b)) || (single(a) && single(b)) || !(a.is_finite() && b.is_finite())
}

/// The double nearest to the sum of what two doubles stand for.
pub(super) fn sum(a: f64, b: f64) -> f64 {
    if plain(a, b) { a + b } else { Decimal::of(a).add(&Decimal::of(b)).nearest() }
}

/// The double nearest to the product of what two doubles stand for.
pub(super) fn product(a: f64, b: f64) -> f64 {
    if plain(a, b) { a * b } else { Decimal::of(a).multiply(&Decimal::of(b)).nearest() }
}

/// The double nearest to `numerator / denominator`, which is not zero.
pub(super) fn quotient(numerator: &BigInt, denominator: &BigInt) -> f64 {
    let negative = (numerator.sign() == Sign::Minus) != (denominator.sign() == Sign::Minus);
    let (n, d) = (numerator.magnitude(), denominator.magnitude());
    let [wide, narrow] = [n.bits(), d.bits()].map(|bits| i64::try_from(bits).unwrap_or(i64::MAX));
    // A quotient of 66 or 67 bits, the last of which stands for all that follow.
    let shift = 67 - (wide - narrow);
    let by = shift.unsigned_abs();
    let (n, d) = if shift > 0 { (n << by, d.clone()) } else { (n.clone(), d << by) };
    let (quotient, rest) = (&n / &d, &n % &d);
    let mut bits = u128::try_from(quotient).unwrap_or(0);
    bits |= u128::from(rest.bits() > 0);
    #[expect(clippy::cast_precision_loss, reason = "the one rounding")]
    let value = bits as f64;
    // Beyond 2^2000 the result is zero or infinite in any case.
    let exponent = i32::try_from((-shift).clamp(-2000, 2000)).unwrap_or(0);
    let value = scaled(value, exponent);
    if negative { 0.0 - value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_decimals_add_and_multiply_as_decimals() {
        assert_eq!((sum(0.1, 0.2), product(0.1, 3.0), sum(0.7, 0.1)), (0.3, 0.3, 0.8));
        assert_eq!((sum(1e300, 1.0), product(1e200, 1e200)), (1e300, f64::INFINITY));
        // Seventeen digits stand for the double.
        let third = 1.0 / 3.0;
        assert_eq!(Decimal::of(third).nearest(), third);
        assert_eq!(Decimal::of(third).compare(&Decimal::binary(third)), Ordering::Equal);
        for value in [0.0, -1.5, 5e-324, f64::MAX, 0.1 + 0.2, 100_000_001.0] {
            assert_eq!((Decimal::of(value).nearest(), Decimal::binary(value).nearest()), (value, value));
        }
    }

    #[test]
    fn quotients_are_the_nearest_doubles() {
        for (n, d) in [(1, 3), (-2, 3), (10, 5), (0, 7), (1, -1_000_003)] {
            let wanted = f64::from(n) / f64::from(d);
            assert_eq!(quotient(&n.into(), &d.into()), wanted);
            let factor = power_of_ten(400);
            assert_eq!(quotient(&(BigInt::from(n) * &factor), &(BigInt::from(d) * &factor)), wanted);
        }
        assert_eq!(quotient(&power_of_ten(300), &1.into()), 1e300);
        assert_eq!(quotient(&1.into(), &power_of_ten(320)), 1e-320);
        assert_eq!(quotient(&power_of_ten(4000), &1.into()), f64::INFINITY);
    }
}
