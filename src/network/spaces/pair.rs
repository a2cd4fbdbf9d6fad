//! Units of two values that are multiplied and summed over: queries and keys.

use std::collections::BTreeSet;

use super::graph::{OperatorGraph, ValueId};
use super::linear::{MOVES, SUMS, is_number};
use super::space::{Role, Space};
use super::walk::{Analysis, Value};

/// One of the two values.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// The value whose last axis holds the units, with its bias.
    pub(crate) value: ValueId,
    /// The part of the space that writes it.
    pub(crate) writer: usize,
    /// Parts of the space that give it, and which of a unit's places there are its own.
    pub(crate) parts: Vec<(usize, usize)>,
}

/// The two values of a space of pairs.
pub(crate) fn sides(graph: &OperatorGraph, analysis: &Analysis<'_>, space: &Space) -> Option<[Side; 2]> {
    let classes: BTreeSet<u32> = space.units.iter().map(|unit| unit.class).collect();
    let mut products = 0;
    for operator in &graph.operators {
        let inputs: Vec<ValueId> = operator.inputs.iter().flatten().copied().collect();
        let along: Vec<Option<usize>> = inputs.iter().map(|value| analysis.along(*value, &classes)).collect();
        let carried = along.iter().flatten().count();
        let output = operator.outputs.first().copied().flatten();
        match operator.kind.as_str() {
            _ if carried == 0 => {}
            _ if output.is_some_and(|output| matches!(analysis.values[output], Value::Numbers(_))) => {}
            kind if MOVES.contains(&kind) && kind != "AveragePool" && kind != "GlobalAveragePool" => {}
            kind if SUMS.contains(&kind) => {}
            "Mul" | "Div" if carried == 1 && inputs.iter().any(|value| is_number(analysis, *value)) => {}
            "MatMul" => {
                let ranks: Vec<usize> = inputs.iter().filter_map(|value| Some(analysis.shape(*value)?.len())).collect();
                let &[a, b] = ranks.as_slice() else { return None };
                if along != [Some(a - 1), Some(b - 2)] {
                    return None;
                }
                products += 1;
            }
            _ => return None,
        }
    }
    if products != 1 {
        return None;
    }
    // A layer of its own for each, or one for both.
    let mut sides: Vec<Side> = Vec::new();
    for (at, part) in space.parts.iter().enumerate() {
        let operator = &graph.operators[part.operator];
        let places = space.units.first()?.places[at].len();
        let even = part.groups == 1 && space.units.iter().all(|unit| unit.places[at].len() == places);
        let output = operator.outputs.first().copied().flatten()?;
        match (part.role, operator.kind.as_str()) {
            _ if !even => return None,
            (Role::Writer, "MatMul" | "Gemm") => {
                sides.extend((0..places).map(|place| Side { value: output, writer: at, parts: vec![(at, place)] }));
            }
            (Role::Parameter, "Gemm" | "Add") => {
                let own: Vec<&mut Side> =
                    if places == 2 { sides.iter_mut().collect() } else { sides.last_mut().into_iter().collect() };
                for (place, side) in own.into_iter().enumerate() {
                    side.parts.push((at, place));
                    if operator.kind == "Add" && operator.inputs.contains(&Some(side.value)) {
                        side.value = output;
                    }
                }
            }
            _ => return None,
        }
    }
    sides.try_into().ok()
}
