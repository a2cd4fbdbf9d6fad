//! Arithmetic with shapes: numbers that operators compute from the sizes of values and from constants.

use super::graph::{Operator, ValueId};
use super::grid::{Grid, broadcast_shape};

/// Where a number comes from, as far as it was only moved since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Element `index` of the constant that is input `input` of operator `operator`.
    Constant { operator: usize, input: usize, index: usize },
    /// The length of an axis of a value.
    Axis { value: ValueId, axis: usize },
    /// A constant that no operator has read yet.
    Raw,
    /// Arithmetic.
    Computed,
}

/// A known number. Integers up to 2^53 are exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: f64,
    pub(crate) source: Source,
    /// Whether it is a float, whose quotients are not rounded.
    pub(crate) float: bool,
}

/// An array of known numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbers(pub(super) Grid<Number>);

/// Numbers that are followed at most: index maps of attention windows have thousands.
const MOST: usize = 1 << 20;

impl Numbers {
    /// Constants of a shape, integers or floats.
    pub(crate) fn constant(shape: Vec<usize>, values: Vec<f64>, float: bool) -> Option<Self> {
        let fits = shape.iter().product::<usize>() == values.len() && values.len() <= MOST;
        let number = |value| Number { value, source: Source::Raw, float };
        fits.then(|| Self(Grid { shape, items: values.into_iter().map(number).collect() }))
    }

    /// The shape.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// The numbers as integers, rounded towards zero.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "sizes and indices; beyond i64 it saturates, as slices mean it"
    )]
    pub(crate) fn integers(&self) -> Vec<i64> {
        self.0.items.iter().map(|number| number.value as i64).collect()
    }

    /// The numbers.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.items.iter().map(|number| number.value)
    }

    /// Where each comes from.
    pub(crate) fn source(&self, at: usize) -> Source {
        self.0.items.get(at).map_or(Source::Computed, |number| number.source)
    }

    /// The same numbers, entering through an input of an operator.
    pub(super) fn entering(&self, operator: usize, input: usize) -> Self {
        let item = |(index, number): (usize, &Number)| match number.source {
            Source::Raw => Number { source: Source::Constant { operator, input, index }, ..*number },
            _ => *number,
        };
        Self(Grid { shape: self.0.shape.clone(), items: self.0.items.iter().enumerate().map(item).collect() })
    }

    /// The lengths of a value's axes.
    pub(super) fn lengths(value: ValueId, shape: &[usize]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "lengths of axes are far below 2^53")]
        let item = |(axis, length): (usize, &usize)| Number {
            value: *length as f64,
            source: Source::Axis { value, axis },
            float: false,
        };
        Self(Grid::row(shape.iter().enumerate().map(item).collect()))
    }
}

