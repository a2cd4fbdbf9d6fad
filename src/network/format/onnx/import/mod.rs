//! Turns the nodes of an ONNX graph into nodes of a network, in an order in which inputs come first.
//!
//! Constants and computed shapes are followed to where they are used and leave no node behind. What is neither computed
//! nor known to keep shapes is refused by name.

mod affine;
mod diagonal;
mod functions;
mod inputs;
mod pad;
mod pools;
mod reshape;

use std::collections::{HashMap, HashSet};

pub(super) use affine::turned;
use pad::Padded;

use super::attributes::{self, Problem};
use super::data::{Files, element};
use super::proto;
use super::source::Binding;
use crate::backend::Function;
use crate::error::{Error, Result};
use crate::network::graph::{Flow, infer};
use crate::network::{Element, Network, Node, Op};

/// One number of a computed shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dim {
    Known(i64),
    Batch,
}

/// A constant: where it is stored, and the shape in which it is used.
#[derive(Debug, Clone)]
struct Constant {
    stored: Stored,
    /// Another shape than the stored one, given by reshaping it.
    dims: Option<Vec<usize>>,
    /// Whether it is used as the transposed matrix.
    turned: bool,
}

impl Constant {
    fn plain(stored: Stored) -> Self {
        Self { stored, dims: None, turned: false }
    }
}

#[derive(Debug, Clone, Copy)]
enum Stored {
    /// An initialiser, by index.
    Initializer(usize),
    /// The `value` of a `Constant` node.
    Attribute(usize),
}

/// What a name of the graph stands for.
#[derive(Debug, Clone)]
enum Value {
    /// The output of a node of the network, or its input.
    Flow(String),
    Constant(Constant),
    /// A shape computed from the input.
    Dims(Vec<Dim>),
    /// An image with a constant around it, which no node of the network gives.
    Padded(Padded),
}

/// The network so far.
pub(super) struct Import<'a> {
    graph: &'a proto::Graph,
    files: &'a mut Files,
    values: HashMap<&'a str, Value>,
    /// How many nodes read a value; the output of the graph counts as one.
    uses: HashMap<&'a str, usize>,
    nodes: Vec<Node>,
    /// By name of a node: its output shape, and the node that decided it.
    shapes: HashMap<String, (Option<Vec<usize>>, String)>,
    bindings: HashMap<String, Binding>,
    names: HashSet<String>,
    input: Vec<usize>,
    /// The version of the standard operators.
    opset: i64,
    /// The element type of the input.
    element: Element,
    warnings: Vec<String>,
}

/// The finished network.
pub(super) struct Imported {
    pub(super) nodes: Vec<Node>,
    pub(super) input: Vec<usize>,
    pub(super) bindings: HashMap<String, Binding>,
    pub(super) values: HashMap<String, String>,
    pub(super) warnings: Vec<String>,
}

/// An error of a node: its text, or one that already names the file.
enum Fault {
    Problem(Problem),
    Error(Error),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

type Outcome<T> = std::result::Result<T, Fault>;

fn fault<T>(problem: impl Into<String>) -> Outcome<T> {
    Err(Fault::Problem(problem.into()))
}

impl<'a> Import<'a> {
    pub(super) fn new(
        graph: &'a proto::Graph,
        files: &'a mut Files,
        input: &'a str,
        shape: Vec<usize>,
        opset: i64,
    ) -> Self {
        let kind = |value: &proto::ValueInfo| value.kind.as_ref()?.tensor_type.as_ref()?.elem_type;
        let kind = graph.input.iter().find(|value| value.name() == input).and_then(kind);
        let element = kind.and_then(|kind| element(kind).ok()).filter(|element| element.is_float());
        let mut values = HashMap::from([(input, Value::Flow(Network::INPUT.to_owned()))]);
        for (at, tensor) in graph.initializer.iter().enumerate() {
            values.insert(tensor.name(), Value::Constant(Constant::plain(Stored::Initializer(at))));
        }
        let mut uses = HashMap::new();
        let outputs = graph.output.iter().map(proto::ValueInfo::name);
        for name in graph.node.iter().flat_map(|node| &node.input).map(String::as_str).chain(outputs) {
            *uses.entry(name).or_insert(0) += 1;
        }
        let known = (Some(shape.clone()), Network::INPUT.to_owned());
        Self {
            graph,
            files,
            values,
            uses,
            nodes: Vec::new(),
            shapes: HashMap::from([(Network::INPUT.to_owned(), known)]),
            bindings: HashMap::new(),
            names: HashSet::from([Network::INPUT.to_owned()]),
            input: shape,
            opset,
            element: element.unwrap_or(Element::F32),
            warnings: Vec::new(),
        }
    }

