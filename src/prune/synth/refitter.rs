//! Two networks side by side: the original one, and the one that shrinks.

use serde::Serialize;

use super::moments::{Moments, Reader, Sums};
use super::prior::SyntheticInputs;
use super::refit::{choose, refit};
use super::{Prior, Selection};
use crate::backend::{Backend, RowSource, Window};
use crate::error::{Error, Result};
use crate::network::{DeviceNetwork, Network, Op, Pair, Reduced, Signals, Site, Slice, sites};

/// Rows that the moments of one layer are taken over at most, unless it has more inputs than that: more windows of
/// convolutions do not change what is chosen.
const ROWS: usize = 20_000;

/// Columns of the next layer whose covariance is taken at most: beyond, it would fill gigabytes.
const COLUMNS: usize = 12_288;

/// Bytes of values that both networks keep from layer to layer; beyond, values are computed anew from the inputs, and
/// synthetic inputs are made anew.
const KEPT_BYTES: usize = 3 << 29;

/// Bytes of the values that one step of a batch reads and writes.
const BATCH_BYTES: usize = 64 << 20;

/// Settings of `synth-refit`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SynthOptions {
    /// What synthetic inputs look like; [`Prior::of`] the network if absent.
    pub prior: Option<Prior>,
    /// The ridge, in units of the mean diagonal of the covariance.
    pub ridge: f64,
    /// Inputs; as many as the unknowns ask for if absent.
    pub inputs: Option<usize>,
    /// Seed of the inputs and of the windows that are taken.
    pub seed: u64,
}

impl Default for SynthOptions {
    fn default() -> Self {
        Self { prior: None, ridge: 1e-3, inputs: None, seed: 0 }
    }
}

impl SynthOptions {
    /// The number of inputs: twice the largest number `K q` of unknowns of a layer that reads each input once, between
    /// 1,000 and 8,000. `unknowns` are these numbers.
    #[must_use]
    pub fn count(&self, unknowns: impl IntoIterator<Item = usize>) -> usize {
        self.inputs
            .unwrap_or_else(|| unknowns.into_iter().map(|unknowns| 2 * unknowns).max().unwrap_or(0).clamp(1000, 8000))
    }
}

/// What the refit of one layer did.
#[derive(Debug, Clone, Serialize)]
pub struct UnitRefit {
    /// Variance of the target, the next pre-activation of the original network: the loss without units.
    pub variance: f64,
    /// Mean squared error of the refitted layer, in the same units.
    pub loss: f64,
    /// The loss that greedy selection expects after each unit, the first unit first.
    pub curve: Vec<f64>,
}

/// Refits layers on inputs that pass the original and the shrinking network side by side.
pub struct Refitter<'a, B: Backend> {
    backend: &'a B,
    original: &'a Network,
    sites: Vec<Site>,
    device: DeviceNetwork<B>,
    /// Inputs that can be made anew at any time.
    synthetic: Option<SyntheticInputs>,
    batches: Vec<Batch<B>>,
    /// Number of inputs.
    inputs: usize,
    /// Whether values stay from layer to layer.
    keep: bool,
    options: SynthOptions,
}

