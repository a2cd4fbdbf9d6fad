//! Spaces: units of one role, from the classes of labels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::classes::{Balance, NONE};
use super::graph::{OperatorGraph, ValueId};
use super::walk::Analysis;

/// What an axis of weights has to do with the units along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Its slices compute the units.
    Writer,
    /// Its slices read the units.
    Reader,
    /// Its slices belong to the units: biases, factors of norms, kernels of depthwise convolutions, embeddings.
    Parameter,
}

/// An axis of weights along which the units of a space lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPart {
    /// The operator that reads the weights, by its place in the graph.
    pub operator: usize,
    /// The input of the operator.
    pub input: usize,
    /// The constant behind it.
    pub(crate) constant: ValueId,
    /// The axis.
    pub axis: usize,
    /// Groups of a grouped convolution that read channels: the axis counts those of one group.
    pub groups: usize,
    /// What the axis has to do with the units.
    pub role: Role,
}

/// What goes together.
#[derive(Debug, Clone)]
pub struct Unit {
    /// For each part of the space the places along its axis.
    pub places: Vec<Vec<usize>>,
    /// The class of its labels.
    pub(crate) class: u32,
}

/// Units of one role.
#[derive(Debug, Clone)]
pub struct Space {
    /// The name of the first operator that writes its units.
    pub name: String,
    /// The axes of weights along which they lie, in the order of the graph.
    pub parts: Vec<UnitPart>,
    /// The units that may go.
    pub units: Vec<Unit>,
    /// Units in sets of which each has to keep equally many: the heads of an attention, the groups of a convolution.
    pub cells: Vec<Vec<usize>>,
    /// Units of a cell stay in multiples of their number over this, so that all cells keep the same share.
    pub grain: usize,
    /// Whether statistics over the units are taken, so that what is left changes when some go.
    pub coupled: bool,
}

/// Units that stay, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FrozenUnits {
    /// The operator that writes or reads them.
    pub name: String,
    /// Number of units.
    pub units: usize,
    /// Why.
    pub reason: String,
}

/// What can go from a network, and what cannot.
#[derive(Debug, Clone, Default)]
pub struct Spaces {
    /// Spaces with more than one unit, in the order of the graph.
    pub spaces: Vec<Space>,
    /// Units that stay.
    pub frozen: Vec<FrozenUnits>,
}

impl Space {
    /// The parts of a role.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = (usize, &UnitPart)> {
        self.parts.iter().enumerate().filter(move |(_, part)| part.role == role)
    }

    /// Whether another space lies along the same axes, in a graph that has become smaller since or was larger before.
    #[must_use]
    pub fn is_along(&self, other: &Self) -> bool {
        let axis = |part: &UnitPart| (part.operator, part.input, part.axis);
        self.parts.iter().map(axis).eq(other.parts.iter().map(axis))
    }

    /// Whether several operators write the units, as along the trunk of a residual network.
    #[must_use]
    pub fn is_trunk(&self) -> bool {
        self.of_role(Role::Writer).count() > 1 && self.cells.len() == 1
    }
}

/// What tells roles apart: the parts, the buckets of balances, and whether the unit stays.
type Key = (Vec<usize>, Vec<(usize, u32)>, bool);

impl Spaces {
    /// The spaces of a graph whose labels have run.
    pub(crate) fn of(graph: &OperatorGraph, analysis: &Analysis<'_>) -> Self {
        let classes = &analysis.classes;
        let roles: HashMap<(usize, usize, usize), Role> = (analysis.contractions.iter())
            .flat_map(|sum| {
                let at = |axis| (sum.operator, sum.weight, axis);
                [(at(sum.summed), Role::Reader), (at(sum.given), Role::Writer)]
            })
            .collect();
        let mut places: BTreeMap<u32, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for (owner, axis) in analysis.owners.iter().enumerate() {
            for (place, label) in axis.labels.iter().enumerate().filter(|(_, label)| **label != NONE) {
                places.entry(classes.root(*label)).or_default().entry(owner).or_default().push(place);
            }
        }
        let balances = distinct(analysis, &places);
        let mut buckets: HashMap<u32, Vec<(usize, u32)>> = HashMap::new();
        for (number, balance) in balances.iter().enumerate() {
            for (class, bucket) in balance {
                buckets.entry(*class).or_default().push((number, *bucket));
            }
        }
        let mut cells: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        for (class, owners) in &places {
            let mut touched = buckets.get(class).cloned().unwrap_or_default();
            touched.sort_unstable();
            let key = (owners.keys().copied().collect(), touched, classes.reason(*class).is_some());
            cells.entry(key).or_default().push(*class);
        }
        let cells: Vec<(Key, Vec<u32>)> = cells.into_iter().collect();
        let mut found = Self::default();
        for group in connected(&cells) {
            let group: Vec<&(Key, Vec<u32>)> = group.into_iter().map(|at| &cells[at]).collect();
            found.take(graph, analysis, &places, &roles, &group);
        }
        found.spaces.sort_by_key(|space| space.parts.first().map_or(0, |part| part.operator));
        found.frozen.sort();
        found.frozen.dedup();
        found
    }

