//! Products, sums, differences and quotients with constants. What has one factor and shift per channel is a batch norm that
//! normalises nothing: mean 0, variance 1, epsilon 0.

use super::{Binding, Import, Outcome, Value, carry, fault};
use crate::network::format::onnx::proto;
use crate::network::{Element, Op, Tensor};

impl<'a> Import<'a> {
    /// `Mul`, `Div`, `Add` and `Sub` of a value that flows and a constant.
    pub(super) fn scaling(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let flow = (0..node.input.len()).find(|input| matches!(self.value(node, *input), Ok(Value::Flow(_))));
        let Some(flow) = flow else { return fault("computes with constants alone") };
        let other = 1 - flow.min(1);
        let (Value::Constant(_), 2) = (self.value(node, other)?, node.input.len()) else {
            return fault("of two paths is not supported");
        };
        let input = self.flow(node, flow)?;
        let Some(shape) = self.shape(&input).cloned() else { return fault("of an unknown shape") };
        let (constant, _) = self.weights(at, node, other)?;
        let dims = constant.dimensions();
        // A constant that is larger than the signal would change its shape; the batch is no axis of a constant.
        let fits = dims.len() <= shape.len() + 1
            && dims.iter().rev().zip(shape.iter().rev()).all(|(axis, length)| *axis == 1 || axis == length)
            && dims.iter().rev().skip(shape.len()).all(|axis| *axis == 1);
        if !fits {
            return fault(format!("a constant of shape {dims:?} does not fit {shape:?}"));
        }
        let channels = shape.first().copied().unwrap_or(1);
        let per_channel = constant.len() == channels && dims.iter().rev().nth(shape.len() - 1) == Some(&channels);
        let values = match constant.len() {
            1 => constant.to_vec().repeat(channels),
            _ if per_channel => constant.to_vec(),
            _ => return self.elementwise(at, node, input, flow),
        };
        let all = |value: f32| vec![value; channels];
        let (scale, shift) = match (node.op_type(), flow) {
            ("Mul", _) => (values, all(0.0)),
            ("Sub", 0) => (all(1.0), values.iter().map(|value| -value).collect()),
            ("Sub", _) => (all(-1.0), values),
            ("Div", 0) => (values.iter().map(|value| value.recip()).collect(), all(0.0)),
            ("Div", _) => return self.elementwise(at, node, input, flow),
            _ => (all(1.0), values),
        };
        if let Some(channel) = scale.iter().position(|factor| !factor.is_finite()) {
            return fault(format!("divides channel {channel} by {}", values_at(&constant, channel)));
        }
        self.diagonal(at, node, input, constant.element(), scale, shift)
    }

    /// The sum of a value and itself.
    pub(super) fn doubled(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let input = self.flow(node, 0)?;
        let Some(channels) = self.shape(&input).and_then(|shape| shape.first().copied()) else {
            return fault("of an unknown shape");
        };
        self.diagonal(at, node, input, self.element, vec![2.0; channels], vec![0.0; channels])
    }

    fn diagonal(
        &mut self,
        at: usize,
        node: &'a proto::Node,
        input: String,
        element: Element,
        scale: Vec<f32>,
        shift: Vec<f32>,
    ) -> Outcome<()> {
        let (label, channels) = (node.label(), scale.len());
        let vector = |part: &str, values| Tensor::owned(&format!("{label}.{part}"), element, vec![channels], values);
        let op = Op::BatchNorm {
            scale: vector("scale", scale)?,
            bias: vector("bias", shift)?,
            mean: vector("mean", vec![0.0; channels])?,
            var: vector("var", vec![1.0; channels])?,
            epsilon: 0.0,
        };
        let binding = Binding { node: at, diagonal: Some(flow_input(self, node)), ..Binding::default() };
        self.push(at, node, op, vec![input], binding)
    }

    /// What differs from place to place, or is no affine map: carried along.
    fn elementwise(&mut self, at: usize, node: &'a proto::Node, input: String, flow: usize) -> Outcome<()> {
        let op = if node.op_type() == "Div" && flow != 0 { "reciprocal" } else { "affine" };
        self.push(at, node, carry(op), vec![input], Binding { node: at, ..Binding::default() })
    }
}

/// The first input of a node that flows.
fn flow_input(import: &Import<'_>, node: &proto::Node) -> usize {
    (0..node.input.len()).find(|input| matches!(import.value(node, *input), Ok(Value::Flow(_)))).unwrap_or(0)
}

fn values_at(constant: &Tensor, channel: usize) -> f32 {
    let values = constant.to_vec();
    values.get(channel).or(values.first()).copied().unwrap_or(0.0)
}
