//! From operators to steps.

use std::collections::HashMap;
use std::rc::Rc;

use super::source::{Fixed, Source};
use super::step::{Step, row_matrix};
use crate::backend::{Backend, Combination, Reference};
use crate::error::Result;
use crate::network::spaces::{Analysis, Known, Operator, OperatorGraph, ValueId};

/// A value: a slot and the shape that it has for one sample.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) slot: usize,
    pub(super) shape: Vec<usize>,
}

/// What a step gives, or the input.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Entries for one sample.
    pub(super) length: usize,
    /// The entries, where they depend on no input.
    pub(super) fixed: Option<Fixed>,
}

/// A step, the slots that it reads and the one that it gives.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) step: Step,
    pub(super) inputs: Vec<usize>,
    pub(super) slot: usize,
}

/// A value, or why there is none.
pub(super) type Ruled<T> = std::result::Result<T, String>;

/// Steps as they come.
pub(super) struct Builder<'g> {
    pub(super) graph: &'g OperatorGraph,
    /// Shapes of one sample and of two: an axis that grows counts samples.
    shapes: [Analysis<'g>; 2],
    values: HashMap<ValueId, Held>,
    /// Values that there are none of, with the reason.
    pub(super) missing: HashMap<ValueId, String>,
    pub(super) slots: Vec<Slot>,
    pub(super) steps: Vec<Placed>,
    reference: Reference,
    /// The operator that is looked at.
    pub(super) at: usize,
    /// Whether weights are to be followed: none is computed from others.
    pub(super) apart: bool,
}

impl<'g> Builder<'g> {
    /// Steps for all operators of a graph of one input; what has no rule is missing. Where weights are to be followed, `apart`,
    /// none is computed from others.
    pub(super) fn run(graph: &'g OperatorGraph, input: ValueId, apart: bool) -> Result<Self> {
        let shapes = [Analysis::run(graph, 1, false, None)?, Analysis::run(graph, 2, false, None)?];
        let shape = shapes[0].shape(input).unwrap_or_default();
        let slots = vec![Slot { length: shape.iter().product(), fixed: None }];
        let values = HashMap::from([(input, Held { slot: 0, shape })]);
        let (missing, steps, reference) = (HashMap::new(), Vec::new(), Reference::new());
        let mut builder = Self { graph, shapes, values, missing, slots, steps, reference, at: 0, apart };
        for at in 0..graph.operators.len() {
            builder.at = at;
            builder.operator();
        }
        Ok(builder)
    }

    /// A value that was given.
    pub(super) fn value(&self, value: ValueId) -> Option<&Held> {
        self.values.get(&value)
    }

