//! Operations as layers of an architecture.
//!
//! Axes are counted with the batch, as frameworks count them: channels are axis 1. Numbers for height and width may be one
//! number for both, padding one number, height and width, or top, left, bottom and right.

use std::ops::Range;
use std::path::Path;

use toml::{Table, Value};

use super::fields::Fields;
use super::{Layer, functions};
use crate::error::Result;
use crate::network::format::store::Store;
use crate::network::{Op, Tensor, Window};

/// Attributes that name tensors of an operation that is carried along.
const TENSORS: [&str; 5] = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];

/// Axes that a value may have, the batch not counted.
const MOST_AXES: usize = 64;

/// The operation of a layer, taking its tensors from `store`; `file` is where the architecture stands.
///
/// A `conv2d` of which only the tensors are known (no stride, padding, dilation, groups) and a `batchnorm` without
/// `epsilon` are carried along: nothing is assumed.
pub(super) fn op(layer: Layer, file: &Path, store: &mut Store) -> Result<Op> {
    let mut fields = Fields::new(&layer.name, &layer.op, file, layer.attributes);
    if let Some(known) = known(&layer.op) {
        fields.allow(known)?;
    }
    Ok(match layer.op.as_str() {
        "linear" => {
            let weight = fields.weight("weight", 2, store)?;
            let bias = fields.vector("bias", weight.dimensions()[0], store)?;
            Op::Linear { weight, bias }
        }
        "conv2d" if ["stride", "padding", "dilation", "groups"].iter().any(|key| fields.has(key)) => {
            conv(&mut fields, store)?
        }
        "batchnorm" if fields.has("epsilon") => batch_norm(&mut fields, store)?,
        "relu" => Op::Relu,
        "leaky_relu" => {
            let slope = fields.number("negative_slope")?.unwrap_or(0.01);
            if !(0.0..1.0).contains(&slope) {
                return fields.refused(&format!("`negative_slope` is {slope}, expected at least 0 and below 1"));
            }
            Op::LeakyRelu { slope }
        }
        "maxpool" => {
            let window = pool_window(&mut fields)?;
            Op::MaxPool { window, ceil: fields.flag("ceil")?.unwrap_or(false) }
        }
        "avgpool" => {
            let (window, ceil) = (pool_window(&mut fields)?, fields.flag("ceil")?.unwrap_or(false));
            let count_include_pad = match fields.flag("count_include_pad")? {
                Some(flag) => flag,
                // Frameworks differ in the default.
                None if window.padding == [0; 4] => false,
                None => return fields.refused("`avgpool` with padding needs `count_include_pad`"),
            };
            Op::AveragePool { window, ceil, count_include_pad }
        }
        "globalavgpool" => Op::GlobalAveragePool,
        "flatten" => {
            if fields.counts("start_dim")?.is_some_and(|axis| axis != [1]) {
                return fields.refused("only `start_dim = 1` is supported");
            }
            Op::Flatten
        }
        "reshape" => {
            let shape = fields.counts("shape")?.unwrap_or_default();
            let length = shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
            if shape.is_empty() || length.is_none_or(|length| length == 0) {
                return fields.refused(&format!("`shape` is {shape:?}, expected lengths without the batch"));
            }
            Op::Reshape { shape }
        }
        "transpose" => transpose(&mut fields)?,
        "add" => Op::Add,
        "mul" => Op::Multiply,
        "concat" => match fields.counts("axis")?.as_deref() {
            None => Op::Concat { axis: 0 },
            Some(&[axis]) if axis > 0 => Op::Concat { axis: axis - 1 },
            Some(other) => return fields.refused(&format!("`axis` is {other:?}, expected one axis behind the batch")),
        },
        "softmax" => Op::Softmax { log: false, axes: softmax_axes(&mut fields)? },
        "logsoftmax" => Op::Softmax { log: true, axes: softmax_axes(&mut fields)? },
        "identity" | "dropout" => Op::Identity,
        name if functions::KNOWN.contains(&name) => Op::Function(functions::read(&mut fields, name)?),
        _ => return carried(layer.op.clone(), fields, store),
    })
}