    /// Takes in the node at `at`.
    pub(super) fn node(&mut self, at: usize) -> Result<()> {
        let node = &self.graph.node[at];
        match self.convert(at, node) {
            Ok(()) => Ok(()),
            Err(Fault::Error(error)) => Err(error),
            Err(Fault::Problem(problem)) => {
                self.files.refused(format!("node `{}` ({}): {problem}", node.label(), node.op_type()))
            }
        }
    }

    /// Checks the output.
    pub(super) fn finish(self) -> Result<Imported> {
        let output = &self.graph.output[0];
        let name = output.name();
        let Some(Value::Flow(last)) = self.values.get(name) else {
            return self.files.refused(format!("the graph is not connected: `{name}` does not depend on the input"));
        };
        let shape = self.shapes.get(last).and_then(|(shape, _)| shape.as_ref());
        if let (Some(shape), Some([_, axes @ ..])) = (shape, output.dims()) {
            let differs = |(axis, length): (&proto::Dimension, &usize)| {
                axis.dim_value.is_some_and(|value| value > 0 && usize::try_from(value).ok() != Some(*length))
            };
            if axes.len() != shape.len() || axes.iter().zip(shape).any(differs) {
                let declared: Vec<i64> = axes.iter().map(proto::Dimension::dim_value).collect();
                return self.files.refused(format!("output `{name}` is declared as {declared:?}, but is {shape:?}"));
            }
        }
        let flows = self.values.iter().filter_map(|(name, value)| match value {
            Value::Flow(node) => Some(((*name).to_owned(), node.clone())),
            _ => None,
        });
        let values = flows.collect();
        let Self { nodes, input, bindings, warnings, .. } = self;
        Ok(Imported { nodes, input, bindings, values, warnings })
    }

    fn convert(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        if !matches!(node.domain(), "" | "ai.onnx") {
            return fault(format!("operators of `{}` are unknown", node.domain()));
        }
        let extra = node.output.iter().skip(1).find(|output| self.uses.contains_key(output.as_str()));
        if let Some(extra) = extra {
            return fault(format!("its output `{extra}` is read, only the first is supported"));
        }
        match node.op_type() {
            "Constant" => self.constant(at, node),
            "Shape" | "Gather" | "Concat" | "Unsqueeze" | "Squeeze" | "Cast" | "Slice" | "Reshape" | "Flatten"
            | "Transpose" | "Identity"
                if self.folds(node)? =>
            {
                Ok(())
            }
            "Gemm" => self.gemm(at, node),
            "MatMul" => self.matmul(at, node),
            "Conv" => self.conv(at, node),
            "BatchNormalization" => self.batch_norm(at, node),
            "Add" | "Sum" => self.add(at, node),
            "MaxPool" | "AveragePool" => self.pool(at, node),
            "GlobalAveragePool" => self.plain(at, node, Op::GlobalAveragePool),
            "ReduceMean" => self.mean(at, node),
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => self.reshape(at, node),
            "Transpose" => self.transpose(at, node),
            "Concat" => self.concat(at, node),
            "Relu" => self.plain(at, node, Op::Relu),
            "LeakyRelu" => {
                let slope = f64::from(attributes::float(node, "alpha", 0.01)?);
                let carried = !(0.0..1.0).contains(&slope);
                self.plain(at, node, if carried { carry("prelu") } else { Op::LeakyRelu { slope } })
            }
            "Pad" => self.pad(at, node),
            "Softmax" | "LogSoftmax" => self.softmax(at, node),
            "Identity" | "Dropout" => self.plain(at, node, Op::Identity),
            "Cast" => self.cast(at, node),
            "Clip" => self.clip(at, node),
            "If" | "Loop" | "Scan" => fault("control flow is not supported"),
            "Mul" if self.swish(at, node)? || self.product(at, node)? => Ok(()),
            "Mul" | "Sub" | "Div" => self.scaling(at, node),
            "LRN" | "PRelu" => self.plain(at, node, carry(&node.op_type().to_ascii_lowercase())),
            _ => match functions::function(node)? {
                Some(function) => self.plain(at, node, Op::Function(function)),
                None => fault("is not supported"),
            },
        }
    }

    /// The constant of a `Constant` node.
    fn constant(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let value = match node.attribute.first().map(|attribute| (attribute.name(), attribute)) {
            Some(("value", attribute)) if attribute.t.is_some() => {
                Value::Constant(Constant::plain(Stored::Attribute(at)))
            }
            Some((name, _)) => return fault(format!("`{name}` is not supported, only numbers are")),
            None => return fault("has no value"),
        };
        self.give(node, value)
    }

    fn give(&mut self, node: &'a proto::Node, value: Value) -> Outcome<()> {
        match node.output.first() {
            Some(output) => {
                self.values.insert(output, value);
                Ok(())
            }
            None => fault("has no output"),
        }
    }

