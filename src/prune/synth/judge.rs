//! How far a layer, as it is written, is from what it is to give: on inputs that no fit has seen.

use ndarray::{Array2, Axis, s};

use super::moments::Reader;
use super::options::SynthOptions;
use super::original::units;
use super::pass::Batch;
use super::refitter::{Refitter, columns_of};
use super::windows::{positions, reader};
use crate::backend::{Activation, Backend, RowSource, Transpose};
use crate::error::{Error, Result};
use crate::network::{Classifier, DeviceNetwork, Network, Pair, UnitStep};

/// Inputs that pass the original network and one that shrinks, to measure errors by.
pub(crate) struct Judge<'a, B: Backend> {
    refitter: Refitter<'a, B>,
}

impl<'a, B: Backend> Judge<'a, B> {
    /// Prepares to judge layers of `network` on `inputs`, one row each.
    ///
    /// # Errors
    ///
    /// As [`Refitter::new`].
    pub(crate) fn new(backend: &'a B, network: &'a Network, inputs: &dyn RowSource, seed: u64) -> Result<Self> {
        let options = SynthOptions { seed, ..SynthOptions::default() };
        Ok(Self { refitter: Refitter::new(backend, network, inputs, options)? })
    }

    /// Number of inputs.
    pub(crate) fn inputs(&self) -> usize {
        self.refitter.inputs
    }

    /// Takes note of a step.
    pub(crate) fn note(&mut self, step: &UnitStep) {
        self.refitter.note(step);
    }

    /// `E |z - (C p + beta)|^2` for the pair of a network that shrinks: `C` and `beta` are the f32 weights that it has now,
    /// `p` what they read, and `z` what they give in the original network.
    ///
    /// # Errors
    ///
    /// As [`Refitter::refit`].
    pub(crate) fn error(&mut self, current: &Network, pair: &Pair) -> Result<f64> {
        let refitter = &mut self.refitter;
        let backend = refitter.backend;
        let (original, site) = (refitter.original_site(pair)?, &pair.site);
        let (next, next_bias) = refitter.read_original(pair)?;
        let (inputs, seed) = (refitter.inputs, refitter.options.seed);
        let (mut groups, mut first) = (Vec::new(), 0);
        let old_groups = original.groups();
        for (group, old) in site.groups().iter().zip(&old_groups) {
            let Some(name) = group.readers.first().map(|reader| reader.node.as_str()) else { continue };
            let count = group.readers.iter().map(|one| units(current, &one.node)).sum::<Result<usize>>()?;
            let rows = first..first + count;
            first = rows.end;
            let upload = |next: &Array2<f32>, bias: &[f32], q: usize, offset: usize, block: usize| {
                let weights = backend.upload(&columns_of(next.slice(s![rows.clone(), ..]), q, offset, block).view())?;
                let bias = Array2::from_shape_fn((1, count), |(_, at)| bias[rows.start + at]);
                Ok::<_, Error>((weights, backend.upload(&bias)?))
            };
            let new = upload(&pair.next, &pair.next_bias, pair.block(), group.offset, group.block)?;
            let old = upload(&next, &next_bias, original.block(), old.offset, old.block)?;
            groups.push((new, old, [reader(current, name)?, reader(refitter.original, name)?]));
        }
        // Sums of squares, and the rows that they are over.
        let mut sums = vec![(0.0, 0_usize); groups.len()];
        refitter.pass(current, pair, &mut |group, p, z, batch| {
            let (Some((new, old, [of_p, of_z])), Some(sum)) = (groups.get(group), sums.get_mut(group)) else {
                return Err(Error::Internal { what: format!("no group {group} of readers") });
            };
            let chosen = positions(*of_p, batch, inputs, seed, site)?;
            let chosen = chosen.map(|chosen| backend.upload_indices(&chosen)).transpose()?;
            let give = |value: &B::Matrix, reader: Reader, (weights, bias): &(B::Matrix, B::Matrix)| {
                let unfolded = match reader {
                    Reader::Columns => None,
                    Reader::Windows(window) => Some(backend.unfold(value, &window, chosen.as_ref())?),
                };
                backend.affine(unfolded.as_ref().unwrap_or(value), weights, Some(bias), Activation::Identity)
            };
            let (given, wanted) = (give(p, *of_p, new)?, give(z, *of_z, old)?);
            let missed = backend.weighted_sum(&given, Some(&wanted), [1.0, -1.0], Activation::Identity)?;
            let [rows, _] = backend.shape(&missed);
            let ones = backend.upload(&Array2::<f32>::ones((1, rows)))?;
            let halves = backend.download(&backend.path_norms(&missed, &ones, None, Transpose::Yes)?)?;
            sum.0 += 2.0 * halves.sum();
            sum.1 += rows;
            Ok(())
        })?;
        #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
        let error = sums.iter().map(|(sum, rows)| sum / (*rows).max(1) as f64).sum();
        Ok(error)
    }

    /// Outputs of a network, one row for each input.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for networks with nodes that backends do not compute; what the backend returns.
    pub(crate) fn outputs(&self, network: &Network) -> Result<Array2<f64>> {
        let backend = self.refitter.backend;
        let device = DeviceNetwork::upload(backend, network)?;
        let missing = || Error::Internal { what: "a batch without inputs".to_owned() };
        let of_batch = |batch: &Batch<B>| {
            let inputs = batch.inputs.as_ref().ok_or_else(missing)?;
            backend.download(&device.logits(backend, inputs)?)
        };
        let parts = self.refitter.batches.iter().map(of_batch).collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(0), &views).map_err(|error| Error::Internal { what: error.to_string() })
    }
}
