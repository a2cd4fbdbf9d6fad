//! Problem (5) with the perturbation of the first layer eliminated, for a batch of samples on a device.

use ndarray::Array2;

use super::groups::Groups;
use super::network::{DualHead, logits};
use super::options::{Distance, DualOptions};
use super::polytope::Rows;
use super::region::{Region, column, narrow, numbers, over_norms, scale_rows, sum};
use crate::backend::{Activation, Backend, Cutoff, Reduction, Transpose};
use crate::error::{Error, Result};

/// A batch with its targets.
pub(super) struct Problem<'a, B: Backend> {
    backend: &'a B,
    head: &'a DualHead<B>,
    pub(super) region: Region<B>,
    /// `A x + c`.
    before: B::Matrix,
    rows: Option<Rows<B>>,
    groups: Option<(Groups<B>, f32)>,
    square: f32,
    targets: B::Indices,
    kappa: f32,
    pub(super) count: usize,
}

/// The network at a perturbation.
pub(super) struct At<B: Backend> {
    signals: Vec<B::Matrix>,
    /// `A eta`.
    r: Option<B::Matrix>,
}

/// What is known of a perturbation of each sample.
pub(super) struct Judged {
    /// Whether the class is the target and the first layer keeps within its bound.
    pub(super) holds: Vec<bool>,
    /// `D1 + D2`.
    pub(super) objective: Vec<f64>,
}

/// The largest `|A eta|_i` over `|eta|_inf <= epsilon`.
pub(super) fn reach<B: Backend>(backend: &B, head: &DualHead<B>, epsilon: f64) -> Result<f64> {
    let sizes = backend.elementwise(head.first()?, crate::backend::Function::Abs)?;
    let sums = numbers(backend, &backend.reduce_rows(&sizes, Reduction::Sum)?)?;
    Ok(epsilon * sums.into_iter().fold(0.0, f64::max) * (1.0 + 1e-5))
}

impl<'a, B: Backend> Problem<'a, B> {
    pub(super) fn upload(
        backend: &'a B,
        head: &'a DualHead<B>,
        samples: &Array2<f32>,
        targets: &[u32],
        options: &DualOptions,
    ) -> Result<Self> {
        let region = Region::upload(backend, samples, options.epsilon, options.bounds)?;
        let (square, groups) = match options.distance {
            Distance::Squares => (1.0, None),
            Distance::Groups { shape, square, group } => {
                if shape.iter().product::<usize>() != samples.ncols() {
                    let problem = format!("groups of pixels of images {shape:?} for {} values", samples.ncols());
                    return Err(Error::Argument { argument: "distance", problem });
                }
                (narrow(square), Some((Groups::of_images(backend, shape)?, narrow(group))))
            }
        };
        let reach = reach(backend, head, options.epsilon)?;
        let rows = options.dual().then(|| Rows::upload(backend, head, samples, reach, options)).transpose()?;
        Ok(Self {
            backend,
            head,
            before: head.preactivation(backend, &region.samples)?,
            region,
            rows,
            groups,
            square,
            targets: backend.upload_indices(targets)?,
            kappa: narrow(options.kappa),
            count: samples.nrows(),
        })
    }

    /// The network at `x + eta`.
    pub(super) fn at(&self, eta: &B::Matrix) -> Result<At<B>> {
        let backend = self.backend;
        let z = self.head.preactivation(backend, &self.region.moved(backend, eta)?)?;
        let r = self.rows.is_some().then(|| sum(backend, &z, &self.before, [1.0, -1.0])).transpose()?;
        Ok(At { signals: self.head.signals(backend, &z)?, r })
    }

    /// The network at `A x + c + r`.
    pub(super) fn at_rows(&self, r: B::Matrix) -> Result<At<B>> {
        let z = sum(self.backend, &self.before, &r, [1.0, 1.0])?;
        Ok(At { signals: self.head.signals(self.backend, &z)?, r: Some(r) })
    }