/// The attributes of the operations that tropix computes.
fn known(op: &str) -> Option<&'static [&'static str]> {
    Some(match op {
        "linear" => &["weight", "bias"],
        "conv2d" => &["weight", "bias", "stride", "padding", "dilation", "groups"],
        "batchnorm" => &["weight", "bias", "running_mean", "running_var", "num_batches_tracked", "epsilon"],
        "leaky_relu" => &["negative_slope"],
        "maxpool" => &["size", "stride", "padding", "dilation", "ceil"],
        "avgpool" => &["size", "stride", "padding", "dilation", "ceil", "count_include_pad"],
        "flatten" => &["start_dim"],
        "reshape" => &["shape"],
        "transpose" => &["axes"],
        "concat" | "softmax" | "logsoftmax" => &["axis"],
        "dropout" => &["p"],
        name if functions::KNOWN.contains(&name) => functions::attributes_of(name),
        "relu" | "globalavgpool" | "add" | "mul" | "identity" => &[],
        _ => return None,
    })
}

fn conv(fields: &mut Fields<'_>, store: &mut Store) -> Result<Op> {
    let weight = fields.weight("weight", 4, store)?;
    let &[outputs, _, height, width] = weight.dimensions() else {
        return fields.refused("a kernel has four axes");
    };
    let bias = fields.vector("bias", outputs, store)?;
    let window = window(fields, [height, width], [1, 1])?;
    let groups = match fields.counts("groups")?.as_deref() {
        None => 1,
        Some(&[groups]) if groups > 0 && outputs.is_multiple_of(groups) => groups,
        Some(other) => {
            return fields.refused(&format!("`groups` is {other:?}, which does not divide {outputs} outputs"));
        }
    };
    Ok(Op::Conv { weight, bias, window, groups })
}

fn batch_norm(fields: &mut Fields<'_>, store: &mut Store) -> Result<Op> {
    let scale = fields.weight("weight", 1, store)?;
    let mut vector = |key: &str| match fields.vector(key, scale.len(), store)? {
        Some(tensor) => Ok(tensor),
        None => fields.refused(&format!("`batchnorm` needs a `{key}`")),
    };
    let (bias, mean, var) = (vector("bias")?, vector("running_mean")?, vector("running_var")?);
    // The counter is of no use at inference: it stays in the file as a tensor that no layer uses.
    match fields.number("epsilon")? {
        Some(epsilon) if epsilon >= 0.0 && epsilon.is_finite() => Ok(Op::BatchNorm { scale, bias, mean, var, epsilon }),
        other => fields.refused(&format!("`epsilon` is {other:?}, expected a number that is not negative")),
    }
}

fn pool_window(fields: &mut Fields<'_>) -> Result<Window> {
    let Some(size) = fields.pair("size")? else {
        return fields.refused("a pooling needs a `size`");
    };
    let window = window(fields, size, size)?;
    let [top, left, bottom, right] = window.padding;
    if top.max(bottom) >= size[0] || left.max(right) >= size[1] {
        return fields.refused(&format!("padding {:?} leaves windows of {size:?} empty", window.padding));
    }
    Ok(window)
}

fn window(fields: &mut Fields<'_>, size: [usize; 2], default_stride: [usize; 2]) -> Result<Window> {
    let stride = fields.pair("stride")?.unwrap_or(default_stride);
    let dilation = fields.pair("dilation")?.unwrap_or([1, 1]);
    let padding = match fields.counts("padding")?.as_deref() {
        None => [0; 4],
        Some(&[all]) => [all; 4],
        Some(&[height, width]) => [height, width, height, width],
        Some(&[top, left, bottom, right]) => [top, left, bottom, right],
        Some(other) => {
            let rule = "expected one number, height and width, or top, left, bottom and right";
            return fields.refused(&format!("`padding` is {other:?}, {rule}"));
        }
    };
    for (key, values) in [("size", size), ("stride", stride), ("dilation", dilation)] {
        if values.contains(&0) {
            return fields.refused(&format!("`{key}` is {values:?}, expected numbers above 0"));
        }
    }
    Ok(Window { size, stride, padding, dilation })
}

fn transpose(fields: &mut Fields<'_>) -> Result<Op> {
    let order = fields.counts("axes")?.unwrap_or_default();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if order.first() != Some(&0) || order.len() < 2 || !sorted.iter().copied().eq(0..order.len()) {
        let rule = "expected an order of all axes that leaves the batch, axis 0, where it is";
        return fields.refused(&format!("`axes` is {order:?}, {rule}"));
    }
    Ok(Op::Transpose { order: order[1..].iter().map(|axis| axis - 1).collect() })
}

