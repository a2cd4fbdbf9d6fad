//! Shapes: reshaping what flows, and computing with shapes and constants.

use super::{Binding, Constant, Dim, Import, Outcome, Value, fault};
use crate::network::Op;
use crate::network::format::onnx::attributes::{self, axis, count};
use crate::network::format::onnx::proto;

impl<'a> Import<'a> {
    /// Folds a node that computes with shapes or constants alone; whether it was one.
    pub(super) fn folds(&mut self, node: &'a proto::Node) -> Outcome<bool> {
        let first = match (node.op_type(), self.value(node, 0)?.clone()) {
            // Constant integers are a shape, or what becomes part of one.
            ("Gather" | "Slice" | "Cast", Value::Constant(_)) if self.dims(node, 0).is_ok() => {
                Value::Dims(self.dims(node, 0)?)
            }
            (_, value) => value,
        };
        let value = match (node.op_type(), first) {
            ("Shape", Value::Flow(name)) => {
                let Some(shape) = self.shape(&name) else { return fault("asks for a shape that is not known") };
                let axes = shape.iter().map(|axis| i64::try_from(*axis).map(Dim::Known));
                let axes: Result<Vec<Dim>, _> = axes.collect();
                let mut dims = vec![Dim::Batch];
                dims.extend(axes.map_err(|_| "a shape overflows".to_owned())?);
                if node.attribute("start").is_some() || node.attribute("end").is_some() {
                    let axes = dims.len();
                    let bound = |name: &str, default: usize| match node.attribute(name) {
                        Some(attribute) => clamp(attribute.i(), axes),
                        None => default,
                    };
                    dims = dims.get(bound("start", 0)..bound("end", axes)).map(<[Dim]>::to_vec).unwrap_or_default();
                }
                Value::Dims(dims)
            }
            ("Gather", Value::Dims(dims)) => {
                let picked = self.ints(node, 1)?.into_iter().map(|at| axis(at, dims.len()).map(|at| dims[at]));
                Value::Dims(picked.collect::<Result<_, _>>()?)
            }
            ("Slice", Value::Dims(dims)) => {
                let given = |input: usize, name: &str| -> Outcome<Option<i64>> {
                    let values = if Self::has(node, input) {
                        self.ints(node, input)?
                    } else {
                        attributes::ints(node, name).to_vec()
                    };
                    match values.as_slice() {
                        [] => Ok(None),
                        &[value] => Ok(Some(value)),
                        several => fault(format!("of a shape has `{name}` {several:?}, expected one")),
                    }
                };
                let (Some(start), Some(end)) = (given(1, "starts")?, given(2, "ends")?) else {
                    return fault("lacks its bounds");
                };
                if let Some(at) = given(3, "axes")? {
                    axis(at, 1)?;
                }
                Value::Dims(slice(&dims, start, end, given(4, "steps")?.unwrap_or(1))?)
            }
            ("Cast", Value::Dims(dims)) => match attributes::int(node, "to", 0)? {
                6 | 7 => Value::Dims(dims),
                other => return fault(format!("of a shape to the type {other}")),
            },
            ("Unsqueeze" | "Squeeze" | "Identity", Value::Dims(dims)) => Value::Dims(dims),
            ("Concat", Value::Dims(_) | Value::Constant(_)) => {
                let mut all = Vec::new();
                for input in 0..node.input.len() {
                    all.extend(self.dims(node, input)?);
                }
                Value::Dims(all)
            }
            ("Identity", Value::Constant(constant)) => Value::Constant(constant),
            ("Unsqueeze" | "Squeeze", Value::Constant(_)) if self.dims(node, 0).is_ok() => {
                Value::Dims(self.dims(node, 0)?)
            }
            ("Reshape", Value::Constant(constant)) if !constant.turned => {
                let stored = self.stored(&constant)?;
                let from = constant.dims.clone().map_or_else(
                    || stored.dims.iter().map(|axis| count("dims", *axis)).collect::<Result<Vec<_>, _>>(),
                    Ok,
                )?;
                let wanted: Vec<Dim> = self.ints(node, 1)?.into_iter().map(Dim::Known).collect();
                let dims = resolve(&wanted, &from)?;
                Value::Constant(Constant { dims: Some(dims), ..constant })
            }
            ("Transpose", Value::Constant(constant)) => {
                let axes = constant.dims.as_ref().map_or(self.stored(&constant)?.dims.len(), Vec::len);
                if axes != 2 || !matches!(attributes::ints(node, "perm"), [] | [1, 0]) {
                    return fault("of a constant that is no matrix");
                }
                Value::Constant(Constant { turned: !constant.turned, ..constant })
            }
            (_, Value::Flow(_) | Value::Padded(_)) => return Ok(false),
            _ => return fault("of a constant is not supported"),
        };
        self.give(node, value)?;
        Ok(true)
    }

