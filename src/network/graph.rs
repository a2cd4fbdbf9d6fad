//! The network as a graph: nodes with named inputs, in an order in which every input comes first.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::tensor::Tensor;
use crate::error::{Error, Result};

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

/// What a node computes.
#[derive(Debug, Clone)]
pub enum Op {
    /// `W x + b`.
    Linear {
        /// `outputs x inputs`.
        weight: Tensor,
        /// `outputs`.
        bias: Option<Tensor>,
    },
    /// `max(x, 0)`.
    Relu,
    /// All axes but the batch into one.
    Flatten,
    /// The identity, and dropout at inference.
    Identity,
    /// An operation that tropix carries along without computing it.
    Carried {
        /// Name of the operation, such as `conv2d`.
        op: String,
        /// Its tensors, kept verbatim.
        tensors: Vec<Tensor>,
        /// Its attributes as the architecture gives them.
        attributes: toml::Table,
    },
}

impl Op {
    /// The name of the operation in an architecture file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Linear { .. } => "linear",
            Self::Relu => "relu",
            Self::Flatten => "flatten",
            Self::Identity => "identity",
            Self::Carried { op, .. } => op,
        }
    }
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

    /// Checks that names are unique, that inputs come first, and returns each node's output length (the product of the
    /// axes without the batch), `None` where it depends on an operation that is carried along.
    ///
    /// # Errors
    ///
    /// The list of places where shapes or names do not fit.
    pub fn output_lengths(&self) -> std::result::Result<Vec<Option<usize>>, Vec<String>> {
        let mut breaks = Vec::new();
        // Of each node, the length of its output and the node that decides it.
        let mut known: HashMap<&str, (Option<usize>, &str)> = HashMap::new();
        let input = (!self.input.is_empty()).then(|| self.input.iter().product());
        known.insert(Self::INPUT, (input, Self::INPUT));
        let mut lengths = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut incoming = (None, Self::INPUT);
            for name in &node.inputs {
                match known.get(name.as_str()) {
                    Some(source) => incoming = *source,
                    None => breaks.push(format!("`{}` reads `{name}`, which no earlier node gives", node.name)),
                }
            }
            let outgoing = match &node.op {
                Op::Linear { weight, .. } => {
                    let [outputs, takes] = weight.matrix_shape();
                    if let (Some(given), source) = incoming
                        && given != takes
                    {
                        breaks.push(mismatch(source, given, &node.name, takes));
                    }
                    (Some(outputs), node.name.as_str())
                }
                Op::Relu | Op::Flatten | Op::Identity => incoming,
                Op::Carried { .. } => (None, node.name.as_str()),
            };
            if known.insert(&node.name, outgoing).is_some() {
                breaks.push(format!("two nodes are called `{}`", node.name));
            }
            lengths.push(outgoing.0);
        }
        if breaks.is_empty() { Ok(lengths) } else { Err(breaks) }
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
        let of_nodes = self.nodes.iter().flat_map(|node| -> Vec<&Tensor> {
            match &node.op {
                Op::Linear { weight, bias } => std::iter::once(weight).chain(bias).collect(),
                Op::Carried { tensors, .. } => tensors.iter().collect(),
                Op::Relu | Op::Flatten | Op::Identity => Vec::new(),
            }
        });
        of_nodes.chain(&self.extra)
    }

    /// The nodes that read the output of `name`.
    pub fn consumers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.inputs.iter().any(|input| input == name))
    }
}

/// Says that `source` gives another length than `taker` takes, and what a flatten between them would explain.
pub(super) fn mismatch(source: &str, given: usize, taker: &str, takes: usize) -> String {
    let hint = match takes.checked_rem(given) {
        Some(0) => format!(" (= {given} x {}?)", takes / given),
        _ => String::new(),
    };
    format!("`{source}` gives {given}, `{taker}` takes {takes}{hint}")
}
