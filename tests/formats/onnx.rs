//! ONNX files: every graph of `assets/golden/onnx` computes what onnxruntime computed, before and after rewriting.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde_json::Value;
use tropix::Error;
use tropix::backend::Cpu;
use tropix::network::format::{self, ModelFile};
use tropix::network::{
    ApplyOptions, Blocks, DeviceNetwork, Head, LayerPlan, Layout, Mask, Network, Op, Origin, Plan, Runtime, apply,
    head_features,
};

use crate::files::{folder, load};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx")
}

/// Inputs, one row each, and outputs of onnxruntime.
struct Case {
    name: String,
    model: ModelFile,
    inputs: Array2<f32>,
    outputs: Vec<f32>,
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|value| serde_json::from_value(value.clone()).unwrap()).collect()
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(golden().join("expected.json")).unwrap();
    let all: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let case = |(name, case): (String, Value)| {
        let model = load(&golden().join(format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (inputs, rows) = (floats(&case["input"]), case["rows"].as_u64().unwrap());
        let width = inputs.len() / usize::try_from(rows).unwrap();
        let inputs = Array2::from_shape_vec((inputs.len() / width, width), inputs).unwrap();
        Case { name, model, inputs, outputs: floats(&case["output"]) }
    };
    all.into_iter().map(case).collect()
}

/// The largest deviation from `expected`, in units of `1 + abs(expected)`.
fn deviation(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max)
}

fn run(model: &ModelFile, network: &Network, inputs: &Array2<f32>) -> Vec<f32> {
    Runtime::new(network, model.onnx.as_deref()).unwrap().outputs(inputs).unwrap().0
}

fn save(model: &ModelFile, network: &Network, name: &Path) -> ModelFile {
    format::save(model, network, name, false, &BTreeMap::new()).unwrap();
    load(name).unwrap()
}

/// Each node as `name:op(inputs)`.
fn sketch(network: &Network) -> Vec<String> {
    let line = |node: &tropix::network::Node| format!("{}:{}({})", node.name, node.op.name(), node.inputs.join(","));
    network.nodes.iter().map(line).collect()
}

#[test]
fn every_graph_computes_what_onnxruntime_computed() {
    let cases = cases();
    assert!(cases.len() >= 9);
    for case in &cases {
        let found = run(&case.model, &case.model.network, &case.inputs);
        assert!(deviation(&found, &case.outputs) < 1e-5, "{}: {found:?}, expected {:?}", case.name, case.outputs);
        assert_eq!(case.model.network.origin, Origin::Onnx);
        // The comparison sees one wrong weight.
        let mut wrong = case.outputs.clone();
        wrong[0] += 1e-3 * (1.0 + wrong[0].abs());
        assert!(deviation(&found, &wrong) > 1e-5);
    }
}

#[test]
fn features_of_the_head_are_those_of_rten_in_every_layout() {
    let mut compared = 0;
    for case in cases() {
        let (network, head) = (&case.model.network, Head::of(&case.model.network).unwrap());
        if head.whole {
            continue;
        }
        let source = case.model.onnx.as_deref();
        let found = head_features(&Cpu::new(), network, source, &head, &case.inputs).unwrap();
        let input = head.input(network).unwrap();
        let (expected, width) = Runtime::new(network, source).unwrap().values(&case.inputs, input).unwrap();
        assert_eq!(found.ncols(), width, "{}", case.name);
        let found: Vec<f32> = found.into_iter().collect();
        assert!(deviation(&found, &expected) < 1e-5, "{}: {found:?}, expected {expected:?}", case.name);
        compared += 1;
    }
    assert!(compared >= 6, "{compared}");
}

/// A network whose activations but ReLU are carried along, as if nothing computed them.
fn carrying_functions(network: &Network) -> Network {
    let mut network = network.clone();
    for node in &mut network.nodes {
        if let Op::Function(function) = &node.op {
            let op = function.name().to_owned();
            node.op = Op::Carried { op, tensors: Vec::new(), attributes: toml::Table::new() };
        }
    }
    network
}

/// What is carried along, here a clip, goes through `rten`: beside the same network without them,
/// on inputs that the clip lets pass.
#[test]
fn features_that_backends_do_not_compute_come_from_rten() {
    let case = cases().into_iter().find(|case| case.name == "shared").unwrap();
    let (network, inputs) = (&carrying_functions(&case.model.network), case.inputs.mapv(|value| 0.2 * value));
    assert!(matches!(DeviceNetwork::upload(&Cpu::new(), network), Err(Error::Unsupported { .. })));
    let head = Head::of(network).unwrap();
    let found = head_features(&Cpu::new(), network, case.model.onnx.as_deref(), &head, &inputs).unwrap();

    let mut plain = network.clone();
    for node in &mut plain.nodes {
        let Op::Carried { op, .. } = &node.op else { continue };
        assert_eq!(op, "clip");
        node.op = Op::Relu;
    }
    let expected = head_features(&Cpu::new(), &plain, None, &head, &inputs).unwrap();
    let [found, expected] = [found, expected].map(|values| values.into_iter().collect::<Vec<_>>());
    assert!(deviation(&found, &expected) < 1e-5, "{found:?}, expected {expected:?}");
    assert!(found.iter().any(|value| *value > 0.01), "{found:?}");
}