    /// A node with one input and no tensors.
    fn plain(&mut self, at: usize, node: &'a proto::Node, op: Op) -> Outcome<()> {
        let input = self.flow(node, 0)?;
        self.push(at, node, op, vec![input], Binding { node: at, ..Binding::default() })
    }

    /// A softmax over one axis, or up to operator set 12 over all axes from one on.
    fn softmax(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let log = node.op_type() == "LogSoftmax";
        let input = self.flow(node, 0)?;
        let Some(shape) = self.shape(&input) else { return fault("of an unknown shape") };
        let lengths: Vec<usize> = std::iter::once(0).chain(shape.iter().copied()).collect();
        let flattens = self.opset < 13;
        let first = attributes::axis(attributes::int(node, "axis", if flattens { 1 } else { -1 })?, lengths.len())?;
        let mut axes = first..if flattens { lengths.len() } else { first + 1 };
        // Axes of length one compare nothing.
        while axes.len() > 1 && lengths[axes.end - 1] == 1 {
            axes.end -= 1;
        }
        while axes.len() > 1 && lengths[axes.start] == 1 {
            axes.start += 1;
        }
        self.plain(at, node, Op::Softmax { log, axes })
    }

    /// A change between types of floats: everything is computed in f32.
    fn cast(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let to = attributes::int(node, "to", 0)?;
        match i32::try_from(to).map_err(|_| format!("to the type {to}")).and_then(element) {
            Ok(element) if element.is_float() => self.plain(at, node, Op::Identity),
            Ok(element) => fault(format!("to {}, which is not computed", element.name())),
            Err(problem) => fault(format!("to a type that {problem}")),
        }
    }

    /// A clip without upper bound is ReLU, one without any the identity.
    fn clip(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let [mut low, mut high] = [Some(f32::MIN), Some(f32::MAX)];
        for (input, name, bound) in [(1, "min", &mut low), (2, "max", &mut high)] {
            if Self::has(node, input) {
                *bound = self.scalar(node, input)?;
            } else if let Some(attribute) = node.attribute(name) {
                *bound = attribute.f;
            }
        }
        let op = match (low, high) {
            (Some(low), Some(high)) if low == 0.0 && high >= f32::MAX => Op::Relu,
            (Some(low), Some(high)) if low <= f32::MIN && high >= f32::MAX => Op::Identity,
            (Some(low), Some(high)) if low <= high => Op::Function(Function::Clip { low, high }),
            (Some(low), Some(high)) => return fault(format!("clips from {low} to {high}")),
            _ => carry("clip"),
        };
        self.plain(at, node, op)
    }

    /// Adds a node to the network.
    fn push(&mut self, at: usize, node: &'a proto::Node, op: Op, inputs: Vec<String>, binding: Binding) -> Outcome<()> {
        let output = node.output.first().map_or("", String::as_str);
        let wanted = [node.name(), output].into_iter().find(|name| !name.is_empty() && !self.names.contains(*name));
        let name = wanted.map_or_else(|| format!("{}.{at}", node.label()), str::to_owned);
        self.named(name, op, inputs, binding)?;
        let name = self.nodes.last().map(|node| node.name.clone()).unwrap_or_default();
        self.give(node, Value::Flow(name))
    }

    /// Adds a node under a name.
    fn named(&mut self, name: String, op: Op, inputs: Vec<String>, binding: Binding) -> Outcome<()> {
        let incoming: Vec<Flow<'_>> = inputs
            .iter()
            .map(|input| match self.shapes.get(input) {
                Some((shape, source)) => Flow { shape: shape.clone(), source },
                None => Flow { shape: None, source: input },
            })
            .collect();
        let outgoing = infer(&name, &op, &incoming).map_err(|problems| problems.join("; "))?;
        let outgoing = (outgoing.shape, outgoing.source.to_owned());
        self.shapes.insert(name.clone(), outgoing);
        if !self.names.insert(name.clone()) {
            return fault(format!("the name `{name}` is taken"));
        }
        self.bindings.insert(name.clone(), binding);
        self.nodes.push(Node { name, op, inputs });
        Ok(())
    }

    /// Whether nothing but one reader takes the output of a node of the network.
    fn read_once(&self, name: &str) -> bool {
        let mut outputs = self.values.iter().filter(|(_, value)| matches!(value, Value::Flow(flow) if flow == name));
        outputs.all(|(value, _)| self.uses.get(value).copied().unwrap_or(0) <= 1)
    }
}

/// An operation that tropix does not compute.
fn carry(op: &str) -> Op {
    Op::Carried { op: op.to_owned(), tensors: Vec::new(), attributes: toml::Table::new() }
}
