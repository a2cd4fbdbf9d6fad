//! Shapes of a whole graph, without the batch.

use super::op::Op;
use super::window::Window;

/// The shape of what flows along an edge, if it is known, and the node that decided it.
#[derive(Debug, Clone)]
pub(in crate::network) struct Flow<'a> {
    pub(in crate::network) shape: Option<Vec<usize>>,
    pub(in crate::network) source: &'a str,
}

impl Flow<'_> {
    fn len(&self) -> Option<usize> {
        self.shape.as_ref().map(|shape| shape.iter().product())
    }
}

/// The output of node `name` from what flows in, or the places where it does not fit.
pub(in crate::network) fn infer<'a>(name: &'a str, op: &Op, inputs: &[Flow<'a>]) -> Result<Flow<'a>, Vec<String>> {
    let takes_many = matches!(op, Op::Add | Op::Multiply | Op::Concat { .. } | Op::Carried { .. });
    if inputs.len() != 1 && (!takes_many || (inputs.is_empty() && !matches!(op, Op::Carried { .. }))) {
        let expected = if takes_many { "at least one input" } else { "exactly one input" };
        return Err(vec![format!("`{name}`: `{}` reads {expected}, not {}", op.name(), inputs.len())]);
    }
    let unknown = Flow { shape: None, source: name };
    let Some(first) = inputs.first() else { return Ok(unknown) };
    let here = |shape: Option<Vec<usize>>| Ok(Flow { shape, source: name });
    let one = |problem: String| Err(vec![problem]);
    match op {
        Op::Linear { weight, .. } => {
            let [outputs, takes] = weight.matrix_shape();
            match first.len() {
                Some(given) if given != takes => one(mismatch(first.source, given, name, takes)),
                _ => here(Some(vec![outputs])),
            }
        }
        Op::Conv { weight, window, groups, .. } => {
            let &[outputs, per_group, ..] = weight.dimensions() else {
                return one(format!("`{name}`: a kernel of shape {:?}", weight.dimensions()));
            };
            let Some(shape) = &first.shape else { return Ok(unknown) };
            let [channels, height, width] = image(name, op, shape)?;
            match per_group.checked_mul(*groups) {
                Some(takes) if takes == channels => {}
                takes => return one(mismatch(first.source, channels, name, takes.unwrap_or(usize::MAX))),
            }
            let [height, width] = places(name, window, [height, width], false)?;
            here(Some(vec![outputs, height, width]))
        }
        Op::BatchNorm { scale, .. } => match first.shape.as_ref().and_then(|shape| shape.first()) {
            Some(given) if *given != scale.len() => one(mismatch(first.source, *given, name, scale.len())),
            _ => Ok(first.clone()),
        },
        Op::MaxPool { window, ceil } | Op::AveragePool { window, ceil, .. } => {
            let Some(shape) = &first.shape else { return Ok(unknown) };
            let [channels, height, width] = image(name, op, shape)?;
            let [height, width] = places(name, window, [height, width], *ceil)?;
            Ok(Flow { shape: Some(vec![channels, height, width]), source: first.source })
        }
        Op::GlobalAveragePool => {
            let Some(shape) = &first.shape else { return Ok(unknown) };
            let [channels, ..] = image(name, op, shape)?;
            Ok(Flow { shape: Some(vec![channels, 1, 1]), source: first.source })
        }
        Op::Flatten => Ok(Flow { shape: first.len().map(|length| vec![length]), source: first.source }),
        Op::Reshape { shape } => {
            let length: usize = shape.iter().product();
            match (&first.shape, first.len()) {
                (Some(given), Some(elements)) if elements != length => {
                    one(format!("`{name}` makes {shape:?} of `{}`, which is {given:?}", first.source))
                }
                _ => here(Some(shape.clone())),
            }
        }
        Op::Transpose { order } => match &first.shape {
            Some(shape) if shape.len() != order.len() => {
                one(format!("`{name}` orders {} axes, `{}` gives {shape:?}", order.len(), first.source))
            }
            shape => here(shape.as_ref().map(|shape| order.iter().map(|axis| shape[*axis]).collect())),
        },
        Op::Add => {
            let known = || inputs.iter().filter_map(|input| input.shape.as_ref().map(|shape| (input.source, shape)));
            let Some((source, shape)) = known().next() else { return Ok(unknown) };
            match known().find(|(_, other)| *other != shape) {
                Some((other, theirs)) => {
                    one(format!("`{name}` adds {shape:?} of `{source}` and {theirs:?} of `{other}`"))
                }
                None => here(Some(shape.clone())),
            }
        }
        Op::Multiply => {
            let [a, b] = inputs else {
                return one(format!("`{name}`: `mul` reads two inputs, not {}", inputs.len()));
            };
            let (Some(left), Some(right)) = (&a.shape, &b.shape) else { return Ok(unknown) };
            match product(left, right) {
                Some(shape) => here(Some(shape)),
                None => one(format!("`{name}` multiplies {left:?} of `{}` and {right:?} of `{}`", a.source, b.source)),
            }
        }
        Op::Concat { axis } => concat(name, *axis, inputs),
        Op::Softmax { axes, .. } => match &first.shape {
            Some(shape) if axes.is_empty() || axes.end > shape.len() + 1 => one(format!(
                "`{name}` is over axes {axes:?}, counted with the batch, of `{}`, which is {shape:?}",
                first.source
            )),
            _ => Ok(first.clone()),
        },
        Op::Relu | Op::LeakyRelu { .. } | Op::Function(_) | Op::Identity => Ok(first.clone()),
        Op::Carried { .. } if op.keeps_shape() => Ok(first.clone()),
        Op::Carried { .. } => Ok(unknown),
    }
}

/// The shape of a product of equal shapes, or of channels and their factors.
fn product(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let gates = |image: &[usize], gate: &[usize]| {
        gate.len() == image.len() && gate.first() == image.first() && gate.iter().skip(1).all(|axis| *axis == 1)
    };
    if a == b || gates(a, b) {
        return Some(a.to_vec());
    }
    gates(b, a).then(|| b.to_vec())
}

fn concat<'a>(name: &'a str, axis: usize, inputs: &[Flow<'a>]) -> Result<Flow<'a>, Vec<String>> {
    let mut total: Option<Vec<usize>> = None;
    for input in inputs {
        let Some(shape) = &input.shape else { return Ok(Flow { shape: None, source: name }) };
        let Some(&length) = shape.get(axis) else {
            return Err(vec![format!("`{name}` joins along axis {axis}, `{}` gives {shape:?}", input.source)]);
        };
        match &mut total {
            None => total = Some(shape.clone()),
            Some(total) => {
                let fits = |i: usize| i == axis || total.get(i) == shape.get(i);
                if total.len() != shape.len() || !(0..shape.len()).all(fits) {
                    return Err(vec![format!("`{name}` cannot join {total:?} and {shape:?} along axis {axis}")]);
                }
                total[axis] = total[axis].saturating_add(length);
            }
        }
    }
    Ok(Flow { shape: total, source: name })
}

fn image(name: &str, op: &Op, shape: &[usize]) -> Result<[usize; 3], Vec<String>> {
    let refused = || vec![format!("`{name}`: `{}` takes an image of three axes, not {shape:?}", op.name())];
    shape.try_into().map_err(|_| refused())
}

fn places(name: &str, window: &Window, image: [usize; 2], ceil: bool) -> Result<[usize; 2], Vec<String>> {
    window.places(image, ceil).ok_or_else(|| {
        let ([height, width], padding) = (window.size, window.padding);
        vec![format!("`{name}`: a window of {height} x {width} does not fit {image:?} with padding {padding:?}")]
    })
}

/// Says that `source` gives another length than `taker` takes, and what a flatten between them would explain.
pub(in crate::network) fn mismatch(source: &str, given: usize, taker: &str, takes: usize) -> String {
    let hint = match takes.checked_rem(given) {
        Some(0) => format!(" (= {given} x {}?)", takes / given),
        _ => String::new(),
    };
    format!("`{source}` gives {given}, `{taker}` takes {takes}{hint}")
}
