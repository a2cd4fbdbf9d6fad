//! Reads an ONNX file: checks of the whole, then node by node.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use prost::Message;

use super::branches::{is_too_deep, take_branches};
use super::data::{Files, is_float};
use super::dequantize::dequantize;
use super::import::{Import, Imported};
use super::operators::operators;
use super::prepare::prepare;
use super::proto;
use super::shapes;
use super::source::{Binding, Read, Source};
use crate::error::{Error, Result};
use crate::network::format::InputShape;
use crate::network::spaces::{Analysis, Constant, GraphInput, Misfit, OperatorGraph};
use crate::network::{Network, Node, Normalize, Op, Origin};

/// IR versions that this program knows all fields of.
const IR: std::ops::RangeInclusive<i64> = 3..=14;
/// Versions of the standard operators: 7 brought the broadcasting of today.
const OPSET: std::ops::RangeInclusive<i64> = 7..=28;
/// The entry of the metadata that says what to do to raw inputs.
pub(super) const NORMALIZE: &str = "tropix.normalize";

/// Reads a model; `scores` names the output to take where there are several, `shapes` are lengths of inputs that it leaves open.
pub(in crate::network::format) fn read(path: &Path, scores: Option<&str>, shapes: &[InputShape]) -> Result<Read> {
    let mut files = Files::open(path)?;
    let mut model = proto::Model::decode(files.bytes()).map_err(|error| Error::Format {
        file: path.to_owned(),
        problem: format!("is no ONNX model, or truncated: {error}"),
    })?;
    check_versions(&model, &files)?;
    let Some(mut graph) = model.graph.take() else { return files.refused("holds no graph".to_owned()) };
    if is_too_deep(&graph) {
        return files.refused("holds more than 64 graphs that lie in each other".to_owned());
    }
    take_branches(&mut graph);
    dequantize(&mut graph, &mut files)?;
    let inputs = inputs(&graph, &files)?;
    let given = shapes::given(&graph, &files, &inputs, shapes)?;
    let mut warnings = prepare(&mut graph, &files, &inputs, scores)?;
    let operators = operators(&model, &graph, &given, &mut files)?;
    let metadata: BTreeMap<String, String> =
        model.metadata_props.iter().map(|entry| (entry.key().to_owned(), entry.value().to_owned())).collect();
    let normalize = metadata.get(NORMALIZE).map(|text| serde_json::from_str::<Normalize>(text)).transpose();
    let normalize = normalize.or_else(|error| files.refused(format!("`{NORMALIZE}`: {error}")))?;
    let mut done = match imported(&graph, &mut files, (&inputs, &given), opset(&model)) {
        Ok(done) => done,
        Err(error) => whole(&operators.graph, &graph, error)?,
    };
    warnings.append(&mut done.warnings);
    let network = Network { nodes: done.nodes, input: done.input, normalize, extra: Vec::new(), origin: Origin::Onnx };
    if let Err(breaks) = network.shapes() {
        return Err(Error::Chain { file: path.to_owned(), breaks });
    }
    let mut beside = HashMap::new();
    for (at, tensor) in graph.initializer.iter().enumerate() {
        if tensor.data_location() == proto::EXTERNAL {
            beside.insert(at, files.tensor(tensor, tensor.name())?);
        }
    }
    model.graph = Some(graph);
    let paths = std::iter::once(path.to_owned()).chain(files.paths.iter().cloned()).collect();
    let source = Source {
        model,
        network: network.clone(),
        bindings: done.bindings,
        values: done.values,
        external: !beside.is_empty(),
        operators,
        beside,
    };
    Ok(Read { source: Arc::new(source), network, paths, metadata, warnings })
}

/// The version of the standard operators.
pub(super) fn opset(model: &proto::Model) -> i64 {
    model.opset_import.iter().find(standard).map_or(0, proto::OperatorSet::version)
}

fn standard(set: &&proto::OperatorSet) -> bool {
    matches!(set.domain(), "" | "ai.onnx")
}

fn check_versions(model: &proto::Model, files: &Files) -> Result<()> {
    if !IR.contains(&model.ir_version()) {
        let (first, last) = (IR.start(), IR.end());
        return files.refused(format!("IR version {}, this program reads {first} to {last}", model.ir_version()));
    }
    let Some(set) = model.opset_import.iter().find(standard) else {
        return files.refused("imports no version of the standard operators".to_owned());
    };
    if !OPSET.contains(&set.version()) {
        let (first, last) = (OPSET.start(), OPSET.end());
        return files.refused(format!("operator set {}, this program reads {first} to {last}", set.version()));
    }
    Ok(())
}

/// The names of the inputs that are no initialisers.
fn inputs(graph: &proto::Graph, files: &Files) -> Result<Vec<String>> {
    let mut initializers = HashSet::new();
    for tensor in &graph.initializer {
        if !initializers.insert(tensor.name()) {
            return files.refused(format!("two initialisers are called `{}`", tensor.name()));
        }
    }
    if !graph.sparse_initializer.is_empty() {
        return files.refused("holds sparse initialisers, which are not supported".to_owned());
    }
    let names = graph.input.iter().map(proto::ValueInfo::name).filter(|name| !initializers.contains(name));
    Ok(names.map(str::to_owned).collect())
}

