//! A program on a device.

use std::collections::HashMap;

use super::build::{Builder, Held};
use super::fuse::fused;
use super::source::Source;
use super::step::{Loaded, Step, row_matrix};
use crate::backend::{Activation, Backend, Combination};
use crate::error::{Error, Result};
use crate::network::Classifier;
use crate::network::format::OnnxSource;
use crate::network::spaces::OperatorGraph;

/// A graph of operators on a device: any ONNX model whose operators have a rule, each sample by itself.
///
/// Values between layers keep their ONNX shapes, as rows of matrices; the first output is what [`Classifier`] gives.
pub struct Program<B: Backend> {
    pub(super) steps: Vec<Ready<B>>,
    /// Values that depend on no input, one row each.
    pub(super) fixed: HashMap<usize, B::Matrix>,
    pub(super) lengths: Vec<usize>,
    /// Slot and shape of each value, by name, or why there is none.
    values: HashMap<String, std::result::Result<Place, String>>,
    pub(super) output: String,
    /// Entries of one sample.
    pub inputs: usize,
    /// Entries that a step reads and writes for one sample, at most.
    pub widest: usize,
    /// Matrices that are weights of the file.
    pub(super) leaves: Vec<(Leaf, Source)>,
}

/// A matrix of a program that stays the same for all inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    /// The weights of a step.
    Weight(usize),
    Bias(usize),
    /// A value in a slot, in one row.
    Fixed(usize),
}

pub(super) struct Ready<B: Backend> {
    pub(super) step: Loaded<B>,
    pub(super) inputs: Vec<usize>,
    pub(super) slot: usize,
}

/// Where a value is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) slot: usize,
    shape: Vec<usize>,
}

/// Values of a batch: the input, which is only lent, and what steps have given.
struct Signals<'a, B: Backend> {
    inputs: &'a B::Matrix,
    given: Vec<Option<B::Matrix>>,
}

impl<B: Backend> Program<B> {
    /// Copies the weights of a model to the device that its first output needs.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with the operator that backends do not compute; what [`Backend::upload`] returns.
    pub fn new(backend: &B, source: &OnnxSource) -> Result<Self> {
        Self::upload(backend, source.operators(), &[])
    }

    /// The same with every weight a matrix of its own, for gradients by them.
    ///
    /// # Errors
    ///
    /// As for [`Program::new`].
    pub(crate) fn apart(backend: &B, graph: &OperatorGraph, targets: &[&str]) -> Result<Self> {
        Self::built(backend, graph, targets, true)
    }

    /// Makes steps of a graph and copies its weights to the device; what some values do not need is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with the operator that has no rule, if one of `targets` (names of values; the first output
    /// where there are none) depends on it, or for a graph of several inputs.
    pub(crate) fn upload(backend: &B, graph: &OperatorGraph, targets: &[&str]) -> Result<Self> {
        Self::built(backend, graph, targets, false)
    }

