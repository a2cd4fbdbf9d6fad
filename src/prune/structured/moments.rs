//! What is known of a layer's units over the inputs: means and covariances of the units and of what reads them.

use std::borrow::Cow;

use nalgebra::{Cholesky, DMatrix, Dyn};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis, s};
use rand::RngExt;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::prune::synth::ReadMoments;

/// Moments of the features `h` of a layer, and of the values `y` that they are to give in the next layer.
#[derive(Debug, Clone)]
pub struct Moments {
    /// `E h`: `n`.
    pub mean: Array1<f64>,
    /// `Cov(h, h)`: `n x n`.
    pub covariance: Array2<f64>,
    /// `Cov(y, h)`: `m x n`.
    pub target: Array2<f64>,
    /// `E y`: `m`.
    pub target_mean: Array1<f64>,
    /// `sum_j Var(y_j)`.
    pub target_variance: f64,
}

impl Moments {
    /// The moments of the columns that next layers read, of values without their bias.
    pub(super) fn of_columns(read: ReadMoments) -> Self {
        let target_variance = read.variance();
        let (mean, target_mean) = (read.mean.into(), read.target_mean.into());
        Self { mean, covariance: read.gram, target: read.target, target_mean, target_variance }
    }

    /// The moments of some of the features.
    #[must_use]
    pub fn select(&self, features: &[usize]) -> Self {
        Self {
            mean: self.mean.select(Axis(0), features),
            covariance: self.covariance.select(Axis(0), features).select(Axis(1), features),
            target: self.target.select(Axis(1), features),
            target_mean: self.target_mean.clone(),
            target_variance: self.target_variance,
        }
    }

    /// `Cov(S y, h)` for at most `most` random mixtures `S y` of the values: `E |S y|^2 = |y|^2` for random signs over
    /// `sqrt(most)`, with a relative spread of at most `sqrt(2 / most)` (Achlioptas, *Database-friendly random projections*,
    /// 2003).
    #[must_use]
    pub fn sketched(&self, most: usize, seed: u64) -> Cow<'_, Array2<f64>> {
        let m = self.target.nrows();
        if m <= most {
            return Cow::Borrowed(&self.target);
        }
        let mut random = crate::rng::stream(seed, "sketch");
        let scale = 1.0 / number(most).sqrt();
        let mix = Array2::from_shape_simple_fn((most, m), || if random.random::<bool>() { scale } else { -scale });
        Cow::Owned(mix.dot(&self.target))
    }

    /// The moments of the last `count` features.
    #[must_use]
    pub fn last(&self, count: usize) -> Self {
        let first = self.mean.len() - count;
        Self {
            mean: self.mean.slice(s![first..]).to_owned(),
            covariance: self.covariance.slice(s![first.., first..]).to_owned(),
            target: self.target.slice(s![.., first..]).to_owned(),
            target_mean: self.target_mean.clone(),
            target_variance: self.target_variance,
        }
    }

    /// `E ||y - (C h + beta)||^2` for next weights `C` (`m x n`) and the next bias that gives `y` its mean.
    #[must_use]
    pub fn loss(&self, next: &Array2<f64>) -> f64 {
        let cross: f64 = next.iter().zip(&self.target).map(|(c, t)| c * t).sum();
        let own: f64 = next.iter().zip(product(next, &self.covariance)).map(|(c, cg)| c * cg).sum();
        (self.target_variance - 2.0 * cross + own).max(0.0)
    }

    /// The minimiser of `E ||y - (C h + beta)||^2 + ridge g ||C||^2`, `g` the mean of the diagonal of the covariance:
    /// `C = Cov(y, h) (Cov(h, h) + ridge g I)^(-1)`, `beta = E y - C E h`.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for moments that are not finite.
    pub fn refit(&self, ridge: f64) -> Result<(Array2<f64>, Array1<f64>)> {
        let n = self.mean.len();
        let diagonal = self.covariance.diag().sum() / number(n.max(1));
        if !diagonal.is_finite() || self.target.iter().any(|value| !value.is_finite()) {
            return Err(Error::Data { problem: "the moments of a layer are not finite".to_owned() });
        }
        let factor = factorised(&self.covariance, ridge * diagonal, diagonal)?;
        let mut next = self.target.clone();
        let blocks: Vec<_> = next.axis_chunks_iter_mut(Axis(0), ROWS).collect();
        blocks.into_par_iter().for_each(|mut rows| {
            let solution = factor.solve(&DMatrix::from_fn(n, rows.nrows(), |i, j| rows[[j, i]]));
            rows.indexed_iter_mut().for_each(|((j, i), value)| *value = solution[(i, j)]);
        });
        let bias = &self.target_mean - &next.dot(&self.mean);
        Ok((next, bias))
    }
}

/// The Cholesky factor of `G + ridge I`; a ridge that is too small for the rounding of `G` grows tenfold until it is not.
pub(super) fn factorised(covariance: &Array2<f64>, ridge: f64, scale: f64) -> Result<Cholesky<f64, Dyn>> {
    let n = covariance.nrows();
    let mut shift = ridge.max(0.0);
    for _ in 0..16 {
        let shifted = DMatrix::from_fn(n, n, |i, j| {
            0.5 * (covariance[[i, j]] + covariance[[j, i]]) + if i == j { shift } else { 0.0 }
        });
        if let Some(factor) = Cholesky::new(shifted) {
            return Ok(factor);
        }
        shift = (10.0 * shift).max(1e-12 * scale).max(f64::MIN_POSITIVE);
    }
    Err(Error::Data { problem: "the covariance of a layer is not positive semi-definite".to_owned() })
}

/// Rows that one task multiplies or solves for.
const ROWS: usize = 256;

/// `A B`, blocks of rows side by side.
pub(in crate::prune) fn product(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let mut product = Array2::zeros((a.nrows(), b.ncols()));
    let blocks: Vec<_> = product.axis_chunks_iter_mut(Axis(0), ROWS).zip(a.axis_chunks_iter(Axis(0), ROWS)).collect();
    blocks.into_par_iter().for_each(|(mut out, rows)| general_mat_mul(1.0, &rows, b, 0.0, &mut out));
    product
}

#[expect(clippy::cast_precision_loss, reason = "numbers of units are far below 2^53")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketches_keep_sizes() {
        let (m, n) = (2000, 3);
        let moments = Moments {
            mean: Array1::zeros(n),
            covariance: Array2::eye(n),
            target: Array2::from_shape_fn((m, n), |(j, i)| number((j * (i + 1)) % 7) - 3.0),
            target_mean: Array1::ones(m),
            target_variance: 1.0,
        };
        let sketch = moments.sketched(500, 1);
        assert_eq!(sketch.dim(), (500, n));
        for (mixed, whole) in sketch.columns().into_iter().zip(moments.target.columns()) {
            let ratio = mixed.dot(&mixed) / whole.dot(&whole);
            assert!((ratio - 1.0).abs() < 0.25 && ratio != 1.0, "four times the spread of {ratio}");
        }
        assert_eq!(*moments.sketched(m, 1), moments.target, "no more values than there are");
    }
}
