//! Runs labels through a graph.

use std::collections::HashMap;

use super::classes::Classes;
use super::facet::{Facet, Flow};
use super::graph::{Constant, OperatorGraph, ValueId};
use super::numbers::{Numbers, axis, fold};
pub(crate) use super::ruled::Misfit;
pub(super) use super::ruled::{Or, Ruled, unknown, wrong};
use crate::error::{Error, Result};
use crate::network::Tensor;

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Not given yet.
    Absent,
    /// A constant; its axes get labels where it is read.
    Constant(ValueId),
    Numbers(Numbers),
    Flow(Flow),
    /// What an operator gives that is not understood, of unknown shape.
    Unknown,
}

/// What is known of a value before anything flows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known<'a> {
    Numbers(&'a Numbers),
    Weights(&'a Tensor),
    Other,
}

/// An axis of a constant, as one operator reads it: index `i` belongs to the unit of label `labels[i]`.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) operator: usize,
    /// The input of the operator.
    pub(crate) input: usize,
    pub(crate) constant: ValueId,
    pub(crate) axis: usize,
    /// Of a grouped convolution: the labels are those of all groups, the axis has those of one.
    pub(crate) groups: usize,
    pub(crate) labels: Vec<u32>,
}

/// A sum over units with constant weights.
#[derive(Debug, Clone)]
pub(crate) struct Contraction {
    pub(crate) operator: usize,
    /// The input that holds the weights, and the one that flows.
    pub(crate) weight: usize,
    pub(crate) flow: usize,
    /// The axis of the weights that is summed over, and that of the outputs.
    pub(crate) summed: usize,
    pub(crate) given: usize,
}

/// A product of two values, one for each of several sets of their rows: the heads of an attention.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    pub(crate) operator: usize,
    /// How many there are.
    pub(crate) sets: usize,
    /// Labels of the heads that may go.
    pub(crate) labels: Vec<u32>,
}

/// The classes that the axes of constants had before units went, by operator, input and axis.
pub(crate) type Seeds = HashMap<(usize, usize, usize), Vec<u32>>;

/// What goes as one where an axis is split in two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Granularity {
    /// Each place of the inner axis, from every set its own.
    #[default]
    Units,
    /// All places of the inner axis, where products are taken for each of the outer one: a head of an attention.
    Heads,
}

/// Labels on their way through a graph.
pub(crate) struct Analysis<'g> {
    pub(super) graph: &'g OperatorGraph,
    /// Samples at a time: one, but to see which sizes depend on it, and on open lengths, which are as many times longer.
    pub(super) batch: usize,
    /// Whether there are labels, or shapes alone.
    pub(super) labelled: bool,
    pub(super) classes: Classes,
    pub(crate) values: Vec<Value>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) contractions: Vec<Contraction>,
    /// Products of values for each head, where labels are those of heads.
    pub(crate) heads: Vec<Heads>,
    /// Operators that are carried along, and why.
    pub(crate) carried: Vec<Carried>,
    seeds: Option<&'g Seeds>,
    /// The operator that is looked at.
    pub(super) at: usize,
}

/// An operator that is carried along as it is.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) operator: usize,
    pub(crate) why: Misfit,
}

impl<'g> Analysis<'g> {
    /// Runs labels, or shapes alone, through a graph.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for an input with an axis of unknown length behind the batch.
    pub(crate) fn run(
        graph: &'g OperatorGraph,
        batch: usize,
        labelled: bool,
        seeds: Option<&'g Seeds>,
    ) -> Result<Self> {
        Self::run_by(Granularity::Units, graph, batch, labelled, seeds)
    }

    /// Runs labels through a graph in which all that a product of two values has for each place of its outer axes goes as one:
    /// whole heads.
    ///
    /// # Errors
    ///
    /// As [`Analysis::run`].
    pub(crate) fn of_heads(graph: &'g OperatorGraph) -> Result<Self> {
        Self::run_by(Granularity::Heads, graph, 1, true, None)
    }