    /// Groups of pixels that are shorter by `t`; the perturbation itself where there are none.
    pub(super) fn shrink(&self, eta: &B::Matrix, t: f64) -> Result<B::Matrix> {
        let backend = self.backend;
        match &self.groups {
            Some((groups, _)) => groups.shrink(backend, eta, &column(backend, std::iter::repeat_n(t, self.count))?),
            None => backend.weighted_sum(eta, None, [1.0, 0.0], Activation::Identity),
        }
    }

    /// Whether each perturbation does what it is to do.
    pub(super) fn holds(&self, at: &At<B>) -> Result<Vec<bool>> {
        let backend = self.backend;
        let found = backend.classify(logits(&at.signals)?, Some(&self.targets))?;
        let mut holds: Vec<bool> = backend.download_indices(&found.rank)?.into_iter().map(|rank| rank == 0).collect();
        if let (Some(rows), Some(r)) = (&self.rows, &at.r)
            && let Some(within) = rows.within(backend, r)?
        {
            holds.iter_mut().zip(within).for_each(|(holds, within)| *holds &= within);
        }
        Ok(holds)
    }

    /// Whether each perturbation does what it is to do, and what it costs.
    pub(super) fn judge(&self, eta: &B::Matrix, at: &At<B>) -> Result<Judged> {
        let backend = self.backend;
        let squares = backend.reduce_rows(eta, Reduction::Squares)?;
        let mut total = backend.weighted_sum(&squares, None, [self.square, 0.0], Activation::Identity)?;
        if let Some((groups, factor)) = &self.groups {
            total = sum(backend, &total, &groups.value(backend, eta)?, [1.0, *factor])?;
        }
        if let (Some(rows), Some(r)) = (&self.rows, &at.r) {
            total = sum(backend, &total, &rows.value(backend, r)?, [1.0, 1.0])?;
        }
        Ok(Judged { holds: self.holds(at)?, objective: numbers(backend, &total)? })
    }

    /// The factors `c` of the loss, as [`Problem::step`] takes them: the gradient of a mean is that of a sum over `n`.
    pub(super) fn factors(&self, c: &[f64]) -> Result<B::Matrix> {
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        let count = self.count as f64;
        column(self.backend, c.iter().map(|c| c * count))
    }

    /// `c` times the gradient of the cross-entropy by `A x + c` where it is above `kappa`.
    pub(super) fn loss_slope(&self, at: &At<B>, factors: &B::Matrix) -> Result<B::Matrix> {
        let backend = self.backend;
        let entropy = backend.cross_entropy(logits(&at.signals)?, &self.targets)?;
        let above = Cutoff { score: self.kappa, index: u32::MAX };
        let factors = backend.threshold_mask(factors, &entropy.losses, above)?;
        self.head.pull_back(backend, &at.signals, scale_rows(backend, &entropy.gradient, &factors)?)
    }

    /// A proximal step of length `length` along the slope, within the box.
    pub(super) fn step(&self, eta: &B::Matrix, at: &At<B>, factors: &B::Matrix, length: f32) -> Result<B::Matrix> {
        let backend = self.backend;
        let mut by_rows = self.loss_slope(at, factors)?;
        if let (Some(rows), Some(r)) = (&self.rows, &at.r) {
            by_rows = sum(backend, &by_rows, &rows.slope(backend, r)?, [1.0, 1.0])?;
        }
        let slope = backend.matmul(&by_rows, Transpose::No, self.head.first()?, Transpose::No)?;
        let slope = sum(backend, &slope, eta, [1.0, 2.0 * self.square])?;
        let slope = self.region.inward(backend, eta, &slope)?;
        let rate = over_norms(backend, &slope, length)?;
        let mut next = sum(backend, eta, &scale_rows(backend, &slope, &rate)?, [1.0, -1.0])?;
        if let Some((groups, factor)) = &self.groups {
            let t = backend.weighted_sum(&rate, None, [*factor, 0.0], Activation::Identity)?;
            next = groups.shrink(backend, &next, &t)?;
        }
        self.region.clip(backend, &next)
    }
}
