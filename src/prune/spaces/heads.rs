//! Whole heads of attentions: which there are, and what they are worth.
//!
//! Labels run with all dimensions of a head as one unit ([`Analysis::of_heads`]): queries, keys and values of a head meet where
//! its products are taken, and go together with what reads it. So do tables of one bias for each head, and heads that share
//! keys and values.

use std::collections::{HashMap, HashSet};

use super::Importance;
use super::score::scores;
use crate::error::{Error, Result};
use crate::network::spaces::{Analysis, FrozenUnits, OperatorGraph, Space, Spaces, Unit};

/// The spaces of heads, and the products whose heads stay.
pub(super) fn head_spaces(graph: &OperatorGraph, analysis: &Analysis<'_>) -> Result<(Vec<Space>, Vec<FrozenUnits>)> {
    let found = Spaces::of(graph, analysis);
    let free: HashSet<u32> = found.spaces.iter().flat_map(|space| &space.units).map(|unit| unit.class).collect();
    let (mut heads, mut stay) = (HashSet::new(), Vec::new());
    for product in &analysis.heads {
        let classes: HashSet<u32> = product.labels.iter().map(|label| analysis.class(*label)).collect();
        if classes.iter().any(|class| free.contains(class)) {
            heads.extend(classes);
            continue;
        }
        let why = product.labels.iter().find_map(|label| analysis.reason(*label));
        let reason = match why {
            Some(why) => format!("heads stay: {why}"),
            None => "heads stay: they are tied to what cannot go, or not written apart".to_owned(),
        };
        let name = graph.operators[product.operator].name.clone();
        stay.push(FrozenUnits { name, units: product.sets, reason });
    }
    let of_heads = |space: &Space| space.units.iter().any(|unit| heads.contains(&unit.class));
    let spaces: Vec<Space> = found.spaces.into_iter().filter(of_heads).collect();
    if spaces.is_empty() {
        let problem = match stay.first() {
            Some(first) => format!("no whole heads can go: `{}`: {}", first.name, first.reason),
            None => "no whole heads can go: the network has no attention of several heads".to_owned(),
        };
        return Err(Error::Unsupported { problem });
    }
    Ok((spaces, stay))
}

/// The heads that units of a graph belong to, by the places along the axes of weights that both have.
pub(super) struct Members(HashMap<(usize, usize, usize, usize), usize>);

impl Members {
    pub(super) fn of(heads: &Space) -> Self {
        let mut places = HashMap::new();
        for (head, unit) in heads.units.iter().enumerate() {
            for (part, own) in heads.parts.iter().zip(&unit.places) {
                places.extend(own.iter().map(|place| ((part.operator, part.input, part.axis, *place), head)));
            }
        }
        Self(places)
    }

    /// The head of a unit of a space.
    pub(super) fn head(&self, space: &Space, unit: &Unit) -> Option<usize> {
        let mut parts = space.parts.iter().zip(&unit.places);
        parts.find_map(|(part, places)| self.0.get(&(part.operator, part.input, part.axis, *places.first()?)).copied())
    }
}

/// A score for each head: the sum of those of its units, over all `spaces` of units. Heads whose units cannot go one by one are
/// scored as units themselves.
pub(super) fn head_scores(
    graph: &OperatorGraph,
    heads: &Space,
    spaces: &[Space],
    importance: Importance,
    seed: u64,
) -> Result<Vec<f64>> {
    let members = Members::of(heads);
    let (mut sums, mut counts) = (vec![0.0; heads.units.len()], vec![0_usize; heads.units.len()]);
    for space in spaces {
        let own: Vec<Option<usize>> = space.units.iter().map(|unit| members.head(space, unit)).collect();
        if own.iter().all(Option::is_none) {
            continue;
        }
        for (head, score) in own.into_iter().zip(scores(graph, space, importance, seed)?) {
            if let Some(head) = head {
                sums[head] += score;
                counts[head] += 1;
            }
        }
    }
    if counts.contains(&0) { scores(graph, heads, importance, seed) } else { Ok(sums) }
}