    /// Runs labels through a graph as units, or those of whole heads.
    ///
    /// # Errors
    ///
    /// As [`Analysis::run`].
    pub(super) fn run_by(
        granularity: Granularity,
        graph: &'g OperatorGraph,
        batch: usize,
        labelled: bool,
        seeds: Option<&'g Seeds>,
    ) -> Result<Self> {
        let by_heads = granularity == Granularity::Heads;
        let mut analysis = Self {
            graph,
            batch,
            labelled,
            classes: Classes::by(by_heads),
            values: vec![Value::Absent; graph.values.len()],
            owners: Vec::new(),
            contractions: Vec::new(),
            heads: Vec::new(),
            carried: Vec::new(),
            seeds,
            at: 0,
        };
        for (value, constant) in &graph.constants {
            analysis.values[*value] = match constant {
                Constant::Numbers(numbers) => Value::Numbers(numbers.clone()),
                Constant::Weights(_) => Value::Constant(*value),
                Constant::Opaque(shape) => Value::Flow(Flow::plain(shape.clone())),
            };
        }
        for input in &graph.inputs {
            let shape = analysis.declared(&input.shape);
            let name = &graph.values[input.value];
            let shape = shape.ok_or_else(|| Error::Unsupported {
                problem: format!(
                    "input `{name}` has an axis of unknown length behind the batch; `--input-shape` fixes it"
                ),
            })?;
            let mut shape = shape;
            // Two samples twice as long: what is computed from an open length differs, too.
            input.open.iter().for_each(|axis| shape[*axis] *= batch);
            analysis.values[input.value] = Value::Flow(Flow::plain(shape));
        }
        for at in 0..graph.operators.len() {
            analysis.step(at);
        }
        analysis.classes.place.clear();
        for output in &graph.outputs {
            if let Value::Flow(flow) = analysis.values[*output].clone() {
                let name = &graph.values[*output];
                flow.freeze(&mut analysis.classes, &format!("`{name}` is an output of the network"));
            }
        }
        if by_heads {
            analysis.settle();
        }
        Ok(analysis)
    }

    /// Lets values say of labels that met after them what they are now: axes within heads vary no more.
    fn settle(&mut self) {
        for value in &mut self.values {
            let Value::Flow(flow) = value else { continue };
            let facets = std::mem::take(&mut flow.facets).into_iter();
            flow.facets = facets.filter_map(|facet| facet.settled(&mut self.classes)).collect();
            flow.facets.iter().for_each(|facet| facet.even(&mut self.classes));
        }
    }

    /// A declared shape at this batch: the first axis may vary.
    fn declared(&self, shape: &[Option<usize>]) -> Option<Vec<usize>> {
        shape.iter().enumerate().map(|(at, length)| length.or((at == 0).then_some(self.batch))).collect()
    }

    fn step(&mut self, at: usize) {
        let graph = self.graph;
        let operator = &graph.operators[at];
        self.at = at;
        self.classes.place = format!("`{}` ({})", operator.name, operator.kind);
        let known = (self.owners.len(), self.contractions.len(), self.carried.len(), self.heads.len());
        let given = match self.folded() {
            Some(numbers) => Ok(vec![Value::Numbers(numbers)]),
            None => self.rule().map(|flows| flows.into_iter().map(Value::Flow).collect()),
        };
        let given = given.unwrap_or_else(|why| {
            // What it reads stays, whatever labels it has given out before it failed.
            self.owners.truncate(known.0);
            self.contractions.truncate(known.1);
            self.carried.truncate(known.2);
            self.heads.truncate(known.3);
            self.carry(why)
        });
        let mut given = given.into_iter();
        for output in &operator.outputs {
            let value = given.next().unwrap_or(Value::Unknown);
            if let Some(output) = output {
                self.values[*output] = value;
            }
        }
    }

