//! From shallow networks to tropical maps: `f_i = H_i - Q_i`, and the polynomial `R` whose hypersurface holds the
//! decision boundary.
//!
//! With `A+ = max(A, 0)`, `A- = max(-A, 0)` and `M(x) = max(A+ x + c, A- x)`, a preactivation is
//! `A x + c = (A+ x + c) - A- x` and its rectification `M - A- x`, so that
//! `H = B+ M + B- A- x + b` and `Q = B- M + B+ A- x` are tropical polynomials with `f = H - Q` (2002.08838, theorem 1).

use ndarray::{Array1, Array2};
use serde::Serialize;

use super::shallow::ShallowNetwork;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::tropical::{Polynomial, Rational, narrow};

/// Which polynomial stands for the decision boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `R = max_i R_i` with `R_i = H_i + sum_(l != i) Q_l = f_i + sum_l Q_l`, the paper's for two classes. Class
    /// weights `w_i = B+(i, :) + sum_(l != i) B-(l, :)`.
    Joint,
    /// `R` without the convex function that all `R_i` share: class weights `w_i = B(i, :) - min_l B(l, :)`, shift 0.
    /// Its hypersurface still holds the boundary, within that of the joint form, and does not change when the same row
    /// is added to all rows of `B`.
    Minimal,
}

/// `R_i(x) = sum_j w_ij max(A_j x + c_j, 0) + <shift, x> + b_i` for each class: `R_i - R_j = f_i - f_j`, and
/// `R = max_i R_i` is the polynomial of theorem 2 of 2002.08838, with biases and for `k` classes.
#[derive(Debug, Clone)]
pub struct BoundaryMap {
    /// Class weights `w`, `k x p`, not negative.
    pub weights: Array2<f64>,
    /// `(A_j, c_j)`, `p x (n + 1)`. The lifted zonotope of class `i` has the generators `w_ij (A_j, c_j)`.
    pub generators: Array2<f64>,
    /// The shift, `n`, the same for all classes.
    pub shift: Array1<f64>,
    /// `b`, `k`: the lifted zonotope of class `i` is moved by `(shift, b_i)`.
    pub biases: Array1<f64>,
    /// The form.
    pub form: Form,
}

impl BoundaryMap {
    /// The map of a network. For the boundary between two of several classes, `f_i = f_j`, take the network of these
    /// two ([`ShallowNetwork::select`]).
    #[must_use]
    pub fn of(shallow: &ShallowNetwork, form: Form) -> Self {
        let (k, p, n) = (shallow.classes(), shallow.neurons(), shallow.inputs());
        let b = &shallow.coefficients;
        let column = |j: usize| (0..k).map(move |l| b[[l, j]]);
        // What R_i has more than f_i.
        let common: Vec<f64> = (0..p)
            .map(|j| match form {
                Form::Joint => column(j).map(|b| (-b).max(0.0)).sum(),
                Form::Minimal => -column(j).fold(f64::INFINITY, f64::min),
            })
            .collect();
        let shift = match form {
            Form::Joint => Array1::from_shape_fn(n, |t| {
                (0..p).map(|j| column(j).map(f64::abs).sum::<f64>() * (-shallow.rows[[j, t]]).max(0.0)).sum()
            }),
            Form::Minimal => Array1::zeros(n),
        };
        Self {
            // Rounding may leave a last bit below zero.
            weights: Array2::from_shape_fn((k, p), |(i, j)| (b[[i, j]] + common[j]).max(0.0)),
            generators: Array2::from_shape_fn((p, n + 1), |(j, t)| {
                if t < n { shallow.rows[[j, t]] } else { shallow.constants[j] }
            }),
            shift,
            biases: shallow.biases.clone(),
            form,
        }
    }

