//! Mean and covariance of `max(z, 0)` for normal `z`: one triangle, entry by entry, then its mirror.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::normal::{GAUSS_LEGENDRE_16, cdf, density};
use crate::backend::{ReluMoments, check};
use crate::error::Result;

/// One component of `z`.
struct Neuron {
    /// `s = sqrt(S_ii)`.
    deviation: f64,
    /// `h = m_i / s`.
    height: f64,
    /// `Phi(h)`.
    below: f64,
    mean: f64,
}

impl Neuron {
    fn new(mean: f64, variance: f64) -> Self {
        let deviation = variance.max(0.0).sqrt();
        if deviation == 0.0 {
            return Self { deviation, height: 0.0, below: 0.0, mean: mean.max(0.0) };
        }
        let height = mean / deviation;
        let below = cdf(height);
        Self { deviation, height, below, mean: (mean * below + deviation * density(height)).max(0.0) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
pub(super) fn relu_covariance(mean: &HostMatrix, covariance: &HostMatrix) -> Result<ReluMoments<HostMatrix>> {
    let n = check::relu_covariance(mean.shape(), covariance.shape())?;
    let neuron = |i: usize| Neuron::new(f64::from(mean.values()[i]), f64::from(covariance.row(i)[i]));
    let neurons: Vec<Neuron> = (0..n).map(neuron).collect();
    let upper = |i: usize| -> Vec<f32> {
        let others = neurons[i..].iter().zip(&covariance.row(i)[i..]);
        others.map(|(other, entry)| entry_of(&neurons[i], other, f64::from(*entry)) as f32).collect()
    };
    let triangle: Vec<Vec<f32>> = (0..n).into_par_iter().map(upper).collect();
    let mut out = HostMatrix::unwritten("relu_covariance", [n, n])?;
    out.values_mut().par_chunks_mut(n.max(1)).enumerate().for_each(|(i, row)| {
        let (mirrored, own) = row.split_at_mut(i);
        own.copy_from_slice(&triangle[i]);
        for (j, value) in mirrored.iter_mut().enumerate() {
            *value = triangle[j][i - j];
        }
    });
    let mean = HostMatrix::row_vector(neurons.iter().map(|neuron| neuron.mean as f32).collect());
    Ok(ReluMoments { mean, covariance: out })
}

/// `Cov(max(z_i, 0), max(z_j, 0))`. With `r = sin t` for the size of the correlation and `k = sign(rho) h_j`, the exponent
/// is `-((h_i - k)^2 / (2 cos^2 t) + h_i k / (1 + r))`, which loses no digits as the cosine goes to 0.
fn entry_of(a: &Neuron, b: &Neuron, covariance: f64) -> f64 {
    let scale = a.deviation * b.deviation;
    if scale == 0.0 {
        return 0.0;
    }
    let rho = (covariance / scale).clamp(-1.0, 1.0);
    let (h, k) = (a.height, if rho < 0.0 { -b.height } else { b.height });
    let end = rho.abs().asin();
    let term = |t: f64| {
        let (r, cosine) = t.sin_cos();
        let gap = (h - k) / cosine;
        (rho.abs() - r) * (-(0.5 * gap * gap + h * k / (1.0 + r))).exp()
    };
    let nodes = GAUSS_LEGENDRE_16.iter();
    let integral: f64 = nodes.map(|(x, w)| w * (term(0.5 * end * (1.0 - x)) + term(0.5 * end * (1.0 + x)))).sum();
    // The integrand and the direction of the integral both change sign with the correlation.
    scale * (rho * a.below * b.below + 0.5 * end * integral / std::f64::consts::TAU)
}
