//! What flows into a layer: a normal distribution, or samples. Each gives the moments of the layer's units.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate, s};

use super::moments::{Moments, number, product};
use super::prior::{Covariance, InputMoments};
use crate::backend::{Activation, Backend, RowSource, Transpose};
use crate::error::{Error, Result};
use crate::network::{Element, Pair, Reduced, Tensor};

/// The input of a layer.
pub(super) enum Signal<B: Backend> {
    /// `N(mean, covariance)`.
    Normal { mean: Array1<f64>, covariance: Spread<B> },
    /// The same samples in the original network and in the current one.
    Samples { original: B::Matrix, current: B::Matrix },
}

/// A covariance on the device.
pub(super) enum Spread<B: Backend> {
    Identity,
    /// Standard deviations of independent values.
    Independent(Array1<f64>),
    Full(B::Matrix),
}

/// Units of a layer that is not in the network: rows and biases.
pub(super) type Units<'a> = (ArrayView2<'a, f32>, &'a [f32]);

#[expect(clippy::cast_possible_truncation, reason = "backends compute in f32")]
pub(super) fn narrow(matrix: &Array2<f64>) -> Array2<f32> {
    matrix.mapv(|value| value as f32)
}

fn vector(values: &[f32]) -> Array2<f32> {
    Array2::from_shape_fn((1, values.len()), |(_, i)| values[i])
}

/// `relu(X A^T + b)` on the device.
pub(super) fn units<B: Backend>(backend: &B, x: &B::Matrix, (rows, bias): Units<'_>) -> Result<B::Matrix> {
    backend.affine(x, &backend.upload(&rows)?, Some(&backend.upload(&vector(bias))?), Activation::Relu)
}

impl<B: Backend> Signal<B> {
    /// A normal distribution.
    pub(super) fn normal(backend: &B, moments: &InputMoments) -> Result<Self> {
        let covariance = match &moments.covariance {
            Covariance::Identity => Spread::Identity,
            Covariance::Independent(deviations) => Spread::Independent(deviations.clone()),
            Covariance::Full(covariance) => Spread::Full(backend.upload(&narrow(covariance))?),
        };
        Ok(Self::Normal { mean: moments.mean.clone(), covariance })
    }

    /// Samples, the rows of `inputs`.
    pub(super) fn samples(backend: &B, inputs: &dyn RowSource) -> Result<Self> {
        Ok(Self::Samples { original: backend.upload(inputs)?, current: backend.upload(inputs)? })
    }

    /// The moments of the units of `pair`, followed by those of `extra`; the values to give are those of the pair under a
    /// distribution, and those of the original network on samples.
    pub(super) fn moments(
        &self,
        backend: &B,
        original: &Pair,
        pair: &Pair,
        extra: Option<Units<'_>>,
    ) -> Result<Moments> {
        if pair.block() != 1 {
            let problem = format!("`{}` has {} places; moments are of neurons", pair.site.layer, pair.block());
            return Err(Error::Unsupported { problem });
        }
        let (mut rows, mut bias) = (pair.rows.clone(), pair.bias.clone());
        if let Some((more, more_bias)) = extra {
            rows = stacked(pair.rows.view(), more.view())?.into_shared();
            bias.extend_from_slice(more_bias);
        }
        match self {
            Self::Normal { mean, covariance } => {
                let device_rows = match covariance {
                    // (A D)(A D)^T, whose factors hold values of the size of pre-activations, whatever the units of inputs are.
                    Spread::Independent(deviations) => backend.upload(&narrow(&(rows.mapv(f64::from) * deviations)))?,
                    // A tensor can be read where it lies.
                    _ => backend.upload(&Tensor::sharing(
                        &pair.site.layer,
                        Element::F32,
                        rows.shape().to_vec(),
                        &rows,
                    )?)?,
                };
                let through = match covariance {
                    Spread::Full(covariance) => {
                        Some(backend.matmul(&device_rows, Transpose::No, covariance, Transpose::No)?)
                    }
                    Spread::Identity | Spread::Independent(_) => None,
                };
                let product = through.as_ref().unwrap_or(&device_rows);
                let spread = backend.matmul(product, Transpose::No, &device_rows, Transpose::Yes)?;
                let at_mean =
                    |row: ArrayView1<'_, f32>| row.iter().zip(mean).map(|(a, x)| f64::from(*a) * x).sum::<f64>();
                let centre = rows.rows().into_iter().zip(&bias).map(|(row, b)| at_mean(row) + f64::from(*b));
                let centre = Array1::from_iter(centre);
                let centre = backend.upload(&narrow(&centre.insert_axis(Axis(0))))?;
                let rectified = backend.relu_covariance(&centre, &spread)?;
                drop((through, spread));
                let mean = backend.download(&rectified.mean)?.row(0).to_owned();
                let covariance = backend.download(&rectified.covariance)?;
                drop(rectified);
                backend.trim();
                Ok(of_pair(pair, mean, covariance))
            }
            Self::Samples { original: x, current } => {
                let features = backend.download(&units(backend, current, (rows.view(), &bias))?)?;
                let hidden = units(backend, x, (original.rows.view(), &original.bias))?;
                let next_bias = backend.upload(&vector(&original.next_bias))?;
                let next = backend.upload(&original.next)?;
                let values = backend.affine(&hidden, &next, Some(&next_bias), Activation::Identity)?;
                of_samples(backend, &features, &backend.download(&values)?)
            }
        }
    }

