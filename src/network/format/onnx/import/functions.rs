//! Activations: operators of one number, and the product that writes out a swish.

use super::{Binding, Import, Outcome, Value, attributes};
use crate::backend::Function;
use crate::network::Op;
use crate::network::format::onnx::attributes::Problem;
use crate::network::format::onnx::proto;

/// The function of an operator, with the defaults of ONNX.
pub(super) fn function(node: &proto::Node) -> Result<Option<Function>, Problem> {
    let number = |name: &str, default: f32| attributes::float(node, name, default);
    let text = |name: &str| node.attribute(name).and_then(|attribute| attribute.s.as_deref()).unwrap_or(b"none");
    let function = match node.op_type() {
        "Sigmoid" => Function::Sigmoid,
        "HardSigmoid" => Function::HardSigmoid { alpha: number("alpha", 0.2)?, beta: number("beta", 0.5)? },
        "HardSwish" => Function::HardSwish,
        "Gelu" if text("approximate") == b"tanh" => Function::GeluTanh,
        "Gelu" => Function::Gelu,
        "Tanh" => Function::Tanh,
        "Elu" => Function::Elu { alpha: number("alpha", 1.0)? },
        "Selu" => Function::Selu { alpha: number("alpha", 1.673_263_2)?, gamma: number("gamma", 1.050_701)? },
        "Celu" => Function::Celu { alpha: number("alpha", 1.0)? },
        "Softplus" => Function::Softplus,
        "Softsign" => Function::Softsign,
        "Mish" => Function::Mish,
        "Erf" => Function::Erf,
        "Exp" => Function::Exp,
        "Abs" => Function::Abs,
        _ => return Ok(None),
    };
    function.checked().map(Some).map_err(|error| error.to_string())
}

impl<'a> Import<'a> {
    /// A product of two values, neither of which is a constant: a gate.
    pub(super) fn product(&mut self, at: usize, node: &'a proto::Node) -> Outcome<bool> {
        let flows = node.input.iter().map(|input| match self.values.get(input.as_str()) {
            Some(Value::Flow(from)) => Some(from.clone()),
            _ => None,
        });
        match flows.collect::<Option<Vec<String>>>() {
            Some(inputs) if inputs.len() == 2 => {
                self.push(at, node, Op::Multiply, inputs, Binding { node: at, ..Binding::default() })?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// `x sigmoid(x)` in two nodes, the way swish is exported: one node here, where nothing else reads the sigmoid.
    pub(super) fn swish(&mut self, at: usize, node: &'a proto::Node) -> Outcome<bool> {
        let [first, second] = node.input.as_slice() else { return Ok(false) };
        for (gate, other) in [(first, second), (second, first)] {
            let (Some(Value::Flow(gate_node)), Some(Value::Flow(x))) =
                (self.values.get(gate.as_str()), self.values.get(other.as_str()))
            else {
                return Ok(false);
            };
            let is_gate = self.nodes.last().is_some_and(|last| {
                last.name == *gate_node
                    && matches!(last.op, Op::Function(Function::Sigmoid))
                    && last.inputs.first() == Some(x)
            });
            if is_gate && self.uses.get(gate.as_str()) == Some(&1) {
                let input = x.clone();
                if let Some(sigmoid) = self.nodes.pop() {
                    self.names.remove(&sigmoid.name);
                    self.bindings.remove(&sigmoid.name);
                    self.shapes.remove(&sigmoid.name);
                }
                let binding = Binding { node: at, ..Binding::default() };
                self.push(at, node, Op::Function(Function::Silu), vec![input], binding)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
