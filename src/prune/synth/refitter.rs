//! Two networks side by side: the original one, and the one that shrinks.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, s};

use super::channels::Choice;
use super::moments::{Moments, Sums};
use super::original::units;
use super::pass::{Batch, kept_budget, widest_bytes};
use super::prior::SyntheticInputs;
use super::refit::{choose, refit};
use super::windows::{positions, reader};
use super::{Prior, RefitForm, Selection, SynthOptions, UnitRefit};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::{DeviceNetwork, Network, Op, Pair, Reduced, Site, Slice, Tensor, coupled_sites, sites};

/// Columns of the next layer whose covariance is taken at most: beyond, it would fill gigabytes.
const COLUMNS: usize = 12_288;

/// Bytes of the values of all synthetic inputs at the widest place, where their number is not given.
const PASSED_BYTES: usize = 1 << 30;

/// Multiply-adds of one pass of all synthetic inputs, where their number is not given.
const PASS: u64 = 1_000_000_000_000;

/// Synthetic inputs that even the largest network gets.
const LEAST: usize = 32;

/// Bytes of the values that one step of a batch reads and writes.
const BATCH_BYTES: usize = 64 << 20;

/// Refits layers on inputs that pass the original and the shrinking network side by side.
pub struct Refitter<'a, B: Backend> {
    pub(super) backend: &'a B,
    pub(super) original: &'a Network,
    pub(super) sites: Vec<Site>,
    /// The units that are left of layers whose own units went, where others than these are refitted later.
    pub(super) outputs: HashMap<String, Vec<usize>>,
    /// The original network, its weights on the device while values pass them.
    pub(super) device: DeviceNetwork<B>,
    /// Inputs that can be made anew at any time.
    pub(super) synthetic: Option<SyntheticInputs>,
    pub(super) batches: Vec<Batch<B>>,
    /// Number of inputs.
    pub(super) inputs: usize,
    /// Bytes of values that stay from layer to layer, see `kept_budget`.
    pub(super) budget: usize,
    pub(super) options: SynthOptions,
}

/// What one group of readers makes of the units.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) moments: Moments,
    /// Columns per unit, and the first of them among all columns of a unit.
    pub(crate) block: usize,
    offset: usize,
    /// Rows in the map that reads the pair.
    pub(crate) rows: std::ops::Range<usize>,
}

