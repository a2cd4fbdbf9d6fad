//! `If` with a constant condition: the branch that is taken stands in its place.

use std::collections::{HashMap, HashSet};
use std::mem;

use prost::Message as _;
use prost::bytes::Bytes;

use super::proto;

/// Graphs that lie in each other at most: far more than exporters write.
const DEEPEST: usize = 64;

/// Whether more graphs lie in each other than are looked into.
pub(super) fn is_too_deep(graph: &proto::Graph) -> bool {
    deeper(graph, DEEPEST)
}

fn deeper(graph: &proto::Graph, most: usize) -> bool {
    let parts = graph.node.iter().flat_map(|node| &node.attribute);
    let mut inner = parts.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    inner.any(|bytes| most == 0 || proto::Graph::decode(bytes.clone()).is_ok_and(|graph| deeper(&graph, most - 1)))
}

/// Puts the branch that is taken in place of every `If` whose condition is a constant.
pub(super) fn take_branches(graph: &mut proto::Graph) {
    // Branches lie in each other: each pass takes those that are in sight.
    let mut more = true;
    while more {
        let (known, mut taken) = (conditions(graph), names(graph));
        more = false;
        for node in mem::take(&mut graph.node) {
            let branch = node.input.first().filter(|_| node.op_type() == "If").and_then(|name| known.get(name));
            match branch.and_then(|condition| take(graph, &node, *condition, &mut taken)) {
                Some(nodes) => {
                    more = true;
                    graph.node.extend(nodes);
                }
                None => graph.node.push(node),
            }
        }
    }
}

/// Constants of one truth value.
fn conditions(graph: &proto::Graph) -> HashMap<String, bool> {
    /// `TensorProto.DataType.BOOL`.
    const BOOL: i32 = 9;
    let value = |tensor: &proto::Tensor| {
        let one = tensor.dims.iter().all(|length| *length == 1) && tensor.data_type() == BOOL;
        let raw = tensor.raw_data.as_ref().and_then(|raw| raw.first()).map(|byte| *byte != 0);
        raw.or(tensor.int32_data.first().map(|value| *value != 0)).filter(|_| one)
    };
    let stored = graph.initializer.iter().filter_map(|tensor| Some((tensor.name().to_owned(), value(tensor)?)));
    let nodes = graph.node.iter().filter(|node| node.op_type() == "Constant");
    let given =
        nodes.filter_map(|node| Some((node.output.first()?.clone(), value(node.attribute.first()?.t.as_ref()?)?)));
    stored.chain(given).collect()
}

/// The nodes of the branch that a node takes, if there is one; what else it holds goes into the graph.
fn take(
    graph: &mut proto::Graph,
    node: &proto::Node,
    condition: bool,
    taken: &mut HashSet<String>,
) -> Option<Vec<proto::Node>> {
    let name = if condition { "then_branch" } else { "else_branch" };
    let bytes = node.attribute(name).and_then(|attribute| attribute.g.clone())?;
    let mut branch = proto::Graph::decode(bytes).ok()?;
    if branch.output.len() != node.output.len() || !branch.sparse_initializer.is_empty() {
        return None;
    }
    let (outputs, label) = (node.output.clone(), node.label().to_owned());
    // Values of a branch take the names of the outputs that they are, or names that nothing else has.
    let given: HashSet<String> = branch.node.iter().flat_map(|node| node.output.iter().cloned()).collect();
    let inner = branch.initializer.iter().map(|tensor| tensor.name().to_owned());
    let mut own: Vec<String> = given.iter().cloned().chain(inner).filter(|name| !name.is_empty()).collect();
    own.sort_unstable();
    let mut to: HashMap<String, String> = HashMap::new();
    let mut passed = Vec::new();
    for (value, output) in branch.output.iter().zip(&outputs).filter(|(_, output)| !output.is_empty()) {
        if given.contains(value.name()) && !to.contains_key(value.name()) {
            to.insert(value.name().to_owned(), output.clone());
        } else {
            passed.push((value.name().to_owned(), output.clone()));
        }
    }
    own.retain(|name| !to.contains_key(name));
    for name in own {
        let mut free = name.clone();
        while !taken.insert(free.clone()) {
            free = format!("{free}.{label}");
        }
        to.insert(name, free);
    }
    rename(&mut branch, &to);
    for (number, (value, output)) in passed.into_iter().enumerate() {
        let value = to.get(&value).cloned().unwrap_or(value);
        branch.node.push(proto::Node {
            input: vec![value],
            output: vec![output],
            name: Some(format!("{label}.passes.{number}")),
            op_type: Some("Identity".to_owned()),
            ..proto::Node::default()
        });
    }
    graph.initializer.extend(branch.initializer);
    let known: HashSet<String> = graph.value_info.iter().map(|info| info.name().to_owned()).collect();
    let described = branch.value_info.into_iter().filter(|info| !known.contains(info.name()));
    graph.value_info.extend(described.collect::<Vec<_>>());
    Some(branch.node)
}