    /// Takes in cells that are balanced with each other.
    fn take(
        &mut self,
        graph: &OperatorGraph,
        analysis: &Analysis<'_>,
        places: &BTreeMap<u32, BTreeMap<usize, Vec<usize>>>,
        roles: &HashMap<(usize, usize, usize), Role>,
        group: &[&(Key, Vec<u32>)],
    ) {
        let classes = &analysis.classes;
        let mut owners: BTreeSet<usize> = BTreeSet::new();
        group.iter().for_each(|(key, _)| owners.extend(&key.0));
        let owners: Vec<usize> = owners.into_iter().collect();
        let part = |owner: &usize| {
            let axis = &analysis.owners[*owner];
            let role = roles.get(&(axis.operator, axis.input, axis.axis)).copied().unwrap_or(Role::Parameter);
            let (operator, input, constant, groups) = (axis.operator, axis.input, axis.constant, axis.groups);
            UnitPart { operator, input, constant, axis: axis.axis, groups, role }
        };
        let parts: Vec<UnitPart> = owners.iter().map(part).collect();
        let first = parts.iter().find(|part| part.role == Role::Writer).or(parts.first());
        let name = first.map_or_else(String::new, |part| graph.operators[part.operator].name.clone());
        let mut freeze = |units: usize, reason: &str| {
            self.frozen.push(FrozenUnits { name: name.clone(), units, reason: reason.to_owned() });
        };
        let mut free: Vec<&(Key, Vec<u32>)> = Vec::new();
        for cell in group {
            if cell.0.2 {
                freeze(cell.1.len(), cell.1.first().and_then(|class| classes.reason(*class)).unwrap_or_default());
            } else {
                free.push(cell);
            }
        }
        let units: usize = free.iter().map(|(_, classes)| classes.len()).sum();
        let balanced = free.iter().any(|(key, _)| !key.1.is_empty());
        let grain = free.iter().fold(0, |grain, (_, classes)| gcd(grain, classes.len()));
        if units == 0 {
            return;
        }
        let balance = |cells: &[&(Key, Vec<u32>)]| {
            let mut buckets: BTreeMap<(usize, u32), usize> = BTreeMap::new();
            for (key, classes) in cells {
                key.1.iter().for_each(|bucket| *buckets.entry(*bucket).or_default() += classes.len());
            }
            buckets
        };
        let (all, some) = (balance(group), balance(&free));
        // Every bucket has as many units that may go as the others of its balance.
        let mut sizes: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for bucket in all.keys() {
            sizes.entry(bucket.0).or_default().insert(some.get(bucket).copied().unwrap_or(0));
        }
        if balanced && (grain < 2 || sizes.values().any(|sizes| sizes.len() > 1)) {
            return freeze(units, "its groups cannot all lose equally many");
        }
        if free.iter().all(|(_, classes)| classes.len() < 2) {
            return freeze(units, if free.len() > 1 { "has one unit in each group" } else { "has no other units" });
        }
        let (mut space, mut cells) = (Vec::with_capacity(units), Vec::new());
        for (_, members) in &free {
            let mut cell = Vec::with_capacity(members.len());
            for class in members {
                cell.push(space.len());
                let of =
                    |owner: &usize| places.get(class).and_then(|places| places.get(owner)).cloned().unwrap_or_default();
                space.push(Unit { places: owners.iter().map(of).collect(), class: *class });
            }
            cells.push(cell);
        }
        let coupled = space.iter().any(|unit| classes.is_coupled(unit.class));
        let grain = if balanced { grain } else { 0 };
        self.spaces.push(Space { name, parts, units: space, cells, grain, coupled });
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Balances that ask for something, by class, without those that say the same.
fn distinct(analysis: &Analysis<'_>, places: &BTreeMap<u32, BTreeMap<usize, Vec<usize>>>) -> BTreeSet<Vec<(u32, u32)>> {
    let settled = |balance: &Balance| {
        let mut members: Vec<(u32, u32)> = (balance.buckets.iter())
            .map(|(label, bucket)| (analysis.classes.root(*label), *bucket))
            .filter(|(class, _)| places.contains_key(class))
            .collect();
        members.sort_unstable();
        // Places of an image behind a flatten repeat a unit; what counts is where it is, not how often.
        members.dedup();
        members
    };
    let asks = |members: &Vec<(u32, u32)>| {
        let buckets: BTreeSet<u32> = members.iter().map(|(_, bucket)| *bucket).collect();
        let classes: BTreeSet<u32> = members.iter().map(|(class, _)| *class).collect();
        // A class that lies in every bucket takes the same from all.
        members.len() < buckets.len() * classes.len()
    };
    analysis.classes.balances.iter().map(settled).filter(asks).collect()
}

/// Cells that share a balance, together.
fn connected(cells: &[(Key, Vec<u32>)]) -> Vec<Vec<usize>> {
    let mut by_balance: HashMap<usize, usize> = HashMap::new();
    let mut group: Vec<usize> = (0..cells.len()).collect();
    fn root(group: &[usize], mut at: usize) -> usize {
        while group[at] != at {
            at = group[at];
        }
        at
    }
    for (at, (key, _)) in cells.iter().enumerate() {
        for (balance, _) in &key.1 {
            let first = *by_balance.entry(*balance).or_insert(at);
            let (a, b) = (root(&group, first), root(&group, at));
            group[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..cells.len() {
        groups.entry(root(&group, at)).or_default().push(at);
    }
    groups.into_values().collect()
}
