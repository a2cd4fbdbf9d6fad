//! Padding as a node of its own: it becomes part of the convolution or pool that reads it.

use super::{Import, Outcome, Value, fault};
use crate::network::format::onnx::attributes::{self, axis, count};
use crate::network::format::onnx::proto;
use crate::network::{Element, Op, Window};

/// What flows, with `value` around the image.
#[derive(Debug, Clone)]
pub(super) struct Padded {
    pub(super) flow: String,
    /// Top, left, bottom and right.
    pub(super) padding: [usize; 4],
    value: f32,
}

impl<'a> Import<'a> {
    /// A constant around an image.
    pub(super) fn pad(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let mode = node.attribute("mode").and_then(|mode| mode.s.as_deref()).unwrap_or(b"constant");
        if mode != b"constant" {
            return fault(format!("`mode` is `{}`, only `constant` is supported", String::from_utf8_lossy(mode)));
        }
        let flow = self.flow(node, 0)?;
        let Some(&[_, _, _]) = self.shape(&flow).map(Vec::as_slice) else {
            return fault("is supported around images only");
        };
        let pads = if Self::has(node, 1) { self.ints(node, 1)? } else { attributes::ints(node, "pads").to_vec() };
        let axes = if Self::has(node, 3) { self.ints(node, 3)? } else { (0..4).collect() };
        let value =
            if Self::has(node, 2) { self.scalar(node, 2)? } else { Some(attributes::float(node, "value", 0.0)?) };
        let (Some(value), true) = (value, pads.len() == 2 * axes.len()) else {
            return fault(format!(
                "{pads:?} around axes {axes:?}, with a value that is no constant or one of each missing"
            ));
        };
        let mut padding = [0; 4];
        for (number, at) in axes.iter().enumerate() {
            let ends = [pads[number], pads[number + axes.len()]];
            match axis(*at, 4)? {
                side @ 2.. => [padding[side - 2], padding[side]] = [count("pads", ends[0])?, count("pads", ends[1])?],
                _ if ends == [0, 0] => {}
                other => return fault(format!("around axis {other}, only height and width are supported")),
            }
        }
        if padding == [0; 4] {
            return self.plain(at, node, Op::Identity);
        }
        self.give(node, Value::Padded(Padded { flow, padding, value }))
    }

    /// What a convolution or pool reads, and what lies around it.
    pub(super) fn padded(&self, node: &proto::Node) -> Outcome<(String, Option<Padded>)> {
        match self.value(node, 0)? {
            Value::Padded(padded) => Ok((padded.flow.clone(), Some(padded.clone()))),
            _ => Ok((self.flow(node, 0)?, None)),
        }
    }
}

impl Padded {
    /// Height and width with the padding.
    pub(super) fn around(&self, image: [usize; 2]) -> [usize; 2] {
        let [top, left, bottom, right] = self.padding;
        [image[0].saturating_add(top).saturating_add(bottom), image[1].saturating_add(left).saturating_add(right)]
    }

    fn with(&self, other: [usize; 4]) -> [usize; 4] {
        std::array::from_fn(|side| self.padding[side].saturating_add(other[side]))
    }

    /// The window of a convolution that pads with zeros.
    pub(super) fn convolved(&self, window: Window) -> Outcome<Window> {
        if self.value != 0.0 {
            return fault(format!("reads an image padded with {}, only zeros are supported", self.value));
        }
        Ok(Window { padding: self.with(window.padding), ..window })
    }

    /// A pool of the image inside the padding.
    pub(super) fn pooled(&self, op: Op, image: [usize; 2], element: Element) -> Outcome<Op> {
        let op = self.joined(op, image, element)?;
        if let Op::MaxPool { window, .. } | Op::AveragePool { window, .. } = &op
            && (0..4).any(|side| window.padding[side] >= window.size[side % 2])
        {
            return fault(format!("padding {:?} leaves windows of {:?} empty", window.padding, window.size));
        }
        Ok(op)
    }

    fn joined(&self, op: Op, image: [usize; 2], element: Element) -> Outcome<Op> {
        let wanted = |window: &Window, ceil| window.places(self.around(image), ceil);
        match op {
            Op::MaxPool { window, ceil } => {
                let least = if element == Element::F16 { half::f16::MIN.to_f32() } else { half::bf16::MIN.to_f32() };
                if self.value > least {
                    let value = self.value;
                    return fault(format!("reads an image padded with {value}, which may be the largest of a window"));
                }
                let all = Window { padding: self.with(window.padding), ..window };
                // The window that such a padding makes room for is one that `ceil` adds.
                let mut less = all;
                for side in 2..4 {
                    if less.padding[side] >= less.size[side - 2] {
                        less.padding[side] = 0;
                    }
                }
                if less == all {
                    return Ok(Op::MaxPool { window: all, ceil });
                }
                if less.places(image, true).is_some_and(|places| Some(places) == wanted(&window, ceil)) {
                    return Ok(Op::MaxPool { window: less, ceil: true });
                }
            }
            Op::AveragePool { window, ceil, count_include_pad } if self.value == 0.0 => {
                if count_include_pad || window.padding == [0; 4] {
                    let window = Window { padding: self.with(window.padding), ..window };
                    return Ok(Op::AveragePool { window, ceil, count_include_pad: true });
                }
                let inner = Window { padding: self.padding, ..window };
                let grows = window.padding[..2] == [0, 0]
                    && inner.places(image, true).is_some_and(|places| Some(places) == wanted(&window, ceil));
                if grows {
                    return Ok(Op::AveragePool { window: inner, ceil: true, count_include_pad: true });
                }
            }
            _ => {}
        }
        let ([height, width], padding) = (image, self.padding);
        fault(format!("of {height} x {width} padded by {padding:?} with {} is not supported", self.value))
    }
}
