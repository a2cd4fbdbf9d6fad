//! Puts a rewritten network back into the model it came from.
//!
//! Names, order, operator set and everything that tropix does not touch stay. A tensor that changed replaces its
//! initialiser, unless something else reads that initialiser, too: then it becomes a new one. Declared shapes that no
//! longer hold are dropped.

use std::collections::{HashMap, HashSet};

use super::data::kind;
use super::import::turned;
use super::prepare::reads;
use super::proto::{self, attribute_type, data_type};
use super::source::{Binding, Slot, Source};
use crate::error::{Error, Result};
use crate::network::{Network, Op, Tensor};

/// A model ready to be written: the data of some initialisers stand beside their messages.
pub(super) struct Rewritten {
    pub(super) model: proto::Model,
    /// By index of the initialiser.
    pub(super) data: HashMap<usize, Tensor>,
}

/// The model of `source` with the tensors of `network`.
pub(super) fn rewrite(source: &Source, network: &Network) -> Result<Rewritten> {
    let mut model = source.model.clone();
    let Some(mut graph) = model.graph.take() else { return Err(internal("a model without a graph")) };
    let data = source.beside.clone();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for name in graph.node.iter().flat_map(|node| &node.input) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    let mut work = Work { graph: &mut graph, data, uses, added: Vec::new() };
    let shapes = network.shapes().map_err(|breaks| internal(&breaks.join("; ")))?;
    let old_shapes = source.network.shapes().unwrap_or_default();
    let before: HashMap<&str, (&Op, &Option<Vec<usize>>)> = (source.network.nodes.iter().zip(&old_shapes))
        .map(|(node, shape)| (node.name.as_str(), (&node.op, shape)))
        .collect();
    for (node, shape) in network.nodes.iter().zip(&shapes) {
        let (Some((old, old_shape)), Some(binding)) = (before.get(node.name.as_str()), source.bindings.get(&node.name))
        else {
            return Err(internal(&format!("`{}` is not in the file it came from", node.name)));
        };
        // A reshape that gives what it gave needs no other shape.
        let new_shape = shape.as_deref().filter(|_| shape != *old_shape);
        work.node(old, &node.op, binding, new_shape)?;
    }
    let Work { data, added, .. } = work;
    // Nodes that were added stand right behind the layer whose output they take.
    for (at, node) in added.into_iter().rev() {
        graph.node.insert(at + 1, node);
    }
    remove_dead_nodes(&mut graph);
    drop_stale_shapes(&mut graph, source, network, &shapes);
    // Up to version 3 every initialiser is an input of the graph, too.
    if model.ir_version.is_some_and(|version| version < 4) {
        declare_initialisers(&mut graph);
    }
    model.graph = Some(graph);
    Ok(Rewritten { model, data })
}

fn internal(what: &str) -> Error {
    Error::Internal { what: what.to_owned() }
}

struct Work<'a> {
    graph: &'a mut proto::Graph,
    data: HashMap<usize, Tensor>,
    uses: HashMap<String, usize>,
    /// Nodes to add, each behind the node at an index.
    added: Vec<(usize, proto::Node)>,
}

