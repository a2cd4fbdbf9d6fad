//! Tropical rational functions: ordinary differences of two polynomials.

use super::polynomial::Polynomial;
use crate::error::{Error, Result};

/// `f(x) = numerator(x) - denominator(x)` (2002.08838, definition 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Rational {
    /// What is subtracted from.
    pub numerator: Polynomial,
    /// What is subtracted.
    pub denominator: Polynomial,
}

impl Rational {
    /// Monomials up to which a natural power is multiplied out.
    pub const POWER_MONOMIALS: f64 = 10_000.0;

    /// A polynomial over the constant 0.
    ///
    /// # Errors
    ///
    /// None that can occur: the constant is finite.
    pub fn from_polynomial(numerator: Polynomial) -> Result<Self> {
        let denominator = Polynomial::constant(0.0, numerator.dimension())?;
        Ok(Self { numerator, denominator })
    }

    /// The numerator, divided by the denominator where that is a single monomial; `None` where it is not.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] where a number overflows.
    pub fn as_polynomial(&self) -> Result<Option<Polynomial>> {
        if self.denominator.monomials() != 1 {
            return Ok(None);
        }
        let inverse =
            Polynomial::new(&self.denominator.exponents().mapv(|a| -a), &[-self.denominator.coefficients()[0]])?;
        self.numerator.multiply(&inverse).map(Some)
    }

    /// The same function with the constant 0 below, where the denominator is a single monomial.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] where a number overflows.
    pub fn reduced(self) -> Result<Self> {
        match self.as_polynomial()? {
            Some(polynomial) => Self::from_polynomial(polynomial),
            None => Ok(self),
        }
    }

    /// The value at a point.
    #[must_use]
    pub fn evaluate(&self, x: &[f64]) -> f64 {
        self.numerator.evaluate(x).0 - self.denominator.evaluate(x).0
    }

    /// The tropical sum: `max(p/q, r/s) = max(p s, r q) / (q s)` with tropical products.
    ///
    /// # Errors
    ///
    /// What [`Polynomial::multiply`] returns.
    pub fn add(&self, other: &Self) -> Result<Self> {
        if self.denominator == other.denominator {
            let numerator = self.numerator.add(&other.numerator)?;
            return Ok(Self { numerator, denominator: self.denominator.clone() });
        }
        let left = self.numerator.multiply(&other.denominator)?;
        let right = other.numerator.multiply(&self.denominator)?;
        Ok(Self { numerator: left.add(&right)?, denominator: self.denominator.multiply(&other.denominator)? })
    }

    /// The tropical product, pointwise the sum.
    ///
    /// # Errors
    ///
    /// What [`Polynomial::multiply`] returns.
    pub fn multiply(&self, other: &Self) -> Result<Self> {
        Ok(Self {
            numerator: self.numerator.multiply(&other.numerator)?,
            denominator: self.denominator.multiply(&other.denominator)?,
        })
    }

    /// One over the function, pointwise its negative.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { numerator: self.denominator, denominator: self.numerator }
    }

    /// The function `k f`. A natural power keeps its monomials that are attained in ties only where they are at most
    /// [`Self::POWER_MONOMIALS`] in number.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a `k` that is not finite, and what [`Polynomial::power`] returns.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a natural number below 10,000")]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn power(self, k: f64) -> Result<Self> {
        if k < 0.0 {
            return self.inverse().power(-k);
        }
        // k factors out of m monomials, in any order: (k + m - 1 choose m - 1).
        let of = |f: &Polynomial| {
            let count: f64 = (1..f.monomials()).map(|i| (k + i as f64) / i as f64).product();
            if k.fract() == 0.0 && f.monomials() > 1 && count <= Self::POWER_MONOMIALS {
                f.power(k as u32)
            } else {
                f.real_power(k)
            }
        };
        Ok(Self { numerator: of(&self.numerator)?, denominator: of(&self.denominator)? })
    }

    /// The number of variables.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.numerator.dimension()
    }
}

impl TryFrom<Rational> for Polynomial {
    type Error = Error;

    fn try_from(rational: Rational) -> Result<Self> {
        rational.as_polynomial()?.ok_or_else(|| Error::Unsupported {
            problem: "the expression is a rational function: its denominator has several monomials".to_owned(),
        })
    }
}
