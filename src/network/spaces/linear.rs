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

/// Operators that move elements, as far as units are concerned.
pub(super) const MOVES: [&str; 13] = [
    "AveragePool",
    "Cast",
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
pub(super) const SUMS: [&str; 6] = ["Add", "Concat", "Expand", "Split", "Sub", "Sum"];

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
            let carried = |input: &ValueId| analysis.carries(*input, &classes);
            let inputs: Vec<(usize, ValueId)> = (operator.inputs.iter().enumerate())
                .filter_map(|(input, value)| Some((input, (*value)?)))
                .filter(|(_, value)| carried(value))
                .collect();
            let behind = inputs.iter().find_map(|(_, value)| normed.get(value).copied());
            let output = operator.outputs.first().copied().flatten();
            let along: Vec<usize> = inputs.iter().filter_map(|(_, value)| analysis.along(*value, &classes)).collect();
            match operator.kind.as_str() {
                _ if inputs.is_empty() => {}
                // Of its shape alone.
                _ if output.is_some_and(|output| matches!(analysis.values[output], Value::Numbers(_))) => {}
                kind if MOVES.contains(&kind) => {
                    let rank = inputs.first().and_then(|(_, value)| analysis.shape(*value))?.len();
                    let axes = operator.ints("axes").unwrap_or_default().iter().map(|at| axis(*at, rank));
                    if kind == "ReduceMean" && axes.flatten().any(|axis| along.contains(&axis)) {
                        return None;
                    }
                    if let (Some(norm), Some(output)) = (behind, output) {
                        normed.insert(output, norm);
                    }
                }
                kind if SUMS.contains(&kind) && behind.is_none() => {
                    // A number for all units is no sum of units.
                    let own = |input: usize, value: ValueId| {
                        let part = |part: &super::space::UnitPart| (part.operator, part.input) == (at, input);
                        carried(&value) || space.parts.iter().any(part)
                    };
                    let given = operator
                        .inputs
                        .iter()
                        .enumerate()
                        .all(|(input, value)| value.is_none_or(|value| own(input, value)));
                    if !given && !matches!(kind, "Expand" | "Split") {
                        return None;
                    }
                }
                "Mul" | "Div" if inputs.len() == 1 && behind.is_none() => {
                    // The same number for all units.
                    if !operator.inputs.iter().flatten().any(|value| is_number(analysis, *value)) {
                        return None;
                    }
                }
                "LayerNormalization" if behind.is_none() => {
                    let rank = analysis.shape(inputs.first()?.1)?.len();
                    if axis(operator.int("axis", -1), rank)? + 1 != rank || along != [rank - 1] {
                        return None;
                    }
                    normed.insert(output?, at);
                }
                "Conv" | "Gemm" => {
                    let read = operator.int("group", 1) == 1 && inputs.iter().all(|(input, _)| *input == 0);
                    if !read {
                        return None;
                    }
                }
                "MatMul" => {
                    let constant = operator.input(1).is_some_and(|value| graph.weights(value).is_some());
                    // Of two values, the one whose units are not summed over passes them on.
                    let [(input, value)] = inputs.as_slice() else { return None };
                    let rank = analysis.shape(*value)?.len();
                    let summed = if *input == 0 { rank - 1 } else { rank - 2 };
                    if !constant && (behind.is_some() || along.contains(&summed)) {
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
pub(super) fn is_number(analysis: &Analysis<'_>, value: ValueId) -> bool {
    let known = !matches!(analysis.known(value), Known::Other);
    known && analysis.shape(value).is_some_and(|shape| shape.iter().product::<usize>() == 1)
}

impl Analysis<'_> {
    /// Whether a value has units of some classes.
    fn carries(&self, value: ValueId, classes: &BTreeSet<u32>) -> bool {
        self.along(value, classes).is_some()
    }

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
