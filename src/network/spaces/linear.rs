//! Spaces between whose writers and readers nothing but sums lies: there units are coordinates, and any basis would do.

use std::collections::{BTreeSet, HashMap};

use super::graph::{OperatorGraph, ValueId};
use super::numbers::axis;
use super::space::{Role, Space};
use super::walk::{Analysis, Known, Value};

/// What becomes of an axis of weights when the units of a linear space are exchanged for sums of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its slices are summed as the units are: rows of writers, biases, embeddings.
    Given,
    /// Its slices read the units.
    Read,
    /// The factor of a layer norm over the units: readers take it over.
    Factor,
    /// The shift of one.
    Shift,
}

/// A space that is linear.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// For each part of the space.
    pub(crate) places: Vec<Place>,
    /// For each value that readers take behind a layer norm the operator of the norm.
    pub(crate) normed: HashMap<ValueId, usize>,
}

/// Operators that move elements, or take means of them, as far as units are concerned.
const MOVES: [&str; 12] = [
    "AveragePool",
    "Dropout",
    "Flatten",
    "Gather",
    "GlobalAveragePool",
    "Identity",
    "ReduceMean",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Operators that sum values, or lay them side by side.
const SUMS: [&str; 6] = ["Add", "Concat", "Expand", "Split", "Sub", "Sum"];

/// What an operator does to values of the units of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    /// None of them flows into it, or their shape alone.
    Nothing,
    /// It passes them on as they are.
    Moved,
    /// It passes on sums of them, or all of them by the same factor.
    Summed,
    /// Anything else.
    Other,
}

