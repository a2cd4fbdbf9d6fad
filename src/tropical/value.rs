//! Values of polynomials at a point, exact for the numbers as they are written.

use std::cmp::Ordering;

use super::decimal::Decimal;
use super::polynomial::Polynomial;

/// The maximum of a polynomial at a point.
#[derive(Debug, Clone)]
pub struct Value {
    /// The double nearest to the maximum.
    pub value: f64,
    /// All monomials that attain it, ascending.
    pub monomials: Vec<usize>,
    /// A bound of `|c_i| + sum_j |a_ij x_j|` over all monomials, to which rounding in lower precision relates.
    pub size: f64,
    exact: Decimal,
}

impl Value {
    /// The double nearest to the difference of two maxima.
    #[must_use]
    pub fn minus(&self, other: &Self) -> f64 {
        self.exact.subtract(&other.exact).nearest()
    }
}

impl Polynomial {
    /// The maximum at a point and all monomials that attain it.
    ///
    /// Numbers of at most 15 digits count as decimals, others as the doubles they are, and both are added and multiplied
    /// without rounding: `0.1x + 0.2` is 0.3 at 1, where it meets the constant 0.3. In f64 only those monomials are left
    /// out that lie below the maximum by more than rounding.
    #[must_use]
    pub fn value(&self, x: &[f64]) -> Value {
        let size = |i: usize| {
            let terms = self.exponents().row(i).iter().zip(x).map(|(a, x)| (a * x).abs()).sum::<f64>();
            terms + self.coefficients()[i].abs()
        };
        let rounded: Vec<(f64, f64)> = (0..self.monomials()).map(|i| (self.monomial(i, x), size(i))).collect();
        #[expect(clippy::cast_precision_loss, reason = "a dimension is small")]
        let share = 4.0 * (x.len() + 4) as f64 * f64::EPSILON;
        let least = rounded.iter().map(|(value, size)| value - share * size - f64::MIN_POSITIVE);
        let least = least.fold(f64::NEG_INFINITY, f64::max);
        // Not a number where something overflows: such monomials stay too.
        let below = |(value, size): &(f64, f64)| value + share * size + f64::MIN_POSITIVE < least;
        let point: Vec<Decimal> = x.iter().map(|x| Decimal::of(*x)).collect();
        let mut best: Option<(Decimal, Vec<usize>)> = None;
        for i in (0..self.monomials()).filter(|i| !below(&rounded[*i])) {
            let terms = self.exponents().row(i).into_iter().zip(&point).filter(|(a, _)| **a != 0.0);
            let constant = Decimal::of(self.coefficients()[i]);
            let value = terms.fold(constant, |sum, (a, x)| sum.add(&Decimal::of(*a).multiply(x)));
            match best.as_mut().map(|best| (value.compare(&best.0), best)) {
                Some((Ordering::Less, _)) => {}
                Some((Ordering::Equal, best)) => best.1.push(i),
                _ => best = Some((value, vec![i])),
            }
        }
        let (exact, monomials) = best.unwrap_or_else(|| (Decimal::of(0.0), vec![0]));
        let size = rounded.iter().map(|(_, size)| *size).fold(0.0, f64::max);
        Value { value: exact.nearest(), monomials, size, exact }
    }
}