impl Work<'_> {
    fn node(&mut self, old: &Op, new: &Op, binding: &Binding, shape: Option<&[usize]>) -> Result<()> {
        let (before, after) = (old.tensors(), new.tensors());
        let same = before.len() == after.len() && after.iter().zip(&before).all(|(a, b)| a.is(b));
        if same && matches!(new, Op::Carried { .. }) {
            return Ok(());
        }
        if let Some(flow) = binding.diagonal {
            return if same { Ok(()) } else { self.normalise(binding.node, flow, new) };
        }
        for (at, tensor) in after.iter().enumerate() {
            match (binding.slots.get(at), before.get(at)) {
                (Some(_), Some(same)) if tensor.is(same) => {}
                (Some(slot), Some(same)) => {
                    self.replace(slot, same, tensor)?;
                    // The bias of a layer holds what these nodes add.
                    for (node, flow) in binding.summed.iter().filter(|_| at == 1) {
                        self.pass(*node, *flow);
                    }
                }
                // A bias where there was none.
                _ => self.add_bias(binding, tensor, new)?,
            }
        }
        let reshape = self.graph.node.get(binding.node).is_some_and(|node| node.op_type() == "Reshape");
        if let (Some(batch), Some(shape), true) = (binding.batch, shape, reshape) {
            self.resize(binding.node, batch, shape)?;
        }
        Ok(())
    }

    /// Puts `tensor` in place of what the slot holds.
    fn replace(&mut self, slot: &Slot, old: &Tensor, tensor: &Tensor) -> Result<()> {
        let stored = match (slot.transposed, tensor.dimensions()) {
            (true, &[rows, columns]) => turned(tensor, rows, columns)?,
            _ => tensor.clone(),
        };
        // A bias may be stored with further axes of length one around it.
        let dims = if slot.dims.len() == stored.dimensions().len() {
            stored.dimensions().to_vec()
        } else {
            slot.dims.iter().map(|axis| if *axis == old.len() { stored.len() } else { *axis }).collect()
        };
        let stored = stored.reshaped(dims)?;
        let node = &mut self.graph.node[slot.node];
        // New values come without the factors of Gemm.
        let factor = match (node.op_type(), slot.input) {
            ("Gemm", 1) => "alpha",
            ("Gemm", 2) => "beta",
            _ => "",
        };
        node.attribute.iter_mut().filter(|attribute| attribute.name() == factor).for_each(|a| a.f = Some(1.0));
        let (name, label) = (node.input[slot.input].clone(), node.label().to_owned());
        // An initialiser that is read through other nodes has another name, and they stay as they are.
        if let (Some(at), Some(1)) = (slot.initializer, self.uses.get(&name))
            && self.graph.initializer[at].name() == name
        {
            let message = message(&name, &stored, Some(&self.graph.initializer[at]));
            let dims = message.dims.clone();
            self.graph.initializer[at] = message;
            self.data.insert(at, stored);
            // Old models list initialisers among the inputs.
            for input in self.graph.input.iter_mut().filter(|input| input.name() == name) {
                set_dims(input, &dims);
            }
            return Ok(());
        }
        let fresh = self.fresh(&format!("{name}.{label}"));
        self.graph.node[slot.node].input[slot.input].clone_from(&fresh);
        self.uses.entry(name).and_modify(|uses| *uses -= 1);
        self.append(&fresh, stored);
        Ok(())
    }

    /// Makes a node give what it reads at `flow`.
    fn pass(&mut self, at: usize, flow: usize) {
        let node = &mut self.graph.node[at];
        node.input = node.input.get(flow).cloned().into_iter().collect();
        node.op_type = Some("Identity".to_owned());
        node.attribute.clear();
    }

    /// Makes a batch norm of a node that scaled and shifted channels in another way.
    fn normalise(&mut self, at: usize, flow: usize, op: &Op) -> Result<()> {
        let Op::BatchNorm { epsilon, .. } = op else { return Err(internal("a scaling became another operation")) };
        self.pass(at, flow);
        for tensor in op.tensors() {
            let name = self.fresh(tensor.name());
            self.graph.node[at].input.push(name.clone());
            self.append(&name, tensor.clone());
        }
        let node = &mut self.graph.node[at];
        node.op_type = Some("BatchNormalization".to_owned());
        node.attribute.push(float("epsilon", *epsilon));
        Ok(())
    }

    /// Gives a layer without bias one: as a further input, or for a `MatMul` by a node behind it.
    fn add_bias(&mut self, binding: &Binding, tensor: &Tensor, op: &Op) -> Result<()> {
        let name = self.fresh(tensor.name());
        let node = &mut self.graph.node[binding.node];
        let added = matches!(op, Op::Linear { .. } | Op::Conv { .. });
        match (node.op_type(), node.input.len()) {
            ("Gemm" | "Conv", 2..) if added => {
                node.input.truncate(2);
                node.input.push(name.clone());
            }
            ("MatMul", 2) if added => {
                let output = node.output[0].clone();
                let inner = self.fresh(&format!("{output}.product"));
                let label = self.fresh(&format!("{}.bias", self.graph.node[binding.node].label()));
                self.graph.node[binding.node].output[0].clone_from(&inner);
                let node = proto::Node {
                    input: vec![inner, name.clone()],
                    output: vec![output],
                    name: Some(label),
                    op_type: Some("Add".to_owned()),
                    ..proto::Node::default()
                };
                self.added.push((binding.node, node));
                self.added.sort_by_key(|(at, _)| *at);
            }
            (op, _) => return Err(internal(&format!("a new tensor `{}` for a {op}", tensor.name()))),
        }
        self.append(&name, tensor.clone());
        Ok(())
    }

    /// Gives a reshape the shape that its output has now.
    fn resize(&mut self, at: usize, batch: i64, shape: &[usize]) -> Result<()> {
        let mut wanted = vec![batch];
        for axis in shape {
            wanted.push(i64::try_from(*axis).map_err(|_| internal("a shape overflows"))?);
        }
        let name = self.graph.node[at].input.get(1).cloned().unwrap_or_default();
        let old = self.graph.initializer.iter().find(|tensor| tensor.name() == name);
        if old.and_then(super::data::integers).is_some_and(|values| values == wanted) {
            return Ok(());
        }
        let raw: Vec<u8> = wanted.iter().flat_map(|axis| axis.to_le_bytes()).collect();
        let fresh = self.fresh(&format!("{}.shape", self.graph.node[at].label()));
        self.graph.initializer.push(proto::Tensor {
            dims: vec![i64::try_from(wanted.len()).unwrap_or_default()],
            data_type: Some(data_type::INT64),
            name: Some(fresh.clone()),
            raw_data: Some(raw.into()),
            ..proto::Tensor::default()
        });
        self.graph.node[at].input[1] = fresh;
        Ok(())
    }

    fn append(&mut self, name: &str, tensor: Tensor) {
        self.graph.initializer.push(message(name, &tensor, None));
        self.data.insert(self.graph.initializer.len() - 1, tensor);
    }

    /// A name that nothing in the graph has.
    fn fresh(&self, wanted: &str) -> String {
        let taken = |name: &str| {
            let values =
                self.graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str).chain([node.name()]));
            values.chain(self.graph.initializer.iter().map(proto::Tensor::name)).any(|other| other == name)
                || self.graph.input.iter().any(|input| input.name() == name)
        };
        let numbered = (1..).map(|number| format!("{wanted}.{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }
}

/// A message without data.
pub(super) fn message(name: &str, tensor: &Tensor, old: Option<&proto::Tensor>) -> proto::Tensor {
    proto::Tensor {
        dims: tensor.dimensions().iter().map(|axis| i64::try_from(*axis).unwrap_or(i64::MAX)).collect(),
        data_type: Some(kind(tensor.element())),
        name: Some(name.to_owned()),
        doc_string: old.and_then(|old| old.doc_string.clone()),
        metadata_props: old.map(|old| old.metadata_props.clone()).unwrap_or_default(),
        ..proto::Tensor::default()
    }
}

pub(super) fn set_dims(info: &mut proto::ValueInfo, dims: &[i64]) {
    let shape = info.kind.as_mut().and_then(|kind| kind.tensor_type.as_mut()).and_then(|kind| kind.shape.as_mut());
    if let Some(shape) = shape {
        shape.dim.resize(dims.len(), proto::Dimension::default());
        for (axis, value) in shape.dim.iter_mut().zip(dims) {
            axis.dim_value = Some(*value);
        }
    }
}

/// Lists initialisers that were added among the inputs.
fn declare_initialisers(graph: &mut proto::Graph) {
    let known: HashSet<&str> = graph.input.iter().map(proto::ValueInfo::name).collect();
    let added = graph.initializer.iter().filter(|tensor| !known.contains(tensor.name()));
    let input = |tensor: &proto::Tensor| {
        let dim = |axis: &i64| proto::Dimension { dim_value: Some(*axis), ..proto::Dimension::default() };
        let shape = proto::Shape { dim: tensor.dims.iter().map(dim).collect() };
        let tensor_type = Some(proto::TensorType { elem_type: tensor.data_type, shape: Some(shape) });
        let kind = Some(proto::Type { tensor_type, ..proto::Type::default() });
        proto::ValueInfo { name: tensor.name.clone(), kind, ..proto::ValueInfo::default() }
    };
    let added: Vec<proto::ValueInfo> = added.map(input).collect();
    graph.input.extend(added);
}

/// Removes nodes and added constants that no longer lead anywhere, such as a shape that was computed.
pub(super) fn remove_dead_nodes(graph: &mut proto::Graph) {
    loop {
        let read: HashSet<String> = (graph.node.iter().flat_map(reads))
            .chain(graph.output.iter().map(|output| output.name().to_owned()))
            .collect();
        let lives = |node: &proto::Node| node.output.iter().any(|output| read.contains(output.as_str()));
        let alive: Vec<bool> = graph.node.iter().map(lives).collect();
        if alive.iter().all(|alive| *alive) {
            return;
        }
        let mut alive = alive.into_iter();
        graph.node.retain(|_| alive.next().unwrap_or(true));
    }
}

/// Drops the declared shape of every value whose node changed its shape, and of values that are gone.
fn drop_stale_shapes(graph: &mut proto::Graph, source: &Source, network: &Network, shapes: &[Option<Vec<usize>>]) {
    let before = source.network.shapes().unwrap_or_default();
    let old: HashMap<&str, &Option<Vec<usize>>> =
        source.network.nodes.iter().map(|node| node.name.as_str()).zip(&before).collect();
    let same: HashSet<&str> = (network.nodes.iter().zip(shapes))
        .filter(|(node, shape)| shape.is_some() && old.get(node.name.as_str()) == Some(shape))
        .map(|(node, _)| node.name.as_str())
        .chain([Network::INPUT])
        .collect();
    let given: HashSet<String> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
    graph.value_info.retain(|info| {
        let node = source.values.get(info.name());
        given.contains(info.name()) && node.is_some_and(|node| same.contains(node.as_str()))
    });
    // Initialisers whose shape is declared, too, were dropped with the rest; nothing needs them.
}

/// A message for an attribute of numbers, for graphs that are written from scratch.
pub(super) fn ints(name: &str, values: &[usize]) -> proto::Attribute {
    proto::Attribute {
        name: Some(name.to_owned()),
        ints: values.iter().map(|value| i64::try_from(*value).unwrap_or(i64::MAX)).collect(),
        kind: Some(attribute_type::INTS),
        ..proto::Attribute::default()
    }
}

/// A message for an attribute of one number.
#[expect(clippy::cast_possible_truncation, reason = "ONNX holds attributes in f32")]
pub(super) fn float(name: &str, value: f64) -> proto::Attribute {
    let (name, f, kind) = (Some(name.to_owned()), Some(value as f32), Some(attribute_type::FLOAT));
    proto::Attribute { name, f, kind, ..proto::Attribute::default() }
}
