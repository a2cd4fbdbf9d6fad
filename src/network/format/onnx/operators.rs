//! The operators of a model as labels run through them, and a model with the operators of a smaller graph.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost::Message;

use super::data::{Files, is_float};
use super::proto::{self, attribute_type, data_type};
use super::read::opset;
use super::rewrite::{Rewritten, message, remove_dead_nodes};
use super::source::Source;
use crate::error::{Error, Result};
use crate::network::spaces::{Attribute, Constant, GraphInput, Numbers, Operator, OperatorGraph, ValueId};
use crate::network::{Element, Tensor};

/// Where the parts of a graph of operators lie in a model.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) graph: OperatorGraph,
    /// The node of each operator.
    nodes: Vec<usize>,
}

/// Where the floats of a model are read from: those of a message, under a name.
trait Floats {
    fn tensor(&mut self, message: &proto::Tensor, name: &str) -> Result<Tensor>;
}

impl Floats for Files {
    fn tensor(&mut self, message: &proto::Tensor, name: &str) -> Result<Tensor> {
        Self::tensor(self, message, name)
    }
}

/// Tensors of a network, by name.
impl Floats for HashMap<String, Tensor> {
    fn tensor(&mut self, message: &proto::Tensor, name: &str) -> Result<Tensor> {
        if let Some(tensor) = self.get(name) {
            return Ok(tensor.clone());
        }
        // Constants that formulas are written out with.
        let raw = message.raw_data.as_deref().unwrap_or_default();
        let values = raw.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let shape = message.dims.iter().map(|axis| usize::try_from(*axis).unwrap_or(0)).collect();
        Tensor::owned(name, Element::F32, shape, values.collect())
    }
}

struct Reader<'a> {
    floats: &'a mut dyn Floats,
    ids: HashMap<String, ValueId>,
    placed: Placed,
}

/// The operators of a graph that [`super::prepare`] has put in order; `given` are lengths of its inputs behind the batch.
pub(super) fn operators(
    model: &proto::Model,
    graph: &proto::Graph,
    given: &BTreeMap<String, Vec<usize>>,
    files: &mut Files,
) -> Result<Placed> {
    placed(model, graph, given, files)
}

/// The operators of a model that lies in no file; `data` are the floats of its initialisers, by index.
pub(super) fn of_memory(model: &proto::Model, data: HashMap<usize, Tensor>) -> Result<OperatorGraph> {
    let lost = || Error::Internal { what: "a model without a graph".to_owned() };
    let graph = model.graph.as_ref().ok_or_else(lost)?;
    let mut floats: HashMap<String, Tensor> =
        data.into_values().map(|tensor| (tensor.name().to_owned(), tensor)).collect();
    Ok(placed(model, graph, &BTreeMap::new(), &mut floats)?.graph)
}

fn placed(
    model: &proto::Model,
    graph: &proto::Graph,
    given: &BTreeMap<String, Vec<usize>>,
    floats: &mut dyn Floats,
) -> Result<Placed> {
    let empty = OperatorGraph {
        values: Vec::new(),
        operators: Vec::new(),
        constants: BTreeMap::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        declared: BTreeMap::new(),
        opset: opset(model),
    };
    let placed = Placed { graph: empty, nodes: Vec::new() };
    let mut reader = Reader { floats, ids: HashMap::new(), placed };
    for tensor in &graph.initializer {
        let id = reader.id(tensor.name());
        let constant = reader.constant(tensor, tensor.name())?;
        reader.placed.graph.constants.insert(id, constant);
    }
    let known: HashSet<&str> = graph.initializer.iter().map(proto::Tensor::name).collect();
    for input in graph.input.iter().filter(|input| !known.contains(input.name())) {
        let value = reader.id(input.name());
        let mut shape = dimensions(input).unwrap_or_default();
        let mut open = Vec::new();
        if let Some(axes) = given.get(input.name()) {
            shape.resize(axes.len() + 1, None);
            open.extend((1..shape.len()).filter(|axis| shape[*axis].is_none()));
            shape.iter_mut().skip(1).zip(axes).for_each(|(axis, length)| *axis = Some(*length));
        }
        reader.placed.graph.inputs.push(GraphInput { value, shape, open });
    }
    for (at, node) in graph.node.iter().enumerate() {
        reader.node(at, node)?;
    }
    for info in &graph.value_info {
        if let (Some(id), Some(shape)) = (reader.ids.get(info.name()), dimensions(info)) {
            reader.placed.graph.declared.insert(*id, shape);
        }
    }
    let outputs = graph.output.iter().filter_map(|output| reader.ids.get(output.name()).copied());
    reader.placed.graph.outputs = outputs.collect();
    Ok(reader.placed)
}