impl Part {
    /// The columns of the group among those of all readers of a pair, for the map of the pair or one like it.
    pub(crate) fn weights<'w>(&self, next: ArrayView2<'w, f32>, q: usize) -> CowArray<'w, f32, Ix2> {
        columns_of(next.slice_move(s![self.rows.clone(), ..]), q, self.offset, self.block)
    }
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
        let (sites, _) = coupled_sites(network)?;
        let budget = kept_budget(network.tensors().map(Tensor::byte_len).sum());
        Ok(Self {
            backend,
            original: network,
            sites,
            outputs: HashMap::new(),
            device,
            synthetic: None,
            batches,
            inputs: count,
            budget,
            options,
        })
    }

    /// Prepares to shrink `network` on synthetic inputs: `count` of them, or as many as pass it in minutes, if the options do not give their number.
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
        let passed = PASSED_BYTES / widest_bytes(&device, network, &sites(network)?.0)?.max(1);
        let computed = PASS / network.multiply_adds().unwrap_or(0).max(1);
        Ok(passed.min(usize::try_from(computed).unwrap_or(usize::MAX)).max(LEAST))
    }

    /// Number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Whether the inputs are far fewer than the unknowns of a layer that reads each of them once: a fit of them would
    /// follow the inputs.
    #[must_use]
    pub fn is_scarce(&self, pair: &Pair, keep: usize) -> bool {
        let linear = |name: &str| self.original.node(name).is_ok_and(|node| matches!(node.op, Op::Linear { .. }));
        pair.site.readers.iter().all(|reader| linear(&reader.node)) && 4 * self.inputs < keep * pair.block()
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
        let wide = pair.next.ncols() > COLUMNS || self.is_scarce(pair, keep);
        if wide && pair.block() > 1 && pair.site.groups().len() == 1 {
            return self.by_channels(current, pair, Choice::Best(keep));
        }
        let parts = self.moments(current, pair)?;
        let groups: Vec<(&Moments, usize)> = parts.iter().map(|part| (&part.moments, part.block)).collect();
        let selection = choose(&groups, keep, self.options.ridge);
        let mut kept = selection.order.clone();
        kept.sort_unstable();
        self.finish(pair, &parts, &kept, &selection)
    }

    /// Refits what reads the units `kept`, ascending, of a pair of `current`.
    ///
    /// # Errors
    ///
    /// As [`Refitter::select`].
    pub fn refit(&mut self, current: &Network, pair: &Pair, kept: &[usize]) -> Result<(Reduced, UnitRefit)> {
        let parts = self.moments(current, pair)?;
        self.refit_parts(pair, &parts, kept)
    }

    /// Refits what reads the units `kept` once more, in the same form and with another ridge.
    pub(crate) fn refit_again(
        &mut self,
        (current, pair): (&Network, &Pair),
        kept: &[usize],
        form: RefitForm,
        ridge: f64,
    ) -> Result<Reduced> {
        let asked = std::mem::replace(&mut self.options.ridge, ridge);
        let refitted = match form {
            RefitForm::Channels => self.by_channels(current, pair, Choice::These(kept)),
            RefitForm::Joint | RefitForm::Gaussian => self.refit(current, pair, kept),
        };
        self.options.ridge = asked;
        refitted.map(|(reduced, _)| reduced)
    }

    /// The same from what the readers make of the units.
    pub(crate) fn refit_parts(&self, pair: &Pair, parts: &[Part], kept: &[usize]) -> Result<(Reduced, UnitRefit)> {
        self.finish(pair, parts, kept, &Selection { order: Vec::new(), decreases: Vec::new() })
    }

    fn finish(
        &self,
        pair: &Pair,
        parts: &[Part],
        kept: &[usize],
        selection: &Selection,
    ) -> Result<(Reduced, UnitRefit)> {
        let (_, bias) = self.read_original(pair)?;
        let fits: Vec<_> =
            parts.iter().map(|part| refit(&part.moments, part.block, kept, self.options.ridge)).collect();
        let shift: Vec<f64> = fits.iter().flat_map(|fit| fit.shift.iter().copied()).collect();
        let q = pair.block();
        let mut next = Array2::zeros((shift.len(), kept.len() * q));
        for (part, fit) in parts.iter().zip(&fits) {
            let mut rows = next.slice_mut(s![part.rows.clone(), ..]);
            for ((row, column), value) in fit.next.indexed_iter() {
                rows[[row, column / part.block * q + part.offset + column % part.block]] = narrow(*value);
            }
        }
        let reduced = pair.read_by(kept, next, shifted(&bias, &shift));
        let variance = parts.iter().map(|part| part.moments.variance()).sum();
        let curve = curve(variance, selection);
        let loss = fits.iter().map(|fit| fit.loss).sum();
        Ok((reduced, UnitRefit { form: RefitForm::Joint, inputs: self.inputs, variance, curve, loss }))
    }

    /// For each group of readers: means and covariances of what they read, and of their target.
    pub(crate) fn moments(&mut self, current: &Network, pair: &Pair) -> Result<Vec<Part>> {
        let backend = self.backend;
        let (next, _) = self.original_next(current, pair)?;
        let (original, site) = (self.original_site(pair)?, &pair.site);
        let (q, inputs, seed) = (original.block(), self.inputs, self.options.seed);
        let (mut parts, mut fits, mut first) = (Vec::new(), Vec::new(), 0);
        for group in site.groups() {
            let Some(name) = group.readers.first().map(|reader| reader.node.as_str()) else { continue };
            let (columns, layer) = (group.block * pair.units(), &site.layer);
            if columns > COLUMNS {
                let problem = format!(
                    "`{name}` reads `{layer}` through {columns} columns, a refit takes {COLUMNS} at most; keep `{layer}` \
                     as it is, or choose another method"
                );
                return Err(Error::Unsupported { problem });
            }
            let count = group.readers.iter().map(|reader| units(current, &reader.node)).sum::<Result<usize>>()?;
            let rows = first..first + count;
            first = rows.end;
            let own = next.slice(s![rows.clone(), ..]);
            let weights = backend.upload(&columns_of(own, q, group.offset, group.block).view())?;
            fits.push((weights, [reader(self.original, name)?, reader(current, name)?], Sums::new()));
            parts.push((group.block, group.offset, rows));
        }
        drop(next);
        self.pass(current, pair, &mut |group, p, z, batch| {
            let Some((weights, [old, new], sums)) = fits.get_mut(group) else {
                return Err(Error::Internal { what: format!("no group {group} of readers") });
            };
            let chosen = positions(*new, batch, inputs, seed, &pair.site)?;
            let chosen = chosen.map(|chosen| backend.upload_indices(&chosen)).transpose()?;
            sums.add(backend, [(p, *new), (z, *old)], weights, (chosen.as_ref(), None))
        })?;
        let of_group = |((_, _, sums), (block, offset, rows)): ((_, _, Sums<B>), _)| {
            Ok(Part { moments: sums.moments(backend)?, block, offset, rows })
        };
        let moments = fits.into_iter().zip(parts).map(of_group).collect();
        // What follows is the host's.
        backend.trim();
        moments
    }
}

