//! Two graphs side by side, and what the readers of a space see in both, on synthetic inputs or samples.
//!
//! Inputs pass the original graph and the one that shrinks. For each sum that reads units, `p` is what it reads of them in the
//! network that shrinks and `z = C h` what it made of them in the original one: their moments are what [`super::fit`] and
//! [`super::project`] work with.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Instant;

use ndarray::{Array2, ArrayView2};

use super::norms::{self, Norm};
use super::reader::{ReaderOf, Reads};
use super::resume::Kept;
use super::shortcut::Shortcut;
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::format::OnnxSource;
use crate::network::spaces::{Analysis, Edits, Operator, OperatorGraph, Role, Space, UnitPart, ValueId, cut, repair};
use crate::network::streams::{Batch, Streams};
use crate::prune::synth::{ReadBy, ReadMoments as Moments, Sums, SyntheticInputs};

/// Rows that moments are taken over at most, unless a layer has more columns than half of that.
const ROWS: usize = 20_000;

/// Columns of a reader whose covariance is taken at most.
const COLUMNS: usize = 6_144;

/// The share of rows that a fit does not see: one in so many.
const UNSEEN: usize = 5;

/// Values of the inputs of one run at most: inside a network there are tens of times as many.
const VALUES: usize = 1 << 20;

/// Inputs of one run at most.
const RUN: usize = 64;

/// Two graphs side by side.
pub(super) struct Refitter<'a, B: Backend> {
    pub(super) backend: &'a B,
    source: &'a OnnxSource,
    /// The original graph, each sum with a bias to shift.
    pub(super) base: &'a OperatorGraph,
    pub(super) analysis: &'a Analysis<'a>,
    inputs: &'a dyn RowSource,
    original: Streams<'a, B>,
    /// The original graph with refitted weights, in the original shapes.
    pub(super) work: OperatorGraph,
    /// The original graph with the rows of writers in the bases of linear spaces: what sums aim at.
    pub(super) aims: OperatorGraph,
    /// Classes that are gone.
    pub(super) gone: HashSet<u32>,
    /// By reader and the class of the first unit that it reads, what was added to its bias.
    pub(super) shifts: BTreeMap<(usize, u32), Vec<f64>>,
    pub(super) ridge: f64,
    seed: u64,
    /// Batch norms with the statistics of the inputs, in both networks.
    norms: Vec<Norm>,
    /// By operator what is added to the sums that it gives.
    shortcuts: HashMap<usize, Shortcut>,
    /// What is to be kept in front of the space at hand, and what is kept of an earlier one.
    pub(super) point: Option<ValueId>,
    pub(super) kept: RefCell<Option<Kept<B>>>,
    /// Seconds of both networks, and of the moments of what readers see.
    pub(super) clock: Cell<[f64; 2]>,
}

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

impl<'a, B: Backend> Refitter<'a, B> {
    pub(super) fn new(
        backend: &'a B,
        source: &'a OnnxSource,
        (base, analysis): (&'a OperatorGraph, &'a Analysis<'a>),
        inputs: &'a dyn RowSource,
        (ridge, seed, batch_statistics): (f64, u64, bool),
    ) -> Result<Self> {
        let norms = if batch_statistics { norms::calibrated(backend, source, base, inputs)? } else { Vec::new() };
        let read = analysis.contractions.iter().filter_map(|sum| base.operators[sum.operator].input(sum.flow));
        let mut read: BTreeSet<&str> = read.map(|value| base.values[value].as_str()).collect();
        let mut streamed = base.clone();
        norms.iter().for_each(|norm| norm.put(&mut streamed));
        let shortcuts = analysis.contractions.iter().filter_map(|sum| {
            let operator = &base.operators[sum.operator];
            let rows = *base.weights(operator.input(sum.weight)?)?.dimensions().get(sum.given)?;
            Some((sum.operator, Shortcut::of(&streamed, operator, rows)?))
        });
        let shortcuts: HashMap<usize, Shortcut> = shortcuts.collect();
        read.extend(shortcuts.values().map(|shortcut| shortcut.value.as_str()));
        let original = Streams::new(backend, source, &streamed, &read.into_iter().collect::<Vec<_>>())?;
        let (work, aims, gone) = (base.clone(), base.clone(), HashSet::new());
        Ok(Self {
            backend,
            source,
            base,
            analysis,
            inputs,
            original,
            work,
            aims,
            gone,
            shifts: BTreeMap::new(),
            ridge,
            seed,
            norms,
            shortcuts,
            point: None,
            kept: RefCell::new(None),
            clock: Cell::new([0.0; 2]),
        })
    }

    /// The network as it is now, as far as values of these names need it.
    pub(super) fn streams(&self, names: &[&str]) -> Result<Streams<'a, B>> {
        Streams::new(self.backend, self.source, &self.now()?, names)
    }

