//! A model written from scratch: the graph of a network that came from another format.

use std::collections::{HashMap, HashSet};

use super::data::kind;
use super::functions;
use super::proto::{self, attribute_type, data_type};
use super::read::NORMALIZE;
use super::rewrite::{Rewritten, float, ints, message};
use super::windows::window_attributes;
use crate::error::{Error, Result};
use crate::network::format::distinct;
use crate::network::{Network, Op, Tensor};

/// The IR version and operator set that are written: old enough for every program in use.
pub(super) const IR: i64 = 8;
pub(super) const OPSET: i64 = 17;
/// Those in which an average pool has a dilation.
const DILATED: (i64, i64) = (9, 19);
const INPUT: &str = "input";
pub(super) const OUTPUT: &str = "output";

/// The model of a network whose operations are all computed.
pub(super) fn export(network: &Network) -> Result<Rewritten> {
    let unsupported = |problem: String| Err(Error::Unsupported { problem });
    if network.input.is_empty() {
        return unsupported("an ONNX file needs the shape of the input; give it as `input` in `--arch`".to_owned());
    }
    // Operators share initialisers, but each of ours has its own: pruning may change one of them.
    let network = &distinct(network);
    let shapes = network.shapes().map_err(|breaks| Error::Internal { what: breaks.join("; ") })?;
    let shape_of: HashMap<&str, &[usize]> = (network.nodes.iter().zip(&shapes))
        .filter_map(|(node, shape)| Some((node.name.as_str(), shape.as_deref()?)))
        .chain([(Network::INPUT, network.input.as_slice())])
        .collect();
    let mut elements = network.nodes.iter().flat_map(|node| node.op.tensors()).map(Tensor::element);
    let element = elements.next().map_or(data_type::FLOAT, kind);
    if elements.any(|other| kind(other) != element) {
        return unsupported("the weights have several element types; the operators of ONNX take one".to_owned());
    }
    let mut export = Export { graph: proto::Graph::default(), data: HashMap::new(), element, names: HashSet::new() };
    export.names = network.tensors().map(|tensor| tensor.name().to_owned()).collect();
    let last = network.nodes.len().saturating_sub(1);
    let names: HashMap<&str, String> = (network.nodes.iter().enumerate())
        .map(|(at, node)| (node.name.as_str(), if at == last { OUTPUT.to_owned() } else { value(&node.name) }))
        .chain([(Network::INPUT, INPUT.to_owned())])
        .collect();
    for node in &network.nodes {
        let mut inputs: Vec<String> = node.inputs.iter().filter_map(|name| names.get(name.as_str()).cloned()).collect();
        let output = names.get(node.name.as_str()).cloned().unwrap_or_default();
        let reads = node.inputs.first().and_then(|name| shape_of.get(name.as_str()));
        if let (Op::Linear { .. }, Some([_, _, ..]), Some(first)) = (&node.op, reads, inputs.first_mut()) {
            let flat = format!("{output}.flat");
            export.node(&format!("{}.flatten", node.name), "Flatten", vec![first.clone()], &flat, Vec::new());
            *first = flat;
        }
        export.op(&node.name, &node.op, inputs, &output, reads.copied().unwrap_or_default())?;
    }
    let classes = shapes.last().and_then(Option::as_deref).unwrap_or_default();
    export.graph.name = Some("tropix".to_owned());
    export.graph.input = vec![info(INPUT, element, &network.input)];
    export.graph.output = vec![info(OUTPUT, element, classes)];
    let normalize = network.normalize.as_ref().and_then(|normalize| serde_json::to_string(normalize).ok());
    let newest = network.nodes.iter().map(|node| match &node.op {
        Op::AveragePool { window, .. } if window.dilation != [1, 1] => DILATED,
        Op::Function(function) => functions::since(*function),
        _ => (IR, OPSET),
    });
    let (ir, opset) = newest.fold((IR, OPSET), |newest, needed| (newest.0.max(needed.0), newest.1.max(needed.1)));
    let model = proto::Model {
        ir_version: Some(ir),
        producer_name: Some("tropix".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        opset_import: vec![proto::OperatorSet { domain: Some(String::new()), version: Some(opset) }],
        metadata_props: normalize
            .map(|text| proto::Entry { key: Some(NORMALIZE.to_owned()), value: Some(text) })
            .into_iter()
            .collect(),
        graph: Some(export.graph),
        ..proto::Model::default()
    };
    Ok(Rewritten { model, data: export.data })
}

/// The name of the value that a node gives; a node may be called like the input or output of the graph.
pub(super) fn value(node: &str) -> String {
    if [INPUT, OUTPUT].contains(&node) { format!("{node}.value") } else { node.to_owned() }
}

/// A value with a dynamic batch.
fn info(name: &str, element: i32, shape: &[usize]) -> proto::ValueInfo {
    let batch = proto::Dimension { dim_param: Some("n".to_owned()), ..proto::Dimension::default() };
    let axes = shape.iter().map(|axis| proto::Dimension {
        dim_value: Some(i64::try_from(*axis).unwrap_or(i64::MAX)),
        ..proto::Dimension::default()
    });
    let shape = proto::Shape { dim: std::iter::once(batch).chain(axes).collect() };
    let tensor_type = Some(proto::TensorType { elem_type: Some(element), shape: Some(shape) });
    let kind = Some(proto::Type { tensor_type, ..proto::Type::default() });
    proto::ValueInfo { name: Some(name.to_owned()), kind, ..proto::ValueInfo::default() }
}

/// A graph under construction.
pub(super) struct Export {
    graph: proto::Graph,
    data: HashMap<usize, Tensor>,
    /// The type of all floats.
    pub(super) element: i32,
    /// Names of initialisers, taken or to be taken.
    names: HashSet<String>,
}

impl Export {
    fn op(&mut self, name: &str, op: &Op, mut inputs: Vec<String>, output: &str, reads: &[usize]) -> Result<()> {
        inputs.extend(op.tensors().into_iter().map(|tensor| self.initializer(tensor)));
        let (kind, attributes) = match op {
            Op::Linear { .. } => ("Gemm", vec![int("transB", 1)]),
            Op::Conv { window, groups, .. } => {
                let mut attributes = window_attributes(window);
                attributes.push(int("group", i64::try_from(*groups).unwrap_or(i64::MAX)));
                ("Conv", attributes)
            }
            Op::BatchNorm { epsilon, .. } => ("BatchNormalization", vec![float("epsilon", *epsilon)]),
            Op::Relu => ("Relu", Vec::new()),
            Op::LeakyRelu { slope } => ("LeakyRelu", vec![float("alpha", *slope)]),
            Op::Function(function) => return self.function(name, *function, inputs, output),
            Op::MaxPool { .. } | Op::AveragePool { .. } => return self.pool(name, op, inputs, output, reads),
            Op::Softmax { axes, .. } if axes.len() != 1 => return self.softmax(name, op, inputs, output, reads),
            Op::GlobalAveragePool => ("GlobalAveragePool", Vec::new()),
            Op::Flatten => ("Flatten", vec![int("axis", 1)]),
            Op::Reshape { shape } => {
                inputs.push(self.integers(&format!("{name}.shape"), 0, shape));
                ("Reshape", Vec::new())
            }
            Op::Transpose { order } => {
                let order: Vec<usize> = std::iter::once(0).chain(order.iter().map(|axis| axis + 1)).collect();
                ("Transpose", vec![ints("perm", &order)])
            }
            Op::Add if inputs.len() == 2 => ("Add", Vec::new()),
            Op::Add => ("Sum", Vec::new()),
            Op::Multiply => ("Mul", Vec::new()),
            Op::Concat { axis } => ("Concat", vec![int("axis", i64::try_from(axis + 1).unwrap_or(i64::MAX))]),
            Op::Softmax { axes, log } => (softmax(*log), vec![int("axis", signed(axes.start))]),
            Op::Identity => ("Identity", Vec::new()),
            Op::Carried { op, .. } => {
                let problem = format!("`{name}` ({op}) is carried along and has no operator in ONNX");
                return Err(Error::Unsupported { problem });
            }
        };
        self.node(name, kind, inputs, output, attributes);
        Ok(())
    }

    /// A softmax over several axes: they become one.
    fn softmax(&mut self, name: &str, op: &Op, inputs: Vec<String>, output: &str, reads: &[usize]) -> Result<()> {
        let Op::Softmax { axes, log } = op else {
            return Err(Error::Internal { what: format!("`{name}` is no softmax") });
        };
        let lengths = std::iter::once(1).chain(reads.iter().copied());
        if lengths.skip(axes.end).any(|length| length != 1) {
            let problem = format!("`{name}` ({} over axes {axes:?} of {reads:?}) has no operator in ONNX", op.name());
            return Err(Error::Unsupported { problem });
        }
        let [flat, done] = ["flat", "done"].map(|part| format!("{output}.{part}"));
        self.node(&format!("{name}.flatten"), "Flatten", inputs, &flat, vec![int("axis", signed(axes.start))]);
        self.node(name, softmax(*log), vec![flat], &done, vec![int("axis", 1)]);
        let shape = self.integers(&format!("{name}.shape"), -1, reads);
        self.node(&format!("{name}.reshape"), "Reshape", vec![done, shape], output, Vec::new());
        Ok(())
    }

    /// An initialiser of integers, the first of them for the batch.
    pub(super) fn integers(&mut self, name: &str, first: i64, rest: &[usize]) -> String {
        let values = std::iter::once(first).chain(rest.iter().copied().map(signed));
        let raw: Vec<u8> = values.flat_map(i64::to_le_bytes).collect();
        self.constant(name, data_type::INT64, vec![signed(rest.len() + 1)], raw)
    }

    /// An initialiser of bytes under a name that no other has.
    pub(super) fn constant(&mut self, name: &str, kind: i32, dims: Vec<i64>, raw: Vec<u8>) -> String {
        let mut fresh = name.to_owned();
        while !self.names.insert(fresh.clone()) {
            fresh.push('_');
        }
        self.graph.initializer.push(proto::Tensor {
            dims,
            data_type: Some(kind),
            name: Some(fresh.clone()),
            raw_data: Some(raw.into()),
            ..proto::Tensor::default()
        });
        fresh
    }

    fn initializer(&mut self, tensor: &Tensor) -> String {
        self.graph.initializer.push(message(tensor.name(), tensor, None));
        self.data.insert(self.graph.initializer.len() - 1, tensor.clone());
        tensor.name().to_owned()
    }

    pub(super) fn node(
        &mut self,
        name: &str,
        op: &str,
        input: Vec<String>,
        output: &str,
        attribute: Vec<proto::Attribute>,
    ) {
        self.graph.node.push(proto::Node {
            input,
            output: vec![output.to_owned()],
            name: Some(name.to_owned()),
            op_type: Some(op.to_owned()),
            attribute,
            ..proto::Node::default()
        });
    }
}

fn softmax(log: bool) -> &'static str {
    if log { "LogSoftmax" } else { "Softmax" }
}

pub(super) fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn int(name: &str, value: i64) -> proto::Attribute {
    let (name, i, kind) = (Some(name.to_owned()), Some(value), Some(attribute_type::INT));
    proto::Attribute { name, i, kind, ..proto::Attribute::default() }
}
