//! Operators that compute element by element.

use super::build::{Builder, Held, Ruled};
use super::step::Step;
use crate::backend::{Combination, Function};
use crate::network::spaces::{Attribute, Grid, broadcast_shape};

impl Builder<'_> {
    pub(super) fn elementwise(&mut self, kind: &str) -> Option<Ruled<Vec<Held>>> {
        let how = match kind {
            "Add" | "Sum" | "Mean" => Combination::Add,
            "Sub" => Combination::Subtract,
            "Mul" => Combination::Multiply,
            "Div" => Combination::Divide,
            "Max" => Combination::Max,
            "Min" => Combination::Min,
            _ => return self.one(kind).map(|held| held.map(|held| vec![held])),
        };
        Some(self.joined(how).and_then(|held| match kind {
            "Mean" => {
                #[expect(clippy::cast_precision_loss, reason = "a handful of operands")]
                let share = 1.0 / self.now().inputs.len() as f32;
                Ok(vec![self.map(Step::Scale(share), &held)?])
            }
            _ => Ok(vec![held]),
        }))
    }

    /// Operators of one value, some with parameters.
    fn one(&mut self, kind: &str) -> Option<Ruled<Held>> {
        let float = |builder: &Self, name: &str, default: f32| match builder.now().attributes.get(name) {
            Some(Attribute::Float(value)) => *value,
            _ => default,
        };
        let function = match kind {
            "Identity" | "Dropout" => return Some(self.operand(0)),
            "Cast" => return Some(self.cast()),
            "Clip" => return Some(self.clip()),
            "PRelu" => return Some(self.prelu()),
            "Pow" => return Some(self.power()),
            "com.microsoft.BiasGelu" | "com.microsoft.FastGelu" | "com.microsoft.QuickGelu" => {
                return Some(self.foreign(kind));
            }
            "Relu" => return Some(self.operand(0).and_then(|x| self.map(Step::Relu, &x))),
            "Neg" => return Some(self.operand(0).and_then(|x| self.map(Step::Scale(-1.0), &x))),
            "Swish" => {
                let alpha = float(self, "alpha", 1.0);
                return Some(self.operand(0).and_then(|x| self.gated(&x, alpha)));
            }
            "LeakyRelu" => Function::Leaky { slope: float(self, "alpha", 0.01) },
            "HardSigmoid" => Function::HardSigmoid { alpha: float(self, "alpha", 0.2), beta: float(self, "beta", 0.5) },
            "Elu" => Function::Elu { alpha: float(self, "alpha", 1.0) },
            "Selu" => {
                Function::Selu { alpha: float(self, "alpha", 1.673_263_2), gamma: float(self, "gamma", 1.050_701) }
            }
            "Celu" => Function::Celu { alpha: float(self, "alpha", 1.0) },
            "Gelu" if self.now().text("approximate") == Some("tanh") => Function::GeluTanh,
            "Gelu" | "com.microsoft.Gelu" => Function::Gelu,
            "Sigmoid" => Function::Sigmoid,
            "HardSwish" => Function::HardSwish,
            "Tanh" => Function::Tanh,
            "Softplus" => Function::Softplus,
            "Softsign" => Function::Softsign,
            "Mish" => Function::Mish,
            "Erf" => Function::Erf,
            "Exp" => Function::Exp,
            "Abs" => Function::Abs,
            "Sqrt" => Function::Sqrt,
            "Log" => Function::Log,
            "Reciprocal" => Function::Reciprocal,
            _ => return None,
        };
        Some(self.operand(0).and_then(|x| self.map(Step::Function(function), &x)))
    }

    /// A step of one operand that keeps its shape.
    pub(super) fn map(&mut self, step: Step, x: &Held) -> Ruled<Held> {
        match step {
            Step::Function(function) => function.checked().map(drop),
            Step::Normalize { norm, .. } => norm.checked().map(drop),
            _ => Ok(()),
        }
        .map_err(|error| format!("is not computed on backends: {error}"))?;
        self.push(step, &[x], x.shape.clone())
    }

    /// Floats of another width stay as they are here; what rounds would change values.
    fn cast(&mut self) -> Ruled<Held> {
        match self.now().int("to", 0) {
            1 | 10 | 11 | 16 => self.operand(0),
            to => Err(format!("casts to type {to}")),
        }
    }

    fn clip(&mut self) -> Ruled<Held> {
        let given = |name: &str, default: f32| match self.now().attributes.get(name) {
            Some(Attribute::Float(value)) => *value,
            _ => default,
        };
        let (low, high) = (given("min", f32::MIN), given("max", f32::MAX));
        let (low, high) = (self.scalar(1, low)?.max(f32::MIN), self.scalar(2, high)?.min(f32::MAX));
        let x = self.operand(0)?;
        // Where the ends are the wrong way round, ONNX gives the upper one.
        self.map(Step::Function(Function::Clip { low: low.min(high), high }), &x)
    }

    /// `max(x, 0) + slope min(x, 0)`.
    fn prelu(&mut self) -> Ruled<Held> {
        let (x, slope) = (self.operand(0)?, self.operand(1)?);
        let above = self.map(Step::Relu, &x)?;
        let below = self.map(Step::Function(Function::Clip { low: f32::MIN, high: 0.0 }), &x)?;
        let below = self.combined(&below, &slope, Combination::Multiply)?;
        self.combined(&above, &below, Combination::Add)
    }

    /// `x sigmoid(alpha x)`.
    fn gated(&mut self, x: &Held, alpha: f32) -> Ruled<Held> {
        let scaled = self.map(Step::Scale(alpha), x)?;
        let gate = self.map(Step::Function(Function::Sigmoid), &scaled)?;
        self.combined(x, &gate, Combination::Multiply)
    }

    fn foreign(&mut self, kind: &str) -> Ruled<Held> {
        let mut x = self.operand(0)?;
        if self.has(1) {
            let bias = self.operand(1)?;
            x = self.combined(&x, &bias, Combination::Add)?;
        }
        match (kind, self.now().attributes.get("alpha")) {
            ("com.microsoft.QuickGelu", Some(Attribute::Float(alpha))) => self.gated(&x, *alpha),
            ("com.microsoft.QuickGelu", _) => self.gated(&x, 1.702),
            ("com.microsoft.FastGelu", _) => self.map(Step::Function(Function::GeluTanh), &x),
            _ => self.map(Step::Function(Function::Gelu), &x),
        }
    }

    /// Powers by one exponent: whole ones as products, so that negative bases keep their sign.
    #[expect(clippy::float_cmp, reason = "exponents are written in the file")]
    fn power(&mut self) -> Ruled<Held> {
        let (x, exponent) = (self.operand(0)?, self.constant(1)?);
        let [exponent] = exponent.as_slice() else { return Err("has several exponents".to_owned()) };
        if *exponent == 0.5 {
            return self.map(Step::Function(Function::Sqrt), &x);
        }
        if exponent.fract() != 0.0 {
            return self.map(Step::Function(Function::Power { exponent: *exponent }), &x);
        }
        let times = exponent.abs();
        if !(1.0..=16.0).contains(&times) {
            return Err(format!("has the exponent {exponent}"));
        }
        let (mut product, mut done) = (x.clone(), 1.0);
        while done < times {
            product = self.combined(&product, &x, Combination::Multiply)?;
            done += 1.0;
        }
        if *exponent < 0.0 { self.map(Step::Function(Function::Reciprocal), &product) } else { Ok(product) }
    }

    /// All operands, from the first to the last.
    fn joined(&mut self, how: Combination) -> Ruled<Held> {
        let mut all = self.operand(0)?;
        for input in 1..self.now().inputs.len() {
            let next = self.operand(input)?;
            all = self.combined(&all, &next, how)?;
        }
        Ok(all)
    }

    /// Two values entry by entry, broadcast as numpy does it.
    pub(super) fn combined(&mut self, a: &Held, b: &Held, how: Combination) -> Ruled<Held> {
        let shape = broadcast_shape(&[&a.shape, &b.shape])
            .ok_or_else(|| format!("has inputs of shapes {:?} and {:?}", a.shape, b.shape))?;
        let entries: usize = shape.iter().product();
        let [a_fixed, b_fixed] = [a, b].map(|held| self.entries(held).is_some());
        let whole = |held: &Held| held.shape.iter().product::<usize>() == entries;
        // The first operand of the kernel is whole and flows; the other one may repeat.
        if whole(a) && (!a_fixed || b_fixed) {
            return self.onto(a, b, how, shape);
        }
        if whole(b) && (!b_fixed || a_fixed) {
            return self.onto(b, a, turned(how), shape);
        }
        // A vector for all samples meets a value that has to be repeated first.
        let (first, second, how) = if a_fixed && !b_fixed { (b, a, turned(how)) } else { (a, b, how) };
        let first = self.expanded(first, &shape)?;
        self.onto(&first, second, how, shape)
    }

    /// `a o b`, where `a` has all entries of the result.
    fn onto(&mut self, a: &Held, b: &Held, how: Combination, shape: Vec<usize>) -> Ruled<Held> {
        let a = Held { slot: a.slot, shape: shape.clone() };
        if let Some(share) = repeats(&b.shape, &shape) {
            return self.push(Step::Combine { how, share }, &[&a, b], shape);
        }
        let b = self.expanded(b, &shape)?;
        self.push(Step::Combine { how, share: 1 }, &[&a, &b], shape)
    }

    /// A value repeated along axes of length one.
    pub(super) fn expanded(&mut self, held: &Held, shape: &[usize]) -> Ruled<Held> {
        if held.shape.iter().product::<usize>() == shape.iter().product::<usize>() {
            return Ok(Held { slot: held.slot, shape: shape.to_vec() });
        }
        let index = Grid::numbered(&held.shape)
            .and_then(|grid| grid.broadcast(shape))
            .ok_or_else(|| format!("expands {:?} to {shape:?}", held.shape))?;
        self.push(Step::Gather(index.items), &[held], shape.to_vec())
    }
}