    pub(super) fn now(&self) -> &'g Operator {
        &self.graph.operators[self.at]
    }

    fn operator(&mut self) {
        let operator = self.now();
        let outputs: Vec<ValueId> = operator.outputs.iter().flatten().copied().collect();
        if outputs.iter().all(|output| matches!(self.shapes[0].known(*output), Known::Numbers(_))) {
            return;
        }
        let given = self.rule().and_then(|given| {
            given.iter().zip(&operator.outputs).try_for_each(|(held, output)| self.fits(held, *output))?;
            Ok(given)
        });
        match given {
            Ok(given) => {
                let pairs = operator.outputs.iter().zip(given);
                self.values.extend(pairs.filter_map(|(output, held)| Some(((*output)?, held))));
            }
            Err(reason) => {
                let reason = format!("`{}` ({}) {reason}", operator.name, operator.kind);
                self.missing.extend(outputs.into_iter().map(|output| (output, reason.clone())));
            }
        }
    }

    /// Whether a value has the shape that it should have, and is of each sample by itself.
    fn fits(&self, held: &Held, output: Option<ValueId>) -> Ruled<()> {
        let Some(output) = output else { return Ok(()) };
        let [one, two] = [&self.shapes[0], &self.shapes[1]].map(|analysis| analysis.shape(output));
        if one.as_ref() != Some(&held.shape) {
            return Err(format!("gives {:?} in place of {one:?}", held.shape));
        }
        let count = |shape: Option<Vec<usize>>| shape.map_or(0, |shape| shape.iter().product::<usize>());
        let samples = if self.slots[held.slot].fixed.is_some() { 1 } else { 2 };
        if samples == 2 && count(two) != 2 * count(one) {
            return Err("mixes samples".to_owned());
        }
        Ok(())
    }

    fn rule(&mut self) -> Ruled<Vec<Held>> {
        let kind = self.now().kind.as_str();
        let ruled = self.elementwise(kind).or_else(|| self.moves(kind));
        let ruled = ruled.or_else(|| self.contraction(kind)).or_else(|| self.reduction(kind));
        ruled.unwrap_or_else(|| Err("is not computed on backends".to_owned()))
    }

    /// The shape of an output.
    pub(super) fn output(&self, at: usize) -> Ruled<Vec<usize>> {
        let output = self.now().outputs.get(at).copied().flatten();
        output.and_then(|output| self.shapes[0].shape(output)).ok_or_else(|| "has an unknown shape".to_owned())
    }

    /// Whether one of some axes of an input counts samples.
    pub(super) fn counts_samples(&self, input: usize, axes: &[usize]) -> bool {
        let Some(value) = self.now().input(input) else { return false };
        let [one, two] = [&self.shapes[0], &self.shapes[1]].map(|analysis| analysis.shape(value).unwrap_or_default());
        axes.iter().any(|axis| one.get(*axis) != two.get(*axis))
    }

    /// Fails where windows or statistics over places and channels would be over samples.
    pub(super) fn apart(&self) -> Ruled<()> {
        let rank = self.now().input(0).and_then(|value| self.shapes[0].shape(value)).map_or(0, |shape| shape.len());
        if self.counts_samples(0, &(1..rank).collect::<Vec<_>>()) { Err("mixes samples".to_owned()) } else { Ok(()) }
    }

    pub(super) fn has(&self, input: usize) -> bool {
        self.now().input(input).is_some()
    }

    /// An input.
    pub(super) fn operand(&mut self, input: usize) -> Ruled<Held> {
        let value = self.now().input(input).ok_or_else(|| format!("lacks input {input}"))?;
        if let Some(held) = self.values.get(&value) {
            return Ok(held.clone());
        }
        if let Some(reason) = self.missing.get(&value) {
            return Err(format!("reads what is missing, for {reason}"));
        }
        let (shape, values) = match self.shapes[0].known(value) {
            Known::Numbers(numbers) => (numbers.shape().to_vec(), numbers.values().map(narrow).collect()),
            Known::Weights(tensor) => (tensor.dimensions().to_vec(), tensor.to_vec()),
            Known::Other => return Err(format!("reads `{}`, which is not known", self.graph.values[value])),
        };
        // A number alone is part of a formula, not a weight.
        let weights = self.graph.weights(value).is_some_and(|tensor| !tensor.dimensions().is_empty());
        let source = weights.then_some(Source { value, order: None });
        let held = self.held(shape, Fixed { values: Rc::new(values), source });
        self.values.insert(value, held.clone());
        Ok(held)
    }

    /// The numbers of an input that sizes and places depend on.
    pub(super) fn integers(&self, input: usize) -> Option<Vec<i64>> {
        match self.shapes[0].known(self.now().input(input)?) {
            Known::Numbers(numbers) => Some(numbers.integers()),
            _ => None,
        }
    }

    /// The values of an input that depends on no other.
    pub(super) fn constant(&mut self, input: usize) -> Ruled<Rc<Vec<f32>>> {
        Ok(self.weights(input)?.values)
    }

    /// The same with the place in the file that they are from.
    pub(super) fn weights(&mut self, input: usize) -> Ruled<Fixed> {
        let held = self.operand(input)?;
        self.slots[held.slot].fixed.clone().ok_or_else(|| format!("has an input {input} that is computed"))
    }

    /// One number as an input.
    pub(super) fn scalar(&mut self, input: usize, default: f32) -> Ruled<f32> {
        if !self.has(input) {
            return Ok(default);
        }
        match self.constant(input)?.as_slice() {
            [value] => Ok(*value),
            values => Err(format!("has {} numbers as input {input}", values.len())),
        }
    }

    /// The entries of a value that depends on no input.
    pub(super) fn entries(&self, held: &Held) -> Option<Rc<Vec<f32>>> {
        self.slots[held.slot].fixed.as_ref().map(|fixed| Rc::clone(&fixed.values))
    }

    /// A value that depends on no input.
    pub(super) fn fixed(&mut self, shape: Vec<usize>, values: Vec<f32>) -> Held {
        self.held(shape, Fixed::computed(values))
    }

    fn held(&mut self, shape: Vec<usize>, fixed: Fixed) -> Held {
        self.slots.push(Slot { length: fixed.values.len(), fixed: Some(fixed) });
        Held { slot: self.slots.len() - 1, shape }
    }

    /// Adds a step that gives a value of a shape. What depends on no input is computed here.
    pub(super) fn push(&mut self, step: Step, inputs: &[&Held], shape: Vec<usize>) -> Ruled<Held> {
        if let (Step::Gather(index), [Held { slot, .. }]) = (&step, inputs)
            && let Some(fixed) = &self.slots[*slot].fixed
        {
            let moved = fixed.gathered(index);
            return Ok(self.held(shape, moved));
        }
        let length = shape.iter().product();
        let fixed: Option<Vec<Rc<Vec<f32>>>> = inputs.iter().map(|held| self.entries(held)).collect();
        if let Some(fixed) = fixed {
            let values = self.computed(step, &fixed).map_err(|error| error.to_string())?;
            return Ok(self.fixed(shape, values));
        }
        self.slots.push(Slot { length, fixed: None });
        let slot = self.slots.len() - 1;
        self.steps.push(Placed { step, inputs: inputs.iter().map(|held| held.slot).collect(), slot });
        Ok(Held { slot, shape })
    }

    fn computed(&self, step: Step, operands: &[Rc<Vec<f32>>]) -> Result<Vec<f32>> {
        let backend = &self.reference;
        let step = step.load(backend)?;
        let matrices = operands.iter().enumerate().map(|(at, values)| {
            let matrix = row_matrix(backend, 1, values)?;
            backend.reshape(matrix, step.columns(at, values.len()))
        });
        let matrices = matrices.collect::<Result<Vec<_>>>()?;
        let result = step.run(backend, &matrices.iter().collect::<Vec<_>>())?;
        Ok(result.iter().map(|value| narrow(*value)).collect())
    }

    /// A value that depends on no input, for every sample; `like` is one that does.
    pub(super) fn spread(&mut self, held: &Held, like: &Held) -> Ruled<Held> {
        if self.entries(held).is_none() {
            return Ok(held.clone());
        }
        let length = held.shape.iter().product();
        let zeros = self.push(Step::Gather(vec![u32::MAX; length]), &[like], held.shape.clone())?;
        let add = Step::Combine { how: Combination::Add, share: 1 };
        self.push(add, &[&zeros, held], held.shape.clone())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "values of networks are f32")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}