#[test]
fn a_model_saved_unchanged_says_the_same() {
    for case in cases() {
        let folder = folder();
        let again = save(&case.model, &case.model.network, &folder.path().join("again.onnx"));
        assert_eq!(sketch(&again.network), sketch(&case.model.network), "{}", case.name);
        assert_eq!(run(&again, &again.network, &case.inputs), run(&case.model, &case.model.network, &case.inputs));
        let [before, after] = [&case.model, &again].map(|model| &model.metadata);
        assert_eq!(before, after, "{}", case.name);
        // Data that lay beside the model lie beside it again, and the same network gives the same bytes.
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, if case.name == "bottleneck" { 2 } else { 1 });
        save(&case.model, &case.model.network, &folder.path().join("twice.onnx"));
        if files == 1 {
            let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
            assert_eq!(bytes("again.onnx"), bytes("twice.onnx"));
        }
    }
}

#[test]
fn computed_graphs_travel_through_safetensors_and_back() {
    let mut converted = 0;
    for case in cases() {
        let folder = folder();
        let path = folder.path().join("model.safetensors");
        if case.name == "shared" {
            let carried = carrying_functions(&case.model.network);
            let error = format::save(&case.model, &carried, &path, false, &BTreeMap::new()).unwrap_err();
            assert!(error.to_string().contains("can only be written as ONNX"), "{error}");
        }
        let tensors = save(&case.model, &case.model.network, &path);
        assert_eq!(tensors.network.origin, Origin::Header);
        let back = save(&tensors, &tensors.network, &folder.path().join("back.onnx"));
        for model in [&tensors, &back] {
            let found = run(model, &model.network, &case.inputs);
            assert!(deviation(&found, &case.outputs) < 1e-5, "{}: {found:?}", case.name);
        }
        converted += 1;
    }
    assert!(converted >= 8);
}

#[test]
fn what_exporters_write_is_understood() {
    let model = |name: &str| load(&golden().join(format!("{name}.onnx"))).unwrap().network;
    let ops = |name: &str| model(name).nodes.iter().map(|node| node.op.name().to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(ops("nhwc"), "conv2d relu transpose flatten linear relu linear softmax");
    assert_eq!(ops("computed-shape"), "conv2d relu conv2d relu flatten linear");
    assert_eq!(ops("matmul"), "conv2d maxpool relu conv2d relu identity flatten linear relu linear logsoftmax");
    assert_eq!(ops("shared"), "batchnorm conv2d clip globalavgpool flatten linear relu linear relu linear");
    // Even kernels: the odd element of the padding goes behind, or before.
    let window = |name: &str, node: &str| match &model(name).node(node).unwrap().op {
        Op::Conv { window, .. } => window.padding,
        op => panic!("{op:?}"),
    };
    assert_eq!(window("nhwc", "node_c0"), [0, 1, 1, 1]);
    let blocks = Blocks::of(&model("nhwc")).unwrap();
    let consumer = &blocks.by_producer("node_c0").unwrap().consumers[0];
    assert_eq!((consumer.columns.per_unit, consumer.columns.layout), (6, Layout::Strided));
    let blocks = Blocks::of(&model("residual")).unwrap();
    let producers: Vec<&str> = blocks.blocks.iter().map(|block| block.producer.as_str()).collect();
    assert_eq!(producers, ["node_a", "node_l1"]);
    let blocks = Blocks::of(&model("bottleneck")).unwrap();
    let producers: Vec<&str> = blocks.blocks.iter().map(|block| block.producer.as_str()).collect();
    assert_eq!(producers, ["node_a", "node_b"]);
}

/// A plan that takes every weight of one neuron of the first layer of the head, and its bias stays.
fn without_a_neuron(head: &Head) -> Plan {
    let layer = |(at, layer): (usize, &tropix::network::HeadLayer)| {
        let [rows, columns] = layer.weight.matrix_shape();
        let mut keep = Mask::full(rows, columns);
        if at == 0 {
            for column in 0..columns {
                keep.remove(1, column);
            }
        }
        LayerPlan { name: layer.name.clone(), keep, removed_rows: Vec::new(), rewrites: Vec::new() }
    };
    Plan { layers: head.layers.iter().enumerate().map(layer).collect() }
}

#[test]
fn a_pruned_head_is_rewritten_in_place_and_the_file_says_the_same_as_the_network() {
    let mut changed = 0;
    for case in cases() {
        let head = Head::of(&case.model.network).unwrap();
        if head.layers.len() < 2 {
            continue;
        }
        let applied = apply(&case.model.network, &head, &without_a_neuron(&head), ApplyOptions::default()).unwrap();
        assert_eq!(applied.layers[0].neurons.len(), head.layers[0].weight.matrix_shape()[0] - 1);
        let folder = folder();
        let pruned = save(&case.model, &applied.network, &folder.path().join("pruned.onnx"));
        let old_names: Vec<&str> = case.model.network.nodes.iter().map(|node| node.name.as_str()).collect();
        let names: Vec<&str> = pruned.network.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, old_names);
        // The model written anew from the pruned network is the witness: it shares nothing with the rewriting.
        let expected = run(&case.model, &applied.network, &case.inputs);
        let found = run(&pruned, &pruned.network, &case.inputs);
        assert!(deviation(&found, &expected) < 1e-6, "{}: {found:?}, expected {expected:?}", case.name);
        changed += usize::from(deviation(&found, &case.outputs) > 1e-6);
    }
    // A neuron that these few samples leave at zero makes no difference.
    assert!(changed >= 3, "{changed} graphs say something else");
}