/// The axes whose values a softmax compares, counted with the batch: one, or several neighbours; the classes by default.
fn softmax_axes(fields: &mut Fields<'_>) -> Result<Range<usize>> {
    let Some(given) = fields.counts("axis")? else { return Ok(1..2) };
    match (given.first(), given.last()) {
        (Some(&first), Some(&last)) if last <= MOST_AXES && given.iter().copied().eq(first..last + 1) => {
            Ok(first..last + 1)
        }
        _ => fields.refused(&format!("`axis` is {given:?}, expected an axis, or several one after the other")),
    }
}

fn carried(op: String, mut fields: Fields<'_>, store: &mut Store) -> Result<Op> {
    let mut tensors = Vec::new();
    let mut names = Table::new();
    for key in TENSORS {
        if let Some(name) = fields.name(key)? {
            let layer = fields.layer();
            tensors.push(match key {
                "num_batches_tracked" => store.take(&name, layer)?,
                _ => store.take_weight(&name, layer)?,
            });
            names.insert(key.to_owned(), name.into());
        }
    }
    let mut attributes = fields.rest();
    attributes.extend(names);
    Ok(Op::Carried { op, tensors, attributes })
}

/// The attributes of an operation, so that [`op`] gives it back.
pub(super) fn attributes(op: &Op) -> Table {
    let mut table = Table::new();
    let mut put = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
    let name = |tensor: &Tensor| Value::from(tensor.name());
    match op {
        Op::Linear { weight, bias } => {
            put("weight", name(weight));
            bias.iter().for_each(|bias| put("bias", name(bias)));
        }
        Op::Conv { weight, bias, window, groups } => {
            put("weight", name(weight));
            bias.iter().for_each(|bias| put("bias", name(bias)));
            put_window(&mut put, window);
            if *groups != 1 {
                put("groups", count(*groups));
            }
        }
        Op::BatchNorm { scale, bias, mean, var, epsilon } => {
            for (key, tensor) in [("weight", scale), ("bias", bias), ("running_mean", mean), ("running_var", var)] {
                put(key, name(tensor));
            }
            put("epsilon", (*epsilon).into());
        }
        Op::LeakyRelu { slope } => put("negative_slope", (*slope).into()),
        Op::Function(function) => {
            functions::parameters(*function).into_iter().for_each(|(key, value)| put(key, value.into()));
        }
        Op::MaxPool { window, ceil } => {
            put("size", pair(window.size));
            put_window(&mut put, window);
            if *ceil {
                put("ceil", true.into());
            }
        }
        Op::AveragePool { window, ceil, count_include_pad } => {
            put("size", pair(window.size));
            put_window(&mut put, window);
            if *ceil {
                put("ceil", true.into());
            }
            put("count_include_pad", (*count_include_pad).into());
        }
        Op::Reshape { shape } => put("shape", list(shape.iter().copied())),
        Op::Transpose { order } => put("axes", list(std::iter::once(0).chain(order.iter().map(|axis| axis + 1)))),
        Op::Concat { axis } => put("axis", count(axis + 1)),
        Op::Carried { attributes, .. } => return attributes.clone(),
        Op::Softmax { axes, .. } if *axes == (1..2) => {}
        Op::Softmax { axes, .. } if axes.len() == 1 => put("axis", count(axes.start)),
        Op::Softmax { axes, .. } => put("axis", list(axes.clone())),
        Op::Relu | Op::GlobalAveragePool | Op::Flatten | Op::Add | Op::Multiply | Op::Identity => {}
    }
    table
}

fn put_window(put: &mut impl FnMut(&str, Value), window: &Window) {
    put("stride", pair(window.stride));
    let [top, left, bottom, right] = window.padding;
    put("padding", if (top, left) == (bottom, right) { pair([top, left]) } else { list(window.padding.into_iter()) });
    if window.dilation != [1, 1] {
        put("dilation", pair(window.dilation));
    }
}

fn pair(values: [usize; 2]) -> Value {
    if values[0] == values[1] { count(values[0]) } else { list(values.into_iter()) }
}

fn list(values: impl Iterator<Item = usize>) -> Value {
    Value::Array(values.map(count).collect())
}

fn count(value: usize) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