    fn built(backend: &B, graph: &OperatorGraph, targets: &[&str], apart: bool) -> Result<Self> {
        let unsupported = |problem: String| Error::Unsupported { problem };
        let [input] = graph.inputs.as_slice() else {
            return Err(unsupported(format!("a network of {} inputs is not computed on backends", graph.inputs.len())));
        };
        let output = graph.outputs.first().ok_or_else(|| unsupported("a network without an output".to_owned()))?;
        let output = graph.values[*output].clone();
        let builder = Builder::run(graph, input.value, apart)?;
        let place = |Held { slot, shape }: &Held| Place { slot: *slot, shape: shape.clone() };
        let mut values = HashMap::new();
        for (value, name) in graph.values.iter().enumerate() {
            if let Some(held) = builder.value(value) {
                values.insert(name.clone(), Ok(place(held)));
            } else if let Some(reason) = builder.missing.get(&value) {
                values.insert(name.clone(), Err(reason.clone()));
            }
        }
        let Builder { slots, steps, .. } = builder;
        let lengths: Vec<usize> = slots.iter().map(|slot| slot.length).collect();
        let (inputs, widest) = (lengths[0], lengths[0]);
        let mut program = Self {
            steps: Vec::new(),
            fixed: HashMap::new(),
            lengths,
            values,
            output,
            inputs,
            widest,
            leaves: Vec::new(),
        };
        let first = [program.output.clone()];
        let targets: Vec<&str> =
            if targets.is_empty() { first.iter().map(String::as_str).collect() } else { targets.to_vec() };
        let mut needed = vec![false; slots.len()];
        for target in targets {
            needed[program.place(target)?.slot] = true;
        }
        let kept = needed.clone();
        for placed in steps.iter().rev() {
            if needed[placed.slot] {
                placed.inputs.iter().for_each(|input| needed[*input] = true);
            }
        }
        let steps = fused(steps.into_iter().filter(|placed| needed[placed.slot]).collect(), &slots, &kept, apart);
        needed = kept;
        for placed in &steps {
            needed[placed.slot] = true;
            placed.inputs.iter().for_each(|input| needed[*input] = true);
        }
        for (name, place) in &mut program.values {
            if place.as_ref().is_ok_and(|place| place.slot > 0 && !needed[place.slot]) {
                *place = Err(format!("`{name}` is not among the values that were asked for"));
            }
        }
        for (slot, held) in slots.iter().enumerate().filter(|(slot, _)| needed[*slot]) {
            if let Some(fixed) = &held.fixed {
                program.fixed.insert(slot, row_matrix(backend, 1, &fixed.values)?);
                program.leaves.extend(fixed.source.clone().map(|source| (Leaf::Fixed(slot), source)));
            }
        }
        for placed in steps {
            let all = placed.inputs.iter().chain([&placed.slot]).filter(|slot| !program.fixed.contains_key(slot));
            program.widest = program.widest.max(all.map(|slot| program.lengths[*slot]).sum());
            if let Step::Affine { weights, .. } | Step::Conv { weights, .. } = &placed.step {
                let at = program.steps.len();
                let parts = [(Leaf::Weight(at), Some(&weights.weight)), (Leaf::Bias(at), weights.bias.as_ref())];
                let leaves = parts.into_iter().filter_map(|(leaf, fixed)| Some((leaf, fixed?.source.clone()?)));
                program.leaves.extend(leaves);
            }
            program.steps.push(Ready { step: placed.step.load(backend)?, inputs: placed.inputs, slot: placed.slot });
        }
        Ok(program)
    }

    /// The matrix of a leaf.
    pub(super) fn leaf(&mut self, leaf: Leaf) -> Result<&mut B::Matrix> {
        let steps = &mut self.steps;
        let found = match leaf {
            Leaf::Weight(at) => steps.get_mut(at).and_then(|ready| ready.step.weight()),
            Leaf::Bias(at) => steps.get_mut(at).and_then(|ready| ready.step.bias()),
            Leaf::Fixed(slot) => self.fixed.get_mut(&slot),
        };
        found.ok_or_else(|| Error::Internal { what: format!("{leaf:?} is no weight of a program") })
    }

    pub(super) fn place(&self, name: &str) -> Result<&Place> {
        let unsupported = |problem: String| Error::Unsupported { problem };
        let found = self.values.get(name).ok_or_else(|| unsupported(format!("there is no value `{name}`")))?;
        found.as_ref().map_err(|reason| unsupported(reason.clone()))
    }

