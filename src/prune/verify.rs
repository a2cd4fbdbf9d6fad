//! Recomputes with the f64 reference: logits of a seeded sample within a derived bound, and masks that are the same or
//! differ only in ties.

use ndarray::Array2;
use rand_chacha::rand_core::Rng;
use serde::Serialize;

use super::options::{Data, PruneOptions};
use super::ranking::{Planned, Ranking};
use crate::backend::{Activation, Backend, Reference};
use crate::error::Result;
use crate::network::{Classifier, DeviceHead, DeviceNetwork, Head, Network, Plan, head_for};
use crate::rng;

/// The reference recomputes masks up to this many weights; beyond, it checks logits alone.
const MASK_LIMIT: u64 = 1 << 24;
/// Relative error within which scores of two backends count as tied: an f32 product of three factors, each a root of a
/// sum that f32 backends add in blocks.
const TIE: f64 = 1e-5;

/// The comparison of a run with the reference.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Logits of the network before pruning.
    pub before: LogitCheck,
    /// Logits of the pruned network.
    pub after: LogitCheck,
    /// Masks; absent for networks too large for the reference.
    pub masks: Option<MaskComparison>,
    /// Whether everything lies within its bound.
    pub ok: bool,
}

/// The largest deviation of logits from the reference.
#[derive(Debug, Clone, Serialize)]
pub struct LogitCheck {
    /// Samples recomputed.
    pub samples: usize,
    /// The largest absolute deviation of a logit.
    pub deviation: f64,
    /// The largest ratio of a deviation to its bound; at most 1 is right.
    pub share_of_bound: f64,
}

/// How the masks of two backends compare.
#[derive(Debug, Clone, Serialize)]
pub struct MaskComparison {
    /// Elements compared.
    pub elements: u64,
    /// Elements that one backend keeps and the other removes.
    pub differing: u64,
    /// The largest relative distance of a differing element's score from the score at the cut.
    pub largest_gap: f64,
    /// The relative distance within which scores of two backends count as tied.
    pub tolerance: f64,
    /// Some differing elements: layer, row, column, score, score at the cut.
    pub examples: Vec<(String, usize, usize, f64, f64)>,
}

impl MaskComparison {
    /// Whether every difference is a tie.
    #[must_use]
    pub fn explained(&self) -> bool {
        self.differing == 0 || self.largest_gap <= self.tolerance
    }
}

/// Compares the masks of `other` with those of a plan of `oracle`, whose scores say what is a tie.
///
/// An element on which the plans differ must lie at the cut: the relative distance of its score from the cut is its gap.
///
/// # Errors
///
/// What reading the scores returns.
pub fn compare_masks<B: Backend>(oracle: &Ranking<'_, B>, planned: &Planned, other: &Plan) -> Result<MaskComparison> {
    let (plan, _) = oracle.plan(planned.clone())?;
    let elements = plan.weights()[0];
    let mut comparison =
        MaskComparison { elements, differing: 0, largest_gap: 0.0, tolerance: TIE, examples: Vec::new() };
    for (layer, (a, b)) in plan.layers.iter().zip(&other.layers).enumerate() {
        for (i, j) in a.keep.differences(&b.keep) {
            comparison.differing += 1;
            let (score, cut) = oracle.nearest_cut(planned, layer, i, j)?;
            let gap = (score - cut).abs() / cut.abs().max(f64::MIN_POSITIVE);
            comparison.largest_gap = comparison.largest_gap.max(gap);
            if comparison.examples.len() < 8 {
                comparison.examples.push((a.name.clone(), i, j, score, cut));
            }
        }
    }
    Ok(comparison)
}

/// Recomputes logits with the reference, in f64, and bounds how far an f32 backend may be.
///
/// With `gamma_n = n u / (1 - n u)` a layer of inner length `d` adds at most `gamma_{d+2} (|W| |h| + |b|)` to the error
/// and carries the error of its input on by at most `(1 + gamma_{d+2}) |W|`.
///
/// # Errors
///
/// What the backend returns.
pub fn check_logits<B: Backend>(backend: &B, head: &Head, inputs: &Array2<f32>) -> Result<LogitCheck> {
    let device = DeviceHead::upload(backend, head)?;
    let computed = backend.download(&device.logits(backend, &backend.upload(inputs)?)?)?;
    drop(device);
    let reference = Reference::new();
    let mut signal = reference.upload(inputs)?;
    let mut error = Array2::<f64>::zeros(signal.raw_dim());
    for layer in &head.layers {
        let weight = reference.upload(&layer.weight)?;
        let bias = layer.bias.as_ref().map(|bias| reference.upload(bias)).transpose()?;
        let (size, size_of_bias) = (weight.mapv(f64::abs), bias.as_ref().map(|bias| bias.mapv(f64::abs)));
        let absolute = reference.affine(&signal.mapv(f64::abs), &size, size_of_bias.as_ref(), Activation::Identity)?;
        #[expect(clippy::cast_precision_loss, reason = "inner lengths are far below 2^53")]
        let terms = (weight.ncols() + 2) as f64 * 2.0_f64.powi(-24);
        let gamma = terms / (1.0 - terms);
        let carried = reference.affine(&error, &size, None, Activation::Identity)?;
        error = absolute * gamma + carried * (1.0 + gamma);
        let activation = if layer.relu { Activation::Relu } else { Activation::Identity };
        signal = reference.affine(&signal, &weight, bias.as_ref(), activation)?;
    }
    Ok(LogitCheck::of(&computed, &signal, &error))
}

