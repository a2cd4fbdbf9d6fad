//! Samples on a device with what may be added to them, and arithmetic with one number for each sample.

use ndarray::{Array2, ArrayView2};
use rand::RngExt;

use crate::backend::{Activation, Backend, Combination, Cutoff, Function, Reduction};
use crate::error::{Error, Result};
use crate::rng;

/// Everything at most zero goes.
pub(super) const POSITIVE: Cutoff = Cutoff { score: 0.0, index: u32::MAX };

/// Samples and the box of their perturbations, `max(low - x, -epsilon) <= eta <= min(high - x, epsilon)`.
pub(super) struct Region<B: Backend> {
    /// The samples, `n x d`.
    pub(super) samples: B::Matrix,
    low: B::Matrix,
    high: B::Matrix,
    /// Both on the host.
    limits: [Array2<f32>; 2],
}

/// A number of f32.
#[expect(clippy::cast_possible_truncation, reason = "devices compute in f32")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Fails for a sample outside the box, naming its first such value.
///
/// # Errors
///
/// [`Error::Data`].
pub(super) fn check_inside(samples: ArrayView2<'_, f32>, [low, high]: [f64; 2]) -> Result<()> {
    let outside = samples.indexed_iter().find(|(_, value)| !(low..=high).contains(&f64::from(**value)));
    let Some(((sample, at), value)) = outside else { return Ok(()) };
    let problem = format!(
        "value {at} of sample {sample} is {value}, outside the box of inputs from {low} to {high}; `--box` sets another, \
         `--scale` scales raw values"
    );
    Err(Error::Data { problem })
}

impl<B: Backend> Region<B> {
    pub(super) fn upload(backend: &B, samples: &Array2<f32>, epsilon: f64, bounds: [f64; 2]) -> Result<Self> {
        check_inside(samples.view(), bounds)?;
        let ([least, most], radius) = (bounds.map(narrow), narrow(epsilon));
        let low = samples.mapv(|x| (least - x).max(-radius));
        let high = samples.mapv(|x| (most - x).min(radius));
        Ok(Self {
            samples: backend.upload(samples)?,
            low: backend.upload(&low)?,
            high: backend.upload(&high)?,
            limits: [low, high],
        })
    }

    /// The nearest perturbation in the box.
    pub(super) fn clip(&self, backend: &B, eta: &B::Matrix) -> Result<B::Matrix> {
        backend.combine(&backend.combine(eta, &self.low, Combination::Max, 1)?, &self.high, Combination::Min, 1)
    }

    /// `x + eta`.
    pub(super) fn moved(&self, backend: &B, eta: &B::Matrix) -> Result<B::Matrix> {
        sum(backend, &self.samples, eta, [1.0, 1.0])
    }

    /// Zero, or a point of the box from the stream `attack/start` of the seed.
    pub(super) fn start(&self, backend: &B, number: usize, seed: u64) -> Result<B::Matrix> {
        let [low, high] = &self.limits;
        let mut points = Array2::<f32>::zeros(low.raw_dim());
        if number > 0 {
            let mut stream = rng::stream(seed, &format!("attack/start/{number}"));
            for (point, (low, high)) in points.iter_mut().zip(low.iter().zip(high)) {
                *point = if low < high { stream.random_range(*low..=*high) } else { *low };
            }
        }
        backend.upload(&points)
    }

    /// A slope without what leads out of the box: its entries where `eta` is at a limit that `-slope` points beyond go.
    pub(super) fn inward(&self, backend: &B, eta: &B::Matrix, slope: &B::Matrix) -> Result<B::Matrix> {
        let part = |sign: f32| backend.weighted_sum(slope, None, [sign, 0.0], Activation::Relu);
        let above = sum(backend, eta, &self.low, [1.0, -1.0])?;
        let below = sum(backend, &self.high, eta, [1.0, -1.0])?;
        let down = backend.threshold_mask(&part(1.0)?, &above, POSITIVE)?;
        let up = backend.threshold_mask(&part(-1.0)?, &below, POSITIVE)?;
        sum(backend, &down, &up, [1.0, -1.0])
    }
}

/// `alpha a + beta b`.
pub(super) fn sum<B: Backend>(backend: &B, a: &B::Matrix, b: &B::Matrix, factors: [f32; 2]) -> Result<B::Matrix> {
    backend.weighted_sum(a, Some(b), factors, Activation::Identity)
}

/// A vector with an entry for each sample, `n x 1`.
pub(super) fn column<B: Backend>(backend: &B, values: impl Iterator<Item = f64>) -> Result<B::Matrix> {
    let values: Vec<f32> = values.map(narrow).collect();
    let column = Array2::from_shape_vec((values.len(), 1), values);
    backend.upload(&column.map_err(|error| Error::Internal { what: error.to_string() })?)
}

/// Each row times its own number, `n x m` by `n x 1`.
pub(super) fn scale_rows<B: Backend>(backend: &B, a: &B::Matrix, by: &B::Matrix) -> Result<B::Matrix> {
    let columns = backend.shape(a)[1];
    backend.combine(a, by, Combination::Multiply, columns)
}

/// `step / |a_i|_2` for each row, `n x 1`; at most 1e12.
pub(super) fn over_norms<B: Backend>(backend: &B, a: &B::Matrix, step: f32) -> Result<B::Matrix> {
    let squares = backend.reduce_rows(a, Reduction::Squares)?;
    let floored = backend.elementwise(&squares, Function::Clip { low: 1e-24, high: f32::MAX })?;
    let inverse = backend.elementwise(&floored, Function::Power { exponent: -0.5 })?;
    backend.weighted_sum(&inverse, None, [step, 0.0], Activation::Identity)
}

/// The rows of `new` where `taken`, those of `old` elsewhere, exactly.
pub(super) fn choose<B: Backend>(
    backend: &B,
    old: &B::Matrix,
    new: &B::Matrix,
    taken: impl Iterator<Item = bool> + Clone,
) -> Result<B::Matrix> {
    let mask = |wanted: bool| {
        let taken = taken.clone();
        column(backend, taken.map(move |taken| if taken == wanted { 1.0 } else { 0.0 }))
    };
    let (new, old) = (scale_rows(backend, new, &mask(true)?)?, scale_rows(backend, old, &mask(false)?)?);
    sum(backend, &old, &new, [1.0, 1.0])
}

/// -1, 0 or 1 by the sign of each entry; entries below 1e-20 shrink towards 0.
pub(super) fn signs<B: Backend>(backend: &B, a: &B::Matrix) -> Result<B::Matrix> {
    let large = backend.elementwise(a, Function::Clip { low: -1e10, high: 1e10 })?;
    let large = backend.weighted_sum(&large, None, [1e20, 0.0], Activation::Identity)?;
    backend.elementwise(&large, Function::Clip { low: -1.0, high: 1.0 })
}

/// The host's copy of a vector with an entry for each sample.
pub(super) fn numbers<B: Backend>(backend: &B, column: &B::Matrix) -> Result<Vec<f64>> {
    Ok(backend.download(column)?.into_iter().collect())
}
