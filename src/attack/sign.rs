//! Attacks by the sign of the slope: FGSM, PGD with restarts, and steps that adapt.

use ndarray::Array2;

use super::network::Differentiable;
use super::options::SignOptions;
use super::reduced::Solved;
use super::region::{POSITIVE, Region, choose, column, narrow, numbers, scale_rows, signs, sum};
use crate::backend::{Activation, Backend};
use crate::error::Result;
use crate::prune::Observer;

/// How much of the last move stays in the next one, where steps adapt.
const MOMENTUM: f32 = 0.75;
/// The least share of steps between two looks in which the loss has to grow.
const GROWTH: f64 = 0.75;
/// Looks at the class during one climb: a step that leads too far may lead back.
const LOOKS: usize = 8;

/// Drives samples away from their labels by steps along the sign of the slope of the cross-entropy, within
/// `|eta|_inf <= epsilon` and the box: `x' = P(x + length sign(dCE/dx))`.
///
/// Steps that adapt follow Croce and Hein: a share of the last move is kept, the loss of the best point is, and where it grew in
/// fewer than three quarters of the steps between two looks the length halves and the best point is the next one. Looks are
/// evenly spaced here. The result is the first point seen of another class, or else the last point.
///
/// `samples`: `n x d`; `labels`: `n` classes.
///
/// # Errors
///
/// [`Error::Argument`](crate::Error::Argument) for settings outside their ranges, [`Error::Data`](crate::Error::Data) for samples
/// outside the box, and what the backend returns.
pub fn gradient_sign<B: Backend>(
    backend: &B,
    network: &dyn Differentiable<B>,
    samples: &Array2<f32>,
    labels: &[u32],
    options: &SignOptions,
    observer: &dyn Observer,
) -> Result<Solved> {
    options.check()?;
    let region = Region::upload(backend, samples, options.epsilon, options.bounds)?;
    let targets = backend.upload_indices(labels)?;
    let mut climb = Climb {
        backend,
        network,
        region: &region,
        labels: &targets,
        found: vec![false; labels.len()],
        result: region.start(backend, 0, 0)?,
    };
    for start in 0..options.starts {
        observer.step(start, options.starts, "attack")?;
        if climb.found.iter().all(|found| *found) {
            break;
        }
        let from = region.start(backend, start, options.seed)?;
        let last = if options.adaptive { climb.adapting(from, options)? } else { climb.plain(from, options)? };
        let open: Vec<bool> = climb.found.iter().map(|found| !found).collect();
        climb.result = choose(backend, &climb.result, &last, open.into_iter())?;
    }
    observer.step(options.starts, options.starts, "done")?;
    let Climb { found, result, .. } = climb;
    super::reduced::solved(backend, samples, &result, found.into_iter(), options.bounds)
}

struct Climb<'a, B: Backend> {
    backend: &'a B,
    network: &'a dyn Differentiable<B>,
    region: &'a Region<B>,
    labels: &'a B::Indices,
    /// Samples of which a point of another class was seen.
    found: Vec<bool>,
    /// The perturbations of these, and the last ones of the others.
    result: B::Matrix,
}

