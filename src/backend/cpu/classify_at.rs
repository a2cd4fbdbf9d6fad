//! Answers of a head at many cut-offs, from the one that removes most to the one that removes least.
//!
//! ```text
//! for each group of cut-offs                          as many as their packed weights have room
//!   for each tile of samples (one task)
//!     for each cut-off, most removed first
//!       first layer      the weights that come back are added to the tile's sums: over all cut-offs, one product
//!       later layers     sparse where few weights are left, packed otherwise
//!       classes and ranks
//! ```
//!
//! Sums only ever grow: each has the terms of its own cut-off and no others, in an order that cut-offs and shape fix.

use std::mem::swap;

use rayon::prelude::*;

use super::affine::{padded, store_rows};
use super::classify::{class, rank};
use super::contraction::Sum;
use super::matrix::HostMatrix;
use super::nested::{Finish, Nested, Stretch, TILE};
use super::operand::{Columns, Lines, Order, Packed, View};
use super::threshold_mask::threshold_mask;
use crate::backend::cuts::{one_by_one, one_for_each_layer};
use crate::backend::{Activation, Classified, Cpu, Cutoff, ScoredLayer, Transpose, check};
use crate::error::{Error, Result};

/// Fewer cut-offs share too little to be worth the sorting.
const FEWEST: usize = 4;

/// Weights of a layer at most: sorted ones take twice their size besides.
const LARGEST: usize = 16 << 20;

/// Bytes of the packed weights of a group of cut-offs, which every tile of samples reads again: the last cache holds them.
const GROUP_BYTES: usize = 16 << 20;

/// The share of weights up to which the sparse product is faster: of 0.45, 0.6, 0.7 and 0.9, `tropix bench --workload W8b
/// --device cpu` took 2.29, 2.03, 2.08 and 2.20 s with tiles of 64 samples (Zen 3, AVX2).
const SPARSE: f64 = 0.6;

type Batch = (HostMatrix, Option<Vec<u32>>);

pub(super) fn classify_at(
    cpu: &Cpu,
    batches: &[Batch],
    layers: &[ScoredLayer<'_, HostMatrix>],
    cutoffs: &[Vec<Cutoff>],
) -> Result<Vec<Vec<Classified<Vec<u32>>>>> {
    let Some(order) = nested_order(layers, cutoffs)? else {
        return one_by_one(cpu, batches, layers, cutoffs);
    };
    check(batches, layers)?;
    let layers: Vec<Layer<'_>> = layers
        .iter()
        .enumerate()
        .map(|(at, layer)| {
            let m = layer.weights.shape()[0];
            let sorted: Vec<Cutoff> = order.iter().map(|entry| cutoffs[*entry][at]).collect();
            Layer {
                nested: Nested::new(layer.weights, layer.scores, &sorted),
                source: layer,
                bias: padded(layer.bias.map_or(&vec![0.0; m], |bias| bias.values()), 0.0),
                floor: if layer.activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY },
                cutoffs: sorted,
            }
        })
        .collect();
    let mut answers: Vec<Vec<Classified<Vec<u32>>>> = (0..cutoffs.len()).map(|_| Vec::new()).collect();
    for (inputs, labels) in batches {
        let of_batch = classify_batch(&layers, inputs, labels.as_deref(), order.len())?;
        for (cut, classified) in order.iter().zip(of_batch) {
            answers[*cut].push(classified);
        }
    }
    Ok(answers)
}