    /// A change of shape that leaves the batch where it is.
    pub(super) fn reshape(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let input = self.flow(node, 0)?;
        let Some(shape) = self.shape(&input).cloned() else { return fault("of an unknown shape") };
        let length: usize = shape.iter().product();
        let mut batch = None;
        let target = match node.op_type() {
            "Flatten" => {
                let at = attributes::int(node, "axis", 1)?;
                if axis(at, shape.len() + 1)? != 1 {
                    return fault(format!("`axis` {at} does not keep the batch apart"));
                }
                vec![length]
            }
            "Reshape" => {
                let mut wanted = self.dims(node, 1)?;
                if attributes::int(node, "allowzero", 0)? != 0 && wanted.contains(&Dim::Known(0)) {
                    return fault("`allowzero` with a zero in the shape");
                }
                let Some(first) = wanted.first().copied() else { return fault("to a shape without axes") };
                wanted.remove(0);
                // A zero keeps the axis, so the batch; a one is a batch of one; -1 what is left of the others.
                let target = match first {
                    Dim::Batch | Dim::Known(0) => {
                        batch = Some(0);
                        resolve(&wanted, &shape)?
                    }
                    Dim::Known(-1) if !wanted.contains(&Dim::Known(-1)) => {
                        batch = Some(-1);
                        resolve(&wanted, &shape)?
                    }
                    Dim::Known(value) if value > 0 && self.fixed_batch() == Some(value) => {
                        batch = Some(value);
                        resolve(&wanted, &shape)?
                    }
                    other => return fault(format!("does not keep the batch apart ({other:?} in its place)")),
                };
                if wanted.contains(&Dim::Known(-1)) {
                    // What is left is left for any number of channels.
                    batch = None;
                }
                target
            }
            "Squeeze" => {
                let axes =
                    if Self::has(node, 1) { self.ints(node, 1)? } else { attributes::ints(node, "axes").to_vec() };
                let mut axes = axes.iter().map(|at| axis(*at, shape.len() + 1)).collect::<Result<Vec<_>, _>>()?;
                if axes.is_empty() {
                    if self.fixed_batch() == Some(1) {
                        return fault("without axes removes the batch, which is 1");
                    }
                    axes = (1..=shape.len()).filter(|at| shape[at - 1] == 1).collect();
                }
                if axes.iter().any(|at| *at == 0 || shape[at - 1] != 1) {
                    return fault(format!("removes axes {axes:?} of {shape:?} behind the batch"));
                }
                let kept = shape.iter().enumerate().filter(|(at, _)| !axes.contains(&(at + 1)));
                kept.map(|(_, length)| *length).collect()
            }
            _ => {
                let axes =
                    if Self::has(node, 1) { self.ints(node, 1)? } else { attributes::ints(node, "axes").to_vec() };
                let total = shape.len() + 1 + axes.len();
                let mut axes = axes.iter().map(|at| axis(*at, total)).collect::<Result<Vec<_>, _>>()?;
                axes.sort_unstable();
                let mut target = shape.clone();
                for at in axes {
                    if at == 0 || at - 1 > target.len() {
                        return fault("adds an axis before the batch");
                    }
                    target.insert(at - 1, 1);
                }
                target
            }
        };
        let op = if target.len() == 1 { Op::Flatten } else { Op::Reshape { shape: target } };
        self.push(at, node, op, vec![input], Binding { node: at, batch, ..Binding::default() })
    }

    /// The batch of the graph's input, if it is a number.
    fn fixed_batch(&self) -> Option<i64> {
        let flow = |name: &&str| matches!(self.values.get(name), Some(Value::Flow(flow)) if flow == crate::network::Network::INPUT);
        let input = self.graph.input.iter().find(|input| flow(&input.name()))?;
        input.dims()?.first()?.dim_value
    }

    pub(super) fn transpose(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let input = self.flow(node, 0)?;
        let order = attributes::ints(node, "perm").iter().map(|axis| count("perm", *axis));
        let order = order.collect::<Result<Vec<_>, _>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if order.first() != Some(&0) || order.len() < 2 || !sorted.iter().copied().eq(0..order.len()) {
            return fault(format!("`perm` is {order:?}, which does not keep the batch first"));
        }
        let order = order[1..].iter().map(|axis| axis - 1).collect();
        self.push(at, node, Op::Transpose { order }, vec![input], Binding { node: at, ..Binding::default() })
    }
}

/// Every `step`-th entry from `start` to before `end`, both counted from either end.
fn slice(dims: &[Dim], start: i64, end: i64, step: i64) -> Outcome<Vec<Dim>> {
    let length = i64::try_from(dims.len()).unwrap_or(i64::MAX);
    let front = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let (start, end, ahead) = match step {
        0 => return fault("has a step of 0"),
        1.. => (front(start).clamp(0, length), front(end).clamp(0, length), true),
        _ => (front(start).clamp(-1, length - 1), front(end).clamp(-1, length - 1), false),
    };
    let mut taken = Vec::new();
    let mut at = start;
    while if ahead { at < end } else { at > end } {
        taken.extend(usize::try_from(at).ok().and_then(|at| dims.get(at)).copied());
        at = at.saturating_add(step);
    }
    Ok(taken)
}

/// An index counted from either end, within `0 ..= length`.
fn clamp(at: i64, length: usize) -> usize {
    let from_front = if at < 0 { i64::try_from(length).unwrap_or(i64::MAX).saturating_add(at) } else { at };
    usize::try_from(from_front.max(0)).unwrap_or(usize::MAX).min(length)
}

/// The shape that `wanted` asks for of elements of shape `from`: 0 keeps an axis, one -1 takes what is left.
fn resolve(wanted: &[Dim], from: &[usize]) -> Outcome<Vec<usize>> {
    let total: usize = from.iter().product();
    let (mut shape, mut open) = (Vec::with_capacity(wanted.len()), None);
    for (at, dim) in wanted.iter().enumerate() {
        match *dim {
            Dim::Known(-1) if open.is_none() => {
                open = Some(at);
                shape.push(1);
            }
            Dim::Known(0) => match from.get(at) {
                Some(length) => shape.push(*length),
                None => return fault("a zero in a shape has no axis to keep"),
            },
            Dim::Known(length) if length > 0 => shape.push(count("shape", length)?),
            other => return fault(format!("{other:?} in a shape")),
        }
    }
    let known = shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
    match (open, known.filter(|known| *known > 0)) {
        (Some(at), Some(known)) if total.is_multiple_of(known) => shape[at] = total / known,
        (None, Some(known)) if known == total => {}
        _ => return fault(format!("a shape {shape:?} for {from:?}")),
    }
    Ok(shape)
}