/// The columns of a group of readers among those of all, `q` for each unit.
pub(super) fn columns_of(next: ArrayView2<'_, f32>, q: usize, offset: usize, block: usize) -> CowArray<'_, f32, Ix2> {
    if block == q {
        return next.into();
    }
    let units = next.ncols().checked_div(q).unwrap_or(0);
    let own: Vec<usize> = (0..units * block).map(|at| at / block * q + offset + at % block).collect();
    next.select(Axis(1), &own).into()
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

    use super::super::pass::KEPT_BYTES;
    use super::*;
    use crate::backend::Cpu;
    use crate::network::{StepKind, UnitPlan, UnitStep, apply_units, random_network};

    /// Bytes that stay from layer to layer.
    fn held(refitter: &Refitter<'_, Cpu>) -> usize {
        let backend = Cpu::new();
        let entries = |batch: &Batch<Cpu>| {
            let inputs = batch.inputs.as_ref().map_or(0, |inputs| backend.shape(inputs).iter().product());
            inputs + batch.original.entries(&backend) + batch.current.entries(&backend)
        };
        4 * refitter.batches.iter().map(entries).sum::<usize>()
    }

    #[test]
    fn a_large_network_keeps_half_as_many_bytes_as_its_weights() {
        assert_eq!([1, 1200 << 20, 5 << 30].map(kept_budget), [512 << 20, 600 << 20, 1 << 30]);
    }

    #[test]
    fn values_computed_anew_are_those_that_were_kept() {
        let network = random_network(&[12, 30, 20, 25, 4], 3).unwrap();
        let backend = Cpu::new();
        let run = |budget| {
            let mut refitter = Refitter::synthetic(&backend, &network, 90, SynthOptions::default()).unwrap();
            assert_eq!(refitter.budget, KEPT_BYTES[0], "small networks keep their values");
            refitter.budget = budget;
            let (mut plan, mut current, mut losses) = (UnitPlan::default(), network.clone(), Vec::new());
            for site in sites(&network).unwrap().0 {
                let site = sites(&current).unwrap().0.into_iter().find(|other| other.layer == site.layer).unwrap();
                let pair = Pair::read(&current, &site).unwrap();
                let (reduced, report) = refitter.select(&current, &pair, 8).unwrap();
                assert!(held(&refitter) <= budget, "{} of {budget} bytes", held(&refitter));
                losses.push(report.loss);
                plan.steps.push(UnitStep { site, kind: StepKind::Approximate, reduced });
                current = apply_units(&network, &plan).unwrap();
            }
            (losses, current.tensors().flat_map(|tensor| tensor.to_vec()).collect::<Vec<_>>())
        };
        // All values, none, and those behind the second layer alone: 12 inputs, 8 units that are left and 20 behind them.
        let anew = run(0);
        assert_eq!(run(KEPT_BYTES[0]), anew);
        assert_eq!(run(90 * 4 * (12 + 8 + 20)), anew);
    }
}