/// What an operator makes of known numbers; nothing if it is not understood.
pub(super) fn fold(operator: &Operator, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let first = inputs.first().copied().flatten()?;
    let axes = |at: usize| match inputs.get(at).copied().flatten() {
        Some(given) => Some(given.integers()),
        None => operator.ints("axes").map(<[i64]>::to_vec),
    };
    let grid = match operator.kind.as_str() {
        "Identity" => first.0.clone(),
        "Cast" => cast(operator.int("to", 7), first),
        "Gather" => {
            let indices = inputs.get(1).copied().flatten()?;
            let axis = axis(operator.int("axis", 0), first.shape().len())?;
            let length = first.shape()[axis];
            let at: Vec<usize> = indices.integers().into_iter().map(|at| index(at, length)).collect::<Option<_>>()?;
            let taken = first.0.taken(axis, &at);
            let mut shape = first.shape()[..axis].to_vec();
            shape.extend(indices.shape());
            shape.extend(&first.shape()[axis + 1..]);
            taken.reshaped(shape)?
        }
        "Slice" => {
            let mut grid = first.0.clone();
            for (axis, at) in slices(operator, inputs, first.shape())? {
                grid = grid.taken(axis, &at);
            }
            grid
        }
        "Concat" => {
            let parts: Vec<Grid<Number>> =
                inputs.iter().map(|input| Some((*input)?.0.clone())).collect::<Option<_>>()?;
            Grid::concatenated(&parts, axis(operator.int("axis", 0), first.shape().len())?)?
        }
        "Unsqueeze" => {
            let shape = unsqueezed(first.shape(), &axes(1)?)?;
            first.0.clone().reshaped(shape)?
        }
        "Squeeze" => {
            let shape = squeezed(first.shape(), axes(1).as_deref())?;
            first.0.clone().reshaped(shape)?
        }
        "Reshape" => {
            let shape = reshaped(first.shape(), &inputs.get(1).copied().flatten()?.integers(), false)?;
            first.0.clone().reshaped(shape)?
        }
        "Flatten" => {
            let at = usize::try_from(operator.int("axis", 1)).ok()?.min(first.shape().len());
            let (a, b) = first.shape().split_at(at);
            let shape = vec![a.iter().product(), b.iter().product()];
            first.0.clone().reshaped(shape)?
        }
        "Transpose" => {
            let order = operator.ints("perm").map(<[i64]>::to_vec);
            let rank = first.shape().len();
            let order: Vec<usize> = match order {
                Some(order) => order.into_iter().map(|at| axis(at, rank)).collect::<Option<_>>()?,
                None => (0..rank).rev().collect(),
            };
            first.0.transposed(&order)
        }
        "Expand" => {
            let wanted: Vec<usize> = inputs
                .get(1)
                .copied()
                .flatten()?
                .integers()
                .into_iter()
                .map(|at| usize::try_from(at).ok())
                .collect::<Option<_>>()?;
            let shape = broadcast_shape(&[first.shape(), &wanted])?;
            (shape.iter().product::<usize>() <= MOST).then(|| first.0.broadcast(&shape)).flatten()?
        }
        "ConstantOfShape" => {
            let shape: Vec<usize> =
                first.integers().into_iter().map(|at| usize::try_from(at).ok()).collect::<Option<_>>()?;
            let value = match operator.attributes.get("value") {
                Some(super::graph::Attribute::Ints(values)) => exact(*values.first()?),
                None => 0.0,
                _ => return None,
            };
            let count = shape.iter().product::<usize>();
            (count <= MOST).then(|| Numbers::constant(shape, vec![value; count], false)).flatten()?.0
        }
        "Range" => {
            let ends: Vec<f64> = inputs.iter().map(|input| (*input)?.values().next()).collect::<Option<_>>()?;
            let &[start, limit, delta] = ends.as_slice() else { return None };
            let count = ((limit - start) / delta).ceil().max(0.0);
            #[expect(clippy::cast_precision_loss, reason = "a bound far below 2^53")]
            if count.is_nan() || count >= MOST as f64 {
                return None;
            }
            let (mut values, mut at) = (Vec::new(), start);
            while (delta > 0.0 && at < limit) || (delta < 0.0 && at > limit) {
                values.push(at);
                at += delta;
            }
            Numbers::constant(vec![values.len()], values, false)?.0
        }
        "Size" => Numbers::constant(Vec::new(), vec![exact(i64::try_from(first.0.items.len()).ok()?)], false)?.0,
        "ReduceProd" => Numbers::constant(vec![1], vec![first.values().product()], false)?.0,
        "Where" => {
            let (condition, yes, no) = (first, inputs.get(1).copied().flatten()?, inputs.get(2).copied().flatten()?);
            let shape = broadcast_shape(&[condition.shape(), yes.shape(), no.shape()])?;
            let [condition, yes, no] = [condition, yes, no].map(|part| part.0.broadcast(&shape));
            let (condition, yes, no) = (condition?, yes?, no?);
            let pairs = condition.items.iter().zip(yes.items.iter().zip(&no.items));
            let items = pairs.map(|(test, (yes, no))| if test.value != 0.0 { *yes } else { *no }).collect();
            Grid { shape, items }
        }
        "Clip" => {
            let bound = |at: usize, none: f64| match inputs.get(at).copied().flatten() {
                Some(bound) => bound.values().next(),
                None => Some(none),
            };
            let (low, high) = (bound(1, f64::NEG_INFINITY)?, bound(2, f64::INFINITY)?);
            let item = |number: &Number| Number {
                value: number.value.max(low).min(high),
                source: Source::Computed,
                float: number.float,
            };
            Grid { shape: first.0.shape.clone(), items: first.0.items.iter().map(item).collect() }
        }
        kind => return arithmetic(kind, inputs).or_else(|| unary(kind, first)),
    };
    // What was made here stands in no constant.
    let made = |number: Number| match number.source {
        Source::Raw => Number { source: Source::Computed, ..number },
        _ => number,
    };
    Some(Numbers(Grid { shape: grid.shape, items: grid.items.into_iter().map(made).collect() }))
}

fn cast(to: i64, numbers: &Numbers) -> Grid<Number> {
    let item = |number: &Number| match to {
        9 => Number { value: f64::from(u8::from(number.value != 0.0)), float: false, ..*number },
        2..=8 | 12 | 13 => Number { value: number.value.trunc(), float: false, ..*number },
        _ => Number { float: true, ..*number },
    };
    Grid { shape: numbers.0.shape.clone(), items: numbers.0.items.iter().map(item).collect() }
}

fn unary(kind: &str, numbers: &Numbers) -> Option<Numbers> {
    let apply: fn(f64) -> f64 = match kind {
        "Neg" => |x| -x,
        "Abs" => f64::abs,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Round" => f64::round_ties_even,
        "Sqrt" => f64::sqrt,
        "Reciprocal" => f64::recip,
        "Not" => |x| f64::from(u8::from(x == 0.0)),
        _ => return None,
    };
    let item = |number: &Number| Number { value: apply(number.value), source: Source::Computed, float: number.float };
    Some(Numbers(Grid { shape: numbers.0.shape.clone(), items: numbers.0.items.iter().map(item).collect() }))
}