/// The declared lengths of a value's axes.
fn dimensions(info: &proto::ValueInfo) -> Option<Vec<Option<usize>>> {
    let length = |axis: &proto::Dimension| axis.dim_value.and_then(|length| usize::try_from(length).ok());
    info.dims().map(|axes| axes.iter().map(length).map(|length| length.filter(|length| *length > 0)).collect())
}

impl Reader<'_> {
    fn id(&mut self, name: &str) -> ValueId {
        let values = &mut self.placed.graph.values;
        *self.ids.entry(name.to_owned()).or_insert_with(|| {
            values.push(name.to_owned());
            values.len() - 1
        })
    }

    fn constant(&mut self, tensor: &proto::Tensor, name: &str) -> Result<Constant> {
        if is_float(tensor.data_type()) {
            return Ok(Constant::Weights(self.floats.tensor(tensor, name)?));
        }
        let shape: Vec<usize> = tensor.dims.iter().map(|axis| usize::try_from(*axis).unwrap_or(0)).collect();
        let numbers = numbers(tensor).and_then(|values| Numbers::constant(shape.clone(), values, false));
        Ok(numbers.map_or(Constant::Opaque(shape), Constant::Numbers))
    }

    fn node(&mut self, at: usize, node: &proto::Node) -> Result<()> {
        if node.op_type() == "Constant" {
            let tensor = node.attribute.first().and_then(|attribute| attribute.t.as_ref());
            if let (Some(tensor), Some(output)) = (tensor, node.output.first()) {
                let id = self.id(output);
                let constant = self.constant(tensor, output)?;
                self.placed.graph.constants.insert(id, constant);
                return Ok(());
            }
        }
        let mut inputs: Vec<Option<ValueId>> =
            node.input.iter().map(|name| (!name.is_empty()).then(|| self.id(name))).collect();
        for attribute in &node.attribute {
            for bytes in attribute.g.iter().chain(&attribute.graphs) {
                // What a subgraph takes from outside flows into it.
                let captured = captured(bytes);
                inputs.extend(
                    captured.iter().filter(|name| self.ids.contains_key(*name)).map(|name| self.ids.get(name).copied()),
                );
            }
        }
        let outputs = node.output.iter().map(|name| (!name.is_empty()).then(|| self.id(name))).collect();
        let kind = match node.domain() {
            "" | "ai.onnx" => node.op_type().to_owned(),
            domain => format!("{domain}.{}", node.op_type()),
        };
        let attributes =
            node.attribute.iter().map(|attribute| (attribute.name().to_owned(), read_attribute(attribute)));
        let operator =
            Operator { name: node.label().to_owned(), kind, inputs, outputs, attributes: attributes.collect() };
        self.placed.graph.operators.push(operator);
        self.placed.nodes.push(at);
        Ok(())
    }
}

/// Names that a subgraph reads and does not give.
pub(super) fn captured(bytes: &prost::bytes::Bytes) -> Vec<String> {
    let Ok(graph) = proto::Graph::decode(bytes.clone()) else { return Vec::new() };
    let mut given: HashSet<&str> = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
    given.extend(graph.initializer.iter().map(proto::Tensor::name));
    given.extend(graph.input.iter().map(proto::ValueInfo::name));
    let mut names: Vec<String> = Vec::new();
    for node in &graph.node {
        names.extend(node.input.iter().filter(|name| !given.contains(name.as_str())).cloned());
        let inner = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        names.extend(inner.flat_map(captured).filter(|name| !given.contains(name.as_str())));
    }
    names.extend(
        graph.output.iter().map(proto::ValueInfo::name).filter(|name| !given.contains(name)).map(str::to_owned),
    );
    names
}

fn read_attribute(attribute: &proto::Attribute) -> Attribute {
    if let Some(text) = &attribute.s {
        return Attribute::Text(String::from_utf8_lossy(text).into_owned());
    }
    if let Some(tensor) = &attribute.t {
        // The one value of a `ConstantOfShape`.
        return match numbers(tensor) {
            #[expect(clippy::cast_possible_truncation, reason = "small integers")]
            Some(values) => Attribute::Ints(values.into_iter().map(|value| value as i64).collect()),
            None if tensor.data_type() == data_type::FLOAT => Attribute::Floats(tensor.float_data.clone()),
            None => Attribute::Other,
        };
    }
    match (attribute.i, attribute.f) {
        (Some(value), _) => Attribute::Int(value),
        (None, Some(value)) => Attribute::Float(value),
        _ if !attribute.floats.is_empty() => Attribute::Floats(attribute.floats.clone()),
        _ if attribute.g.is_some() || !attribute.strings.is_empty() => Attribute::Other,
        _ => Attribute::Ints(attribute.ints.clone()),
    }
}

