//! Two networks side by side: the original one, and the one that shrinks.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::Array2;

use super::moments::{Moments, Sums};
use super::prior::SyntheticInputs;
use super::refit::{choose, refit};
use super::windows::{positions, reader};
use super::{Prior, RefitForm, Selection, SynthOptions, UnitRefit};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::{DeviceNetwork, Network, Op, Pair, Reduced, Signals, Site, Slice, sites};

/// Columns of the next layer whose covariance is taken at most: beyond, it would fill gigabytes.
const COLUMNS: usize = 12_288;

/// Bytes of values that both networks keep from layer to layer; beyond, values are computed anew from the inputs, and
/// synthetic inputs are made anew.
const KEPT_BYTES: usize = 1 << 30;

/// Multiply-adds of one pass of all synthetic inputs, where their number is not given.
const PASS: u64 = 1_000_000_000_000;

/// Synthetic inputs that even the largest network gets.
const LEAST: usize = 32;

/// Bytes of the values that one step of a batch reads and writes.
const BATCH_BYTES: usize = 64 << 20;

/// Refits layers on inputs that pass the original and the shrinking network side by side.
pub struct Refitter<'a, B: Backend> {
    pub(super) backend: &'a B,
    original: &'a Network,
    sites: Vec<Site>,
    /// The original network, its weights on the device while values pass them.
    device: DeviceNetwork<B>,
    /// Inputs that can be made anew at any time.
    synthetic: Option<SyntheticInputs>,
    batches: Vec<Batch<B>>,
    /// Number of inputs.
    pub(super) inputs: usize,
    /// Whether values stay from layer to layer.
    keep: bool,
    pub(super) options: SynthOptions,
}

struct Batch<B: Backend> {
    /// The inputs, where they stay on the device.
    inputs: Option<B::Matrix>,
    first: usize,
    rows: usize,
    original: Signals<B>,
    current: Signals<B>,
}

/// Weights and biases of what reads a pair.
type Next<'p> = (Cow<'p, Array2<f32>>, Cow<'p, [f32]>);

/// What a pass shows of a batch: what the next layer reads in the network that shrinks and in the original one, and the
/// numbers of the inputs.
pub(super) type Seen<'s, B> =
    &'s mut dyn FnMut(&<B as Backend>::Matrix, &<B as Backend>::Matrix, Range<usize>) -> Result<()>;

/// Bytes of one input that stay between layers, at most.
fn kept_bytes<B: Backend>(device: &DeviceNetwork<B>, network: &Network, sites: &[Site]) -> Result<usize> {
    let mut most = device.inputs;
    for site in sites {
        let (value, layer) = (device.value(read_by(network, &site.next)?)?, device.value(&site.layer)?);
        let entries = device.entries(&device.live(layer)) + device.entries(&retained(device, value));
        most = most.max(device.inputs + entries);
    }
    Ok(4 * most)
}

/// What stays of the original network behind the pair whose next layer reads `value`.
fn retained<B: Backend>(device: &DeviceNetwork<B>, value: usize) -> Vec<usize> {
    let mut values = device.live(value);
    values.push(value);
    values.sort_unstable();
    values.dedup();
    values
}

fn read_by<'n>(network: &'n Network, node: &str) -> Result<&'n str> {
    let input = network.node(node)?.inputs.first();
    input.map(String::as_str).ok_or_else(|| Error::Internal { what: format!("`{node}` reads nothing") })
}

impl<'a, B: Backend> Refitter<'a, B> {
    /// Prepares to shrink `network` on `inputs`, one row each, in the units of its input.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for networks with nodes that backends do not compute; [`Error::Data`] for inputs of another
    /// length or none; what the backend returns.
    pub fn new(backend: &'a B, network: &'a Network, inputs: &dyn RowSource, options: SynthOptions) -> Result<Self> {
        let mut refitter = Self::prepared(backend, network, inputs, options)?;
        for batch in &mut refitter.batches {
            let slice = Slice { source: inputs, first: batch.first, rows: batch.rows };
            batch.inputs = Some(backend.upload(&slice)?);
        }
        Ok(refitter)
    }

    /// Batches of `inputs` that are not on the device yet.
    fn prepared(backend: &'a B, network: &'a Network, inputs: &dyn RowSource, options: SynthOptions) -> Result<Self> {
        let device = DeviceNetwork::prepare(network)?;
        let [count, length] = inputs.shape();
        if count == 0 || length != device.inputs {
            let problem = format!("{count} inputs of {length} values to refit on, the network takes {}", device.inputs);
            return Err(Error::Data { problem });
        }
        let step = (BATCH_BYTES / (4 * device.widest.max(1))).max(1);
        let batch = |first: usize| {
            let (original, current) = (device.signals(), device.signals());
            Batch { inputs: None, first, rows: step.min(count - first), original, current }
        };
        let batches = (0..count).step_by(step).map(batch).collect();
        let (sites, _) = sites(network)?;
        let keep = kept_bytes(&device, network, &sites)?.saturating_mul(count) <= KEPT_BYTES;
        Ok(Self { backend, original: network, sites, device, synthetic: None, batches, inputs: count, keep, options })
    }