    /// Keeps all that an operator reads.
    fn carry(&mut self, why: Misfit) -> Vec<Value> {
        let operator = &self.graph.operators[self.at];
        for input in operator.inputs.iter().flatten() {
            if let Value::Flow(flow) = self.values[*input].clone() {
                flow.freeze(&mut self.classes, "is carried along");
            }
        }
        self.carried.push(Carried { operator: self.at, why });
        let known = |output: &Option<ValueId>| {
            let declared = output.and_then(|output| self.graph.declared.get(&output));
            declared.and_then(|shape| self.declared(shape))
        };
        let shapes = operator.outputs.iter().map(known);
        shapes.map(|shape| shape.map_or(Value::Unknown, |shape| Value::Flow(Flow::plain(shape)))).collect()
    }

    /// What an operator makes of known numbers alone.
    fn folded(&self) -> Option<Numbers> {
        let operator = &self.graph.operators[self.at];
        if operator.kind == "Shape" {
            let value = operator.input(0)?;
            let shape = self.shape(value)?;
            let rank = i64::try_from(shape.len()).ok()?;
            let bound = |name: &str, default: i64| {
                let at = operator.int(name, default);
                usize::try_from((if at < 0 { at + rank } else { at }).clamp(0, rank)).unwrap_or(0)
            };
            let (start, end) = (bound("start", 0), bound("end", rank));
            let lengths = Numbers::lengths(value, &shape);
            let places: Vec<usize> = (start..end).collect();
            return Some(Numbers(lengths.0.taken(0, &places)));
        }
        let numbers: Vec<Option<Numbers>> = (0..operator.inputs.len()).map(|input| self.number_input(input)).collect();
        let all = operator.inputs.iter().zip(&numbers).all(|(input, numbers)| input.is_none() || numbers.is_some());
        let any = operator.inputs.iter().flatten().any(|input| matches!(self.values[*input], Value::Numbers(_)));
        if !all || !any {
            return None;
        }
        fold(operator, &numbers.iter().map(Option::as_ref).collect::<Vec<_>>())
    }

    /// The numbers of an input; of floats only a few.
    fn number_input(&self, input: usize) -> Option<Numbers> {
        const FEW: usize = 16;
        let value = self.graph.operators[self.at].input(input)?;
        match &self.values[value] {
            Value::Numbers(numbers) => Some(numbers.entering(self.at, input)),
            Value::Constant(constant) => {
                let tensor = self.graph.weights(*constant).filter(|tensor| tensor.len() <= FEW)?;
                let values = tensor.to_vec().into_iter().map(f64::from).collect();
                Some(Numbers::constant(tensor.dimensions().to_vec(), values, true)?.entering(self.at, input))
            }
            _ => None,
        }
    }

    /// The numbers of an input that the shape of the output depends on.
    pub(super) fn numbers(&self, input: usize) -> Option<Numbers> {
        self.number_input(input)
    }

    /// The shape of a value.
    pub(crate) fn shape(&self, value: ValueId) -> Option<Vec<usize>> {
        match &self.values[value] {
            Value::Flow(flow) => Some(flow.shape.clone()),
            Value::Numbers(numbers) => Some(numbers.shape().to_vec()),
            Value::Constant(constant) => self.graph.weights(*constant).map(|tensor| tensor.dimensions().to_vec()),
            Value::Absent | Value::Unknown => None,
        }
    }

