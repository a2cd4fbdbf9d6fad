//! What the readers of a space see in two networks, on synthetic inputs or samples.
//!
//! Inputs pass the original graph and the one that shrinks. For each sum that reads units, `p` is what it reads of them in the
//! network that shrinks and `z = C h` what it made of them in the original one: their moments are what [`super::fit`] and
//! [`super::project`] work with.

use std::collections::BTreeSet;
use std::time::Instant;

use ndarray::{Array2, ArrayView2};

use super::reader::ReaderOf;
use super::refit::{Refitter, narrow};
use super::shortcut::Shortcut;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::streams::{Batch, Streams};
use crate::prune::synth::{ReadBy, ReadMoments as Moments, Sums, SyntheticInputs};

/// Rows that moments are taken over at most, unless a layer has more columns than half of that.
const ROWS: usize = 20_000;

/// The share of rows that a fit does not see: one in so many.
const UNSEEN: usize = 5;

/// Values of the inputs of one run at most: inside a network there are tens of times as many.
const VALUES: usize = 1 << 20;

/// Inputs of one run at most.
const RUN: usize = 64;

/// A reader on its way through the inputs.
struct Watch<'r, 's, B: Backend> {
    reader: &'r ReaderOf<'s>,
    /// `C` of the original network.
    weights: B::Matrix,
    /// Entries of the summed axis for each column, in the original network and in the one that shrinks.
    channels: Vec<usize>,
    now: Vec<usize>,
    /// Over rows that a fit sees, and over those that it does not.
    sums: [Sums<B>; 2],
    /// Whether the two networks have other places.
    apart: bool,
    /// What is added to the sums behind it.
    shortcut: Option<(usize, &'r Shortcut)>,
}

impl<B: Backend> Refitter<'_, B> {
    /// For each reader moments of rows that a fit sees, and of those that it does not; none where the two networks have other
    /// places. All readers look at the same runs. The network that shrinks is read at the units `kept`, all by default.
    pub(super) fn moments(
        &self,
        readers: &[ReaderOf<'_>],
        kept: Option<&[usize]>,
    ) -> Result<Vec<Option<[Moments; 2]>>> {
        let mut watches = readers.iter().map(|reader| self.watch(reader, kept)).collect::<Result<Vec<_>>>()?;
        let mut names: Vec<&str> = readers.iter().map(|reader| reader.value.as_str()).collect();
        for watch in &mut watches {
            if let Some(shortcut) = self.shortcuts.get(&watch.reader.operator) {
                watch.shortcut = Some((names.len(), shortcut));
                names.push(&shortcut.value);
            }
        }
        let mut pass = self.begin(&names, self.now()?);
        let asked: BTreeSet<&str> = names.iter().copied().chain(pass.names()).collect();
        let asked: Vec<&str> = asked.into_iter().collect();
        let streams = Streams::new(self.backend, self.source, pass.graph(), &asked)?;
        let (mut first, mut batch) = (0, 0);
        self.batches(|inputs, rows| {
            let here = (batch, first..first + rows);
            let start = Instant::now();
            let [old, new] = pass.values([&self.original, &streams], inputs, here, &names)?;
            let streamed = start.elapsed().as_secs_f64();
            for (at, watch) in watches.iter_mut().enumerate() {
                self.add(watch, at, [&old, &new], first..first + rows)?;
            }
            (first, batch) = (first + rows, batch + 1);
            let [streams, moments] = self.clock.get();
            self.clock.set([streams + streamed, moments + start.elapsed().as_secs_f64() - streamed]);
            Ok(())
        })?;
        self.end(pass);
        watches.into_iter().map(|watch| self.taken(watch)).collect()
    }

    /// Gives all inputs away, batch by batch.
    pub(super) fn batches(&self, mut work: impl FnMut(&[f32], usize) -> Result<()>) -> Result<()> {
        let [count, width] = self.inputs.shape();
        let step = self.original.step((VALUES / width.max(1)).clamp(1, RUN));
        for first in (0..count).step_by(step) {
            let rows = step.min(count - first);
            let mut inputs = vec![0.0; rows * width];
            self.inputs.read_rows(first, &mut inputs)?;
            work(&inputs, rows)?;
        }
        Ok(())
    }

    fn watch<'r, 's>(&'r self, reader: &'r ReaderOf<'s>, kept: Option<&[usize]>) -> Result<Watch<'r, 's, B>> {
        let units = reader.places.len();
        let channels: Vec<usize> = reader.places.iter().flat_map(|places| places.iter().copied()).collect();
        let left = self.ranks(reader);
        let now = match kept {
            Some(kept) => kept.iter().flat_map(|unit| reader.places[*unit]).map(|channel| left[*channel]).collect(),
            None => channels.iter().map(|channel| left[*channel]).collect(),
        };
        let weights = self.columns_of(&self.aims, reader, &(0..units).collect::<Vec<_>>());
        let weights = self.backend.upload(&weights.mapv(narrow).view())?;
        Ok(Watch { reader, weights, channels, now, sums: [Sums::new(), Sums::new()], apart: false, shortcut: None })
    }

    /// Adds what a reader sees of a batch in the original network and in the one that shrinks.
    fn add(
        &self,
        watch: &mut Watch<'_, '_, B>,
        at: usize,
        values: [&[Batch]; 2],
        batch: std::ops::Range<usize>,
    ) -> Result<()> {
        let Watch { reader, weights, channels, now, sums, apart, shortcut } = watch;
        let [old, new] = values.map(|values| &values[at]);
        *apart |= old.shape.len() != new.shape.len() || reader.reads.apart(&old.shape, &new.shape);
        if *apart {
            return Ok(());
        }
        let columns = reader.places.len() * reader.block();
        let each = ROWS.max(2 * columns).div_ceil(self.inputs.shape()[0].max(1)).max(1);
        let rows = batch.len();
        // Axes of the batch and others may be one: places are counted over what one sample has of them.
        let samples = old.shape.first().copied().unwrap_or(0) * rows / self.original.held(rows);
        let places = reader.reads.places(&old.shape);
        let share = (each * rows).div_ceil(samples.max(1)).min(places);
        let mut parts: [Vec<(usize, usize)>; 2] = [Vec::new(), Vec::new()];
        for sample in 0..samples {
            let chosen = if share >= places {
                (0..places).collect()
            } else {
                let name = format!("places/{}/{}/{sample}", reader.value, batch.start);
                SyntheticInputs::distinct(self.seed, &name, places, share)
            };
            let part = usize::from((batch.start + sample) % UNSEEN == UNSEEN - 1);
            parts[part].extend(chosen.into_iter().map(|place| (sample, place)));
        }
        for (part, sums) in parts.iter().zip(sums).filter(|(part, _)| !part.is_empty()) {
            let entries = reader.reads.entries();
            let mut read =
                [&*now, &*channels].map(|channels| Array2::<f32>::zeros((part.len(), channels.len() * entries)));
            for ((matrix, batch), own) in read.iter_mut().zip([new, old]).zip([&*now, &*channels]) {
                for (mut row, at) in matrix.rows_mut().into_iter().zip(part) {
                    let row = row.as_slice_mut().ok_or_else(|| Error::Internal { what: "a row apart".to_owned() })?;
                    reader.reads.row((&batch.shape, &batch.values), *at, own, row)?;
                }
            }
            let [new, old] = read;
            let (new, old) = (self.backend.upload(&new.view())?, self.backend.upload(&old.view())?);
            let missing = shortcut.and_then(|(at, shortcut)| {
                shortcut.missing(reader, values.map(|values| &values[at]), (samples, places), part)
            });
            let missing = missing.map(|missing| row_matrix(self.backend, part.len(), &missing)).transpose()?;
            let read = [(&new, ReadBy::Columns), (&old, ReadBy::Columns)];
            sums.add(self.backend, read, weights, (None, missing.as_ref()))?;
        }
        Ok(())
    }

    fn taken(&self, watch: Watch<'_, '_, B>) -> Result<Option<[Moments; 2]>> {
        if watch.apart {
            return Ok(None);
        }
        let centred = self.bias(watch.reader).is_some();
        let [seen, unseen] = watch.sums.map(|sums| sums.moments(self.backend));
        let about = |moments: Moments| if centred { moments } else { moments.raw() };
        Ok(Some([about(seen?), about(unseen?)]))
    }
}

fn row_matrix<B: Backend>(backend: &B, rows: usize, values: &[f32]) -> Result<B::Matrix> {
    let view = ArrayView2::from_shape((rows, values.len() / rows.max(1)), values);
    backend.upload(&view.map_err(|error| Error::Internal { what: error.to_string() })?)
}