/// What operator `at` does to values of the units of a space, which are of these classes: a basis of the units passes it where
/// it moves or sums them.
pub(super) fn passing(
    (graph, analysis): (&OperatorGraph, &Analysis<'_>),
    (space, classes): (&Space, &BTreeSet<u32>),
    at: usize,
) -> Passing {
    let operator = &graph.operators[at];
    let carries = |value: ValueId| analysis.along(value, classes).is_some();
    let carried = (0..operator.inputs.len()).filter(|input| operator.input(*input).is_some_and(carries));
    let carried: Vec<usize> = carried.collect();
    let output = operator.outputs.first().copied().flatten();
    if carried.is_empty() || output.is_some_and(|output| matches!(analysis.values[output], Value::Numbers(_))) {
        return Passing::Nothing;
    }
    let own = |input: usize| space.parts.iter().any(|part| (part.operator, part.input) == (at, input));
    let by_number = || operator.inputs.iter().flatten().any(|value| is_number(analysis, *value));
    match operator.kind.as_str() {
        // A mean over units has none, and is none in another basis.
        kind if MOVES.contains(&kind) && output.is_some_and(carries) => Passing::Moved,
        "Cast" if matches!(operator.int("to", 0), 1 | 10 | 11 | 16) => Passing::Moved,
        "Expand" | "Split" => Passing::Summed,
        // A number for all units is no sum of them.
        kind if SUMS.contains(&kind) => {
            let given = |input: usize| operator.input(input).is_none_or(carries) || own(input);
            if (0..operator.inputs.len()).all(given) { Passing::Summed } else { Passing::Other }
        }
        "Mul" if carried.len() == 1 && by_number() => Passing::Summed,
        "Div" if carried == [0] && by_number() => Passing::Summed,
        _ => Passing::Other,
    }
}

impl Linear {
    /// The space as a linear one; nothing if a value of its units is bent, scaled or multiplied on the way, or a unit takes more
    /// than one place in an axis.
    ///
    /// Layer norms over the units are taken where nothing but readers lies behind them: with a basis of orthogonal directions,
    /// orthogonal to that of the mean, they are what they were (Ashkboos et al., *`SliceGPT`*, 2024).
    pub(crate) fn of(graph: &OperatorGraph, analysis: &Analysis<'_>, space: &Space) -> Option<Self> {
        let one = |unit: &super::space::Unit| unit.places.iter().all(|places| places.len() == 1);
        if !space.units.iter().all(one) || space.parts.iter().any(|part| part.groups != 1) {
            return None;
        }
        let classes: BTreeSet<u32> = space.units.iter().map(|unit| unit.class).collect();
        let places = space.parts.iter().map(|part| {
            let operator = &graph.operators[part.operator];
            match (part.role, operator.kind.as_str(), part.input) {
                (Role::Writer, ..) => Some(Place::Given),
                (Role::Reader, ..) => Some(Place::Read),
                (Role::Parameter, "Conv" | "Gemm", 2) => Some(Place::Given),
                (Role::Parameter, "LayerNormalization", 1) => Some(Place::Factor),
                (Role::Parameter, "LayerNormalization", 2) => Some(Place::Shift),
                (Role::Parameter, kind, _) if SUMS.contains(&kind) => Some(Place::Given),
                _ => None,
            }
        });
        let places = places.collect::<Option<Vec<Place>>>()?;
        let mut normed = HashMap::new();
        for (at, operator) in graph.operators.iter().enumerate() {
            let inputs: Vec<(usize, ValueId, usize)> = (operator.inputs.iter().enumerate())
                .filter_map(|(input, value)| Some((input, (*value)?, analysis.along((*value)?, &classes)?)))
                .collect();
            let behind = inputs.iter().find_map(|(_, value, _)| normed.get(value).copied());
            let output = operator.outputs.first().copied().flatten();
            match (passing((graph, analysis), (space, &classes), at), operator.kind.as_str()) {
                (Passing::Nothing, _) => {}
                (Passing::Moved, _) => normed.extend(output.zip(behind)),
                (Passing::Summed, _) if behind.is_none() => {}
                (Passing::Other, "LayerNormalization") if behind.is_none() => {
                    // All that the norm is over has to be in the one basis.
                    let &[(_, value, along)] = inputs.as_slice() else { return None };
                    let shape = analysis.shape(value)?;
                    let last = shape.len() - 1;
                    let whole = shape[last] == space.units.len() && space.cells.len() == 1;
                    if axis(operator.int("axis", -1), shape.len())? != last || along != last || !whole {
                        return None;
                    }
                    normed.insert(output?, at);
                }
                (Passing::Other, "Conv" | "Gemm") => {
                    if operator.int("group", 1) != 1 || inputs.iter().any(|(input, ..)| *input != 0) {
                        return None;
                    }
                }
                (Passing::Other, "MatMul") => {
                    let constant = operator.input(1).is_some_and(|value| graph.weights(value).is_some());
                    // Of two values, the one whose units are not summed over passes them on.
                    let &[(input, value, along)] = inputs.as_slice() else { return None };
                    let rank = analysis.shape(value)?.len();
                    let summed = if input == 0 { rank - 1 } else { rank - 2 };
                    if !constant && (behind.is_some() || along == summed) {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        // A reader without a norm before it sees the mean, for which those behind one have no direction.
        let reads = space.of_role(Role::Reader).filter_map(|(_, part)| graph.operators[part.operator].input(0));
        let behind = reads.filter(|value| normed.contains_key(value)).count();
        (normed.is_empty() || behind == space.of_role(Role::Reader).count()).then_some(Self { places, normed })
    }

    /// Whether a layer norm lies before readers.
    pub(crate) fn is_normed(&self) -> bool {
        !self.normed.is_empty()
    }
}

/// Whether a value is one number.
fn is_number(analysis: &Analysis<'_>, value: ValueId) -> bool {
    let known = !matches!(analysis.known(value), Known::Other);
    known && analysis.shape(value).is_some_and(|shape| shape.iter().product::<usize>() == 1)
}

impl Analysis<'_> {
    /// The axis of a value along which units of some classes lie.
    pub(super) fn along(&self, value: ValueId, classes: &BTreeSet<u32>) -> Option<usize> {
        let Value::Flow(flow) = &self.values[value] else { return None };
        let found = flow.facets.iter().find(|facet| {
            facet
                .labels
                .items
                .iter()
                .any(|label| *label != super::classes::NONE && classes.contains(&self.class(*label)))
        });
        found.map(|facet| facet.along)
    }
}