/// The integers or truth values of a tensor; none of other types.
fn numbers(tensor: &proto::Tensor) -> Option<Vec<f64>> {
    #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53; the largest mean the end of an axis")]
    let wide = |value: i64| value as f64;
    let small = |values: &[i32]| values.iter().map(|value| f64::from(*value)).collect();
    if tensor.data_location() == proto::EXTERNAL {
        return None;
    }
    let raw = tensor.raw_data.as_deref();
    match (tensor.data_type(), raw) {
        (data_type::INT64, Some(raw)) => {
            let (chunks, rest) = raw.as_chunks::<8>();
            rest.is_empty().then(|| chunks.iter().map(|bytes| wide(i64::from_le_bytes(*bytes))).collect())
        }
        (data_type::INT64, None) => Some(tensor.int64_data.iter().map(|value| wide(*value)).collect()),
        (INT32, Some(raw)) => {
            let (chunks, rest) = raw.as_chunks::<4>();
            rest.is_empty().then(|| chunks.iter().map(|bytes| f64::from(i32::from_le_bytes(*bytes))).collect())
        }
        (2 | 9, Some(raw)) => Some(raw.iter().map(|byte| f64::from(*byte)).collect()),
        (2 | INT32 | 9, None) => Some(small(&tensor.int32_data)),
        _ => None,
    }
}

/// The model of `source` with the weights, sizes and attributes of `graph`, which came from its operators.
pub(super) fn rewritten(source: &Source, graph: &OperatorGraph) -> Result<Rewritten> {
    let mut model = source.model.clone();
    let lost = || Error::Internal { what: "a model without a graph".to_owned() };
    let mut to = model.graph.take().ok_or_else(lost)?;
    let before = &source.operators.graph;
    let mut data = HashMap::new();
    let known: HashMap<String, usize> =
        to.initializer.iter().enumerate().map(|(at, tensor)| (tensor.name().to_owned(), at)).collect();
    for (id, constant) in &graph.constants {
        let name = &graph.values[*id];
        let old = before.constants.get(id);
        match (constant, known.get(name)) {
            (Constant::Weights(tensor), Some(at)) => {
                let same = matches!(old, Some(Constant::Weights(old)) if old.is(tensor));
                if same {
                    if let Some(tensor) = source.beside.get(at) {
                        data.insert(*at, tensor.clone());
                    }
                    continue;
                }
                to.initializer[*at] = message(name, tensor, to.initializer.get(*at));
                data.insert(*at, tensor.clone());
            }
            (Constant::Weights(tensor), None) if !matches!(old, Some(Constant::Weights(old)) if old.is(tensor)) => {
                // The value of a `Constant` node that changed becomes an initialiser of its name.
                to.node.iter_mut().filter(|node| node.op_type() == "Constant").for_each(|node| {
                    node.output
                        .iter_mut()
                        .filter(|output| *output == name)
                        .for_each(|output| output.push_str(".before"));
                });
                to.initializer.push(message(name, tensor, None));
                data.insert(to.initializer.len() - 1, tensor.clone());
            }
            (Constant::Numbers(numbers), None) if old.is_none() => {
                // Bounds of a slice are of one type, the one that its axes have.
                let narrow = integers(source, graph, *id) == INT32;
                let values = numbers.integers().into_iter();
                let raw: Vec<u8> = if narrow {
                    let short =
                        |value: i64| i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX });
                    values.map(short).flat_map(i32::to_le_bytes).collect()
                } else {
                    values.flat_map(i64::to_le_bytes).collect()
                };
                to.initializer.push(proto::Tensor {
                    dims: numbers.shape().iter().map(|axis| i64::try_from(*axis).unwrap_or(i64::MAX)).collect(),
                    data_type: Some(if narrow { INT32 } else { data_type::INT64 }),
                    name: Some(name.clone()),
                    raw_data: Some(raw.into()),
                    ..proto::Tensor::default()
                });
            }
            _ => {}
        }
    }
    let operators = graph.operators.iter().zip(&before.operators).zip(&source.operators.nodes);
    for ((operator, old), at) in operators {
        let node = &mut to.node[*at];
        let own = node.input.len();
        for (input, id) in operator.inputs.iter().enumerate() {
            // What a subgraph takes from outside stands behind the inputs and is none of them.
            if input < own || input >= old.inputs.len() {
                node.input.resize(node.input.len().max(input + 1), String::new());
                node.input[input] = id.map(|id| graph.values[id].clone()).unwrap_or_default();
            }
        }
        write_attributes(node, operator);
    }
    remove_dead_nodes(&mut to);
    let read: HashSet<String> = to.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
    let inner: HashSet<String> = (to.node.iter().flat_map(|node| &node.attribute))
        .flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
        .flat_map(captured)
        .collect();
    // Initialisers that nothing reads any more go, and the data of the others move up.
    let mut kept = Vec::new();
    let mut moved = HashMap::new();
    for (at, tensor) in std::mem::take(&mut to.initializer).into_iter().enumerate() {
        let used = read.contains(tensor.name()) || inner.contains(tensor.name());
        if used || to.output.iter().any(|output| output.name() == tensor.name()) {
            if let Some(tensor) = data.remove(&at) {
                moved.insert(kept.len(), tensor);
            }
            kept.push(tensor);
        }
    }
    let stays: HashSet<&str> = kept.iter().map(proto::Tensor::name).collect();
    let flows: HashSet<&str> =
        source.operators.graph.inputs.iter().map(|input| before.values[input.value].as_str()).collect();
    to.input.retain(|input| flows.contains(input.name()) || stays.contains(input.name()));
    for input in to.input.iter_mut().filter(|input| stays.contains(input.name())) {
        if let Some(tensor) = kept.iter().find(|tensor| tensor.name() == input.name()) {
            super::rewrite::set_dims(input, &tensor.dims);
        }
    }
    to.initializer = kept;
    model.graph = Some(to);
    Ok(Rewritten { model, data: moved })
}