    /// Prepares to shrink `network` on synthetic inputs: `count` of them, or as many as pass it in minutes and stay in
    /// memory, if the options do not give their number.
    ///
    /// # Errors
    ///
    /// As [`Refitter::new`] and [`SyntheticInputs::new`].
    pub fn synthetic(backend: &'a B, network: &'a Network, count: usize, options: SynthOptions) -> Result<Self> {
        let prior = options.prior.unwrap_or_else(|| Prior::of(network));
        let count = if options.inputs.is_some() { count } else { count.min(Self::affordable(network)?) };
        let inputs = SyntheticInputs::new(network, prior, count, options.seed)?;
        let refitter = Self::prepared(backend, network, &inputs, options)?;
        Ok(Self { synthetic: Some(inputs), ..refitter })
    }

    fn affordable(network: &Network) -> Result<usize> {
        let device = DeviceNetwork::<B>::prepare(network)?;
        let kept = KEPT_BYTES / kept_bytes(&device, network, &sites(network)?.0)?.max(1);
        let passed = PASS / network.multiply_adds().unwrap_or(0).max(1);
        Ok(kept.min(usize::try_from(passed).unwrap_or(usize::MAX)).max(LEAST))
    }

    /// Whether the inputs are far fewer than the unknowns of a layer that reads each of them once: a fit of them would
    /// follow the inputs.
    #[must_use]
    pub fn is_scarce(&self, pair: &Pair, keep: usize) -> bool {
        let once = self.original.node(&pair.site.next).is_ok_and(|node| matches!(node.op, Op::Linear { .. }));
        once && 4 * self.inputs < keep * pair.block()
    }

    /// Chooses `keep` units of a pair of `current`, the network as earlier steps have left it, and refits what reads them:
    /// with one map for all places where the next layer has more columns than a covariance is taken of, or far more than
    /// there are inputs.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a next layer of too many columns of one place each; [`Error::Internal`] for a pair of
    /// another network; what the backend returns.
    pub fn select(&mut self, current: &Network, pair: &Pair, keep: usize) -> Result<(Reduced, UnitRefit)> {
        if pair.block() > 1 && (pair.next.ncols() > COLUMNS || self.is_scarce(pair, keep)) {
            return self.select_channels(current, pair, keep);
        }
        let moments = self.moments(current, pair)?;
        let selection = choose(&moments, pair.block(), keep, self.options.ridge);
        let mut kept = selection.order.clone();
        kept.sort_unstable();
        self.finish(pair, &moments, &kept, &selection)
    }

    /// Refits what reads the units `kept`, ascending, of a pair of `current`.
    ///
    /// # Errors
    ///
    /// As [`Refitter::select`].
    pub fn refit(&mut self, current: &Network, pair: &Pair, kept: &[usize]) -> Result<(Reduced, UnitRefit)> {
        let moments = self.moments(current, pair)?;
        self.finish(pair, &moments, kept, &Selection { order: Vec::new(), decreases: Vec::new() })
    }

    fn finish(
        &self,
        pair: &Pair,
        moments: &Moments,
        kept: &[usize],
        selection: &Selection,
    ) -> Result<(Reduced, UnitRefit)> {
        let refit = refit(moments, pair.block(), kept, self.options.ridge);
        let (_, bias) = Pair::read_next(self.original, self.original_site(pair)?)?;
        let mut reduced = pair.select(kept);
        reduced.next = refit.next.mapv(narrow);
        reduced.next_bias = shifted(&bias, &refit.shift);
        let variance = moments.variance();
        let curve = curve(variance, selection);
        let report = UnitRefit { form: RefitForm::Joint, inputs: self.inputs, variance, curve, loss: refit.loss };
        Ok((reduced, report))
    }

    fn original_site(&self, pair: &Pair) -> Result<&Site> {
        let site = self.sites.iter().find(|site| site.layer == pair.site.layer);
        site.ok_or_else(|| Error::Internal { what: format!("no layer `{}` in the original network", pair.site.layer) })
    }