    /// What is known of a value before anything flows.
    pub(crate) fn known(&self, value: ValueId) -> Known<'_> {
        match &self.values[value] {
            Value::Numbers(numbers) => Known::Numbers(numbers),
            Value::Constant(constant) => self.graph.weights(*constant).map_or(Known::Other, Known::Weights),
            Value::Absent | Value::Flow(_) | Value::Unknown => Known::Other,
        }
    }

    /// Whether labels are those of units, or of whole heads.
    pub(super) fn granularity(&self) -> Granularity {
        if self.classes.by_heads { Granularity::Heads } else { Granularity::Units }
    }

    /// Why the class of a label stays.
    pub(crate) fn reason(&self, label: u32) -> Option<&str> {
        self.classes.reason(label)
    }

    /// The class of a label.
    pub(crate) fn class(&self, label: u32) -> u32 {
        self.classes.root(label)
    }

    /// Whether an input is there.
    pub(super) fn has(&self, input: usize) -> bool {
        self.graph.operators[self.at].input(input).is_some()
    }

    /// An input as a value that flows: a constant has labels of its own along each axis.
    pub(super) fn operand(&mut self, input: usize) -> Ruled<Flow> {
        let value = self.graph.operators[self.at].input(input).or_wrong(|| format!("lacks input {input}"))?;
        match &self.values[value] {
            Value::Flow(flow) => Ok(flow.clone()),
            Value::Numbers(numbers) => Ok(Flow::plain(numbers.shape().to_vec())),
            Value::Constant(constant) => {
                let constant = *constant;
                let rank = self.graph.weights(constant).map_or(0, |tensor| tensor.dimensions().len());
                self.parameter(input, constant, &(0..rank).collect::<Vec<_>>())
            }
            Value::Absent => wrong(format!("reads `{}` before it is given", self.graph.values[value])),
            Value::Unknown => unknown("reads values of unknown shape"),
        }
    }

    /// A constant with labels along some axes.
    pub(super) fn parameter(&mut self, input: usize, constant: ValueId, axes: &[usize]) -> Ruled<Flow> {
        let tensor = self.graph.weights(constant).or_unknown("reads a constant that is no tensor of floats")?;
        let shape = tensor.dimensions().to_vec();
        let mut flow = Flow::plain(shape.clone());
        if !self.labelled {
            return Ok(flow);
        }
        for axis in axes.iter().copied().filter(|axis| shape[*axis] > 1) {
            let labels = match self.seeds.and_then(|seeds| seeds.get(&(self.at, input, axis))) {
                Some(origins) if origins.len() == shape[axis] => self.classes.seeded(origins),
                Some(_) => return wrong(format!("axis {axis} of input {input} has another length than what is left")),
                None => self.classes.fresh(shape[axis]),
            };
            self.own(input, constant, axis, 1, labels.clone());
            flow.facets.push(Facet::line(shape.len(), axis, labels));
        }
        Ok(flow)
    }

    /// Notes that the labels of an axis of a constant are these.
    pub(super) fn own(&mut self, input: usize, constant: ValueId, axis: usize, groups: usize, labels: Vec<u32>) {
        self.owners.push(Owner { operator: self.at, input, constant, axis, groups, labels });
    }

    /// The classes that an axis of a constant should have, where that is known.
    pub(super) fn expected(&self, input: usize, axis: usize) -> Option<&'g Vec<u32>> {
        self.seeds?.get(&(self.at, input, axis))
    }

    /// The constant behind an input.
    pub(super) fn constant(&self, input: usize) -> Option<ValueId> {
        match self.values[self.graph.operators[self.at].input(input)?] {
            Value::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    /// Labels of elements that an operator makes up, such as zeros around an image.
    pub(super) fn filler(&mut self, rank: usize, axis: usize, count: usize) -> Option<Facet> {
        let labels = if self.labelled && count > 1 { self.classes.fresh(count) } else { return None };
        Some(Facet::line(rank, axis, labels))
    }

    /// An axis attribute.
    pub(super) fn axis(&self, default: i64, rank: usize) -> Ruled<usize> {
        let given = self.graph.operators[self.at].int("axis", default);
        axis(given, rank).or_wrong(|| format!("has no axis {given} among {rank}"))
    }

    fn rule(&mut self) -> Ruled<Vec<Flow>> {
        let kind = self.graph.operators[self.at].kind.clone();
        if let Some(ruled) = self.elementwise_rule(&kind) {
            return ruled;
        }
        if let Some(ruled) = self.move_rule(&kind) {
            return ruled;
        }
        if let Some(ruled) = self.contraction_rule(&kind) {
            return ruled;
        }
        self.reduction_rule(&kind).unwrap_or_else(|| unknown("is not understood"))
    }
}
