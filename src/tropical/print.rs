//! Polynomials and rational functions as text that [`parse`](super::parse) reads back as the same.

use super::polynomial::Polynomial;
use super::rational::Rational;
use crate::number::shortest;

/// Names of `dimension` variables: `x`, `y`, `z`, or `x1`, `x2`, ... for more than three.
#[must_use]
pub fn names(dimension: usize) -> Vec<String> {
    match dimension {
        0..=3 => ["x", "y", "z"][..dimension].iter().map(ToString::to_string).collect(),
        _ => (1..=dimension).map(|i| format!("x{i}")).collect(),
    }
}

/// Tropical notation, `1x^2 + 2xy + 0`.
#[must_use]
pub fn tropical(polynomial: &Polynomial, names: &[String]) -> String {
    let monomials: Vec<String> = (0..polynomial.monomials()).map(|i| monomial(polynomial, i, names)).collect();
    monomials.join(" + ")
}

/// One monomial in tropical notation.
#[must_use]
pub fn monomial(polynomial: &Polynomial, i: usize, names: &[String]) -> String {
    let number = polynomial.coefficients()[i];
    let coefficient = shortest(number);
    let mut powers = String::new();
    for (a, name) in polynomial.exponents().row(i).into_iter().zip(names).filter(|(a, _)| **a != 0.0) {
        // `x^2e3` would be a power of two thousand.
        if powers.ends_with(|c: char| c.is_ascii_digit()) && name.starts_with(['e', 'E']) {
            powers.push('*');
        }
        powers.push_str(name);
        if *a != 1.0 {
            powers.push_str(&format!("^{}", shortest(*a)));
        }
    }
    match (number == 0.0, powers.is_empty()) {
        (_, true) => coefficient,
        (true, false) => powers,
        // `2e3` would be two thousand.
        (false, false) if powers.starts_with(['e', 'E']) => format!("{coefficient}*{powers}"),
        (false, false) => format!("{coefficient}{powers}"),
    }
}

/// Ordinary notation, `max(1 + 2*x, 2 + x + y, 0)`.
#[must_use]
pub fn explicit(polynomial: &Polynomial, names: &[String]) -> String {
    let affine = |i: usize| {
        let mut text = String::new();
        let mut add = |value: f64, name: Option<&String>| {
            let sign = match (text.is_empty(), value < 0.0) {
                (true, true) => "-",
                (true, false) => "",
                (false, true) => " - ",
                (false, false) => " + ",
            };
            text.push_str(sign);
            match name {
                Some(name) if value.abs() == 1.0 => text.push_str(name),
                Some(name) => text.push_str(&format!("{}*{name}", shortest(value.abs()))),
                None => text.push_str(&shortest(value.abs())),
            }
        };
        let terms = polynomial.exponents().row(i);
        for (a, name) in terms.iter().zip(names).filter(|(a, _)| **a != 0.0) {
            add(*a, Some(name));
        }
        let coefficient = polynomial.coefficients()[i];
        if coefficient != 0.0 || terms.iter().all(|a| *a == 0.0) {
            add(coefficient, None);
        }
        text
    };
    let affine: Vec<String> = (0..polynomial.monomials()).map(affine).collect();
    format!("max({})", affine.join(", "))
}

/// A rational function in tropical notation, `(x + 0) / (y + 1)`.
#[must_use]
pub fn tropical_rational(function: &Rational, names: &[String]) -> String {
    format!("({}) / ({})", tropical(&function.numerator, names), tropical(&function.denominator, names))
}

/// A rational function in ordinary notation, `max(x, 0) - max(y, 1)`.
#[must_use]
pub fn explicit_rational(function: &Rational, names: &[String]) -> String {
    format!("{} - {}", explicit(&function.numerator, names), explicit(&function.denominator, names))
}
