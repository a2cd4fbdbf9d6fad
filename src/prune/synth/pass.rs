//! How inputs pass two networks: batch by batch, from what is still there of the pass before.

use std::ops::Range;

use super::refitter::Refitter;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{DeviceNetwork, Network, Pair, Signals, Site, Slice};

/// Bytes of values that both networks keep from layer to layer: even for the smallest network, and at most.
pub(super) const KEPT_BYTES: [usize; 2] = [512 << 20, 1 << 30];

/// Inputs that pass the networks together.
pub(super) struct Batch<B: Backend> {
    /// The inputs, where they stay on the device.
    pub(super) inputs: Option<B::Matrix>,
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) original: Signals<B>,
    pub(super) current: Signals<B>,
}

/// What a pass shows of a batch: the number of a group of readers, what they read in the network that shrinks and in the
/// original one, and the numbers of the inputs.
pub(super) type Seen<'s, B> =
    &'s mut dyn FnMut(usize, &<B as Backend>::Matrix, &<B as Backend>::Matrix, Range<usize>) -> Result<()>;

/// Bytes of values that may stay between layers: half as many as the weights take, within `KEPT_BYTES`. Where those of a
/// layer are more, they are computed anew from the inputs for the next one: near the input, where there are most, that
/// takes least.
pub(super) fn kept_budget(weights: usize) -> usize {
    let [least, most] = KEPT_BYTES;
    (weights / 2).clamp(least, most)
}

/// Bytes of one input that are there at the same time between layers, at most.
pub(super) fn widest_bytes<B: Backend>(device: &DeviceNetwork<B>, network: &Network, sites: &[Site]) -> Result<usize> {
    let mut most = device.inputs;
    for site in sites {
        let value = values(device, network, site)?.into_iter().max().unwrap_or(0);
        let entries = device.entries(&device.live(frontier(device, site)?)) + device.entries(&retained(device, value));
        most = most.max(device.inputs + entries);
    }
    Ok(4 * most)
}

/// What stays of the original network behind `value`, the last that readers of a site take.
fn retained<B: Backend>(device: &DeviceNetwork<B>, value: usize) -> Vec<usize> {
    let mut values = device.live(value);
    values.push(value);
    values.sort_unstable();
    values.dedup();
    values
}

/// The value that each group of readers of a site takes.
fn values<B: Backend>(device: &DeviceNetwork<B>, network: &Network, site: &Site) -> Result<Vec<usize>> {
    let value = |node: &str| {
        let input = network.node(node)?.inputs.first();
        let input = input.ok_or_else(|| Error::Internal { what: format!("`{node}` reads nothing") })?;
        device.value(input)
    };
    site.groups().iter().filter_map(|group| group.readers.first()).map(|reader| value(&reader.node)).collect()
}

/// The first value that changes with the units of a site.
fn frontier<B: Backend>(device: &DeviceNetwork<B>, site: &Site) -> Result<usize> {
    let mut first = device.value(&site.layer)?;
    for (layer, _) in site.writers() {
        first = first.min(device.value(layer)?);
    }
    Ok(first)
}

impl<B: Backend> Refitter<'_, B> {
    /// Brings all inputs to what the readers of a pair take, in both networks.
    pub(super) fn pass(&mut self, current: &Network, pair: &Pair, seen: Seen<'_, B>) -> Result<()> {
        let backend = self.backend;
        let mut device = DeviceNetwork::prepare(current)?;
        let values = values(&device, current, &pair.site)?;
        let (layer, last) = (frontier(&device, &pair.site)?, values.iter().copied().max().unwrap_or(0));
        // Groups in the order in which their values come.
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by_key(|group| values[*group]);
        let (mut later, mut stays) = (device.live(layer), retained(&self.device, last));
        let entries = device.inputs + device.entries(&later) + self.device.entries(&stays);
        let keep = entries.saturating_mul(4 * self.inputs) <= self.budget;
        if !keep {
            (later, stays) = (Vec::new(), Vec::new());
        }
        if let Some(batch) = self.batches.first() {
            // All batches have come equally far.
            self.device.load(backend, &batch.original, &values)?;
            device.load(backend, &batch.current, &values)?;
        }
        for batch in &mut self.batches {
            let inputs = match (batch.inputs.take(), &self.synthetic) {
                (Some(inputs), _) => inputs,
                (None, Some(source)) => backend.upload(&Slice { source, first: batch.first, rows: batch.rows })?,
                (None, None) => return Err(Error::Internal { what: "a batch without inputs".to_owned() }),
            };
            for group in &order {
                let value = values[*group];
                // What later groups take has to stay until then.
                let until = |device: &DeviceNetwork<B>, end: &[usize]| {
                    let live = if value < last { retained(device, value) } else { Vec::new() };
                    [live.as_slice(), end].concat()
                };
                self.device.advance(backend, &inputs, &mut batch.original, value, &until(&self.device, &stays))?;
                device.advance(backend, &inputs, &mut batch.current, value, &until(&device, &later))?;
                let (p, z) = (batch.current.get(&inputs, value)?, batch.original.get(&inputs, value)?);
                seen(*group, p, z, batch.first..batch.first + batch.rows)?;
            }
            // The layer is about to change: its output and what follows are computed anew for the next one.
            if keep {
                batch.current.forget_from(layer);
                batch.current.forget_before(layer, &later);
                batch.original.forget_before(last, &stays);
                batch.original.forget_from(last + 1);
            } else {
                batch.current.forget_from(0);
                batch.original.forget_from(0);
            }
            batch.inputs = (keep || self.synthetic.is_none()).then_some(inputs);
        }
        Ok(())
    }
}
