//! Units of two values that are multiplied and summed over: queries and keys.

use std::collections::BTreeSet;

use super::graph::{OperatorGraph, ValueId};
use super::linear::{Passing, passing};
use super::space::{Role, Space};
use super::walk::Analysis;

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
    for (at, operator) in graph.operators.iter().enumerate() {
        match (passing((graph, analysis), (space, &classes), at), operator.kind.as_str()) {
            (Passing::Nothing | Passing::Moved | Passing::Summed, _) => {}
            (Passing::Other, "MatMul") => {
                let summed = |input: usize, from_behind: usize| {
                    let value = operator.input(input)?;
                    Some(analysis.along(value, &classes)? + from_behind == analysis.shape(value)?.len())
                };
                if (summed(0, 1), summed(1, 2)) != (Some(true), Some(true)) {
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
                // A bias belongs to what it is added to: what both come from has one with a place for each.
                let reads = |side: &Side| operator.inputs.contains(&Some(side.value)) || output == side.value;
                let mut own: Vec<&mut Side> = sides.iter_mut().filter(|side| reads(side)).collect();
                if own.len() != places {
                    return None;
                }
                for (place, side) in own.iter_mut().enumerate() {
                    side.parts.push((at, place));
                    side.value = output;
                }
            }
            _ => return None,
        }
    }
    sides.try_into().ok()
}