struct Batch<B: Backend> {
    /// The inputs, where they stay on the device.
    inputs: Option<B::Matrix>,
    first: usize,
    rows: usize,
    original: Signals<B>,
    current: Signals<B>,
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
        let device = DeviceNetwork::upload(backend, network)?;
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
        let keep = device.volume().saturating_mul(8).saturating_mul(count) <= KEPT_BYTES;
        let (sites, _) = sites(network)?;
        Ok(Self { backend, original: network, sites, device, synthetic: None, batches, inputs: count, keep, options })
    }

    /// Prepares to shrink `network` on synthetic inputs, `count` of them.
    ///
    /// # Errors
    ///
    /// As [`Refitter::new`] and [`SyntheticInputs::new`].
    pub fn synthetic(backend: &'a B, network: &'a Network, count: usize, options: SynthOptions) -> Result<Self> {
        let prior = options.prior.unwrap_or_else(|| Prior::of(network));
        let inputs = SyntheticInputs::new(network, prior, count, options.seed)?;
        let refitter = Self::prepared(backend, network, &inputs, options)?;
        Ok(Self { synthetic: Some(inputs), ..refitter })
    }

    /// Chooses `keep` units of a pair of `current`, the network as earlier steps have left it, and refits what reads them.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a next layer of too many columns; [`Error::Internal`] for a pair of another network; what
    /// the backend returns.
    pub fn select(&mut self, current: &Network, pair: &Pair, keep: usize) -> Result<(Reduced, UnitRefit)> {
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
        let original = self.original_pair(pair)?;
        let mut reduced = pair.select(kept);
        reduced.next = refit.next.mapv(narrow);
        reduced.next_bias =
            original.next_bias.iter().zip(&refit.shift).map(|(bias, shift)| narrow(f64::from(*bias) + shift)).collect();
        let mut left = moments.variance;
        let curve = selection.decreases.iter().map(|decrease| {
            left = (left - decrease).max(0.0);
            left
        });
        Ok((reduced, UnitRefit { variance: moments.variance, curve: curve.collect(), loss: refit.loss }))
    }

    fn original_pair(&self, pair: &Pair) -> Result<Pair> {
        let site = self.sites.iter().find(|site| site.layer == pair.site.layer);
        let missing = || Error::Internal { what: format!("no layer `{}` in the original network", pair.site.layer) };
        Pair::read(self.original, site.ok_or_else(missing)?)
    }

    /// Means and covariances of what the next layer of a pair reads, and of its target.
    fn moments(&mut self, current: &Network, pair: &Pair) -> Result<Moments> {
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
        let original = self.original_pair(pair)?;
        let weights = backend.upload(&original.next)?;
        let device = DeviceNetwork::upload(backend, current)?;
        let [old, new] = [reader(self.original, &pair.site.next)?, reader(current, &pair.site.next)?];
        let input = current.node(&pair.site.next)?.inputs.first();
        let input = input.ok_or_else(|| Error::Internal { what: format!("`{}` reads nothing", pair.site.next) })?;
        let (value, layer) = (device.value(input)?, device.value(&pair.site.layer)?);
        let mut sums = Sums::new();
        for batch in &mut self.batches {
            let inputs = match (batch.inputs.take(), &self.synthetic) {
                (Some(inputs), _) => inputs,
                (None, Some(source)) => backend.upload(&Slice { source, first: batch.first, rows: batch.rows })?,
                (None, None) => return Err(Error::Internal { what: "a batch without inputs".to_owned() }),
            };
            self.device.advance(backend, &inputs, &mut batch.original, value, self.keep)?;
            device.advance(backend, &inputs, &mut batch.current, value, self.keep)?;
            let p = (batch.current.get(&inputs, value)?, new);
            let z = (batch.original.get(&inputs, value)?, old);
            let chosen =
                positions(new, batch.first..batch.first + batch.rows, self.inputs, self.options.seed, &pair.site)?;
            let chosen = chosen.map(|chosen| backend.upload_indices(&chosen)).transpose()?;
            sums.add(backend, [p, z], &weights, chosen.as_ref())?;
            // The layer is about to change: its output and what follows are computed anew for the next one.
            if self.keep {
                batch.current.forget_from(layer);
                batch.current.forget_before(layer, &device.live(layer));
                batch.original.forget_before(value, &self.device.live(value));
            } else {
                batch.current.forget_from(0);
                batch.original.forget_from(0);
            }
            batch.inputs = (self.keep || self.synthetic.is_none()).then_some(inputs);
        }
        sums.moments(backend)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// How a node reads its input.
fn reader(network: &Network, name: &str) -> Result<Reader> {
    let node = network.node(name)?;
    let Op::Conv { window, .. } = &node.op else { return Ok(Reader::Columns) };
    let shapes = network.shapes().map_err(|breaks| Error::Internal { what: breaks.join("; ") })?;
    let from = node.inputs.first().and_then(|input| network.nodes.iter().position(|node| node.name == *input));
    match from.and_then(|at| shapes.get(at)).and_then(Option::as_deref) {
        Some(&[channels, height, width]) => Ok(Reader::Windows(Window {
            image: [channels, height, width],
            kernel: window.size,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
        })),
        _ => Err(Error::Internal { what: format!("the image that `{name}` reads is not known") }),
    }
}

/// The windows of a batch of inputs whose rows are taken, the same ones for each network: all, or as many of each input
/// as keep the rows of all inputs within [`ROWS`], at least one.
fn positions(
    reader: Reader,
    batch: std::ops::Range<usize>,
    inputs: usize,
    seed: u64,
    site: &Site,
) -> Result<Option<Vec<u32>>> {
    let Reader::Windows(window) = reader else { return Ok(None) };
    let [height, width] = window.positions()?;
    let (all, each) = (height * width, (ROWS / inputs).max(1));
    if each >= all {
        return Ok(None);
    }
    let first = batch.start;
    let of_input = |input: usize| {
        let name = format!("windows/{}/{input}", site.layer);
        let chosen = SyntheticInputs::distinct(seed, &name, all, each);
        chosen.into_iter().map(move |at| (input - first) * all + at)
    };
    let chosen = batch.flat_map(of_input).map(u32::try_from).collect::<std::result::Result<Vec<u32>, _>>();
    chosen.map(Some).map_err(|_| Error::Internal { what: "too many windows in a batch".to_owned() })
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
