//! Tropical polynomials with real exponents.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView1};

use super::decimal::{product, sum};
use crate::error::{Error, Result};

/// `f(x) = max_i c_i + <a_i, x>` (2002.08838, definition 2), with real exponents `a_i`, which change nothing but that
/// lattice lengths need integers.
///
/// Exponents are pairwise distinct: of equal ones the largest coefficient is kept, at the place of the first. There is
/// at least one monomial, and all numbers are finite: the polynomial zero, minus infinity everywhere, is none.
#[derive(Debug, Clone)]
pub struct Polynomial {
    exponents: Array2<f64>,
    coefficients: Vec<f64>,
}

impl Polynomial {
    /// Monomials that a product or power may have, so that a short expression does not fill the memory.
    pub const MOST_MONOMIALS: usize = 1 << 20;

    /// The polynomial with the rows of `exponents` (`m x d`) and their coefficients.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] without monomials, for a number that is not finite, or for lengths that do not fit.
    pub fn new(exponents: &Array2<f64>, coefficients: &[f64]) -> Result<Self> {
        let fail = |problem: String| Err(Error::Data { problem });
        if exponents.nrows() != coefficients.len() {
            let problem = format!("{} exponents for {} coefficients", exponents.nrows(), coefficients.len());
            return fail(problem);
        }
        if coefficients.is_empty() {
            return fail(
                "a tropical polynomial needs a monomial; without one it is minus infinity everywhere".to_owned(),
            );
        }
        if let Some(at) = coefficients.iter().position(|c| !c.is_finite()) {
            return fail(format!("coefficient {at} is {}", coefficients[at]));
        }
        if let Some(((i, j), value)) = exponents.indexed_iter().find(|(_, a)| !a.is_finite()) {
            return fail(format!("exponent {j} of monomial {i} is {value}"));
        }
        Ok(Self::merged(exponents.rows().into_iter().zip(coefficients.iter().copied()), exponents.ncols()))
    }