/// `TensorProto.DataType.INT32`.
const INT32: i32 = 6;

/// The type of the integers in whose place a new constant stands.
fn integers(source: &Source, graph: &OperatorGraph, constant: ValueId) -> i32 {
    let before = &source.operators.graph;
    let pairs = graph.operators.iter().zip(&before.operators);
    let found = pairs.into_iter().find_map(|(operator, old)| {
        let input = operator.inputs.iter().position(|input| *input == Some(constant))?;
        old.input(input)
    });
    let name = found.map(|value| before.values[value].as_str()).unwrap_or_default();
    let Some(model) = &source.model.graph else { return data_type::INT64 };
    let stored = model.initializer.iter().find(|tensor| tensor.name() == name);
    let given = || {
        let node =
            model.node.iter().find(|node| node.op_type() == "Constant" && node.output.iter().any(|o| o == name))?;
        node.attribute.first()?.t.as_ref()
    };
    stored.or_else(given).map_or(data_type::INT64, proto::Tensor::data_type)
}

/// Drops the declared shapes of values that have another one, and of weights, which say themselves what they have.
pub(super) fn drop_shapes(model: &mut proto::Model, changed: &HashSet<&str>) {
    if let Some(graph) = &mut model.graph {
        let weights: HashSet<&str> = graph.initializer.iter().map(proto::Tensor::name).collect();
        graph.value_info.retain(|info| !changed.contains(info.name()) && !weights.contains(info.name()));
    }
}

/// Writes the numbers among the attributes of an operator, and takes away those that it has no more.
fn write_attributes(node: &mut proto::Node, operator: &Operator) {
    node.attribute.retain(|attribute| operator.attributes.contains_key(attribute.name()));
    for (name, value) in &operator.attributes {
        let found = node.attribute.iter_mut().find(|attribute| attribute.name() == name);
        match (value, found) {
            (Attribute::Int(value), Some(attribute)) => attribute.i = Some(*value),
            (Attribute::Ints(values), Some(attribute)) if attribute.t.is_none() => attribute.ints.clone_from(values),
            (Attribute::Int(value), None) => node.attribute.push(proto::Attribute {
                name: Some(name.clone()),
                i: Some(*value),
                kind: Some(attribute_type::INT),
                ..proto::Attribute::default()
            }),
            (Attribute::Ints(values), None) => node.attribute.push(proto::Attribute {
                name: Some(name.clone()),
                ints: values.clone(),
                kind: Some(attribute_type::INTS),
                ..proto::Attribute::default()
            }),
            _ => {}
        }
    }
}
