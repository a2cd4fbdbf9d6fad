//! The head: the chain of linear layers with ReLU between them that ends at the output. Blocks (Affine, ReLU, Affine)
//! are two consecutive layers of it.

use super::graph::{Network, Node, Op};
use super::tensor::Tensor;
use crate::error::{Error, Result};

/// One linear layer of a head.
#[derive(Debug, Clone)]
pub struct HeadLayer {
    /// Name of the node.
    pub name: String,
    /// `outputs x inputs`.
    pub weight: Tensor,
    /// `outputs`.
    pub bias: Option<Tensor>,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// The longest chain Linear, ReLU, Linear, ... that ends at the output of a network.
#[derive(Debug, Clone)]
pub struct Head {
    /// Layers from input to output, at least one.
    pub layers: Vec<HeadLayer>,
    /// Whether the chain begins at the network's input, so that data go in as they are; otherwise it takes the features
    /// that the carried part computes.
    pub whole: bool,
}

impl Head {
    /// Finds the head of a network.
    ///
    /// Flatten and identity nodes between and a softmax at the end are passed over. The chain stops where a node has
    /// several inputs or readers, at every other operation, and where two linear layers follow each other without ReLU.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the network does not end in a linear layer, or in a softmax over other values than the
    /// classes.
    pub fn of(network: &Network) -> Result<Self> {
        let mut layers: Vec<HeadLayer> = Vec::new();
        let (mut relu, mut whole) = (false, false);
        let mut next = network.nodes.last().map(|node| node.name.clone());
        while let Some(name) = next.take() {
            if name == Network::INPUT {
                whole = true;
                break;
            }
            let node = network.node(&name)?;
            let single = node.inputs.len() == 1 && network.consumers(&name).count() <= 1;
            match &node.op {
                _ if !single => break,
                Op::Relu => relu = true,
                Op::Flatten | Op::Reshape { .. } | Op::Identity => {}
                // Class probabilities are in the order of the logits.
                Op::Softmax { .. } if layers.is_empty() && network.keeps_order(node) => {}
                Op::Softmax { axes, .. } if layers.is_empty() => {
                    let problem = format!(
                        "`{}` ({} over axes {axes:?}, counted with the batch) changes which class of a sample is the \
                         largest; the linear layers before it do not decide it alone",
                        node.name,
                        node.op.name()
                    );
                    return Err(Error::Unsupported { problem });
                }
                Op::Linear { .. } if !relu && !layers.is_empty() => break,
                Op::Linear { weight, bias } => {
                    layers.push(HeadLayer { name, weight: weight.clone(), bias: bias.clone(), relu });
                    relu = false;
                }
                _ => break,
            }
            next = node.inputs.first().cloned();
        }
        layers.reverse();
        if layers.is_empty() {
            let last = network.nodes.last().map_or("nothing", |node| node.op.name());
            let problem = if last == "graph" {
                "the network is known as a graph of operators, not as layers: there is no chain of linear layers with ReLU at \
                 its output; whole units can go (`--keep`)"
                    .to_owned()
            } else {
                format!(
                    "the network ends in `{last}`; tropix works here on linear layers with ReLU that end at the output"
                )
            };
            return Err(Error::Unsupported { problem });
        }
        Ok(Self { layers, whole })
    }

    /// The node of `network` whose output the head takes.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the head is not of this network.
    pub fn input<'a>(&self, network: &'a Network) -> Result<&'a str> {
        let first = self.layers.first().map_or("", |layer| layer.name.as_str());
        let inputs = &network.node(first)?.inputs;
        inputs.first().map(String::as_str).ok_or_else(|| Error::Internal { what: format!("`{first}` reads nothing") })
    }

    /// The head as a network of its own, whose inputs are the features.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the head is not of this network.
    pub fn alone(&self, network: &Network) -> Result<Network> {
        let features = self.input(network)?;
        let mut nodes: Vec<Node> = Vec::new();
        for node in &network.nodes {
            let mut node = node.clone();
            // The head is a chain: whatever reads its features or one of its nodes is a part of it.
            let Some(input) = node.inputs.first_mut() else { continue };
            if input == features && self.layers.first().is_some_and(|first| first.name == node.name) {
                *input = Network::INPUT.to_owned();
            } else if !nodes.iter().any(|before| before.name == *input) {
                continue;
            }
            nodes.push(node);
        }
        Ok(Network { nodes, input: vec![self.inputs()], normalize: None, extra: Vec::new(), origin: network.origin })
    }

    /// `network` with the weights and biases of this head in place of those of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the head is not of this network.
    pub fn install(&self, network: &Network) -> Result<Network> {
        let mut network = network.clone();
        for layer in &self.layers {
            let node = network.nodes.iter_mut().find(|node| node.name == layer.name);
            let node = node.ok_or_else(|| Error::Internal { what: format!("no node `{}`", layer.name) })?;
            node.op = Op::Linear { weight: layer.weight.clone(), bias: layer.bias.clone() };
        }
        Ok(network)
    }

    /// Weights of all layers, biases not counted.
    #[must_use]
    pub fn weights(&self) -> u64 {
        self.layers.iter().map(|layer| layer.weight.len() as u64).sum()
    }

    /// Length of the features that the head takes.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weight.matrix_shape()[1])
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weight.matrix_shape()[0])
    }
}
