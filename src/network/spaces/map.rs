//! Which space each operator writes and reads: what a picture of a network shows.

use std::collections::{BTreeSet, HashMap};

use super::graph::{OperatorGraph, ValueId};
use super::space::{Role, Spaces};
use super::walk::{Analysis, Value};

/// An operator of a graph or one of its inputs, as a picture shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappedOperator {
    /// Its name.
    pub name: String,
    /// Its type; `input` for an input of the graph.
    pub kind: String,
    /// The operators whose values it reads, by their places among the mapped ones, all before it.
    pub from: Vec<usize>,
    /// The spaces of the units of its first output: several where axes of theirs have units of their own, or share one.
    pub writes: Vec<usize>,
    /// Other spaces whose units it reads.
    pub reads: Vec<usize>,
    /// Why the units of its output stay, if they are in no space.
    pub kept: Option<String>,
}

impl Spaces {
    /// The operators that compute values, without those that compute sizes. `self` are the spaces of the graph.
    pub(crate) fn map(&self, graph: &OperatorGraph, analysis: &Analysis<'_>) -> Vec<MappedOperator> {
        let units =
            self.spaces.iter().enumerate().flat_map(|(at, space)| space.units.iter().map(move |unit| (at, unit)));
        let by_class: HashMap<u32, usize> = units.map(|(at, unit)| (unit.class, at)).collect();
        let of = |value: ValueId| -> BTreeSet<usize> {
            let Value::Flow(flow) = &analysis.values[value] else { return BTreeSet::new() };
            let labels = flow.facets.iter().flat_map(|facet| &facet.labels.items);
            labels.filter_map(|label| by_class.get(&analysis.class(*label)).copied()).collect()
        };
        let mut givers: HashMap<ValueId, usize> = HashMap::new();
        let mut mapped = Vec::new();
        for input in &graph.inputs {
            givers.insert(input.value, mapped.len());
            let name = graph.values[input.value].clone();
            mapped.push(MappedOperator { name, kind: "input".to_owned(), ..MappedOperator::default() });
        }
        for (at, operator) in graph.operators.iter().enumerate() {
            let Some(output) = operator.outputs.iter().flatten().copied().next() else { continue };
            let from: BTreeSet<usize> =
                operator.inputs.iter().flatten().filter_map(|value| givers.get(value).copied()).collect();
            if from.is_empty() || matches!(analysis.values[output], Value::Numbers(_)) {
                continue;
            }
            let writes = of(output);
            let mut reads: BTreeSet<usize> = operator.inputs.iter().flatten().flat_map(|value| of(*value)).collect();
            let summed = |space: &super::Space| space.of_role(Role::Reader).any(|(_, part)| part.operator == at);
            reads.extend((0..self.spaces.len()).filter(|space| summed(&self.spaces[*space])));
            reads.retain(|space| !writes.contains(space));
            let from: Vec<usize> = from.into_iter().collect();
            let kept = if !writes.is_empty() {
                None
            } else {
                kept(analysis, (at, output), from.iter().map(|from| &mapped[*from]))
            };
            givers.extend(operator.outputs.iter().flatten().map(|output| (*output, mapped.len())));
            let (name, kind) = (operator.name.clone(), operator.kind.clone());
            let [writes, reads] = [writes, reads].map(|spaces| spaces.into_iter().collect());
            mapped.push(MappedOperator { name, kind, from, writes, reads, kept });
        }
        mapped
    }
}

/// Why the units that an operator gives stay: it is carried along, what it writes stays, or what it passes on does.
fn kept<'m>(
    analysis: &Analysis<'_>,
    (at, output): (usize, ValueId),
    from: impl Iterator<Item = &'m MappedOperator>,
) -> Option<String> {
    if let Some(carried) = analysis.carried.iter().find(|carried| carried.operator == at) {
        return Some(format!("stays as it is: {}", carried.why.text()));
    }
    let summed = |input: usize, axis: usize| {
        (analysis.contractions.iter())
            .any(|sum| sum.operator == at && sum.weight == input && sum.summed == axis && sum.given != axis)
    };
    let mut own = analysis.owners.iter().filter(|owner| owner.operator == at && !summed(owner.input, owner.axis));
    let reason = own.find_map(|owner| owner.labels.iter().find_map(|label| analysis.reason(*label)));
    let held = matches!(&analysis.values[output], Value::Flow(flow) if !flow.facets.is_empty());
    match reason {
        Some(reason) => Some(reason.to_owned()),
        None if held => Some("sets of them cannot all lose equally many, or one is all there is".to_owned()),
        None => from.into_iter().find_map(|from| from.kept.clone()),
    }
}