/// The entries of `cutoffs` in the order in which they remove more, if there is such an order for all layers and if
/// sorting the weights by it pays.
fn nested_order(layers: &[ScoredLayer<'_, HostMatrix>], cutoffs: &[Vec<Cutoff>]) -> Result<Option<Vec<usize>>> {
    cutoffs.iter().try_for_each(|cutoffs| one_for_each_layer(layers.len(), cutoffs))?;
    let sizes = layers.iter().map(|layer| layer.weights.values().len());
    if cutoffs.len() < FEWEST || sizes.into_iter().any(|size| size == 0 || size > LARGEST) {
        return Ok(None);
    }
    if cutoffs.iter().flatten().any(|cutoff| cutoff.score.is_nan()) {
        return Ok(None);
    }
    // Both zeros cut alike: adding 0 makes them one.
    let before = |a: &Cutoff, b: &Cutoff| (a.score + 0.0).total_cmp(&(b.score + 0.0)).then(a.index.cmp(&b.index));
    let mut order: Vec<usize> = (0..cutoffs.len()).collect();
    order.sort_by(|a, b| {
        let pairs = cutoffs[*a].iter().zip(&cutoffs[*b]);
        pairs.map(|(a, b)| before(a, b)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    let ascends = |pair: &[usize]| {
        let mut pairs = cutoffs[pair[0]].iter().zip(&cutoffs[pair[1]]);
        pairs.all(|(a, b)| before(a, b).is_le())
    };
    Ok(order.windows(2).all(ascends).then_some(order))
}

/// Fails where the operations that this stands for would.
fn check(batches: &[Batch], layers: &[ScoredLayer<'_, HostMatrix>]) -> Result<()> {
    for layer in layers {
        check::threshold_mask(layer.weights.shape(), layer.scores.shape())?;
    }
    for (inputs, labels) in batches {
        let mut signal = inputs.shape();
        for layer in layers {
            signal = check::affine(signal, layer.weights.shape(), layer.bias.map(HostMatrix::shape))?;
        }
        check::classify(signal, labels.as_ref().map(Vec::len))?;
    }
    Ok(())
}

/// A layer with its weights sorted by the cut-offs.
struct Layer<'a> {
    source: &'a ScoredLayer<'a, HostMatrix>,
    nested: Nested,
    /// Long enough for whole vectors from any column.
    bias: Vec<f32>,
    floor: f32,
    /// Ascending in the order of removal.
    cutoffs: Vec<Cutoff>,
}

impl Layer<'_> {
    fn finish(&self) -> Finish<'_> {
        Finish { bias: &self.bias, floor: self.floor }
    }
}

/// A cut-off, and the packed weights of the later layers that it leaves dense.
struct Cut {
    number: usize,
    packed: Vec<Option<Packed>>,
}

/// The answers of one batch at every cut-off.
fn classify_batch(
    layers: &[Layer<'_>],
    inputs: &HostMatrix,
    labels: Option<&[u32]>,
    cuts: usize,
) -> Result<Vec<Classified<Vec<u32>>>> {
    let (first, later) = layers.split_first().ok_or_else(|| Error::Internal { what: "no layers".to_owned() })?;
    let n = inputs.shape()[0];
    let [m, _] = first.nested.shape();
    let mut sums = HostMatrix::unwritten("classify_at", [n.div_ceil(TILE), m * TILE])?;
    let mut answers: Vec<_> = (0..cuts).map(|_| Classified { class: vec![0; n], rank: vec![0; n] }).collect();
    let mut left = (0..cuts).rev();
    let mut pending = left.next();
    while pending.is_some() {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let (Some(number), true) = (pending, bytes < GROUP_BYTES) {
            let cut = pack(later, number)?;
            let packed = cut.packed.iter().zip(later).filter(|(packed, _)| packed.is_some());
            bytes += packed.map(|(_, layer)| size_of_val(layer.source.weights.values())).sum::<usize>();
            group.push(cut);
            pending = left.next();
        }
        let tiles: Vec<Vec<(u32, u32)>> = sums
            .values_mut()
            .par_chunks_mut(m * TILE)
            .enumerate()
            .map_init(Scratch::default, |scratch, (tile, sums)| {
                let rows = tile * TILE..n.min((tile + 1) * TILE);
                scratch.load(inputs, rows.start, rows.len());
                let labels = labels.map(|labels| &labels[rows.clone()]);
                let mut found = Vec::with_capacity(group.len() * rows.len());
                for cut in &group {
                    scratch.logits((first, later), cut, cuts, sums);
                    scratch.answer(rows.len(), labels, &mut found)?;
                }
                Ok(found)
            })
            .collect::<Result<_>>()?;
        for (tile, found) in tiles.iter().enumerate() {
            let height = found.len() / group.len();
            for (cut, found) in group.iter().zip(found.chunks(height.max(1))) {
                let answer = &mut answers[cut.number];
                for (at, (class, rank)) in (tile * TILE..).zip(found) {
                    (answer.class[at], answer.rank[at]) = (*class, *rank);
                }
            }
        }
    }
    Ok(answers)
}

/// Packs the layers that a cut-off leaves dense.
fn pack(later: &[Layer<'_>], number: usize) -> Result<Cut> {
    let packed = later.iter().map(|layer| {
        if layer.nested.density(number) <= SPARSE {
            return Ok(None);
        }
        let masked = threshold_mask(layer.source.weights, layer.source.scores, layer.cutoffs[number])?;
        Ok(Some(Packed::new(masked.view(Transpose::No))))
    });
    Ok(Cut { number, packed: packed.collect::<Result<_>>()? })
}

/// The signal of a tile of samples, and room for the next one.
#[derive(Default)]
struct Scratch {
    inputs: Lines,
    signal: Signal,
    next: Lines,
}

/// `[feature][TILE]`, or `[TILE][feature]` where rows are whole.
#[derive(Default)]
struct Signal {
    lines: Lines,
    width: usize,
    rows: bool,
}

impl Signal {
    fn view(&self) -> View<'_> {
        let order = if self.rows { Order::RowMajor } else { Order::ColumnMajor };
        View {
            values: &self.lines.values()[..TILE * self.width],
            rows: TILE,
            inner: self.width,
            order,
            stride: self.width,
            picked: None,
        }
    }
}

impl Scratch {
    /// Transposes a tile of inputs; samples past the last are zero.
    fn load(&mut self, inputs: &HostMatrix, first: usize, count: usize) {
        let width = inputs.shape()[1];
        let out = self.inputs.at_least(width * TILE);
        out.fill(0.0);
        for sample in 0..count {
            for (out, value) in out[sample..].iter_mut().step_by(TILE).zip(inputs.row(first + sample)) {
                *out = *value;
            }
        }
    }

    /// Computes the logits at a cut-off from the sums at the one before.
    fn logits(&mut self, (first, later): (&Layer<'_>, &[Layer<'_>]), cut: &Cut, cuts: usize, sums: &mut [f32]) {
        let [m, d] = first.nested.shape();
        let after = Some(cut.number + 1).filter(|after| *after < cuts);
        let stretch = Stretch { cut: cut.number, after };
        let out = self.signal.lines.at_least(m * TILE);
        first.nested.product(stretch, &self.inputs.values()[..d * TILE], Some(sums), first.finish(), out);
        (self.signal.width, self.signal.rows) = (m, false);
        for (layer, packed) in later.iter().zip(&cut.packed) {
            let [m, d] = layer.nested.shape();
            if let Some(packed) = packed {
                let out = self.next.at_least(m * TILE);
                store_rows::<Sum>(self.signal.view(), Columns::Packed(packed), &layer.bias, layer.floor, out);
            } else {
                if self.signal.rows {
                    self.turn();
                }
                let (x, out) = (&self.signal.lines.values()[..d * TILE], self.next.at_least(m * TILE));
                layer.nested.product(Stretch { cut: cut.number, after: None }, x, None, layer.finish(), out);
            }
            swap(&mut self.signal.lines, &mut self.next);
            (self.signal.width, self.signal.rows) = (m, packed.is_some());
        }
    }

    /// Transposes the signal.
    fn turn(&mut self) {
        let [lines, columns] = if self.signal.rows { [TILE, self.signal.width] } else { [self.signal.width, TILE] };
        let (source, out) = (&self.signal.lines.values()[..lines * columns], self.next.at_least(lines * columns));
        for (line, source) in source.chunks_exact(columns).enumerate() {
            for (out, value) in out[line..].iter_mut().step_by(lines).zip(source) {
                *out = *value;
            }
        }
        swap(&mut self.signal.lines, &mut self.next);
        self.signal.rows = !self.signal.rows;
    }

    /// Appends class and rank of each sample.
    fn answer(&mut self, count: usize, labels: Option<&[u32]>, found: &mut Vec<(u32, u32)>) -> Result<()> {
        if !self.signal.rows {
            self.turn();
        }
        for sample in 0..count {
            let logits = self.signal.view().row(sample);
            let rank = labels.map_or(Ok(0), |labels| rank(logits, labels[sample]))?;
            found.push((class(logits), rank));
        }
        Ok(())
    }
}