    /// What reads the units of a pair in the original network.
    pub(crate) fn original_next<'p>(&self, current: &Network, pair: &'p Pair) -> Result<Next<'p>> {
        let site = self.original_site(pair)?;
        if site.columns == pair.site.columns && Pair::same_next(self.original, current, site) {
            return Ok((Cow::Borrowed(&pair.next), Cow::Borrowed(&pair.next_bias)));
        }
        let (next, bias) = Pair::read_next(self.original, site)?;
        Ok((Cow::Owned(next), Cow::Owned(bias)))
    }

    /// Means and covariances of what the next layer of a pair reads, and of its target.
    pub(crate) fn moments(&mut self, current: &Network, pair: &Pair) -> Result<Moments> {
        let backend = self.backend;
        let columns = pair.next.ncols();
        if columns > COLUMNS {
            let (layer, next) = (&pair.site.layer, &pair.site.next);
            let problem = format!(
                "`{next}` reads `{layer}` through {columns} columns, a refit takes {COLUMNS} at most; keep `{layer}` as it \
                 is, or choose another method"
            );
            return Err(Error::Unsupported { problem });
        }
        let weights = backend.upload(self.original_next(current, pair)?.0.as_ref())?;
        let [old, new] = [reader(self.original, &pair.site.next)?, reader(current, &pair.site.next)?];
        let (inputs, seed) = (self.inputs, self.options.seed);
        let mut sums = Sums::new();
        self.pass(current, pair, &mut |p, z, batch| {
            let chosen = positions(new, batch, inputs, seed, &pair.site)?;
            let chosen = chosen.map(|chosen| backend.upload_indices(&chosen)).transpose()?;
            sums.add(backend, [(p, new), (z, old)], &weights, chosen.as_ref())
        })?;
        sums.moments(backend)
    }

    /// Brings all inputs to what the next layer of a pair reads, in both networks.
    pub(super) fn pass(&mut self, current: &Network, pair: &Pair, seen: Seen<'_, B>) -> Result<()> {
        let backend = self.backend;
        let mut device = DeviceNetwork::prepare(current)?;
        let value = device.value(read_by(current, &pair.site.next)?)?;
        let layer = device.value(&pair.site.layer)?;
        let [mut later, mut stays] = [Vec::new(), Vec::new()];
        if self.keep {
            (later, stays) = (device.live(layer), retained(&self.device, value));
        }
        if let Some(batch) = self.batches.first() {
            // All batches have come equally far.
            self.device.load(backend, &batch.original, value)?;
            device.load(backend, &batch.current, value)?;
        }
        for batch in &mut self.batches {
            let inputs = match (batch.inputs.take(), &self.synthetic) {
                (Some(inputs), _) => inputs,
                (None, Some(source)) => backend.upload(&Slice { source, first: batch.first, rows: batch.rows })?,
                (None, None) => return Err(Error::Internal { what: "a batch without inputs".to_owned() }),
            };
            self.device.advance(backend, &inputs, &mut batch.original, value, &stays)?;
            device.advance(backend, &inputs, &mut batch.current, value, &later)?;
            let (p, z) = (batch.current.get(&inputs, value)?, batch.original.get(&inputs, value)?);
            seen(p, z, batch.first..batch.first + batch.rows)?;
            // The layer is about to change: its output and what follows are computed anew for the next one.
            if self.keep {
                batch.current.forget_from(layer);
                batch.current.forget_before(layer, &later);
                batch.original.forget_before(value, &stays);
            } else {
                batch.current.forget_from(0);
                batch.original.forget_from(0);
            }
            batch.inputs = (self.keep || self.synthetic.is_none()).then_some(inputs);
        }
        Ok(())
    }
}

/// The loss that is left after each unit.
pub(super) fn curve(variance: f64, selection: &Selection) -> Vec<f64> {
    let mut left = variance;
    let step = |decrease: &f64| {
        left = (left - decrease).max(0.0);
        left
    };
    selection.decreases.iter().map(step).collect()
}

pub(super) fn shifted(bias: &[f32], shift: &[f64]) -> Vec<f32> {
    bias.iter().zip(shift).map(|(bias, shift)| narrow(f64::from(*bias) + shift)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::backend::Cpu;
    use crate::network::{StepKind, UnitPlan, UnitStep, apply_units, random_network};

    #[test]
    fn values_computed_anew_are_those_that_were_kept() {
        let network = random_network(&[12, 30, 20, 25, 4], 3).unwrap();
        let backend = Cpu::new();
        let run = |keep| {
            let mut refitter = Refitter::synthetic(&backend, &network, 90, SynthOptions::default()).unwrap();
            assert!(refitter.keep, "small networks keep their values");
            refitter.keep = keep;
            let (mut plan, mut current, mut losses) = (UnitPlan::default(), network.clone(), Vec::new());
            for site in sites(&network).unwrap().0 {
                let site = sites(&current).unwrap().0.into_iter().find(|other| other.layer == site.layer).unwrap();
                let pair = Pair::read(&current, &site).unwrap();
                let (reduced, report) = refitter.select(&current, &pair, 8).unwrap();
                losses.push(report.loss);
                plan.steps.push(UnitStep { site, kind: StepKind::Approximate, reduced });
                current = apply_units(&network, &plan).unwrap();
            }
            (losses, current.tensors().flat_map(|tensor| tensor.to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(run(true), run(false));
    }
}