    /// The values `R_i(x)`.
    #[must_use]
    pub fn values(&self, x: &[f64]) -> Vec<f64> {
        let linear: f64 = self.shift.iter().zip(x).map(|(s, x)| s * x).sum();
        let hidden: Vec<f64> = self.preactivations(x).into_iter().map(|z| z.max(0.0)).collect();
        let value = |(row, b): (ndarray::ArrayView1<'_, f64>, &f64)| {
            row.iter().zip(&hidden).map(|(w, h)| w * h).sum::<f64>() + linear + b
        };
        self.weights.rows().into_iter().zip(&self.biases).map(value).collect()
    }

    /// `A x + c`.
    #[must_use]
    pub fn preactivations(&self, x: &[f64]) -> Vec<f64> {
        let value =
            |row: ndarray::ArrayView1<'_, f64>| row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>() + row[row.len() - 1];
        self.generators.rows().into_iter().map(value).collect()
    }

    /// The values `R_i` at the rows of `points` on a device: support functions of the lifted class zonotopes at `(x,
    /// 1)`.
    ///
    /// `points`: `m x n`; returns `m x k`.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for numbers beyond f32, and what the backend returns.
    pub fn device_values<B: Backend>(&self, backend: &B, points: &Array2<f64>) -> Result<Array2<f64>> {
        let upload = |matrix: &Array2<f64>, what: &str| backend.upload(&narrow(matrix, what)?);
        let (weights, generators) = (upload(&self.weights, "weight")?, upload(&self.generators, "generator")?);
        let supports = backend.class_supports(&weights, &generators, &upload(&Self::lifted(points), "point")?)?;
        Ok(self.with_shift(&backend.download(&supports)?, points))
    }

    /// The rows `(x, 1)`.
    pub(super) fn lifted(points: &Array2<f64>) -> Array2<f64> {
        let n = points.ncols();
        Array2::from_shape_fn((points.nrows(), n + 1), |(i, t)| if t < n { points[[i, t]] } else { 1.0 })
    }

    /// The values `R_i` from the support functions of the class zonotopes without their shift.
    pub(super) fn with_shift(&self, supports: &Array2<f64>, points: &Array2<f64>) -> Array2<f64> {
        Array2::from_shape_fn(supports.dim(), |(i, class)| {
            let linear: f64 = self.shift.iter().zip(points.row(i)).map(|(s, x)| s * x).sum();
            supports[[i, class]] + linear + self.biases[class]
        })
    }
}

/// The logits as tropical rational functions `H_i / Q_i`, multiplied out: up to `2^p` monomials each, and so for few
/// neurons.
///
/// # Errors
///
/// [`Error::Data`] where a product passes [`Polynomial::MOST_MONOMIALS`] or a number overflows.
pub fn rational_maps(shallow: &ShallowNetwork) -> Result<Vec<Rational>> {
    let n = shallow.inputs();
    let side = |j: usize, sign: f64| -> Vec<f64> { shallow.rows.row(j).iter().map(|a| (sign * a).max(0.0)).collect() };
    let logit = |i: usize| {
        let mut numerator = Polynomial::constant(shallow.biases[i], n)?;
        let mut denominator = Polynomial::constant(0.0, n)?;
        for j in 0..shallow.neurons() {
            let weight = shallow.coefficients[[i, j]];
            let (plus, minus) = (side(j, 1.0), side(j, -1.0));
            let exponents = Array2::from_shape_vec((2, n), [plus, minus.clone()].concat());
            let exponents = exponents.map_err(|error| Error::Internal { what: error.to_string() })?;
            let kink = Polynomial::new(&exponents, &[shallow.constants[j], 0.0])?.real_power(weight.abs())?;
            let exponents = Array2::from_shape_fn((1, n), |(_, t)| minus[t]);
            let linear = Polynomial::new(&exponents, &[0.0])?.real_power(weight.abs())?;
            let (up, down) = if weight >= 0.0 { (kink, linear) } else { (linear, kink) };
            numerator = numerator.multiply(&up)?;
            denominator = denominator.multiply(&down)?;
        }
        Ok(Rational { numerator, denominator })
    };
    (0..shallow.classes()).map(logit).collect()
}
