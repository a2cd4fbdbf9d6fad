//! Pools as every runtime counts them: without `ceil_mode`, on which operator sets and runtimes differ.
//!
//! A last window that `ceil_mode` adds is one that padding behind the image makes room for; no window begins in that
//! padding. Where the padding is one that an operator does not take, it becomes a node of its own.

use super::export::{Export, int};
use super::proto::{self, data_type};
use super::rewrite::ints;
use crate::error::{Error, Result};
use crate::network::{Op, Window};

impl Export {
    /// Writes a pool of an image of shape `reads`.
    pub(super) fn pool(
        &mut self,
        name: &str,
        op: &Op,
        mut inputs: Vec<String>,
        output: &str,
        reads: &[usize],
    ) -> Result<()> {
        let (window, ceil, included) = match op {
            Op::MaxPool { window, ceil } => (window, *ceil, false),
            Op::AveragePool { window, ceil, count_include_pad } => {
                (window, *ceil, *count_include_pad && window.padding != [0; 4])
            }
            _ => return Err(Error::Internal { what: format!("`{name}` is no pool") }),
        };
        let &[_, height, width] = reads else {
            return Err(Error::Internal { what: format!("`{name}` reads {reads:?}") });
        };
        let mut padding = padding(window, [height, width], ceil)?;
        let grows = padding != window.padding;
        let largest = matches!(op, Op::MaxPool { .. });
        let wide = (0..4).any(|side| padding[side] >= window.size[side % 2]);
        let mut count = included;
        if (included && grows) || (largest && wide) {
            // What counts as zeros is part of the image then, and what the last window adds does not count.
            let (inner, value) = if included { (window.padding, 0.0) } else { (padding, f32::MIN) };
            let [top, left, bottom, right] = inner;
            let pads = self.integers(&format!("{name}.pads"), 0, &[0, top, left, 0, 0, bottom, right]);
            let (kind, raw) = (self.element, scalar(self.element, value));
            let value = self.constant(&format!("{name}.value"), kind, Vec::new(), raw);
            let padded = format!("{output}.padded");
            inputs.extend([pads, value]);
            self.node(&format!("{name}.pad"), "Pad", inputs, &padded, Vec::new());
            inputs = vec![padded];
            for side in 0..4 {
                padding[side] -= inner[side];
            }
            count = false;
        }
        let mut attributes = window_attributes(&Window { padding, ..*window });
        if largest {
            self.node(name, "MaxPool", inputs, output, attributes);
        } else {
            if window.dilation == [1, 1] {
                attributes.retain(|attribute| attribute.name() != "dilations");
            }
            attributes.push(int("count_include_pad", i64::from(count)));
            self.node(name, "AveragePool", inputs, output, attributes);
        }
        Ok(())
    }
}

/// The padding with which as many windows fit without `ceil` as fit with it.
fn padding(window: &Window, image: [usize; 2], ceil: bool) -> Result<[usize; 4]> {
    let internal = || Error::Internal { what: format!("{window:?} does not fit {image:?}") };
    let places = window.places(image, ceil).ok_or_else(internal)?;
    let floor = window.places(image, false).ok_or_else(internal)?;
    let mut padding = window.padding;
    for axis in (0..2).filter(|axis| places[*axis] > floor[*axis]) {
        let span = window.dilation[axis] * (window.size[axis] - 1) + 1;
        let end = (places[axis] - 1) * window.stride[axis] + span;
        padding[axis + 2] = end - image[axis] - padding[axis];
    }
    Ok(padding)
}

/// The bytes of a number; of the smallest of its type where it is smaller than that.
fn scalar(kind: i32, value: f32) -> Vec<u8> {
    match kind {
        data_type::FLOAT16 => half::f16::from_f32(value).max(half::f16::MIN).to_le_bytes().to_vec(),
        data_type::BFLOAT16 => half::bf16::from_f32(value).max(half::bf16::MIN).to_le_bytes().to_vec(),
        data_type::DOUBLE => f64::from(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

pub(super) fn window_attributes(window: &Window) -> Vec<proto::Attribute> {
    vec![
        ints("kernel_shape", &window.size),
        ints("strides", &window.stride),
        ints("pads", &window.padding),
        ints("dilations", &window.dilation),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_makes_room_for_the_windows_that_ceil_adds() {
        // Size, stride, padding before and behind, dilation, image: padding behind.
        let cases = [
            ([2, 2, 0, 0, 1], 7, 1),
            ([3, 2, 1, 1, 1], 6, 2),
            // A window that would begin behind the image is none.
            ([2, 3, 1, 1, 1], 7, 1),
            ([2, 2, 0, 0, 1], 8, 0),
            ([3, 2, 0, 0, 2], 6, 1),
        ];
        for ([size, stride, before, behind, dilation], image, expected) in cases {
            let window = Window {
                size: [size; 2],
                stride: [stride; 2],
                padding: [before, before, behind, behind],
                dilation: [dilation; 2],
            };
            let found = padding(&window, [image; 2], true).map(|found| found[2]);
            assert_eq!(found.ok(), Some(expected), "{window:?} on {image}");
        }
    }
}
