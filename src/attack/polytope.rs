//! `D2` on a device, with the perturbation of the first layer eliminated: `sum_i d_i V(r_i)`, `r = A eta`, and its slope by `r`,
//! `d_i nu(r_i)`, for a batch of samples ([`Saturation`]).

use ndarray::Array2;

use super::network::DualHead;
use super::options::{DualOptions, PolytopeSize};
use super::region::{column, narrow, scale_rows, signs, sum};
use super::saturation::Saturation;
use crate::backend::{Activation, Backend, Combination, Function, Reduction, Transpose};
use crate::error::Result;

/// The perturbation of the first layer of a batch.
pub(super) struct Rows<B: Backend> {
    /// `d`, `1 x p`.
    pub(super) weights: B::Matrix,
    /// `1 / |x|^2`, `n x 1`.
    slope: B::Matrix,
    /// Where slopes grow, and by how much, `n x 1` each.
    hinges: Vec<[B::Matrix; 2]>,
    /// `epsilon_2 |x|_1`, if any sample can pass it, and the same less a margin on the device.
    limit: Option<(Vec<f64>, B::Matrix)>,
    /// Slope of what passes the limit.
    penalty: f32,
}

/// What is aimed at in place of the limit, so that the penalty ends within.
const MARGIN: f64 = 0.995;
/// The slope of what passes the limit, in units of the steepest slope below it.
const PENALTY: f64 = 1e3;

/// The weights `d` of the neurons of the first layer.
pub(super) fn neuron_weights<B: Backend>(head: &DualHead<B>, form: PolytopeSize) -> Vec<f64> {
    // A head of one layer has no weights behind it: all rows count alike.
    let Some(next) = &head.next else { return vec![1.0; head.rows] };
    let column = |i: usize| next.iter().skip(i).step_by(head.rows).map(|b| f64::from(*b));
    let weight = |i: usize| match form {
        PolytopeSize::Printed => column(i).map(|b| b * b).sum(),
        PolytopeSize::Zonotopes => {
            let common: f64 = column(i).map(|b| (-b).max(0.0)).sum();
            column(i).map(|b| (b + common).powi(2)).sum()
        }
    };
    (0..head.rows).map(weight).collect()
}

impl<B: Backend> Rows<B> {
    /// For samples whose perturbations have `|A eta|_i <= reach`.
    pub(super) fn upload(
        backend: &B,
        head: &DualHead<B>,
        samples: &Array2<f32>,
        reach: f64,
        options: &DualOptions,
    ) -> Result<Self> {
        let of = |row: ndarray::ArrayView1<'_, f32>| {
            Saturation::of(&row.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), options.rows, reach)
        };
        let samples: Vec<Saturation> = samples.rows().into_iter().map(of).collect();
        let weights = neuron_weights(head, options.polytope);
        let most = samples.iter().map(|sample| sample.hinges.len()).max().unwrap_or(0);
        let hinge = |m: usize| {
            // Samples with fewer hinges have one that adds nothing.
            let part = |k: usize| samples.iter().map(move |sample| sample.hinges.get(m).map_or(0.0, |hinge| hinge[k]));
            Ok([column(backend, part(0))?, column(backend, part(1))?])
        };
        let limits: Vec<f64> = samples.iter().map(|sample| sample.limit).collect();
        let limit = limits.iter().any(|limit| *limit < reach).then(|| {
            let inner = column(backend, limits.iter().map(|limit| limit * MARGIN))?;
            Ok((limits.clone(), inner))
        });
        let steepest = |sample: &Saturation| sample.slope + sample.hinges.iter().map(|hinge| hinge[1]).sum::<f64>();
        let largest = weights.iter().copied().fold(1e-12, f64::max);
        let penalty = PENALTY * largest * samples.iter().map(steepest).fold(1e-12, f64::max).min(1e6);
        let row = Array2::from_shape_fn((1, weights.len()), |(_, i)| narrow(weights[i]));
        Ok(Self {
            weights: backend.upload(&row)?,
            slope: column(backend, samples.iter().map(|sample| sample.slope))?,
            hinges: (0..most).map(hinge).collect::<Result<_>>()?,
            limit: limit.transpose()?,
            penalty: narrow(penalty),
        })
    }

    /// What passes a hinge, `max(|r| - rho, 0)`.
    fn beyond(backend: &B, size: &B::Matrix, at: &B::Matrix) -> Result<B::Matrix> {
        let columns = backend.shape(size)[1];
        let beyond = backend.combine(size, at, Combination::Subtract, columns)?;
        backend.weighted_sum(&beyond, None, [1.0, 0.0], Activation::Relu)
    }

    /// `d o nu(r)`, and the slope of what passes the limit, `n x p`.
    pub(super) fn slope(&self, backend: &B, r: &B::Matrix) -> Result<B::Matrix> {
        let linear = backend.combine(&scale_rows(backend, r, &self.slope)?, &self.weights, Combination::Multiply, 1)?;
        if self.hinges.is_empty() && self.limit.is_none() {
            return Ok(linear);
        }
        let (size, sign) = (backend.elementwise(r, Function::Abs)?, signs(backend, r)?);
        let mut more = backend.weighted_sum(&size, None, [0.0, 0.0], Activation::Identity)?;
        for [at, growth] in &self.hinges {
            let beyond = scale_rows(backend, &Self::beyond(backend, &size, at)?, growth)?;
            more = sum(backend, &more, &beyond, [1.0, 1.0])?;
        }
        let mut more = backend.combine(&more, &self.weights, Combination::Multiply, 1)?;
        if let Some((_, inner)) = &self.limit {
            more = sum(backend, &more, &Self::beyond(backend, &size, inner)?, [1.0, self.penalty])?;
        }
        sum(backend, &linear, &backend.combine(&more, &sign, Combination::Multiply, 1)?, [1.0, 1.0])
    }

    /// `sum_i d_i V(r_i)`, `n x 1`.
    pub(super) fn value(&self, backend: &B, r: &B::Matrix) -> Result<B::Matrix> {
        let weighted = |part: &B::Matrix, factor: &B::Matrix| {
            let squares = backend.combine(part, part, Combination::Multiply, 1)?;
            let sums = backend.matmul(&squares, Transpose::No, &self.weights, Transpose::Yes)?;
            scale_rows(backend, &sums, factor)
        };
        let mut total = weighted(r, &self.slope)?;
        if !self.hinges.is_empty() {
            let size = backend.elementwise(r, Function::Abs)?;
            for [at, growth] in &self.hinges {
                let part = weighted(&Self::beyond(backend, &size, at)?, growth)?;
                total = sum(backend, &total, &part, [1.0, 1.0])?;
            }
        }
        backend.weighted_sum(&total, None, [0.5, 0.0], Activation::Identity)
    }

    /// Which samples have a perturbation of the first layer within its bound.
    pub(super) fn within(&self, backend: &B, r: &B::Matrix) -> Result<Option<Vec<bool>>> {
        let Some((limits, _)) = &self.limit else { return Ok(None) };
        let largest = backend.reduce_rows(&backend.elementwise(r, Function::Abs)?, Reduction::Max)?;
        let largest = backend.download(&largest)?;
        Ok(Some(largest.iter().zip(limits).map(|(r, limit)| *r <= limit * (1.0 + 1e-6)).collect()))
    }
}
