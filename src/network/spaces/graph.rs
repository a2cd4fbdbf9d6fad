//! Operators with the meaning that ONNX gives them, and the values between them: what labels run through.

use std::collections::BTreeMap;

use super::numbers::Numbers;
use crate::error::{Error, Result};
use crate::network::Tensor;

/// A value, by its place among [`OperatorGraph::values`].
pub(crate) type ValueId = usize;

/// An attribute of an operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    /// A tensor, a graph: nothing that a size depends on.
    Other,
}

/// A node of the graph.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    /// Its name, else that of its first output.
    pub(crate) name: String,
    /// The type of the operator; those of another domain have it in front, as in `com.microsoft.Gelu`.
    pub(crate) kind: String,
    /// What it reads; optional inputs may be missing.
    pub(crate) inputs: Vec<Option<ValueId>>,
    /// What it gives.
    pub(crate) outputs: Vec<Option<ValueId>>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

/// A value that no operator gives.
#[derive(Debug, Clone)]
pub(crate) enum Constant {
    /// Floats.
    Weights(Tensor),
    /// Integers and truth values, such as shapes and indices.
    Numbers(Numbers),
    /// Anything else, of this shape.
    Opaque(Vec<usize>),
}

/// An input of the graph; the length of an axis that may vary is missing.
#[derive(Debug, Clone)]
pub(crate) struct GraphInput {
    pub(crate) value: ValueId,
    pub(crate) shape: Vec<Option<usize>>,
    /// Axes behind the batch that the model leaves open: they have a length here, and others elsewhere.
    pub(crate) open: Vec<usize>,
}

/// Operators in an order in which inputs come first.
#[derive(Debug, Clone)]
pub(crate) struct OperatorGraph {
    /// The name of each value.
    pub(crate) values: Vec<String>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) constants: BTreeMap<ValueId, Constant>,
    pub(crate) inputs: Vec<GraphInput>,
    pub(crate) outputs: Vec<ValueId>,
    /// Shapes that the file declares, for what is not computed.
    pub(crate) declared: BTreeMap<ValueId, Vec<Option<usize>>>,
    /// The version of the standard operators.
    pub(crate) opset: i64,
}

impl Operator {
    pub(crate) fn input(&self, at: usize) -> Option<ValueId> {
        self.inputs.get(at).copied().flatten()
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        match self.attributes.get(name) {
            Some(Attribute::Int(value)) => *value,
            _ => default,
        }
    }

    /// A float, or the default of the standard.
    pub(crate) fn float(&self, name: &str, default: f64) -> f64 {
        match self.attributes.get(name) {
            Some(Attribute::Float(value)) => f64::from(*value),
            _ => default,
        }
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name) {
            Some(Attribute::Text(text)) => Some(text),
            _ => None,
        }
    }
}

impl OperatorGraph {
    /// The floats of a constant.
    pub(crate) fn weights(&self, value: ValueId) -> Option<&Tensor> {
        match self.constants.get(&value) {
            Some(Constant::Weights(tensor)) => Some(tensor),
            _ => None,
        }
    }

    /// The value that classes are told from: the first output, before what keeps the order of classes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a graph without an output.
    pub(crate) fn logits(&self) -> Result<String> {
        let none = || Error::Unsupported { problem: "a network without an output".to_owned() };
        let mut value = *self.outputs.first().ok_or_else(none)?;
        let gives =
            |value: usize| self.operators.iter().find(|operator| operator.outputs.first() == Some(&Some(value)));
        while let Some(operator) = gives(value) {
            let passes = ["Softmax", "LogSoftmax", "Sigmoid", "Identity"].contains(&operator.kind.as_str());
            match operator.input(0).filter(|_| passes) {
                Some(input) => value = input,
                None => break,
            }
        }
        Ok(self.values[value].clone())
    }

    /// Whether an output depends on an input.
    pub(crate) fn is_connected(&self) -> bool {
        let mut reached: std::collections::BTreeSet<ValueId> = self.inputs.iter().map(|input| input.value).collect();
        for operator in &self.operators {
            if operator.inputs.iter().flatten().any(|input| reached.contains(input)) {
                reached.extend(operator.outputs.iter().flatten());
            }
        }
        self.outputs.iter().any(|output| reached.contains(output))
    }

    /// Elements of all floats that operators read.
    pub(crate) fn parameters(&self) -> u64 {
        let read: std::collections::BTreeSet<ValueId> =
            self.operators.iter().flat_map(|operator| operator.inputs.iter().flatten().copied()).collect();
        read.into_iter().filter_map(|value| self.weights(value)).map(|tensor| tensor.len() as u64).sum()
    }
}
