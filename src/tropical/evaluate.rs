//! Polynomials on a backend.

use ndarray::Array2;

use super::polynomial::Polynomial;
use crate::backend::{Backend, Maxima};
use crate::error::{Error, Result};

/// A polynomial whose monomials lie on a device, for batches of points.
#[derive(Debug)]
pub struct DevicePolynomial<B: Backend> {
    exponents: B::Matrix,
    coefficients: B::Matrix,
}

impl<B: Backend> DevicePolynomial<B> {
    /// Copies the monomials to the device, in f32.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for numbers beyond f32, and what [`Backend::upload`] returns.
    pub fn upload(backend: &B, polynomial: &Polynomial) -> Result<Self> {
        let coefficients = Array2::from_shape_fn((1, polynomial.monomials()), |(_, i)| polynomial.coefficients()[i]);
        Ok(Self {
            exponents: backend.upload(&narrow(polynomial.exponents(), "exponents")?)?,
            coefficients: backend.upload(&narrow(&coefficients, "coefficients")?)?,
        })
    }

    /// Values at the rows of `points` and the lowest monomials that attain them, see [`Backend::tropical_eval`].
    ///
    /// # Errors
    ///
    /// What the backend returns.
    pub fn evaluate(&self, backend: &B, points: &B::Matrix) -> Result<Maxima<B::Matrix, B::Indices>> {
        backend.tropical_eval(points, &self.exponents, &self.coefficients)
    }
}

/// A matrix rounded to f32.
///
/// # Errors
///
/// [`Error::Data`] for a value beyond the range of f32.
pub fn narrow(matrix: &Array2<f64>, what: &str) -> Result<Array2<f32>> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
    let narrowed = matrix.mapv(|value| value as f32);
    match narrowed.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((i, j), _)) => {
            Err(Error::Data { problem: format!("{what}[{i}, {j}] = {} is beyond f32", matrix[[i, j]]) })
        }
        None => Ok(narrowed),
    }
}
