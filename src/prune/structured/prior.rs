//! What is assumed of the inputs of a network where no data are given.

use ndarray::{Array1, Array2};

use super::moments::{factorised, number};
use super::signal::narrow;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::prune::synth::{Arrangement, normal};

/// The distribution that a network's inputs are assumed to have.
#[derive(Debug, Clone, Default)]
pub enum Prior {
    /// Independent normal inputs where the hyperplanes of the layers that read them lie, see [`Arrangement`]; [`Prior::Iso`]
    /// for inputs that no linear layer reads as they are.
    #[default]
    Arrangement,
    /// `N(0, I)` on normalised inputs.
    Iso,
    /// Zero mean and the covariance of generic images, `exp(-distance / (side / 5))`, times 0.9 between channels.
    Image,
    /// Means and covariances that were given.
    Moments(InputMoments),
}

/// How the inputs of a network vary together.
#[derive(Debug, Clone)]
pub enum Covariance {
    /// The identity.
    Identity,
    /// Independent inputs with these standard deviations: `d`.
    Independent(Array1<f64>),
    /// Any: `d x d`.
    Full(Array2<f64>),
}

/// Mean and covariance of the inputs of a network.
#[derive(Debug, Clone)]
pub struct InputMoments {
    /// `d`.
    pub mean: Array1<f64>,
    /// The covariance.
    pub covariance: Covariance,
    /// The smallest eigenvalue of a covariance that was given and was not positive semi-definite: it was projected.
    pub projected: Option<f64>,
}

impl Prior {
    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Arrangement => "arrangement",
            Self::Iso => "iso",
            Self::Image => "image",
            Self::Moments(_) => "moments",
        }
    }

    /// The moments of the `width` values that the node `value` of a network gives, or the input.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for an image prior on inputs that are not square images, [`Error::Data`] for moments of
    /// another width.
    pub(in crate::prune) fn moments(&self, network: &Network, value: &str, width: usize) -> Result<InputMoments> {
        let zero = || Array1::zeros(width);
        let given = |mean, covariance| Ok(InputMoments { mean, covariance, projected: None });
        match self {
            Self::Arrangement => {
                match Arrangement::read_by(network, value)?.filter(|found| found.mean.len() == width) {
                    Some(found) => given(found.mean, Covariance::Independent(found.deviation)),
                    None => given(zero(), Covariance::Identity),
                }
            }
            Self::Iso => given(zero(), Covariance::Identity),
            Self::Image => given(zero(), Covariance::Full(image_covariance(image_shape(network, width)?))),
            Self::Moments(given) if given.mean.len() == width => Ok(given.clone()),
            Self::Moments(given) => {
                let problem = format!("moments of {} values for inputs of {width}", given.mean.len());
                Err(Error::Data { problem })
            }
        }
    }
}

/// Channels, height and width of the inputs: those of the network, else a square of one channel or of three.
fn image_shape(network: &Network, width: usize) -> Result<[usize; 3]> {
    if let [channels, height, columns] = *network.input.as_slice()
        && channels * height * columns == width
    {
        return Ok([channels, height, columns]);
    }
    for channels in [1, 3] {
        let side = (width / channels).isqrt();
        if side > 0 && channels * side * side == width {
            return Ok([channels, side, side]);
        }
    }
    let problem = format!("the prior `image` needs square images; the network takes {width} values");
    Err(Error::Unsupported { problem })
}

fn image_covariance([channels, height, width]: [usize; 3]) -> Array2<f64> {
    let (plane, scale) = (height * width, number(height.max(width)) / 5.0);
    let size = channels * plane;
    Array2::from_shape_fn((size, size), |(a, b)| {
        let place = |at: usize| (number(at % plane / width), number(at % plane % width));
        let ((ya, xa), (yb, xb)) = (place(a), place(b));
        let same = if a / plane == b / plane { 1.0 } else { 0.9 };
        same * (-(ya - yb).hypot(xa - xb) / scale).exp()
    })
}

