//! Makes a graph ready to be taken in: one output, nodes in order, none that leads nowhere, constants as tensors.

use std::collections::{HashMap, HashSet};

use super::data::{Files, is_float};
use super::operators::captured;
use super::proto::{self, data_type};
use crate::error::Result;

/// Prepares a graph for [`super::import::Import`] and returns what the user should know of it. What is left out here is not
/// written again.
pub(super) fn prepare(
    graph: &mut proto::Graph,
    files: &Files,
    inputs: &[String],
    scores: Option<&str>,
) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    choose_output(graph, files, scores, &mut warnings)?;
    let order = order(graph, files, inputs)?;
    let mut nodes: Vec<Option<proto::Node>> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
    graph.node = order.iter().filter_map(|at| nodes.get_mut(*at)?.take()).collect();
    let lost: Vec<proto::Node> = nodes.into_iter().flatten().collect();
    for node in lost.iter().filter(|node| node.op_type() != "Constant") {
        warnings.push(format!(
            "node `{}` ({}) does not lead to the output and is left out",
            node.label(),
            node.op_type()
        ));
    }
    let read: HashSet<String> = graph.node.iter().flat_map(reads).collect();
    let gone: HashSet<String> = lost.iter().flat_map(reads).collect();
    let stays = |name: &str| read.contains(name) || !gone.contains(name);
    graph.initializer.retain(|tensor| stays(tensor.name()));
    graph.input.retain(|value| inputs.iter().any(|input| input == value.name()) || stays(value.name()));
    graph.node.iter_mut().for_each(as_tensor);
    Ok(warnings)
}

/// Leaves the output that holds scores: the one called `wanted`, else the first of floats with one axis behind the batch, else
/// the first of floats, else the first.
fn choose_output(
    graph: &mut proto::Graph,
    files: &Files,
    wanted: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let list = |outputs: &[proto::ValueInfo]| {
        outputs.iter().map(|output| format!("`{}`", output.name())).collect::<Vec<_>>().join(", ")
    };
    let all = std::mem::take(&mut graph.output);
    let kind = |output: &proto::ValueInfo| output.kind.as_ref()?.tensor_type.as_ref()?.elem_type;
    let floats = |output: &proto::ValueInfo| kind(output).is_none_or(is_float);
    let flat = |output: &proto::ValueInfo| floats(output) && output.dims().is_none_or(|dims| dims.len() == 2);
    let chosen = match wanted {
        Some(name) => {
            let found = all.iter().find(|output| output.name() == name);
            if found.is_none() {
                return files.refused(format!("has no output `{name}`; its outputs are {}", list(&all)));
            }
            found
        }
        None => all.iter().find(|o| flat(o)).or_else(|| all.iter().find(|o| floats(o))).or(all.first()),
    };
    let Some(chosen) = chosen else { return files.refused("has no output".to_owned()) };
    if all.len() > 1 {
        let others: Vec<proto::ValueInfo> =
            all.iter().filter(|output| output.name() != chosen.name()).cloned().collect();
        let (name, others) = (chosen.name(), list(&others));
        warnings.push(format!("of {} outputs `{name}` is taken for the scores; left out: {others}", all.len()));
    }
    graph.output = vec![chosen.clone()];
    Ok(())
}

/// What a node reads, and what its subgraphs take from outside.
pub(super) fn reads(node: &proto::Node) -> Vec<String> {
    let inner = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    node.input.iter().cloned().chain(inner.flat_map(captured)).collect()
}

/// Gives a `Constant` node its value as a tensor, in whatever attribute it stands.
fn as_tensor(node: &mut proto::Node) {
    if node.op_type() != "Constant" {
        return;
    }
    let Some(attribute) = node.attribute.first_mut() else { return };
    let length = |values: usize| vec![i64::try_from(values).unwrap_or(i64::MAX)];
    let empty = proto::Tensor::default;
    let tensor = match attribute.name() {
        "value_float" => {
            proto::Tensor { data_type: Some(data_type::FLOAT), float_data: vec![attribute.f()], ..empty() }
        }
        "value_floats" => proto::Tensor {
            data_type: Some(data_type::FLOAT),
            dims: length(attribute.floats.len()),
            float_data: std::mem::take(&mut attribute.floats),
            ..empty()
        },
        "value_int" => proto::Tensor { data_type: Some(data_type::INT64), int64_data: vec![attribute.i()], ..empty() },
        "value_ints" => proto::Tensor {
            data_type: Some(data_type::INT64),
            dims: length(attribute.ints.len()),
            int64_data: std::mem::take(&mut attribute.ints),
            ..empty()
        },
        _ => return,
    };
    *attribute = proto::Attribute {
        name: Some("value".to_owned()),
        kind: Some(proto::attribute_type::TENSOR),
        t: Some(tensor),
        ..proto::Attribute::default()
    };
}

/// The nodes that lead to the output, in an order in which inputs come first. Every input has a giver, and no node waits
/// for itself.
fn order(graph: &proto::Graph, files: &Files, inputs: &[String]) -> Result<Vec<usize>> {
    let mut givers: HashMap<&str, Option<usize>> = inputs.iter().map(|input| (input.as_str(), None)).collect();
    for tensor in &graph.initializer {
        if givers.insert(tensor.name(), None).is_some() {
            return files.refused(format!("`{}` is given twice", tensor.name()));
        }
    }
    for (at, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if givers.insert(output, Some(at)).is_some() {
                return files.refused(format!("`{output}` is given twice, once by node `{}`", node.label()));
            }
        }
    }
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    let mut waiting = vec![0_usize; graph.node.len()];
    let reads: Vec<Vec<String>> = graph.node.iter().map(reads).collect();
    for (at, node) in graph.node.iter().enumerate() {
        for name in reads[at].iter().filter(|name| !name.is_empty()) {
            match givers.get(name.as_str()) {
                Some(Some(giver)) => {
                    readers[*giver].push(at);
                    waiting[at] += 1;
                }
                Some(None) => {}
                None => {
                    return files.refused(format!("node `{}` reads `{name}`, which nothing gives", node.label()));
                }
            }
        }
    }
    // Of the nodes that are ready the first in the file comes first: a sorted file keeps its order.
    let mut ready: std::collections::BTreeSet<usize> = (0..waiting.len()).filter(|at| waiting[*at] == 0).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for reader in &readers[at] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.insert(*reader);
            }
        }
    }
    if order.len() < graph.node.len() {
        let stuck: Vec<String> = (graph.node.iter().zip(&waiting))
            .filter(|(_, waiting)| **waiting > 0)
            .map(|(node, _)| format!("`{}`", node.label()))
            .collect();
        return files.refused(format!("the graph has a cycle through {}", stuck.join(", ")));
    }
    let output = graph.output.first().map_or("", proto::ValueInfo::name);
    let Some(Some(last)) = givers.get(output) else {
        return files.refused(format!("no node gives the output `{output}`"));
    };
    let (mut leads, mut open) = (vec![false; graph.node.len()], vec![*last]);
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut leads[at], true) {
            let inputs = reads[at].iter();
            open.extend(inputs.filter_map(|name| givers.get(name.as_str()).copied().flatten()));
        }
    }
    order.retain(|at| leads[*at]);
    Ok(order)
}