#[test]
fn an_initialiser_that_two_layers_read_is_not_changed_under_one_of_them() {
    let model = load(&golden().join("shared.onnx")).unwrap();
    let head = Head::of(&model.network).unwrap();
    // One weight of the first of the two layers that read `l.w`; no neuron goes.
    let mut plan = without_a_neuron(&head);
    plan.layers[0].keep = Mask::full(4, 4);
    plan.layers[0].keep.remove(2, 3);
    let applied = apply(&model.network, &head, &plan, ApplyOptions::default()).unwrap();
    let folder = folder();
    let again = save(&model, &applied.network, &folder.path().join("again.onnx"));
    let weights: Vec<Vec<f32>> =
        Head::of(&again.network).unwrap().layers.iter().map(|layer| layer.weight.to_vec()).collect();
    let before = head.layers[0].weight.to_vec();
    assert_eq!(weights[1], before);
    assert_eq!(weights[0][11], 0.0);
    assert_eq!((&weights[0][..11], &weights[0][12..]), (&before[..11], &before[12..]));
}

#[test]
fn every_malformed_graph_is_refused_by_name() {
    let folder = golden().join("bad");
    let text = fs::read_to_string(folder.join("messages.json")).unwrap();
    let messages: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    assert!(messages.len() >= 28);
    // Nothing is wrong with these but that backends do not compute them: units go from them all the same.
    let carried = ["three-dimensions", "two-inputs", "unknown-domain", "unknown-operator"];
    for (name, part) in messages {
        if carried.contains(&name.as_str()) {
            let model = load(&folder.join(format!("{name}.onnx"))).unwrap();
            assert!(model.warnings.iter().any(|warning| warning.contains(&part)), "{name}: {:?}", model.warnings);
            continue;
        }
        let error = load(&folder.join(format!("{name}.onnx"))).expect_err(&name);
        let text = error.to_string();
        assert!(text.contains(&part), "{name}: no {part:?} in {text:?}");
        assert!(text.contains(&format!("{name}.onnx")), "{name}: {text}");
        assert!(
            matches!(error, Error::Format { .. } | Error::Chain { .. } | Error::NonFinite { .. }),
            "{name}: {error:?}"
        );
    }
    // Cut anywhere, a file is an error and never a panic.
    let whole = fs::read(golden().join("residual.onnx")).unwrap();
    let scratch = crate::files::folder();
    for length in (1..whole.len()).step_by(37) {
        let path = scratch.path().join("cut.onnx");
        fs::write(&path, &whole[..length]).unwrap();
        load(&path).expect_err("a part of a file is no model");
    }
}

#[cfg(unix)]
#[test]
fn external_data_behind_a_link_to_outside_are_refused() {
    let outside = folder();
    let inside = folder();
    fs::copy(golden().join("bottleneck.onnx"), inside.path().join("bottleneck.onnx")).unwrap();
    fs::copy(golden().join("bottleneck.bin"), outside.path().join("bottleneck.bin")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("bottleneck.bin"), inside.path().join("bottleneck.bin")).unwrap();
    let error = load(&inside.path().join("bottleneck.onnx")).unwrap_err().to_string();
    assert!(error.contains("a link to outside"), "{error}");
}