/// The same with its operands exchanged.
fn turned(how: Combination) -> Combination {
    match how {
        Combination::Subtract => Combination::SubtractFrom,
        Combination::SubtractFrom => Combination::Subtract,
        Combination::Divide => Combination::DivideInto,
        Combination::DivideInto => Combination::Divide,
        same => same,
    }
}

/// How often each entry of a value is repeated before the next one comes, where its entries then come again from the first.
fn repeats(shape: &[usize], whole: &[usize]) -> Option<usize> {
    let ahead = whole.len() - shape.len();
    let along = |axis: usize| if axis < ahead { 1 } else { shape[axis - ahead] };
    let mut axis = whole.len();
    let mut share = 1;
    while axis > 0 && along(axis - 1) == 1 {
        axis -= 1;
        share *= whole[axis];
    }
    while axis > 0 && along(axis - 1) == whole[axis - 1] {
        axis -= 1;
    }
    (0..axis).all(|axis| along(axis) == 1).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_by_hand() {
        // A number for each channel, for each entry of the last axis, for all, for each place, in the middle.
        assert_eq!(repeats(&[3, 1, 1], &[1, 3, 4, 5]), Some(20));
        assert_eq!(repeats(&[6], &[1, 4, 6]), Some(1));
        assert_eq!(repeats(&[], &[2, 3]), Some(6));
        assert_eq!(repeats(&[2, 3], &[2, 3]), Some(1));
        assert_eq!(repeats(&[4, 5], &[1, 3, 4, 5]), Some(1));
        assert_eq!(repeats(&[3, 1, 5], &[3, 4, 5]), None);
    }
}
