//! ONNX files in and out.
//!
//! ```text
//! file -> proto (messages; raw data stay in the map) -> read (checks, order) -> import (node by node) -> Network
//! Network + the model it came from -> rewrite -> write        Network of another format -> export -> write
//! ```

mod attributes;
mod branches;
mod data;
mod dequantize;
mod export;
mod functions;
mod import;
mod operators;
mod prepare;
mod proto;
mod read;
mod rewrite;
mod shapes;
mod source;
mod windows;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::write::{Pending, Sink};
use crate::error::{Error, Result};
use crate::network::spaces::OperatorGraph;
use crate::network::{Element, Network, Op, Tensor};

pub(super) use read::read;
pub(super) use source::Read;
pub use source::Source;

/// Whether `path` is named as an ONNX file.
pub(super) fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// Whether data go to a file beside the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// As they lay.
    Always,
    /// If they are too large for one message.
    IfLarge,
    /// Not even then: what is too large is refused.
    Never,
}

/// The files that a model of so many bytes may be written to, the model last.
pub(super) fn outputs(beside: Beside, bytes: u64, output: &Path) -> Vec<PathBuf> {
    let apart = beside == Beside::Always || (beside == Beside::IfLarge && bytes > write::LARGEST);
    let data = apart.then(|| write::data_path(output));
    data.into_iter().chain([output.to_owned()]).collect()
}

/// The value of the graph that a node of the network gives.
pub(in crate::network) type Names = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A model in memory.
pub(in crate::network) struct Encoded {
    pub(in crate::network) bytes: Vec<u8>,
    /// The number of samples that the model takes, if it takes no other.
    pub(in crate::network) batch: Option<usize>,
    pub(in crate::network) names: Names,
}

/// Encodes `network`, in f32: as the model it came from if one is given, else as a new one.
pub(in crate::network) fn encode_onnx(network: &Network, source: Option<&Source>) -> Result<Encoded> {
    let Some(source) = source else {
        let network = narrowed(network)?;
        let last = network.nodes.last().map(|node| node.name.clone());
        let names = move |name: &str| {
            Some(if last.as_deref() == Some(name) { export::OUTPUT.to_owned() } else { export::value(name) })
        };
        return Ok(Encoded { bytes: write::encode(export::export(&network)?)?, batch: None, names: Box::new(names) });
    };
    let opset = read::opset(&source.model);
    if opset < 13
        && let Some(name) = flattened_softmax(network)
    {
        let problem = format!("`{name}`: a softmax of operator set {opset} is over other axes for `rten`");
        return Err(Error::Unsupported { problem });
    }
    let batch = source.model.graph.as_ref().and_then(|graph| {
        let given =
            |input: &&proto::ValueInfo| source.values.get(input.name()).is_some_and(|node| node == Network::INPUT);
        graph.input.iter().find(given)?.dims()?.first()?.dim_value
    });
    let mut values = HashMap::new();
    for (value, node) in &source.values {
        values.insert(node.clone(), value.clone());
    }
    let mut rewritten = rewrite::rewrite(source, network)?;
    if let Some(graph) = &mut rewritten.model.graph {
        graph.node.iter_mut().for_each(spelled_out);
    }
    Ok(Encoded {
        bytes: write::encode(rewritten)?,
        batch: batch.and_then(|batch| usize::try_from(batch).ok()).filter(|batch| *batch > 0),
        names: Box::new(move |name| values.get(name).cloned()),
    })
}

/// The operators of a network that came from another format, under the names of its tensors.
pub(crate) fn operator_graph(network: &Network) -> Result<OperatorGraph> {
    let rewrite::Rewritten { model, data } = export::export(&narrowed(network)?)?;
    operators::of_memory(&model, data)
}

/// Encodes the model of `source` with a graph of operators of its own.
pub(in crate::network) fn encode_operators(source: &Source, graph: &OperatorGraph) -> Result<Vec<u8>> {
    let mut rewritten = operators::rewritten(source, graph)?;
    if let Some(graph) = &mut rewritten.model.graph {
        graph.value_info.clear();
        graph.node.iter_mut().for_each(spelled_out);
    }
    write::encode(rewritten)
}

/// Gives a window the steps that operators have by default, which `rten` does not know.
fn spelled_out(node: &mut proto::Node) {
    let steps: &[&str] = match node.op_type() {
        "Conv" => &["strides", "dilations"],
        "MaxPool" | "AveragePool" => &["strides"],
        _ => &[],
    };
    // Axes of the image, where the node says how many.
    let axes = node.attribute("kernel_shape").map_or(2, |attribute| attribute.ints.len());
    for name in steps {
        if node.attribute(name).is_none() {
            node.attribute.push(rewrite::ints(name, &vec![1; axes]));
        }
    }
}

/// A softmax that newer operator sets, in which axes are not flattened, may take over other values.
fn flattened_softmax(network: &Network) -> Option<&str> {
    let shapes = network.shapes().unwrap_or_default();
    let mut nodes = network.nodes.iter().zip(shapes);
    let found = nodes.find(|(node, shape)| {
        matches!(&node.op, Op::Softmax { axes, .. } if *axes != (1..2) || shape.as_ref().is_none_or(|shape| shape.len() != 1))
    });
    found.map(|(node, _)| node.name.as_str())
}

/// The same network with weights in f32.
fn narrowed(network: &Network) -> Result<Network> {
    let mut network = network.clone();
    for tensor in network.nodes.iter_mut().flat_map(|node| node.op.tensors_mut()) {
        if tensor.element() != Element::F32 {
            *tensor = Tensor::owned(tensor.name(), Element::F32, tensor.dimensions().to_vec(), tensor.to_vec())?;
        }
    }
    Ok(network)
}

/// Writes the model of `source` with a smaller graph; `changed` are the values that have another shape.
pub(super) fn write_operators(
    source: &Source,
    (graph, changed): (&OperatorGraph, &HashSet<&str>),
    beside: Beside,
    output: &Path,
    extra_metadata: &BTreeMap<String, String>,
    sink: Sink,
) -> Result<Vec<Pending>> {
    let mut rewritten = operators::rewritten(source, graph)?;
    operators::drop_shapes(&mut rewritten.model, changed);
    note(&mut rewritten.model, extra_metadata);
    write::write(rewritten, output, beside, sink)
}

fn note(model: &mut proto::Model, extra_metadata: &BTreeMap<String, String>) {
    let metadata = &mut model.metadata_props;
    for (key, value) in extra_metadata {
        metadata.retain(|entry| entry.key() != key);
        metadata.push(proto::Entry { key: Some(key.clone()), value: Some(value.clone()) });
    }
}

/// Writes `network` as ONNX: into the model it came from, or as a new one.
pub(super) fn write(
    source: Option<&Source>,
    beside: Beside,
    network: &Network,
    output: &Path,
    extra_metadata: &BTreeMap<String, String>,
    sink: Sink,
) -> Result<Vec<Pending>> {
    let mut rewritten = match source {
        Some(source) => rewrite::rewrite(source, network)?,
        None => export::export(network)?,
    };
    note(&mut rewritten.model, extra_metadata);
    write::write(rewritten, output, beside, sink)
}
