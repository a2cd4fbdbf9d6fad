//! What the inputs of a node stand for: values that flow, shapes that are computed, weights that are stored.

use super::super::data::integers;
use super::super::proto;
use super::super::source::Slot;
use super::{Constant, Dim, Fault, Import, Outcome, Stored, Value, fault, turned};
use crate::error::Error;
use crate::network::Tensor;

impl<'a> Import<'a> {
    /// The value of an input.
    pub(super) fn value(&self, node: &proto::Node, input: usize) -> Outcome<&Value> {
        let name = node.input.get(input).map(String::as_str).filter(|name| !name.is_empty());
        let Some(name) = name else { return fault(format!("input {input} is missing")) };
        self.values.get(name).map_or_else(|| fault(format!("`{name}` is not known here")), Ok)
    }

    /// Whether an optional input is there.
    pub(super) fn has(node: &proto::Node, input: usize) -> bool {
        node.input.get(input).is_some_and(|name| !name.is_empty())
    }

    /// The node of the network behind an input.
    pub(super) fn flow(&self, node: &proto::Node, input: usize) -> Outcome<String> {
        match self.value(node, input)? {
            Value::Flow(name) => Ok(name.clone()),
            Value::Padded(_) => fault("reads a padded image, which only a convolution or a pool may"),
            _ => fault(format!("`{}` is a constant, expected a value that depends on the input", node.input[input])),
        }
    }

    /// The shape of what flows out of a node of the network.
    pub(super) fn shape(&self, name: &str) -> Option<&Vec<usize>> {
        self.shapes.get(name).and_then(|(shape, _)| shape.as_ref())
    }

    pub(super) fn stored(&self, constant: &Constant) -> Outcome<&'a proto::Tensor> {
        let found = match constant.stored {
            Stored::Initializer(at) => self.graph.initializer.get(at),
            Stored::Attribute(at) => self.graph.node[at].attribute.first().and_then(|attribute| attribute.t.as_ref()),
        };
        found.map_or_else(|| fault("a constant is lost"), Ok)
    }

    /// The integers of an input.
    pub(super) fn dims(&self, node: &proto::Node, input: usize) -> Outcome<Vec<Dim>> {
        match self.value(node, input)? {
            Value::Dims(dims) => Ok(dims.clone()),
            Value::Constant(constant) => match integers(self.stored(constant)?) {
                Some(values) => Ok(values.into_iter().map(Dim::Known).collect()),
                None => fault(format!("`{}` holds no integers", node.input[input])),
            },
            Value::Flow(_) | Value::Padded(_) => {
                fault(format!("`{}` depends on the data of the input", node.input[input]))
            }
        }
    }

    /// Integers that do not depend on the batch.
    pub(super) fn ints(&self, node: &proto::Node, input: usize) -> Outcome<Vec<i64>> {
        let known = |dim: &Dim| if let Dim::Known(value) = dim { Some(*value) } else { None };
        let values: Option<Vec<i64>> = self.dims(node, input)?.iter().map(known).collect();
        values.map_or_else(|| fault(format!("`{}` depends on the batch", node.input[input])), Ok)
    }

    /// The value of an input, if it is a constant of one number.
    pub(super) fn scalar(&mut self, node: &proto::Node, input: usize) -> Outcome<Option<f32>> {
        let Value::Constant(constant) = self.value(node, input)?.clone() else { return Ok(None) };
        let proto = self.stored(&constant)?;
        let tensor = self.files.tensor(proto, proto.name())?;
        let single = tensor.len() == 1 && tensor.element().is_float();
        Ok(if single { tensor.to_vec().first().copied() } else { None })
    }

    /// The weights of an input, checked to be finite floats, and where they are stored.
    pub(super) fn weights(&mut self, at: usize, node: &proto::Node, input: usize) -> Outcome<(Tensor, Slot)> {
        let name = node.input.get(input).cloned().unwrap_or_default();
        let constant = match self.value(node, input)? {
            Value::Constant(constant) => constant.clone(),
            _ => return fault(format!("`{name}` is computed, expected constant weights")),
        };
        let proto = self.stored(&constant)?;
        let (stored, initializer) = match constant.stored {
            Stored::Initializer(at) => (proto.name().to_owned(), Some(at)),
            Stored::Attribute(_) => (name, None),
        };
        if proto.dims.contains(&0) {
            return fault(format!("initialiser `{stored}` is empty"));
        }
        let tensor = self.files.tensor(proto, &stored)?;
        if !tensor.element().is_float() {
            let element = tensor.element().name();
            return fault(format!(
                "initialiser `{stored}` has element type {element}; weights are F32, F16, BF16 or F64"
            ));
        }
        if tensor.element().bits() > 32 {
            self.warnings.push(format!("initialiser `{stored}` is {}: computed in f32", tensor.element().name()));
        }
        if let Some((index, count)) = tensor.non_finite() {
            return Err(Fault::Error(Error::NonFinite { file: self.files.path.clone(), tensor: stored, index, count }));
        }
        let mut tensor = tensor;
        if let Some(dims) = &constant.dims {
            tensor = tensor.reshaped(dims.clone())?;
        }
        if let (true, &[rows, columns]) = (constant.turned, tensor.dimensions()) {
            tensor = turned(&tensor, rows, columns)?;
        }
        let direct = constant.dims.is_none() && !constant.turned;
        let initializer = initializer.filter(|_| direct);
        let slot = Slot { node: at, input, initializer, dims: tensor.dimensions().to_vec(), transposed: false };
        Ok((tensor, slot))
    }
}