/// The network of a graph whose operators are all computed.
fn imported(
    graph: &proto::Graph,
    files: &mut Files,
    (inputs, given): (&[String], &Given),
    opset: i64,
) -> Result<Imported> {
    let (input, shape) = input(graph, files, inputs, given)?;
    let mut import = Import::new(graph, files, &input, shape, opset);
    (0..graph.node.len()).try_for_each(|at| import.node(at))?;
    import.finish()
}

/// A graph of which not all operators are computed, as one node that is carried along: what its operators do to units is
/// known, or they keep them. `error` says why it is not computed; it stands where the graph does not fit together.
fn whole(operators: &OperatorGraph, graph: &proto::Graph, error: Error) -> Result<Imported> {
    const NAME: &str = "graph";
    let Ok(analysis) = Analysis::run(operators, 1, false, None) else { return Err(error) };
    let kind = |output: &proto::ValueInfo| output.kind.as_ref()?.tensor_type.as_ref()?.elem_type;
    let scores = graph.output.first().and_then(kind).is_none_or(is_float);
    let declared = |output: &proto::ValueInfo| {
        let id = operators.values.iter().position(|name| name == output.name())?;
        let shape = analysis.shape(id)?;
        let fits = |(axis, length): (&proto::Dimension, &usize)| {
            axis.dim_value.is_none_or(|value| value <= 0 || usize::try_from(value) == Ok(*length))
        };
        let axes = output.dims()?;
        Some(axes.len() == shape.len() && axes.iter().zip(&shape).skip(1).all(fits))
    };
    let scores = scores && graph.output.iter().all(|output| declared(output).unwrap_or(true));
    let finite = |constant: &Constant| match constant {
        Constant::Weights(tensor) => tensor.non_finite().is_none(),
        _ => true,
    };
    let scores = scores && operators.constants.values().all(finite);
    if !scores
        || !operators.is_connected()
        || analysis.carried.iter().any(|carried| matches!(carried.why, Misfit::Wrong(_)))
    {
        return Err(error);
    }
    let shape = |input: &GraphInput| input.shape.iter().skip(1).copied().collect::<Option<Vec<usize>>>();
    let input = operators.inputs.first().filter(|_| operators.inputs.len() == 1).and_then(shape).unwrap_or_default();
    let tensors = operators.constants.values().filter_map(|constant| match constant {
        Constant::Weights(tensor) => Some(tensor.clone()),
        _ => None,
    });
    let op = Op::Carried { op: NAME.to_owned(), tensors: tensors.collect(), attributes: toml::Table::new() };
    let inputs = vec![Network::INPUT.to_owned()];
    let node = Node { name: NAME.to_owned(), op, inputs };
    let output = graph.output.iter().map(|output| (output.name().to_owned(), NAME.to_owned()));
    let first = operators.inputs.iter().map(|input| (operators.values[input.value].clone(), Network::INPUT.to_owned()));
    Ok(Imported {
        nodes: vec![node],
        input,
        bindings: HashMap::from([(NAME.to_owned(), Binding::default())]),
        values: output.chain(first).collect(),
        warnings: vec![format!("not all of it is computed, only its units are known: {error}")],
    })
}

/// Lengths behind the batch that are given for inputs, by name.
type Given = BTreeMap<String, Vec<usize>>;

/// The name of the one input, and its shape without the batch.
fn input(graph: &proto::Graph, files: &Files, inputs: &[String], given: &Given) -> Result<(String, Vec<usize>)> {
    let [name] = inputs else {
        let names = inputs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return files.refused(format!("has {} inputs ({names}), a classifier has one", inputs.len()));
    };
    let Some(input) = graph.input.iter().find(|input| input.name() == name) else {
        return files.refused(format!("has no input `{name}`"));
    };
    let kind = input.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref()).and_then(|tensor| tensor.elem_type);
    if !kind.is_some_and(is_float) {
        return files.refused(format!("input `{name}` is no tensor of floats"));
    }
    if let Some(shape) = given.get(name) {
        return Ok((name.to_owned(), shape.clone()));
    }
    let Some([_, axes @ ..]) = input.dims() else {
        return files.refused(format!("input `{name}` has no shape; the axes behind the batch have to be known"));
    };
    let mut shape = Vec::with_capacity(axes.len());
    for (at, axis) in axes.iter().enumerate() {
        match axis.dim_value.and_then(|value| usize::try_from(value).ok()) {
            Some(length) if length > 0 => shape.push(length),
            _ => {
                let (at, dynamic) = (at + 1, axis.dim_param());
                let problem =
                    format!("axis {at} of input `{name}` is dynamic (`{dynamic}`); `--input-shape` gives it a length");
                return files.refused(problem);
            }
        }
    }
    if shape.is_empty() || shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis)).is_none() {
        return files.refused(format!("input `{name}` has the shape {shape:?} behind the batch"));
    }
    Ok((name.to_owned(), shape))
}