    /// The network as it is now.
    fn now(&self) -> Result<OperatorGraph> {
        let mut streamed = self.work.clone();
        self.norms.iter().for_each(|norm| norm.put(&mut streamed));
        Ok(self.cut(&streamed)?.0)
    }

    /// The graph of what is left, and what was cut.
    pub(super) fn smaller(&self) -> Result<(OperatorGraph, Edits)> {
        self.cut(&self.work)
    }

    /// What is left of a graph of the same operators.
    fn cut(&self, of: &OperatorGraph) -> Result<(OperatorGraph, Edits)> {
        let edits = cut(self.base, self.analysis, &self.gone)?;
        let mut graph = of.edited(&edits)?;
        repair(self.base, &mut graph, &edits)?;
        Ok((graph, edits))
    }

    /// What reads the units of a space and can be fitted.
    pub(super) fn readers<'s>(&self, space: &'s Space) -> Vec<ReaderOf<'s>> {
        let of = |(at, part): (usize, &UnitPart)| {
            let operator = &self.base.operators[part.operator];
            let sum = self
                .analysis
                .contractions
                .iter()
                .find(|sum| (sum.operator, sum.weight) == (part.operator, part.input))?;
            let weights = self.base.weights(part.constant)?;
            let places: Vec<&[usize]> = space.units.iter().map(|unit| unit.places[at].as_slice()).collect();
            let even = places.windows(2).all(|pair| pair[0].len() == pair[1].len()) && !places.first()?.is_empty();
            let reads = Reads::of(operator, weights.dimensions()).filter(|_| even && part.groups == 1)?;
            let columns = places.len() * places.first()?.len() * reads.entries();
            let rows = weights.dimensions()[sum.given];
            let class = space.units.first()?.class;
            let labels = self
                .analysis
                .owners
                .iter()
                .find(|owner| (owner.operator, owner.input, owner.axis) == (part.operator, part.input, sum.given));
            let stays =
                |row: &usize| labels.is_none_or(|owner| !self.gone.contains(&self.analysis.class(owner.labels[*row])));
            (columns <= COLUMNS).then(|| ReaderOf {
                operator: part.operator,
                class,
                reads,
                value: operator.input(sum.flow).map(|value| self.base.values[value].clone()).unwrap_or_default(),
                places,
                rows: (0..rows).filter(stays).collect(),
                given: sum.given,
                summed: sum.summed,
            })
        };
        space.of_role(Role::Reader).filter_map(of).collect()
    }

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

    /// For each entry of the summed axis its place among those that are left.
    fn ranks(&self, reader: &ReaderOf<'_>) -> Vec<usize> {
        self.left((reader.operator, 1, reader.summed)).unwrap_or_default()
    }

    /// For each entry of an axis of weights, by operator, input and axis, its place among those that are left.
    pub(super) fn left(&self, axis: (usize, usize, usize)) -> Option<Vec<usize>> {
        let owner = self.analysis.owners.iter().find(|owner| (owner.operator, owner.input, owner.axis) == axis)?;
        let mut rank = 0;
        let mut ranks = Vec::with_capacity(owner.labels.len());
        for label in &owner.labels {
            ranks.push(rank);
            rank += usize::from(!self.gone.contains(&self.analysis.class(*label)));
        }
        Some(ranks)
    }

    /// The columns of some units in the weights of a reader as they are now: `rows x (units q)`.
    pub(super) fn columns(&self, reader: &ReaderOf<'_>, units: &[usize]) -> Array2<f64> {
        self.columns_of(&self.work, reader, units)
    }

    pub(super) fn columns_of(&self, graph: &OperatorGraph, reader: &ReaderOf<'_>, units: &[usize]) -> Array2<f64> {
        let Some(tensor) = graph.operators[reader.operator].input(1).and_then(|value| graph.weights(value)) else {
            return Array2::zeros((reader.rows.len(), 0));
        };
        let (values, shape) = (tensor.to_vec(), tensor.dimensions());
        let at = reader.index(shape);
        let columns: Vec<(usize, usize)> = reader.entries_of(units).collect();
        Array2::from_shape_fn((reader.rows.len(), columns.len()), |(row, column)| {
            f64::from(values[at(reader.rows[row], columns[column])])
        })
    }

    /// Writes new columns of the units that stay, and shifts the bias.
    pub(super) fn write(
        &mut self,
        reader: &ReaderOf<'_>,
        kept: &[usize],
        next: &Array2<f64>,
        shift: &[f64],
    ) -> Result<()> {
        let lost = || Error::Internal { what: "a reader without weights".to_owned() };
        let operator = &self.work.operators[reader.operator];
        let tensor = operator.input(1).and_then(|value| self.work.weights(value)).ok_or_else(lost)?;
        let (mut values, shape) = (tensor.to_vec(), tensor.dimensions().to_vec());
        let at = reader.index(&shape);
        let columns: Vec<(usize, usize)> = reader.entries_of(kept).collect();
        for ((row, column), value) in next.indexed_iter() {
            values[at(reader.rows[row], columns[column])] = narrow(*value);
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(Error::Overflow { what: "a refitted weight", layer: operator.name.clone() });
        }
        let weights = Tensor::owned(tensor.name(), tensor.element(), shape.clone(), values)?;
        self.work.replace(reader.operator, 1, weights);
        let class = reader.class;
        let mut own = vec![0.0; shape[reader.given]];
        reader.rows.iter().zip(shift).for_each(|(row, shift)| own[*row] = *shift);
        self.shifts.insert((reader.operator, class), own);
        if let Some((operator, input)) = self.bias(reader) {
            let bias = self.aims.operators[operator].input(input).and_then(|value| self.aims.weights(value));
            let bias = bias.ok_or_else(lost)?;
            let mut values: Vec<f64> = bias.to_vec().into_iter().map(f64::from).collect();
            for (_, shifts) in self.shifts.iter().filter(|((own, _), _)| *own == reader.operator) {
                values.iter_mut().zip(shifts).for_each(|(value, shift)| *value += shift);
            }
            let values = values.into_iter().map(narrow).collect();
            let bias = Tensor::owned(bias.name(), bias.element(), bias.dimensions().to_vec(), values)?;
            self.work.replace(operator, input, bias);
        }
        Ok(())
    }

    /// The operator and input that hold the bias of a reader: its own, or what is added right behind a `MatMul`.
    pub(super) fn bias(&self, reader: &ReaderOf<'_>) -> Option<(usize, usize)> {
        let operator = &self.base.operators[reader.operator];
        let outputs = self.base.weights(operator.input(1)?)?.dimensions()[reader.given];
        let fits = |value: ValueId| {
            self.base
                .weights(value)
                .is_some_and(|bias| bias.len() == outputs && bias.dimensions().last() == Some(&outputs))
        };
        if matches!(operator.kind.as_str(), "Conv" | "Gemm") {
            return operator.input(2).filter(|value| fits(*value)).map(|_| (reader.operator, 2));
        }
        let output = operator.outputs.first().copied().flatten()?;
        let reads = |next: &&Operator| next.inputs.contains(&Some(output));
        let mut next = self.base.operators.iter().filter(reads);
        let (first, None) = (next.next()?, next.next()) else { return None };
        let at = self.base.operators.iter().position(|operator| std::ptr::eq(operator, first))?;
        let input = (0..2).find(|input| first.input(*input).is_some_and(fits))?;
        (first.kind == "Add").then_some((at, input))
    }
}

fn row_matrix<B: Backend>(backend: &B, rows: usize, values: &[f32]) -> Result<B::Matrix> {
    let view = ArrayView2::from_shape((rows, values.len() / rows.max(1)), values);
    backend.upload(&view.map_err(|error| Error::Internal { what: error.to_string() })?)
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32; what overflows is found where they are written")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}