impl InputMoments {
    /// Moments that were given, checked: finite, of one width, symmetric; a covariance with negative eigenvalues is
    /// projected onto the positive semi-definite ones.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for anything else.
    pub fn checked(mean: Array1<f64>, covariance: Array2<f64>) -> Result<Self> {
        let d = mean.len();
        let wrong = |problem: String| Err(Error::Data { problem });
        if covariance.dim() != (d, d) {
            return wrong(format!("a covariance of shape {:?} for a mean of {d} values", covariance.dim()));
        }
        if let Some(at) = mean.iter().position(|value| !value.is_finite()) {
            return wrong(format!("mean {at} is {}", mean[at]));
        }
        if let Some(((i, j), value)) = covariance.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return wrong(format!("covariance ({i}, {j}) is {value}"));
        }
        let size = covariance.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
        for ((i, j), value) in covariance.indexed_iter() {
            if (value - covariance[[j, i]]).abs() > 1e-4 * size {
                return wrong(format!("covariance ({i}, {j}) is {value}, ({j}, {i}) is {}", covariance[[j, i]]));
            }
        }
        let matrix = nalgebra::DMatrix::from_fn(d, d, |i, j| 0.5 * (covariance[[i, j]] + covariance[[j, i]]));
        let shifted = &matrix + nalgebra::DMatrix::identity(d, d) * (1e-6 * size);
        if nalgebra::Cholesky::new(shifted).is_some() {
            return Ok(Self { mean, covariance: Covariance::Full(covariance), projected: None });
        }
        let eigen = nalgebra::SymmetricEigen::new(matrix);
        let smallest = eigen.eigenvalues.min();
        let positive = eigen.eigenvalues.map(|value| value.max(0.0));
        let projected =
            &eigen.eigenvectors * nalgebra::DMatrix::from_diagonal(&positive) * eigen.eigenvectors.transpose();
        let covariance = Array2::from_shape_fn((d, d), |(i, j)| projected[(i, j)]);
        Ok(Self { mean, covariance: Covariance::Full(covariance), projected: Some(smallest) })
    }

    /// `count` normal inputs with these moments, one row each, from the stream `name` of a seed.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a covariance that is not positive semi-definite.
    pub(in crate::prune) fn draws(&self, count: usize, seed: u64, name: &str) -> Result<Array2<f32>> {
        let (d, random) = (self.mean.len(), &mut crate::rng::stream(seed, name));
        let mut draws = Array2::from_shape_simple_fn((count, d), || normal(random));
        match &self.covariance {
            Covariance::Identity => {}
            Covariance::Independent(deviations) => draws = narrow(&(draws.mapv(f64::from) * deviations)),
            Covariance::Full(covariance) => {
                let scale = covariance.diag().sum() / number(d.max(1));
                let lower = factorised(covariance, 0.0, scale)?.l();
                let lower = Array2::from_shape_fn((d, d), |(i, j)| lower[(i, j)]);
                draws = narrow(&draws.mapv(f64::from).dot(&lower.t()));
            }
        }
        let mean = narrow(&self.mean.view().insert_axis(ndarray::Axis(0)).to_owned());
        Ok(draws + mean)
    }

    /// The same means with half the deviations.
    pub(super) fn halved(self) -> Self {
        let covariance = match self.covariance {
            Covariance::Identity => Covariance::Independent(Array1::from_elem(self.mean.len(), 0.5)),
            Covariance::Independent(deviations) => Covariance::Independent(0.5 * deviations),
            Covariance::Full(covariance) => Covariance::Full(0.25 * covariance),
        };
        Self { covariance, ..self }
    }

    /// Mean and covariance of samples, the rows of `inputs`.
    ///
    /// # Errors
    ///
    /// What reading the samples returns; [`Error::Data`] for fewer than two.
    pub fn of_samples(inputs: &dyn crate::backend::RowSource) -> Result<Self> {
        let [n, d] = inputs.shape();
        if n < 2 {
            return Err(Error::Data { problem: format!("{n} samples have no covariance") });
        }
        let mut values = Array2::<f32>::zeros((n, d));
        if let Some(values) = values.as_slice_mut() {
            inputs.read_rows(0, values)?;
        }
        let values = values.mapv(f64::from);
        let mean = values.mean_axis(ndarray::Axis(0)).unwrap_or_else(|| Array1::zeros(d));
        let centred = values - &mean;
        let covariance = centred.t().dot(&centred) / number(n);
        Ok(Self { mean, covariance: Covariance::Full(covariance), projected: None })
    }
}