    /// Keeps the largest coefficient of equal exponents.
    fn merged<'a>(terms: impl Iterator<Item = (ArrayView1<'a, f64>, f64)>, dimension: usize) -> Self {
        let (mut values, mut coefficients): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut places: HashMap<Vec<u64>, usize> = HashMap::new();
        for (exponent, coefficient) in terms {
            // Minus zero and zero are one exponent.
            let key = exponent.iter().map(|a| (a + 0.0).to_bits()).collect();
            let place = *places.entry(key).or_insert_with(|| {
                values.extend(exponent.iter().map(|a| a + 0.0));
                coefficients.push(coefficient + 0.0);
                coefficients.len() - 1
            });
            coefficients[place] = coefficients[place].max(coefficient);
        }
        let shape = (coefficients.len(), dimension);
        // The number of values is that of the shape by construction.
        let exponents = Array2::from_shape_vec(shape, values).unwrap_or_else(|_| Array2::zeros(shape));
        Self { exponents, coefficients }
    }

    /// The constant polynomial `c` in `dimension` variables.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if `c` is not finite.
    pub fn constant(c: f64, dimension: usize) -> Result<Self> {
        Self::new(&Array2::zeros((1, dimension)), &[c])
    }

    /// The variable number `variable` of `dimension`.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if there is no such variable.
    pub fn variable(variable: usize, dimension: usize) -> Result<Self> {
        if variable >= dimension {
            return Err(Error::Internal { what: format!("variable {variable} of {dimension}") });
        }
        Self::new(&Array2::from_shape_fn((1, dimension), |(_, j)| f64::from(u8::from(j == variable))), &[0.0])
    }

    /// Number of variables.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.exponents.ncols()
    }

    /// Number of monomials, at least one.
    #[must_use]
    pub fn monomials(&self) -> usize {
        self.coefficients.len()
    }

    /// The exponents, `m x d`.
    #[must_use]
    pub fn exponents(&self) -> &Array2<f64> {
        &self.exponents
    }

    /// The coefficients.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Value of monomial `i`.
    #[must_use]
    pub fn monomial(&self, i: usize, x: &[f64]) -> f64 {
        self.coefficients[i] + self.exponents.row(i).iter().zip(x).map(|(a, x)| a * x).sum::<f64>()
    }

    /// The value at a point and the lowest monomial that attains it.
    #[must_use]
    pub fn evaluate(&self, x: &[f64]) -> (f64, usize) {
        (0..self.monomials())
            .map(|i| (self.monomial(i, x), i))
            .fold((f64::NEG_INFINITY, 0), |best, next| if next.0 > best.0 { next } else { best })
    }

    /// The tropical sum, pointwise the maximum. Newton polytopes: the hull of the union.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for different numbers of variables.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.same_dimension(other)?;
        let terms = self.terms().chain(other.terms());
        Ok(Self::merged(terms, self.dimension()))
    }

    /// The tropical product, pointwise the sum. Newton polytopes: the Minkowski sum. Decimals of at most 15 digits are
    /// added as such: `0.1 + 0.2` is 0.3.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for different numbers of variables, for more than [`Self::MOST_MONOMIALS`] products, and where a
    /// number overflows.
    pub fn multiply(&self, other: &Self) -> Result<Self> {
        self.same_dimension(other)?;
        let count = self.monomials().saturating_mul(other.monomials());
        if count > Self::MOST_MONOMIALS {
            let problem = format!("the product has up to {count} monomials, the limit is {}", Self::MOST_MONOMIALS);
            return Err(Error::Data { problem });
        }
        let (m, d) = (other.monomials(), self.dimension());
        let exponents = Array2::from_shape_fn((count, d), |(row, j)| {
            sum(self.exponents[[row / m, j]], other.exponents[[row % m, j]])
        });
        let coefficients: Vec<f64> =
            self.coefficients.iter().flat_map(|c| other.coefficients.iter().map(move |e| sum(*c, *e))).collect();
        Self::new(&exponents, &coefficients)
    }

    /// The product of `k` copies, with all its monomials; the constant 0 for none.
    ///
    /// # Errors
    ///
    /// What [`Self::multiply`] returns.
    pub fn power(&self, k: u32) -> Result<Self> {
        let mut power = Self::constant(0.0, self.dimension())?;
        for _ in 0..k {
            power = power.multiply(self)?;
        }
        Ok(power)
    }

    /// The function `k f` for `k >= 0`, which is the power `f^k` of any real exponent: `k max = max k`.
    ///
    /// For an integer `k` the same function as [`Self::power`], without the monomials that are attained in ties only.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a negative or not finite `k`, and where a number overflows.
    pub fn real_power(&self, k: f64) -> Result<Self> {
        if !(k >= 0.0 && k.is_finite()) {
            let problem = format!("exponent {k}: a polynomial has powers of finite exponents from 0 on");
            return Err(Error::Data { problem });
        }
        let coefficients: Vec<f64> = self.coefficients.iter().map(|c| product(k, *c)).collect();
        Self::new(&self.exponents.mapv(|a| product(k, a)), &coefficients)
    }

    /// The polynomial of some of the monomials, in the given order.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for an empty selection.
    pub fn select(&self, monomials: &[usize]) -> Result<Self> {
        let coefficients: Vec<f64> = monomials.iter().map(|i| self.coefficients[*i]).collect();
        Self::new(&self.exponents.select(ndarray::Axis(0), monomials), &coefficients)
    }

    fn terms(&self) -> impl Iterator<Item = (ArrayView1<'_, f64>, f64)> {
        self.exponents.rows().into_iter().zip(self.coefficients.iter().copied())
    }

    fn same_dimension(&self, other: &Self) -> Result<()> {
        if self.dimension() == other.dimension() {
            return Ok(());
        }
        let problem = format!("polynomials in {} and {} variables", self.dimension(), other.dimension());
        Err(Error::Data { problem })
    }
}

impl PartialEq for Polynomial {
    /// The same monomials with the same coefficients, in any order.
    fn eq(&self, other: &Self) -> bool {
        let key = |f: &Self| {
            let mut terms: Vec<Vec<u64>> =
                f.terms().map(|(a, c)| a.iter().copied().chain([c]).map(|x| (x + 0.0).to_bits()).collect()).collect();
            terms.sort_unstable();
            terms
        };
        self.dimension() == other.dimension() && key(self) == key(other)
    }
}
