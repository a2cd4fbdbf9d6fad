//! Residual trunks: everything that sums tie together is one set of units, with several producers and several consumers.
//!
//! From a producer whose output is added to another path the units are followed forwards to all that reads them, and from
//! each sum backwards to all that gives its operands. What is found is one block: a unit goes from all producers and all
//! consumers, or from none.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::{Declined, Graph, Place, TRUNK, Trail, blocks};
use super::{Bend, Block, Blocks, Tied};
use crate::network::graph::{Network, Node, Op};

/// The blocks of a network and its trunks.
pub(super) fn coupled(network: &Network) -> Blocks {
    let graph = Graph::new(network);
    let Blocks { mut blocks, declined } = blocks(network);
    let mut left = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    for mut node in declined {
        if !node.reason.starts_with(TRUNK) || done.contains(&node.node) {
            left.extend((!done.contains(&node.node)).then_some(node));
            continue;
        }
        match trunk(&graph, &node.node) {
            Ok(block) => {
                done.insert(block.producer.clone());
                done.extend(block.tied.iter().map(|tied| tied.layer.clone()));
                blocks.push(block);
            }
            Err(reason) => {
                node.reason = format!("{TRUNK}{reason}");
                left.push(node);
            }
        }
    }
    let place = |block: &Block| network.nodes.iter().position(|node| node.name == block.producer);
    blocks.sort_by_key(place);
    Blocks { blocks, declined: left }
}

/// The trunk that a producer writes to.
fn trunk(graph: &Graph<'_>, producer: &str) -> Result<Block, Declined> {
    let nodes = &graph.network.nodes;
    let first = nodes.iter().position(|node| node.name == producer).ok_or("no such layer")?;
    let (units, image) = rows(&nodes[first]).ok_or("no layer with units")?;
    let mut space =
        Space { graph, units, image, places: BTreeMap::new(), trail: Trail::default(), norms: BTreeSet::new() };
    space.join(first, Place::First)?;
    let producers: Vec<usize> = space.places.keys().copied().filter(|at| rows(&nodes[*at]).is_some()).collect();
    let norm = |at: usize| {
        let mut readers = graph.readers(&nodes[at]);
        readers.next().filter(|reader| space.norms.contains(&graph.at(reader))).map(|reader| reader.name.clone())
    };
    let mut tied = producers.iter().map(|at| Tied { layer: nodes[*at].name.clone(), norm: norm(*at) });
    let own = tied.next().ok_or("nothing writes to it")?;
    let activations: Vec<&Node> =
        space.places.keys().map(|at| &nodes[*at]).filter(|node| Bend::of(&node.op).is_some()).collect();
    let bends: Vec<Bend> = activations.iter().filter_map(|node| Bend::of(&node.op)).collect();
    if bends.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err("its activations have different slopes".to_owned());
    }
    let (Some(activation), Some(bend)) = (activations.first(), bends.first()) else {
        return Err("there is no ReLU on it".to_owned());
    };
    let passes = space.places.keys().filter(|at| rows(&nodes[**at]).is_none() && !space.norms.contains(at));
    let mut consumers = space.trail.consumers;
    consumers.sort_by_key(|consumer| nodes.iter().position(|node| node.name == consumer.node));
    if let Some(both) = consumers.iter().find(|one| producers.iter().any(|at| nodes[*at].name == one.node)) {
        return Err(format!("`{}` both reads it and adds to it", both.node));
    }
    if consumers.is_empty() {
        return Err("its units are outputs of the network".to_owned());
    }
    Ok(Block {
        producer: own.layer,
        units,
        norm: own.norm,
        tied: tied.collect(),
        activation: activation.name.clone(),
        bend: *bend,
        passes: passes.map(|at| nodes[*at].name.clone()).collect(),
        max_pool: space.trail.max_pool,
        consumers,
    })
}

/// Units of a layer that can write to a trunk, and whether they are channels of an image.
fn rows(node: &Node) -> Option<(usize, bool)> {
    match &node.op {
        Op::Linear { weight, .. } => Some((weight.matrix_shape()[0], false)),
        Op::Conv { weight, groups: 1, .. } => Some((weight.dimensions()[0], true)),
        _ => None,
    }
}

/// The values in which the units of a trunk lie.
struct Space<'g, 'n> {
    graph: &'g Graph<'n>,
    units: usize,
    image: bool,
    /// Nodes whose outputs hold the units, and where.
    places: BTreeMap<usize, Place>,
    /// Batch norms that belong to a producer.
    norms: BTreeSet<usize>,
    trail: Trail,
}

impl Space<'_, '_> {
    /// Takes the output of a node in, with all that is tied to it.
    fn join(&mut self, at: usize, place: Place) -> Result<(), Declined> {
        let node = &self.graph.network.nodes[at];
        match self.places.insert(at, place) {
            None => {}
            Some(known) if known == place => return Ok(()),
            Some(_) => return Err(format!("`{}` holds its channels in two ways", node.name)),
        }
        self.given(node, place)?;
        let mut any = false;
        for next in self.graph.readers(node) {
            any = true;
            let beyond = match &next.op {
                Op::Add | Op::Relu | Op::LeakyRelu { .. } | Op::Function(_) => Some(place),
                Op::BatchNorm { .. } if rows(node).is_some() && self.graph.readers(node).count() == 1 => {
                    self.norms.insert(self.graph.at(next));
                    Some(place)
                }
                _ => self.graph.beyond(next, self.units, place, self.image, &mut self.trail)?,
            };
            if let Some(place) = beyond {
                self.join(self.graph.at(next), place)?;
            }
        }
        if any { Ok(()) } else { Err("its units are outputs of the network".to_owned()) }
    }

    /// Takes in what a node computes its output from.
    fn given(&mut self, node: &Node, place: Place) -> Result<(), Declined> {
        if let Some((units, _)) = rows(node) {
            let same = units == self.units && place == Place::First;
            return if same {
                Ok(())
            } else {
                Err(format!("`{}` gives {units} channels, not {}", node.name, self.units))
            };
        }
        match node.op {
            Op::Add | Op::Relu | Op::LeakyRelu { .. } | Op::Function(_) | Op::Identity | Op::BatchNorm { .. } => {}
            Op::MaxPool { .. } | Op::AveragePool { .. } | Op::GlobalAveragePool => {}
            // What only moves values is reached from before it alone.
            Op::Flatten | Op::Reshape { .. } | Op::Transpose { .. } if self.comes_from_within(node) => return Ok(()),
            _ => return Err(format!("`{}` ({}) gives a part of it", node.name, node.op.name())),
        }
        for input in &node.inputs {
            let from = self.graph.network.nodes.iter().position(|other| other.name == *input);
            let Some(from) = from else { return Err("it is tied to the input of the network".to_owned()) };
            if let Op::BatchNorm { .. } = node.op
                && rows(&self.graph.network.nodes[from]).is_none()
            {
                return Err(format!("`{}`, a batch norm behind the activation, reads it", node.name));
            }
            if let Op::BatchNorm { .. } = node.op {
                self.norms.insert(self.graph.at(node));
            }
            self.join(from, place)?;
        }
        Ok(())
    }

    fn comes_from_within(&self, node: &Node) -> bool {
        let inside = |input: &String| {
            let from = self.graph.network.nodes.iter().position(|other| other.name == *input);
            from.is_some_and(|from| self.places.contains_key(&from))
        };
        node.inputs.iter().all(inside)
    }
}
