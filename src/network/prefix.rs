//! Whether two networks are the same up to their heads.

use std::collections::{HashMap, HashSet};

use super::{Head, Network, Node, Op, Tensor};
use crate::error::Result;

/// Whether the nodes that lead to the heads of two networks are the same, in the same order: operations, settings, the
/// nodes that they read, and tensors bit by bit. Names may differ, so that the same network in two formats is the same.
///
/// # Errors
///
/// [`Error::Internal`](crate::Error::Internal) if a head is not of its network.
pub fn same_before_head(networks: [&Network; 2], heads: [&Head; 2]) -> Result<bool> {
    let [a, b] = [leading(networks[0], heads[0])?, leading(networks[1], heads[1])?];
    let (places, others) = (places(&a), places(&b));
    let same = |(a, b): (&&Node, &&Node)| {
        let reads = |node: &Node, places: &HashMap<&str, usize>| -> Vec<Option<usize>> {
            node.inputs.iter().map(|input| places.get(input.as_str()).copied()).collect()
        };
        let (tensors, theirs) = (a.op.tensors(), b.op.tensors());
        reads(a, &places) == reads(b, &others)
            && settings(&a.op) == settings(&b.op)
            && tensors.len() == theirs.len()
            && tensors.iter().zip(theirs).all(|(a, b)| equal(a, b))
    };
    let inputs = networks[0].input == networks[1].input;
    Ok(inputs && a.len() == b.len() && a.iter().zip(&b).all(same))
}

/// The nodes on which the input of a head depends.
fn leading<'a>(network: &'a Network, head: &Head) -> Result<Vec<&'a Node>> {
    let mut wanted = HashSet::from([head.input(network)?]);
    let mut found = Vec::new();
    for node in network.nodes.iter().rev() {
        if wanted.contains(node.name.as_str()) {
            wanted.extend(node.inputs.iter().map(String::as_str));
            found.push(node);
        }
    }
    found.reverse();
    Ok(found)
}

fn places<'a>(nodes: &[&'a Node]) -> HashMap<&'a str, usize> {
    nodes.iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect()
}

/// The operation and everything but its tensors.
fn settings(op: &Op) -> String {
    let rest = match op {
        Op::Conv { window, groups, bias, .. } => format!("{window:?} {groups} {}", bias.is_some()),
        Op::Linear { bias, .. } => format!("{}", bias.is_some()),
        Op::BatchNorm { epsilon, .. } => format!("{epsilon:e}"),
        Op::LeakyRelu { slope } => format!("{slope:e}"),
        Op::Function(function) => format!("{function:?}"),
        Op::MaxPool { window, ceil } => format!("{window:?} {ceil}"),
        Op::AveragePool { window, ceil, count_include_pad } => format!("{window:?} {ceil} {count_include_pad}"),
        Op::Reshape { shape } => format!("{shape:?}"),
        Op::Transpose { order } => format!("{order:?}"),
        Op::Concat { axis } => format!("{axis}"),
        Op::Carried { attributes, .. } => attributes.to_string(),
        Op::Softmax { axes, .. } => format!("{axes:?}"),
        Op::Relu | Op::GlobalAveragePool | Op::Flatten | Op::Add | Op::Multiply | Op::Identity => String::new(),
    };
    format!("{} {rest}", op.name())
}

fn equal(a: &Tensor, b: &Tensor) -> bool {
    let bits = |tensor: &Tensor| tensor.to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    a.is(b) || (a.dimensions() == b.dimensions() && a.element().is_float() && bits(a) == bits(b))
}