    /// The shape of a value for one sample.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.place(name)?.shape)
    }

    /// Some values of a batch, a row for each sample.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return; [`Error::Unsupported`] for values that were no targets.
    pub(crate) fn values(&self, backend: &B, inputs: &B::Matrix, names: &[&str]) -> Result<Vec<B::Matrix>> {
        self.resumed(backend, inputs, names, None)
    }

    /// The same where one value is known, by name and a row for each sample: nothing before it is computed for it.
    ///
    /// # Errors
    ///
    /// As for [`Program::values`].
    pub(crate) fn resumed(
        &self,
        backend: &B,
        inputs: &B::Matrix,
        names: &[&str],
        known: Option<(&str, &B::Matrix)>,
    ) -> Result<Vec<B::Matrix>> {
        let known = known.map(|(name, value)| Ok::<_, Error>((self.place(name)?.slot, value))).transpose()?;
        let is_known = |slot: usize| known.is_some_and(|(own, _)| own == slot);
        let places = names.iter().map(|name| self.place(name)).collect::<Result<Vec<_>>>()?;
        let mut last = vec![0; self.lengths.len()];
        for (at, ready) in self.steps.iter().enumerate() {
            ready.inputs.iter().for_each(|input| last[*input] = at);
        }
        let mut needed = vec![false; self.lengths.len()];
        for place in &places {
            needed[place.slot] = true;
            last[place.slot] = usize::MAX;
        }
        for ready in self.steps.iter().rev().filter(|ready| !is_known(ready.slot)) {
            if needed[ready.slot] {
                ready.inputs.iter().for_each(|input| needed[*input] = true);
            }
        }
        let mut signals = Signals { inputs, given: (0..self.lengths.len()).map(|_| None).collect() };
        if let Some((slot, value)) = known.filter(|(slot, _)| needed[*slot]) {
            signals.given[slot] = Some(copied(backend, value)?);
        }
        let steps = self.steps.iter().enumerate().filter(|(_, ready)| needed[ready.slot] && !is_known(ready.slot));
        for (at, ready) in steps {
            for (operand, input) in ready.inputs.iter().enumerate().filter(|(_, input)| !self.fixed.contains_key(input))
            {
                signals.viewed(backend, *input, ready.step.columns(operand, self.lengths[*input]))?;
            }
            let operands = ready.inputs.iter().map(|input| match self.fixed.get(input) {
                Some(fixed) => Ok(fixed),
                None => signals.get(*input),
            });
            let result = ready.step.run(backend, &operands.collect::<Result<Vec<_>>>()?)?;
            signals.given[ready.slot] = Some(result);
            ready.inputs.iter().filter(|input| last[**input] == at).for_each(|input| signals.given[*input] = None);
        }
        let taken = places.iter().enumerate().map(|(at, place)| {
            let row = self.lengths[place.slot];
            if let Some(fixed) = self.fixed.get(&place.slot) {
                // The same for every sample.
                let none = backend.upload_indices(&vec![u32::MAX; row])?;
                return backend.combine(&backend.gather(inputs, &none)?, fixed, Combination::Add, 1);
            }
            signals.viewed(backend, place.slot, row)?;
            let again = places.iter().skip(at + 1).any(|other| other.slot == place.slot);
            match signals.given[place.slot].take() {
                Some(matrix) if !again => Ok(matrix),
                Some(matrix) => {
                    let copy = copied(backend, &matrix)?;
                    signals.given[place.slot] = Some(matrix);
                    Ok(copy)
                }
                None => copied(backend, signals.get(place.slot)?),
            }
        });
        taken.collect()
    }
}

impl<B: Backend> Signals<'_, B> {
    fn get(&self, slot: usize) -> Result<&B::Matrix> {
        match (slot, self.given.get(slot).and_then(Option::as_ref)) {
            (_, Some(matrix)) => Ok(matrix),
            (0, None) => Ok(self.inputs),
            _ => Err(Error::Internal { what: format!("no value in slot {slot}") }),
        }
    }

    /// Brings a value into rows of some length.
    fn viewed(&mut self, backend: &B, slot: usize, columns: usize) -> Result<()> {
        if backend.shape(self.get(slot)?)[1] == columns {
            return Ok(());
        }
        let own = match self.given[slot].take() {
            Some(matrix) => matrix,
            None => copied(backend, self.get(slot)?)?,
        };
        self.given[slot] = Some(backend.reshape(own, columns)?);
        Ok(())
    }
}

fn copied<B: Backend>(backend: &B, matrix: &B::Matrix) -> Result<B::Matrix> {
    backend.weighted_sum(matrix, None, [1.0, 0.0], Activation::Identity)
}

impl<B: Backend> Classifier<B> for Program<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        let mut values = self.values(backend, inputs, &[&self.output])?;
        values.pop().ok_or_else(|| Error::Internal { what: "no logits".to_owned() })
    }
}
