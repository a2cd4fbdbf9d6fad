//! Follows the output of each layer to everything that reads it.

use std::collections::{BTreeSet, HashMap};

use super::{Bend, Block, Blocks, Columns, Consumer, DeclinedNode, Layout};
use crate::network::graph::{Network, Node, Op};

/// How the reason of a layer begins whose output is added to another path.
pub(super) const TRUNK: &str = "trunk: ";

/// A graph with its readers.
pub(super) struct Graph<'a> {
    pub(super) network: &'a Network,
    readers: HashMap<&'a str, Vec<usize>>,
}

/// How units lie in what flows along an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Axis 0: channels of an image, or the elements of a vector.
    First,
    /// The last axis of an image, behind a transpose.
    Last,
    /// Behind a flatten, in this order.
    Flat(Layout),
}

/// What the units pass on their way.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) passes: BTreeSet<usize>,
    pub(super) max_pool: bool,
    pub(super) consumers: Vec<Consumer>,
}

pub(super) type Declined = String;

pub(super) fn blocks(network: &Network) -> Blocks {
    let graph = Graph::new(network);
    let mut found = Blocks::default();
    for node in &network.nodes {
        let decline = |reason| DeclinedNode { node: node.name.clone(), op: node.op.name().to_owned(), reason };
        match &node.op {
            Op::Linear { weight, .. } => match graph.block(node, weight.matrix_shape()[0]) {
                Ok(Some(block)) => found.blocks.push(block),
                Ok(None) => {}
                Err(reason) => found.declined.push(decline(reason)),
            },
            Op::Conv { weight, groups, .. } => {
                let [units, per_group] = [weight.dimensions()[0], weight.dimensions()[1]];
                let block = match groups {
                    1 => graph.block(node, units),
                    _ if per_group == 1 && units == *groups => Err(
                        "depthwise: its channels are tied to those of the layer before it by a second activation, for \
                         which no bound holds"
                            .to_owned(),
                    ),
                    _ => {
                        Err(format!("grouped convolution ({groups} groups): removing channels would break the groups"))
                    }
                };
                match block {
                    Ok(Some(block)) => found.blocks.push(block),
                    Ok(None) => {}
                    Err(reason) => found.declined.push(decline(reason)),
                }
            }
            Op::Carried { tensors, op, .. } if !tensors.is_empty() => {
                found.declined.push(decline(carried_reason(op)));
            }
            _ => {}
        }
    }
    found
}

/// Why an operation with tensors is carried along.
fn carried_reason(op: &str) -> String {
    match op {
        "conv2d" => "carried verbatim: its stride and padding are not given".to_owned(),
        "batchnorm" => "carried verbatim: its `epsilon` is not given".to_owned(),
        _ => "carried verbatim: tropix does not compute it".to_owned(),
    }
}