    /// What units give on each sample in the current network.
    pub(super) fn features(&self, backend: &B, own: Units<'_>) -> Result<Array2<f64>> {
        match self {
            Self::Samples { current, .. } => backend.download(&units(backend, current, own)?),
            Self::Normal { .. } => Err(Error::Internal { what: "samples of a distribution".to_owned() }),
        }
    }

    /// The input of the next layer, behind the units of `reduced`, of which `moments` are known.
    pub(super) fn advance(self, backend: &B, original: &Pair, reduced: Units<'_>, moments: &Moments) -> Result<Self> {
        match self {
            Self::Normal { .. } => {
                let covariance = Spread::Full(backend.upload(&narrow(&moments.covariance))?);
                Ok(Self::Normal { mean: moments.mean.clone(), covariance })
            }
            Self::Samples { original: x, current } => Ok(Self::Samples {
                original: units(backend, &x, (original.rows.view(), &original.bias))?,
                current: units(backend, &current, reduced)?,
            }),
        }
    }
}

fn stacked(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
    concatenate(Axis(0), &[a, b]).map_err(|error| Error::Internal { what: error.to_string() })
}

/// Moments of features whose first `n` are the units of a pair, which gives `y = C h + beta`.
fn of_pair(pair: &Pair, mean: Array1<f64>, covariance: Array2<f64>) -> Moments {
    let n = pair.units();
    let next = pair.next.mapv(f64::from);
    let target = match covariance.nrows() {
        all if all == n => product(&next, &covariance),
        _ => next.dot(&covariance.slice(s![..n, ..])),
    };
    let own = next.iter().zip(target.slice(s![.., ..n]).iter()).map(|(c, t)| c * t).sum::<f64>();
    let bias = Array1::from_iter(pair.next_bias.iter().map(|b| f64::from(*b)));
    let target_mean = next.dot(&mean.slice(s![..n])) + bias;
    Moments { mean, covariance, target, target_mean, target_variance: own.max(0.0) }
}

/// Moments over the rows of two matrices.
fn of_samples<B: Backend>(backend: &B, features: &Array2<f64>, values: &Array2<f64>) -> Result<Moments> {
    let count = number(features.nrows().max(1));
    let mean = features.sum_axis(Axis(0)) / count;
    let target_mean = values.sum_axis(Axis(0)) / count;
    let (h, y) = (features - &mean, values - &target_mean);
    let target_variance = y.iter().map(|v| v * v).sum::<f64>() / count;
    let (h, y) = (backend.upload(&narrow(&h))?, backend.upload(&narrow(&y))?);
    let covariance = backend.download(&backend.matmul(&h, Transpose::Yes, &h, Transpose::No)?)? / count;
    let target = backend.download(&backend.matmul(&y, Transpose::Yes, &h, Transpose::No)?)? / count;
    Ok(Moments { mean, covariance, target, target_mean, target_variance })
}

/// The old units that the new ones are, if each new one is an old one.
pub(super) fn kept_units(pair: &Pair, reduced: &Reduced) -> Option<Vec<usize>> {
    let mut kept = vec![None; reduced.units()];
    for (old, new) in reduced.assignment.iter().enumerate() {
        if let Some(new) = *new
            && kept[new].is_none()
            && pair.rows.row(old) == reduced.rows.row(new)
            && pair.bias[old] == reduced.bias[new]
        {
            kept[new] = Some(old);
        }
    }
    kept.into_iter().collect()
}
