//! Pooling, joining, and means over places.

use super::{Binding, Import, Outcome, fault};
use crate::network::Op;
use crate::network::format::onnx::{attributes, proto};

impl<'a> Import<'a> {
    pub(super) fn pool(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let (input, padded) = self.padded(node)?;
        let Some(size) = attributes::kernel(node)? else { return fault("lacks `kernel_shape`") };
        let image = match self.shape(&input).map(Vec::as_slice) {
            None => None,
            Some(&[_, height, width]) => Some([height, width]),
            Some(other) => return fault(format!("reads {other:?}; only two dimensions are supported")),
        };
        let around = image.map(|image| padded.as_ref().map_or(image, |padded| padded.around(image)));
        let window = attributes::window(node, size, around)?;
        let [top, left, bottom, right] = window.padding;
        if top.max(bottom) >= size[0] || left.max(right) >= size[1] {
            return fault(format!("padding {:?} leaves windows of {size:?} empty", window.padding));
        }
        let ceil = attributes::int(node, "ceil_mode", 0)? != 0;
        let op = if node.op_type() == "MaxPool" {
            Op::MaxPool { window, ceil }
        } else {
            let count_include_pad = attributes::int(node, "count_include_pad", 0)? != 0;
            Op::AveragePool { window, ceil, count_include_pad }
        };
        let op = match (padded, image) {
            (Some(padded), Some(image)) => padded.pooled(op, image, self.element)?,
            _ => op,
        };
        self.push(at, node, op, vec![input], Binding { node: at, ..Binding::default() })
    }

    /// A mean over height and width, with or without keeping their axes.
    pub(super) fn mean(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let axes = if Self::has(node, 1) { self.ints(node, 1)? } else { attributes::ints(node, "axes").to_vec() };
        let mut axes: Vec<usize> = axes.iter().map(|axis| attributes::axis(*axis, 4)).collect::<Result<_, _>>()?;
        axes.sort_unstable();
        let input = self.flow(node, 0)?;
        if axes != [2, 3] || self.shape(&input).is_none_or(|shape| shape.len() != 3) {
            return fault("only the mean over height and width is supported");
        }
        let binding = Binding { node: at, ..Binding::default() };
        if attributes::int(node, "keepdims", 1)? != 0 {
            return self.push(at, node, Op::GlobalAveragePool, vec![input], binding);
        }
        let inner = format!("{}.mean", node.label());
        self.named(inner.clone(), Op::GlobalAveragePool, vec![input], binding.clone())?;
        self.push(at, node, Op::Flatten, vec![inner], binding)
    }

    pub(super) fn concat(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let inputs = (0..node.input.len()).map(|input| self.flow(node, input));
        let inputs: Vec<String> = inputs.collect::<Outcome<_>>()?;
        let axes = inputs.iter().find_map(|input| self.shape(input)).map(|shape| shape.len() + 1);
        let Some(axes) = axes else { return fault("joins values of unknown shape") };
        match attributes::axis(attributes::int(node, "axis", 0)?, axes)? {
            0 => fault("joins along the batch"),
            axis => {
                let binding = Binding { node: at, ..Binding::default() };
                self.push(at, node, Op::Concat { axis: axis - 1 }, inputs, binding)
            }
        }
    }
}
