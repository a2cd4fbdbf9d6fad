//! Two graphs side by side, the original one and the one that shrinks: what reads the units of a space, and what is written there.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ndarray::Array2;

use super::norms::{self, Norm};
use super::reader::{ReaderOf, Reads};
use super::resume::Kept;
use super::shortcut::Shortcut;
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::format::OnnxSource;
use crate::network::spaces::{Analysis, Edits, Operator, OperatorGraph, Role, Space, UnitPart, ValueId, cut, repair};
use crate::network::streams::Streams;

/// Columns of a reader whose covariance is taken at most.
const COLUMNS: usize = 6_144;

/// Two graphs side by side.
pub(super) struct Refitter<'a, B: Backend> {
    pub(super) backend: &'a B,
    pub(super) source: &'a OnnxSource,
    /// The original graph, each sum with a bias to shift.
    pub(super) base: &'a OperatorGraph,
    pub(super) analysis: &'a Analysis<'a>,
    pub(super) inputs: &'a dyn RowSource,
    pub(super) original: Streams<'a, B>,
    /// The original graph with refitted weights, in the original shapes.
    pub(super) work: OperatorGraph,
    /// The original graph with the rows of writers in the bases of linear spaces: what sums aim at.
    pub(super) aims: OperatorGraph,
    /// Classes that are gone.
    pub(super) gone: HashSet<u32>,
    /// By reader and the class of the first unit that it reads, what was added to its bias.
    pub(super) shifts: BTreeMap<(usize, u32), Vec<f64>>,
    pub(super) ridge: f64,
    pub(super) seed: u64,
    /// Batch norms with the statistics of the inputs, in both networks.
    norms: Vec<Norm>,
    /// By operator what is added to the sums that it gives.
    pub(super) shortcuts: HashMap<usize, Shortcut>,
    /// What is to be kept in front of the space at hand, and what is kept of an earlier one.
    pub(super) point: Option<ValueId>,
    pub(super) kept: RefCell<Option<Kept<B>>>,
    /// Seconds of both networks, and of the moments of what readers see.
    pub(super) clock: Cell<[f64; 2]>,
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
    pub(super) fn now(&self) -> Result<OperatorGraph> {
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

    /// For each entry of the summed axis its place among those that are left.
    pub(super) fn ranks(&self, reader: &ReaderOf<'_>) -> Vec<usize> {
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

#[expect(clippy::cast_possible_truncation, reason = "weights are f32; what overflows is found where they are written")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}
