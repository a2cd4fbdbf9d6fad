//! Attributes of a node, typed.

use super::proto::Node;
use crate::network::Window;

/// What is wrong with a node.
pub(super) type Problem = String;

/// An integer, or `default` if it is not there.
pub(super) fn int(node: &Node, name: &str, default: i64) -> Result<i64, Problem> {
    match node.attribute(name) {
        None => Ok(default),
        Some(attribute) => attribute.i.ok_or_else(|| format!("`{name}` is no integer")),
    }
}

/// A number, or `default` if it is not there.
pub(super) fn float(node: &Node, name: &str, default: f32) -> Result<f32, Problem> {
    match node.attribute(name) {
        None => Ok(default),
        Some(attribute) => attribute.f.ok_or_else(|| format!("`{name}` is no number")),
    }
}

/// A list of integers; empty if it is not there.
pub(super) fn ints<'a>(node: &'a Node, name: &str) -> &'a [i64] {
    node.attribute(name).map_or(&[], |attribute| &attribute.ints)
}

/// A non-negative number.
pub(super) fn count(name: &str, value: i64) -> Result<usize, Problem> {
    usize::try_from(value).map_err(|_| format!("`{name}` is {value}"))
}

/// Numbers for height and width; ones if they are not there.
fn pair(node: &Node, name: &str) -> Result<[usize; 2], Problem> {
    match ints(node, name) {
        [] => Ok([1, 1]),
        &[height, width] if height > 0 && width > 0 => Ok([count(name, height)?, count(name, width)?]),
        other => Err(format!("`{name}` is {other:?}, expected height and width")),
    }
}

/// The window of a convolution or pooling of this size over an image of height and width `image`.
pub(super) fn window(node: &Node, size: [usize; 2], image: Option<[usize; 2]>) -> Result<Window, Problem> {
    let (stride, dilation) = (pair(node, "strides")?, pair(node, "dilations")?);
    let auto = node.attribute("auto_pad").map_or("NOTSET", |attribute| {
        std::str::from_utf8(attribute.s.as_deref().unwrap_or_default()).unwrap_or("not text")
    });
    let padding = match (auto, ints(node, "pads")) {
        ("NOTSET", []) | ("VALID", _) => [0; 4],
        ("NOTSET", &[top, left, bottom, right]) => {
            let side = |value| count("pads", value);
            [side(top)?, side(left)?, side(bottom)?, side(right)?]
        }
        ("SAME_UPPER" | "SAME_LOWER", _) => {
            let image = image.ok_or_else(|| format!("`auto_pad` {auto} needs an input of known shape"))?;
            same(size, stride, dilation, image, auto == "SAME_LOWER")?
        }
        ("NOTSET", other) => return Err(format!("`pads` is {other:?}, expected top, left, bottom and right")),
        (other, _) => return Err(format!("`auto_pad` is `{other}`")),
    };
    Ok(Window { size, stride, padding, dilation })
}

/// Padding with which `ceil(image / stride)` places fit; an odd element goes behind, or with `lower` before.
fn same(
    size: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    image: [usize; 2],
    lower: bool,
) -> Result<[usize; 4], Problem> {
    let mut padding = [0; 4];
    for axis in 0..2 {
        let extent = dilation[axis].checked_mul(size[axis] - 1).and_then(|extent| extent.checked_add(1));
        let places = image[axis].div_ceil(stride[axis]);
        let needed = extent.and_then(|extent| places.saturating_sub(1).checked_mul(stride[axis])?.checked_add(extent));
        let total = needed.ok_or("its window overflows")?.saturating_sub(image[axis]);
        let less = total / 2;
        (padding[axis], padding[axis + 2]) = if lower { (total - less, less) } else { (less, total - less) };
    }
    Ok(padding)
}

/// The `kernel_shape` of a node.
pub(super) fn kernel(node: &Node) -> Result<Option<[usize; 2]>, Problem> {
    match node.attribute("kernel_shape") {
        None => Ok(None),
        Some(_) => pair(node, "kernel_shape").map(Some),
    }
}

/// An axis counted from the front, of so many.
pub(super) fn axis(axis: i64, axes: usize) -> Result<usize, Problem> {
    let from_front = if axis < 0 { i64::try_from(axes).unwrap_or(i64::MAX).checked_add(axis) } else { Some(axis) };
    let found = from_front.and_then(|axis| usize::try_from(axis).ok()).filter(|axis| *axis < axes);
    found.ok_or_else(|| format!("has no axis {axis} among {axes}"))
}