impl<'a> Graph<'a> {
    pub(super) fn new(network: &'a Network) -> Self {
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, node) in network.nodes.iter().enumerate() {
            for input in &node.inputs {
                let readers = readers.entry(input).or_default();
                if readers.last() != Some(&at) {
                    readers.push(at);
                }
            }
        }
        Self { network, readers }
    }

    pub(super) fn readers(&self, node: &Node) -> impl Iterator<Item = &'a Node> {
        let readers = self.readers.get(node.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        readers.iter().map(|at| &self.network.nodes[*at])
    }

    /// The block of a producer, `None` if its units are the outputs of the network.
    fn block(&self, producer: &Node, units: usize) -> Result<Option<Block>, Declined> {
        let mut trail = Trail::default();
        let (mut node, mut norm) = (producer, None);
        let (activation, bend) = loop {
            let mut readers = self.readers(node);
            let Some(next) = readers.next() else {
                return if std::ptr::eq(node, producer) || norm.is_none() { Ok(None) } else { Err(ends(node)) };
            };
            if let Some(other) = readers.next() {
                return Err(format!("its output is read by `{}` and by `{}` before any ReLU", next.name, other.name));
            }
            match &next.op {
                Op::Identity => {
                    trail.passes.insert(self.at(next));
                }
                Op::BatchNorm { .. } if norm.is_none() => norm = Some(next.name.clone()),
                // The maximum and ReLU can change places.
                Op::MaxPool { .. } => {
                    trail.max_pool = true;
                    trail.passes.insert(self.at(next));
                }
                op if let Some(bend) = Bend::of(op) => break (next, bend),
                Op::Softmax { .. } => return Ok(None),
                op => return Err(before_activation(next, op)),
            }
            if matches!(next.op, Op::BatchNorm { .. }) && trail.max_pool {
                return Err(format!("max pooling before `{}` (batch norm)", next.name));
            }
            node = next;
        };
        let image = matches!(producer.op, Op::Conv { .. });
        self.follow(activation, units, Place::First, image, &mut trail)?;
        if trail.consumers.is_empty() {
            return Err("its units are outputs of the network".to_owned());
        }
        Ok(Some(Block {
            producer: producer.name.clone(),
            units,
            norm,
            tied: Vec::new(),
            activation: activation.name.clone(),
            bend,
            passes: trail.passes.iter().map(|at| self.network.nodes[*at].name.clone()).collect(),
            max_pool: trail.max_pool,
            consumers: trail.consumers,
        }))
    }

    pub(super) fn at(&self, node: &Node) -> usize {
        self.network.nodes.iter().position(|other| std::ptr::eq(other, node)).unwrap_or(usize::MAX)
    }

    /// Follows everything that reads `node`, in which units lie at `place`.
    fn follow(&self, node: &Node, units: usize, place: Place, image: bool, trail: &mut Trail) -> Result<(), Declined> {
        let mut any = false;
        for next in self.readers(node) {
            any = true;
            if let Some(place) = self.beyond(next, units, place, image, trail)? {
                trail.passes.insert(self.at(next));
                self.follow(next, units, place, image, trail)?;
            }
        }
        if any { Ok(()) } else { Err("its units are outputs of the network".to_owned()) }
    }

    /// Where the units lie in what `next` gives; nowhere if it is a consumer, which is noted.
    pub(super) fn beyond(
        &self,
        next: &Node,
        units: usize,
        place: Place,
        image: bool,
        trail: &mut Trail,
    ) -> Result<Option<Place>, Declined> {
        Ok(Some(match (&next.op, place) {
            (Op::Linear { weight, .. }, place) => {
                self.consume(next, units, place, image, weight.matrix_shape()[1], trail)?;
                return Ok(None);
            }
            (Op::Conv { groups, .. }, _) if *groups != 1 => {
                return Err(format!("read by `{}`, a convolution of {groups} groups", next.name));
            }
            (Op::Conv { weight, .. }, Place::First) => {
                let per_unit = weight.dimensions()[2..].iter().product();
                let columns = Columns { units, per_unit, layout: Layout::Blocks };
                trail.consumers.push(Consumer { node: next.name.clone(), columns });
                return Ok(None);
            }
            (Op::Identity, place) => place,
            (Op::MaxPool { .. }, Place::First) => {
                trail.max_pool = true;
                place
            }
            (Op::AveragePool { .. } | Op::GlobalAveragePool, Place::First) => place,
            (Op::Transpose { order }, Place::First) if image && *order == [1, 2, 0] => Place::Last,
            (Op::Transpose { order }, Place::Last) if *order == [2, 0, 1] => Place::First,
            (Op::Flatten, Place::First) => Place::Flat(Layout::Blocks),
            (Op::Reshape { shape }, Place::First) if shape.len() == 1 => Place::Flat(Layout::Blocks),
            (Op::Flatten, Place::Last) => Place::Flat(Layout::Strided),
            (Op::Reshape { shape }, Place::Last) if shape.len() == 1 => Place::Flat(Layout::Strided),
            (Op::Flatten, flat) => flat,
            (Op::Add, _) => {
                return Err(format!("{TRUNK}`{}` adds it to another path, whose channels are tied to it", next.name));
            }
            (Op::Concat { .. }, _) => return Err(format!("`{}` joins it with another path", next.name)),
            (Op::BatchNorm { .. }, _) => {
                return Err(format!("`{}`, a batch norm behind the activation, reads it", next.name));
            }
            (Op::Carried { op, .. }, _) if op == "affine" => {
                return Err(format!("`{}` scales or shifts it otherwise at each place", next.name));
            }
            (op, _) => return Err(format!("read by `{}` ({}), which is not affine", next.name, op.name())),
        }))
    }

    /// Ends at a linear layer of `width` columns.
    fn consume(
        &self,
        node: &Node,
        units: usize,
        place: Place,
        image: bool,
        width: usize,
        trail: &mut Trail,
    ) -> Result<(), Declined> {
        let layout = match place {
            Place::Flat(layout) => layout,
            // A linear layer reads an image as if it were flattened.
            Place::First => Layout::Blocks,
            Place::Last => Layout::Strided,
        };
        let per_unit = width / units.max(1);
        if per_unit * units != width || (!image && per_unit != 1) {
            return Err(format!("`{}` takes {width} values, which are not {units} units", node.name));
        }
        trail.consumers.push(Consumer { node: node.name.clone(), columns: Columns { units, per_unit, layout } });
        Ok(())
    }
}

fn before_activation(next: &Node, op: &Op) -> String {
    match op {
        Op::Add => format!("{TRUNK}`{}` adds it to another path before any ReLU", next.name),
        Op::Concat { .. } => format!("`{}` joins it with another path before any ReLU", next.name),
        Op::Linear { .. } | Op::Conv { .. } => format!("`{}` reads it without ReLU between", next.name),
        Op::BatchNorm { .. } => format!("a second batch norm, `{}`, follows", next.name),
        Op::AveragePool { .. } | Op::GlobalAveragePool => {
            format!("`{}` averages it before any ReLU", next.name)
        }
        op => format!("`{}` ({}) follows instead of ReLU", next.name, op.name()),
    }
}

fn ends(node: &Node) -> String {
    format!("the network ends in `{}`", node.name)
}
