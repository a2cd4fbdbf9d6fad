//! Polynomials on a backend.

use ndarray::Array2;

use super::polynomial::Polynomial;
use super::value::Value;
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

/// Values at the rows of `points` on a backend, in f32; nothing where a number is beyond f32.
///
/// # Errors
///
/// [`Error::CheckFailed`] where a value lies farther from the exact one than rounding to f32 explains:
/// `2 (d + 4) 2^-24 max_i (|c_i| + sum_j |a_ij x_j|)`; what the backend returns.
pub fn evaluate_checked<B: Backend>(
    backend: &B,
    polynomial: &Polynomial,
    points: &Array2<f64>,
    exact: &[Value],
) -> Result<Option<Vec<f64>>> {
    let largest = |values: &mut dyn Iterator<Item = &f64>| values.fold(0.0_f64, |most, value| most.max(value.abs()));
    let numbers = polynomial.exponents().iter().chain(polynomial.coefficients()).chain(points);
    let sizes = exact.iter().map(|value| &value.size);
    // Products and sums of numbers of f32 may be beyond it as well.
    if largest(&mut numbers.chain(sizes)) > 1e37 {
        return Ok(None);
    }
    let on_device = backend.upload(&narrow(points, "point")?)?;
    let found = DevicePolynomial::upload(backend, polynomial)?.evaluate(backend, &on_device)?;
    let values: Vec<f64> = backend.download(&found.values)?.into_iter().collect();
    #[expect(clippy::cast_precision_loss, reason = "a dimension is small")]
    let share = 2.0 * (points.ncols() + 4) as f64 * 2.0_f64.powi(-24);
    for (i, (value, exact)) in values.iter().zip(exact).enumerate() {
        let bound = share * exact.size + 1e-35;
        let error = (value - exact.value).abs();
        if error > bound || error.is_nan() {
            let problem = format!(
                "value {value:?} at point {i} on `{}`; exact is {:?}, and rounding explains {bound:.1e}",
                backend.device().name,
                exact.value
            );
            return Err(Error::CheckFailed { problem });
        }
    }
    Ok(Some(values))
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
