//! The network as a graph: nodes with named inputs, in an order in which every input comes first.

mod cost;
mod op;
mod shape;
mod softmax;
mod window;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::tensor::Tensor;
use crate::error::{Error, Result};

pub use op::Op;
pub(super) use shape::{Flow, infer, mismatch};
pub use softmax::Normalization;
pub use window::Window;

/// What the file says of the input: `x = (scale * raw - mean) / std`, per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// Factor on the raw values.
    #[serde(default = "one")]
    pub scale: f64,
    /// Mean of each channel, after scaling; empty for none.
    #[serde(default)]
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, after scaling; empty for one.
    #[serde(default)]
    pub std: Vec<f64>,
}

fn one() -> f64 {
    1.0
}

/// A node of the graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique name.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Names of the nodes whose outputs it reads; [`Network::INPUT`] is the input of the network.
    pub inputs: Vec<String>,
}

/// How the order of layers was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `tropix.arch` in the file.
    Header,
    /// An architecture file.
    Arch,
    /// The graph of an ONNX file.
    Onnx,
    /// Guessed from names and shapes.
    Guessed,
}

/// A network: nodes in topological order, and what else its file holds.
#[derive(Debug, Clone)]
pub struct Network {
    /// Nodes, each after its inputs; the last is the output.
    pub nodes: Vec<Node>,
    /// Shape of one input without the batch axis; empty if unknown.
    pub input: Vec<usize>,
    /// What to do to raw inputs.
    pub normalize: Option<Normalize>,
    /// Tensors that no node uses, kept verbatim.
    pub extra: Vec<Tensor>,
    /// Where the graph comes from.
    pub origin: Origin,
}

impl Network {
    /// The name of the network's input among the inputs of a node.
    pub const INPUT: &'static str = "input";

    /// Checks that names are unique, that inputs come first and that shapes fit, and returns the shape of each node's
    /// output without the batch, `None` where it depends on an operation that is carried along or on an input of unknown
    /// shape.
    ///
    /// # Errors
    ///
    /// The list of places where shapes or names do not fit.
    pub fn shapes(&self) -> std::result::Result<Vec<Option<Vec<usize>>>, Vec<String>> {
        let mut breaks = Vec::new();
        let input = (!self.input.is_empty()).then(|| self.input.clone());
        let mut known = HashMap::from([(Self::INPUT, Flow { shape: input, source: Self::INPUT })]);
        let mut shapes = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut incoming = Vec::with_capacity(node.inputs.len());
            for name in &node.inputs {
                incoming.push(known.get(name.as_str()).cloned().unwrap_or_else(|| {
                    breaks.push(format!("`{}` reads `{name}`, which no earlier node gives", node.name));
                    Flow { shape: None, source: name }
                }));
            }
            let outgoing = infer(&node.name, &node.op, &incoming).unwrap_or_else(|mut problems| {
                breaks.append(&mut problems);
                Flow { shape: None, source: &node.name }
            });
            shapes.push(outgoing.shape.clone());
            if known.insert(&node.name, outgoing).is_some() {
                breaks.push(format!("two nodes are called `{}`", node.name));
            }
        }
        if breaks.is_empty() { Ok(shapes) } else { Err(breaks) }
    }

    /// The length of each node's output, the product of its [`Network::shapes`].
    ///
    /// # Errors
    ///
    /// As [`Network::shapes`].
    pub fn output_lengths(&self) -> std::result::Result<Vec<Option<usize>>, Vec<String>> {
        let length = |shape: Option<Vec<usize>>| shape.map(|shape| shape.iter().product());
        Ok(self.shapes()?.into_iter().map(length).collect())
    }

    /// The node called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if there is none.
    pub fn node(&self, name: &str) -> Result<&Node> {
        let missing = || Error::Internal { what: format!("no node `{name}`") };
        self.nodes.iter().find(|node| node.name == name).ok_or_else(missing)
    }

    /// All tensors, those of the nodes in order and then the extra ones.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let of_nodes = self.nodes.iter().flat_map(|node| node.op.tensors());
        of_nodes.chain(&self.extra)
    }

    /// The nodes that read the output of `name`.
    pub fn consumers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.inputs.iter().any(|input| input == name))
    }
}