/// All names of values in a graph.
fn names(graph: &proto::Graph) -> HashSet<String> {
    let nodes = graph.node.iter().flat_map(|node| node.input.iter().chain(&node.output).cloned());
    let stored = graph.initializer.iter().map(|tensor| tensor.name().to_owned());
    nodes.chain(stored).chain(graph.input.iter().map(|input| input.name().to_owned())).collect()
}

/// Gives values other names, in subgraphs, too: names are used once in a graph and all that lie in it.
fn rename(graph: &mut proto::Graph, to: &HashMap<String, String>) {
    let renamed = |name: &mut String| {
        if let Some(new) = to.get(name) {
            name.clone_from(new);
        }
    };
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(renamed);
        for attribute in &mut node.attribute {
            for bytes in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                if let Ok(mut inner) = proto::Graph::decode(bytes.clone()) {
                    rename(&mut inner, to);
                    *bytes = Bytes::from(inner.encode_to_vec());
                }
            }
        }
    }
    let stored = graph.initializer.iter_mut().filter_map(|tensor| tensor.name.as_mut());
    let described = graph.value_info.iter_mut().chain(&mut graph.output).filter_map(|info| info.name.as_mut());
    stored.chain(described).for_each(renamed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &str, inputs: &[&str], output: &str) -> proto::Node {
        proto::Node {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            op_type: Some(kind.to_owned()),
            ..proto::Node::default()
        }
    }

    fn graph(nodes: Vec<proto::Node>, output: &str) -> proto::Graph {
        let output = proto::ValueInfo { name: Some(output.to_owned()), ..proto::ValueInfo::default() };
        proto::Graph { node: nodes, output: vec![output], ..proto::Graph::default() }
    }

    fn branch(name: &str, graph: &proto::Graph) -> proto::Attribute {
        let g = Some(Bytes::from(graph.encode_to_vec()));
        proto::Attribute { name: Some(name.to_owned()), g, ..proto::Attribute::default() }
    }

    fn condition(name: &str, value: i32) -> proto::Tensor {
        let (name, int32_data) = (Some(name.to_owned()), vec![value]);
        proto::Tensor { name, data_type: Some(9), int32_data, ..proto::Tensor::default() }
    }

    fn lines(graph: &proto::Graph) -> Vec<String> {
        let line =
            |node: &proto::Node| format!("{}({}) {}", node.op_type(), node.input.join(","), node.output.join(","));
        graph.node.iter().map(line).collect()
    }

    #[test]
    fn the_branch_that_is_taken_stands_in_place_and_its_names_are_its_own() {
        let relu = graph(vec![node("Relu", &["x"], "h"), node("Exp", &["h"], "o")], "o");
        let pass = graph(Vec::new(), "x");
        let mut inner = node("If", &["no"], "i");
        inner.attribute = vec![branch("then_branch", &pass), branch("else_branch", &relu)];
        let outer = graph(vec![node("Abs", &["x"], "h"), inner, node("Add", &["h", "i"], "o")], "o");
        let mut first = node("If", &["yes"], "y");
        first.attribute = vec![branch("then_branch", &outer), branch("else_branch", &pass)];
        let mut last = node("If", &["no"], "z");
        last.attribute = vec![branch("then_branch", &relu), branch("else_branch", &pass)];
        let mut whole = graph(vec![first, last, node("Mul", &["y", "z"], "out")], "out");
        whole.initializer = vec![condition("yes", 1), condition("no", 0)];
        take_branches(&mut whole);
        // `h` of the inner branch and of the outer one are two values.
        let expected = ["Abs(x) h", "Relu(x) h.i", "Exp(h.i) i", "Add(h,i) y", "Identity(x) z", "Mul(y,z) out"];
        assert_eq!(lines(&whole), expected);
    }

    #[test]
    fn graphs_in_graphs_are_followed_so_far_and_no_further() {
        let nested = |levels: usize| {
            (0..levels).fold(graph(Vec::new(), "x"), |inner, _| {
                let mut either = node("If", &["c"], "y");
                either.attribute = vec![branch("then_branch", &inner)];
                graph(vec![either], "y")
            })
        };
        assert!(!is_too_deep(&nested(DEEPEST)));
        assert!(is_too_deep(&nested(DEEPEST + 1)));
    }

    #[test]
    fn a_condition_that_is_computed_keeps_both_branches() {
        let mut either = node("If", &["c"], "y");
        let pass = graph(Vec::new(), "x");
        either.attribute = vec![branch("then_branch", &pass), branch("else_branch", &pass)];
        let mut whole = graph(vec![node("Not", &["b"], "c"), either], "y");
        let before = whole.clone();
        take_branches(&mut whole);
        assert_eq!(whole, before);
    }
}