impl LogitCheck {
    /// Compares logits with those of the reference and the bounds on their distance.
    fn of(computed: &Array2<f64>, exact: &Array2<f64>, bounds: &Array2<f64>) -> Self {
        let mut check = Self { samples: computed.nrows(), deviation: 0.0, share_of_bound: 0.0 };
        for ((computed, exact), bound) in computed.iter().zip(exact).zip(bounds) {
            let deviation = (computed - exact).abs();
            check.deviation = check.deviation.max(deviation);
            let share = if deviation == 0.0 { 0.0 } else { deviation / bound };
            // A NaN is a deviation without bound.
            check.share_of_bound = if share.is_nan() { f64::INFINITY } else { check.share_of_bound.max(share) };
        }
        check
    }
}

/// Recomputes the logits of a seeded sample for a network with the reference, and bounds how far an f32 backend may be:
/// for the whole of it, or for its head where the data are inputs of that.
///
/// # Errors
///
/// [`Error::Unsupported`](crate::Error::Unsupported) with the node that backends do not compute; what the backend returns.
pub fn check_network<B: Backend>(
    backend: &B,
    network: &Network,
    data: Option<Data<'_>>,
    seed: u64,
) -> Result<LogitCheck> {
    /// The reference takes about a tenth of a second for a sample of a small network.
    const SAMPLES: usize = 8;
    let width = data.map_or_else(|| network.input.iter().product(), |data| data.inputs.shape()[1]);
    if let Some(head) = head_for(network, width) {
        return check_sample(backend, &head, data, seed);
    }
    let inputs = sample(width, SAMPLES, data, seed)?;
    let device = DeviceNetwork::upload(backend, network)?;
    let computed = backend.download(&device.logits(backend, &backend.upload(&inputs)?)?)?;
    let reference = Reference::new();
    let exact = DeviceNetwork::upload(&reference, network)?;
    let [exact, bounds] = exact.bounded(&reference, &reference.upload(&inputs)?)?;
    Ok(LogitCheck::of(&computed, &exact, &bounds))
}

/// Samples that the reference recomputes for a head.
fn samples_of(head: &Head) -> usize {
    if head.weights() > MASK_LIMIT { 4 } else { 64 }
}

/// A seeded sample of the data, or uniform inputs in 0..1 without data.
pub(super) fn sample(columns: usize, wanted: usize, data: Option<Data<'_>>, seed: u64) -> Result<Array2<f32>> {
    let mut generator = rng::stream(seed, "verify");
    let available = data.map_or(wanted, |data| data.inputs.shape()[0]);
    let mut inputs = Array2::zeros((wanted.min(available), columns));
    for mut row in inputs.rows_mut() {
        let Some(values) = row.as_slice_mut() else { continue };
        match data {
            Some(data) => {
                let pick = generator.next_u64() % (available as u64).max(1);
                data.inputs.read_rows(usize::try_from(pick).unwrap_or(0), values)?;
            }
            #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
            None => values.iter_mut().for_each(|v| *v = (generator.next_u32() >> 8) as f32 / 16_777_216.0),
        }
    }
    Ok(inputs)
}

/// Recomputes the logits of a seeded sample with the reference.
///
/// # Errors
///
/// What the backend returns.
pub fn check_sample<B: Backend>(backend: &B, head: &Head, data: Option<Data<'_>>, seed: u64) -> Result<LogitCheck> {
    check_logits(backend, head, &sample(head.inputs(), samples_of(head), data, seed)?)
}

/// Compares a run with the reference.
pub(crate) fn verify<B: Backend>(
    backend: &B,
    head: &Head,
    plan: &Plan,
    pruned: &Network,
    data: Option<Data<'_>>,
    options: &PruneOptions,
) -> Result<Verification> {
    let inputs = sample(head.inputs(), samples_of(head), data, options.seed)?;
    let before = check_logits(backend, head, &inputs)?;
    let after = check_logits(backend, &Head::of(pruned)?, &inputs)?;
    let masks = if head.weights() <= MASK_LIMIT {
        let reference = Reference::new();
        let device = DeviceHead::upload(&reference, head)?;
        let oracle = Ranking::new(&reference, head, &device, options.method, options.seed, options.alternating)?;
        let planned = oracle.plan_all(&[options.target])?.swap_remove(0);
        Some(compare_masks(&oracle, &planned, plan)?)
    } else {
        None
    };
    let ok = before.share_of_bound <= 1.0
        && after.share_of_bound <= 1.0
        && masks.as_ref().is_none_or(MaskComparison::explained);
    Ok(Verification { before, after, masks, ok })
}