fn arithmetic(kind: &str, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let truth = |value: bool| f64::from(u8::from(value));
    #[expect(clippy::float_cmp, reason = "sizes are integers")]
    let apply = |a: f64, b: f64, float: bool| {
        Some(match kind {
            "Add" => a + b,
            "Sub" => a - b,
            "Mul" => a * b,
            "Div" if !float => (a / b).trunc(),
            "Div" => a / b,
            "Mod" => a.rem_euclid(b),
            "Min" => a.min(b),
            "Max" => a.max(b),
            "Pow" => a.powf(b),
            "Equal" => truth(a == b),
            "Less" => truth(a < b),
            "Greater" => truth(a > b),
            "LessOrEqual" => truth(a <= b),
            "GreaterOrEqual" => truth(a >= b),
            "And" => truth(a != 0.0 && b != 0.0),
            "Or" => truth(a != 0.0 || b != 0.0),
            _ => return None,
        })
    };
    let (a, b) = (inputs.first().copied().flatten()?, inputs.get(1).copied().flatten()?);
    let shape = broadcast_shape(&[a.shape(), b.shape()])?;
    let (a, b) = (a.0.broadcast(&shape)?, b.0.broadcast(&shape)?);
    let pair = |(a, b): (&Number, &Number)| {
        let float = a.float || b.float;
        Some(Number { value: apply(a.value, b.value, float)?, source: Source::Computed, float })
    };
    Some(Numbers(Grid { shape, items: a.items.iter().zip(&b.items).map(pair).collect::<Option<_>>()? }))
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53; the largest mean the end of an axis")]
pub(super) fn exact(value: i64) -> f64 {
    value as f64
}

/// An axis counted from either end.
pub(crate) fn axis(axis: i64, rank: usize) -> Option<usize> {
    index(axis, rank)
}

fn index(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i64::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

/// For each axis of a slice the places that it takes.
pub(crate) fn slices(
    operator: &Operator,
    inputs: &[Option<&Numbers>],
    shape: &[usize],
) -> Option<Vec<(usize, Vec<usize>)>> {
    let given = |at: usize, name: &str| match inputs.get(at).copied().flatten() {
        Some(numbers) => Some(numbers.integers()),
        None => operator.ints(name).map(<[i64]>::to_vec),
    };
    let (starts, ends) = (given(1, "starts")?, given(2, "ends")?);
    let axes = given(3, "axes").unwrap_or_else(|| (0..i64::try_from(starts.len()).unwrap_or(0)).collect());
    let steps = given(4, "steps").unwrap_or_else(|| vec![1; starts.len()]);
    let mut slices = Vec::new();
    for (at, (start, end)) in starts.iter().zip(&ends).enumerate() {
        let axis = axis(*axes.get(at)?, shape.len())?;
        let length = i64::try_from(shape[axis]).ok()?;
        let step = *steps.get(at)?;
        let front = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
        let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let (start, end) = (front(*start).clamp(low.max(0), high.max(0)), front(*end).clamp(low, high));
        if step == 0 {
            return None;
        }
        let mut places = Vec::new();
        let mut place = start;
        while (step > 0 && place < end) || (step < 0 && place > end) {
            places.push(usize::try_from(place).ok()?);
            place += step;
        }
        slices.push((axis, places));
    }
    Some(slices)
}

/// The shape with axes of length one added.
pub(super) fn unsqueezed(shape: &[usize], axes: &[i64]) -> Option<Vec<usize>> {
    let rank = shape.len() + axes.len();
    let mut axes: Vec<usize> = axes.iter().map(|at| axis(*at, rank)).collect::<Option<_>>()?;
    axes.sort_unstable();
    let mut out = shape.to_vec();
    for at in axes {
        if at > out.len() {
            return None;
        }
        out.insert(at, 1);
    }
    Some(out)
}

/// The shape without axes of length one: those named, or all.
pub(super) fn squeezed(shape: &[usize], axes: Option<&[i64]>) -> Option<Vec<usize>> {
    let gone: Vec<usize> = match axes {
        Some(axes) if !axes.is_empty() => axes.iter().map(|at| axis(*at, shape.len())).collect::<Option<_>>()?,
        _ => (0..shape.len()).filter(|at| shape[*at] == 1).collect(),
    };
    if gone.iter().any(|at| shape[*at] != 1) {
        return None;
    }
    Some(shape.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, length)| *length).collect())
}

/// The shape that `wanted` asks for: 0 keeps an axis, one -1 takes what is left.
pub(super) fn reshaped(from: &[usize], wanted: &[i64], allow_zero: bool) -> Option<Vec<usize>> {
    let (mut shape, mut open) = (Vec::new(), None);
    for (at, length) in wanted.iter().enumerate() {
        shape.push(match length {
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            0 if !allow_zero => *from.get(at)?,
            length => usize::try_from(*length).ok()?,
        });
    }
    let total: usize = from.iter().product();
    let known: usize = shape.iter().product();
    match open {
        Some(at) if known > 0 && total.is_multiple_of(known) => shape[at] = total / known,
        None if known == total => {}
        _ => return None,
    }
    Some(shape)
}