impl<B: Backend> Climb<'_, B> {
    /// The sign of the slope of the cross-entropy, and its value for each sample.
    fn slope(&self, eta: &B::Matrix) -> Result<[B::Matrix; 2]> {
        let backend = self.backend;
        let mut losses = None;
        let slope = self.network.input_slope(backend, &self.region.moved(backend, eta)?, &mut |logits| {
            let entropy = backend.cross_entropy(logits, self.labels)?;
            losses = Some(entropy.losses);
            Ok(entropy.gradient)
        })?;
        let losses = losses.ok_or_else(|| crate::Error::Internal { what: "no loss".to_owned() })?;
        Ok([signs(backend, &slope)?, losses])
    }

    /// Takes the points of other classes than the label.
    fn look(&mut self, eta: &B::Matrix) -> Result<()> {
        let backend = self.backend;
        let logits = self.network.logits(backend, &self.region.moved(backend, eta)?)?;
        let ranks = backend.download_indices(&backend.classify(&logits, Some(self.labels))?.rank)?;
        let new: Vec<bool> = ranks.iter().zip(&self.found).map(|(rank, found)| *rank > 0 && !found).collect();
        if new.contains(&true) {
            self.result = choose(backend, &self.result, eta, new.iter().copied())?;
            self.found.iter_mut().zip(new).for_each(|(found, new)| *found |= new);
        }
        Ok(())
    }

    fn plain(&mut self, mut eta: B::Matrix, options: &SignOptions) -> Result<B::Matrix> {
        let every = options.steps.div_ceil(LOOKS);
        for step in 1..=options.steps {
            let [sign, _] = self.slope(&eta)?;
            eta = self.region.clip(self.backend, &sum(self.backend, &eta, &sign, [1.0, narrow(options.length)])?)?;
            if step % every == 0 || step == options.steps {
                self.look(&eta)?;
            }
        }
        Ok(eta)
    }

    fn adapting(&mut self, mut eta: B::Matrix, options: &SignOptions) -> Result<B::Matrix> {
        let (backend, region) = (self.backend, self.region);
        let every = options.steps.div_ceil(LOOKS);
        let count = self.found.len();
        let mut lengths = vec![options.length; count];
        let mut length = column(backend, lengths.iter().copied())?;
        let one = column(backend, std::iter::repeat_n(1.0, count))?;
        let nothing = || column(backend, std::iter::repeat_n(0.0, count));
        let [mut sign, mut loss] = self.slope(&eta)?;
        // The best point, its loss, and in how many steps since the last look the loss has grown.
        let mut best = sum(backend, &eta, &eta, [1.0, 0.0])?;
        let mut largest = sum(backend, &loss, &loss, [1.0, 0.0])?;
        let mut grown = nothing()?;
        let mut before: Option<B::Matrix> = None;
        for step in 1..=options.steps {
            let scaled = scale_rows(backend, &sign, &length)?;
            let ahead = region.clip(backend, &sum(backend, &eta, &scaled, [1.0, 1.0])?)?;
            let next = match &before {
                None => ahead,
                Some(before) => {
                    let moved = sum(backend, &eta, before, [1.0, -1.0])?;
                    let straight = sum(backend, &eta, &ahead, [1.0 - MOMENTUM, MOMENTUM])?;
                    region.clip(backend, &sum(backend, &straight, &moved, [1.0, 1.0 - MOMENTUM])?)?
                }
            };
            before = Some(std::mem::replace(&mut eta, next));
            let previous = loss;
            [sign, loss] = self.slope(&eta)?;
            let growing = sum(backend, &loss, &previous, [1.0, -1.0])?;
            grown = sum(backend, &grown, &backend.threshold_mask(&one, &growing, POSITIVE)?, [1.0, 1.0])?;
            let record = sum(backend, &loss, &largest, [1.0, -1.0])?;
            let new = backend.threshold_mask(&one, &record, POSITIVE)?;
            let old = sum(backend, &one, &new, [1.0, -1.0])?;
            let keep = |old_value: &B::Matrix, new_value: &B::Matrix| {
                sum(backend, &scale_rows(backend, old_value, &old)?, &scale_rows(backend, new_value, &new)?, [1.0, 1.0])
            };
            (best, largest) = (keep(&best, &eta)?, keep(&largest, &loss)?);
            if step % every == 0 || step == options.steps {
                self.look(&eta)?;
                self.look(&best)?;
                #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
                let least = GROWTH * every as f64;
                let seldom: Vec<bool> = numbers(backend, &grown)?.into_iter().map(|grown| grown < least).collect();
                lengths.iter_mut().zip(&seldom).filter(|(_, seldom)| **seldom).for_each(|(length, _)| *length *= 0.5);
                length = column(backend, lengths.iter().copied())?;
                eta = choose(backend, &eta, &best, seldom.iter().copied())?;
                [sign, loss] = self.slope(&eta)?;
                before = None;
                grown = nothing()?;
            }
        }
        backend.weighted_sum(&best, None, [1.0, 0.0], Activation::Identity)
    }
}
