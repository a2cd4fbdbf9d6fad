//! Rules of operators that compute element by element: labels that meet become one.

use super::classes::NONE;
use super::facet::{Facet, Flow};
use super::grid::broadcast_shape;
use super::walk::{Analysis, Or, Ruled};

/// Operators of one input that keep its shape.
const UNARY: [&str; 47] = [
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "BitwiseNot",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Not",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
];

/// Operators of several inputs that are broadcast.
const BROADCAST: [&str; 23] = [
    "Add",
    "And",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "Sub",
    "Sum",
    "Where",
    "Xor",
];

/// Operators of one value with further inputs that are added to it, of another domain.
const FOREIGN: [&str; 4] =
    ["com.microsoft.BiasGelu", "com.microsoft.FastGelu", "com.microsoft.Gelu", "com.microsoft.QuickGelu"];

impl Analysis<'_> {
    pub(super) fn elementwise_rule(&mut self, kind: &str) -> Option<Ruled<Vec<Flow>>> {
        if UNARY.contains(&kind) {
            // Bounds of a clip and the ratio of a dropout are scalars.
            return Some(self.operand(0).map(|flow| vec![flow]));
        }
        if !BROADCAST.contains(&kind) && !FOREIGN.contains(&kind) {
            return None;
        }
        let count = self.graph.operators[self.at].inputs.len();
        let operands = (0..count).filter(|input| self.has(*input)).collect::<Vec<_>>();
        let operands: Ruled<Vec<Flow>> = operands.into_iter().map(|input| self.operand(input)).collect();
        Some(operands.and_then(|operands| Ok(vec![self.meet(operands)?])))
    }

    /// The value of several that meet element by element.
    pub(super) fn meet(&mut self, operands: Vec<Flow>) -> Ruled<Flow> {
        let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.shape.as_slice()).collect();
        let shape = broadcast_shape(&shapes).or_wrong(|| format!("has inputs of shapes {shapes:?}"))?;
        let mut operands: Vec<Flow> = operands.into_iter().map(|operand| operand.lifted(shape.len())).collect();
        if self.classes.by_heads {
            self.keep_heads_apart(&mut operands);
        }
        let mut met: Vec<(Facet, Vec<usize>)> = Vec::new();
        for (at, operand) in operands.iter().enumerate() {
            for facet in &operand.facets {
                let (mut facet, mut from) = (facet.clone(), vec![at]);
                while let Some(other) = met.iter().position(|(other, _)| facet.axes().any(|axis| other.varies(axis))) {
                    let (other, others) = met.remove(other);
                    facet = self.joined(&other, &facet).or_unknown("has labels of shapes that do not fit")?;
                    from.extend(others);
                }
                met.push((facet, from));
            }
        }
        let mut out = Flow::plain(shape);
        for (facet, from) in met {
            let along = facet.along;
            let lacks = |at: usize| !from.contains(&at) && operands[at].shape[along] > 1;
            if (0..operands.len()).any(lacks) {
                self.classes.freeze(&facet.labels.items, "meets values that cannot go");
            }
            let settled = facet.settled(&mut self.classes);
            out = out.with(settled, &mut self.classes);
        }
        Ok(out)
    }

    /// Makes units of heads where they meet what is the same for all of them, such as the angles of a rotary embedding or the
    /// factors of a norm within heads: place by place that would make one unit of all heads.
    fn keep_heads_apart(&mut self, operands: &mut [Flow]) {
        let facets = operands.iter().enumerate();
        let facets = facets.flat_map(|(at, operand)| operand.facets.iter().map(move |facet| (at, facet)));
        let all: Vec<(usize, Vec<usize>)> = facets.map(|(at, facet)| (at, facet.axes().collect())).collect();
        for (at, operand) in operands.iter_mut().enumerate() {
            let mut kept = Vec::new();
            for facet in std::mem::take(&mut operand.facets) {
                let (own, inner): (Vec<usize>, usize) = (facet.axes().collect(), facet.along);
                let within = |(other, axes): &(usize, Vec<usize>)| {
                    *other != at
                        && axes.len() < own.len()
                        && axes.contains(&inner)
                        && axes.iter().all(|axis| own.contains(axis))
                };
                let apart = all.iter().any(within);
                let inner = std::iter::once(inner);
                kept.extend(if apart { facet.collapsed(inner, &mut self.classes) } else { Some(facet) });
            }
            operand.facets = kept;
        }
    }

    /// The labels of two facets, tied where they meet.
    pub(super) fn joined(&mut self, a: &Facet, b: &Facet) -> Option<Facet> {
        let shape = broadcast_shape(&[&a.labels.shape, &b.labels.shape])?;
        let (wide, other) = (a.labels.broadcast(&shape)?, b.labels.broadcast(&shape)?);
        let mut labels = wide;
        for (label, other) in labels.items.iter_mut().zip(&other.items) {
            if *label != *other {
                self.classes.tie(*label, *other);
            }
            if *label == NONE {
                *label = *other;
            }
        }
        let along = if a.is_joint() || !b.is_joint() { a.along } else { b.along };
        Some(Facet { labels, along })
    }
}
