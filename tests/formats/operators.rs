//! Every operator that is read or written: `assets/golden/onnx/operators` holds graphs and what onnxruntime computed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde::Deserialize;
use tropix::Error;
use tropix::backend::{Backend, Cpu, Reference};
use tropix::network::format::{self, ModelFile};
use tropix::network::{Classifier, DeviceNetwork, Network, Op, Runtime, Samples};

use crate::files::{folder, load};

#[derive(Deserialize)]
struct Golden {
    inputs: BTreeMap<String, Vec<f32>>,
    outputs: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    output: Vec<f32>,
}

/// A graph with three inputs and what onnxruntime makes of them.
struct Case {
    name: String,
    model: ModelFile,
    inputs: Array2<f32>,
    outputs: Array2<f32>,
}

fn graphs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/operators")
}

fn cases() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(&fs::read_to_string(graphs().join("expected.json")).unwrap()).unwrap();
    let rows = |values: &[f32]| Array2::from_shape_vec((3, values.len() / 3), values.to_vec()).unwrap();
    let case = |(name, expected): (String, Expected)| {
        let shape: Vec<String> = expected.shape.iter().map(ToString::to_string).collect();
        let model = load(&graphs().join(format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{error}"));
        Case { name, model, inputs: rows(&golden.inputs[&shape.join("x")]), outputs: rows(&expected.output) }
    };
    golden.outputs.into_iter().map(case).collect()
}

/// The largest deviation from what is expected, in units of `1 + abs(expected)`.
fn deviation(found: &[f32], expected: &Array2<f32>) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max)
}

fn is_carried(network: &Network) -> bool {
    network.nodes.iter().any(|node| matches!(node.op, Op::Carried { .. }))
}

fn has_softmax(network: &Network) -> bool {
    network.nodes.iter().any(|node| matches!(node.op, Op::Softmax { .. }))
}

/// The classes of onnxruntime: the first of the largest outputs.
fn classes(outputs: &Array2<f32>) -> Vec<u32> {
    let class = |row: ndarray::ArrayView1<'_, f32>| {
        let (class, _) = row
            .iter()
            .enumerate()
            .fold((0, f32::MIN), |best, (at, value)| if *value > best.1 { (at, *value) } else { best });
        u32::try_from(class).unwrap()
    };
    outputs.rows().into_iter().map(class).collect()
}

fn logits<B: Backend>(backend: &B, network: &Network, case: &Case) -> Vec<f32> {
    let device = DeviceNetwork::upload(backend, network).unwrap();
    let logits = device.logits(backend, &backend.upload(&case.inputs).unwrap()).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "compared with f32")]
    let narrowed = backend.download(&logits).unwrap().iter().map(|value| *value as f32).collect();
    narrowed
}

/// What a model computes of the inputs of a case is what onnxruntime computed.
#[track_caller]
fn agrees(case: &Case, model: &ModelFile, how: &str) {
    let found = match Runtime::new(&model.network, model.onnx.as_deref()) {
        Ok(runtime) => runtime.outputs(&case.inputs).unwrap_or_else(|error| panic!("{} {how}: {error}", case.name)).0,
        // `rten` has no pools with dilations, and not every activation.
        Err(_) if !is_carried(&model.network) => logits(&Cpu::new(), &model.network, case),
        Err(error) => panic!("{} {how}: {error}", case.name),
    };
    let apart = deviation(&found, &case.outputs);
    assert!(apart < 1e-5, "{} {how}: {apart}, {found:?} instead of {:?}", case.name, case.outputs);
}

#[test]
fn every_operator_computes_what_onnxruntime_computes_before_and_after_conversion() {
    let cases = cases();
    assert!(cases.len() >= 125);
    let mut converted = 0;
    for case in &cases {
        agrees(case, &case.model, "as it is");
        let folder = folder();
        let through = |model: &ModelFile, name: &str| {
            let path = folder.path().join(name);
            format::save(model, &model.network, &path, false, &BTreeMap::new())
                .and_then(|_| load(&path))
                .unwrap_or_else(|error| panic!("{} as {name}: {error}", case.name))
        };
        agrees(case, &through(&case.model, "again.onnx"), "written again");
        if is_carried(&case.model.network) {
            continue;
        }
        let tensors = through(&case.model, "model.safetensors");
        agrees(case, &tensors, "from safetensors");
        // A softmax over the batch and other axes together is written as a flatten of both, which onnxruntime takes and tropix does not.
        let joint = |op: &Op| matches!(op, Op::Softmax { axes, .. } if axes.start == 0 && axes.len() > 1);
        if !case.model.network.nodes.iter().any(|node| joint(&node.op)) {
            agrees(case, &through(&tensors, "back.onnx"), "and back");
        }
        converted += 1;
    }
    assert!(converted >= 120, "{converted}");
    // The comparison sees one wrong value.
    let mut wrong = cases[0].outputs.clone();
    wrong[[0, 0]] += 1e-3 * (1.0 + wrong[[0, 0]].abs());
    let exact: Vec<f32> = cases[0].outputs.iter().copied().collect();
    assert!(deviation(&exact, &wrong) > 1e-5);
}

fn on<B: Backend>(backend: &B, case: &Case) -> bool {
    let network = &case.model.network;
    let device = match DeviceNetwork::upload(backend, network) {
        Ok(device) => device,
        // A softmax between layers, and what is carried along, run through `rten` only.
        Err(Error::Unsupported { problem }) => {
            let inside = has_softmax(network) && case.name.contains("inside");
            assert!(inside || is_carried(network), "{}: {problem}", case.name);
            return false;
        }
        Err(error) => panic!("{}: {error}", case.name),
    };
    if !has_softmax(network) {
        let found = logits(backend, network, case);
        let apart = deviation(&found, &case.outputs);
        assert!(apart < 1e-5, "{}: {apart}, {found:?} instead of {:?}", case.name, case.outputs);
    }
    let samples = Samples::upload(backend, &case.inputs, None, device.widest).unwrap();
    let answers = samples.classify(backend, &device).unwrap().download(backend).unwrap();
    assert_eq!(answers.classes, classes(&case.outputs), "{}", case.name);
    true
}

#[test]
fn backends_compute_what_onnxruntime_computes() {
    let mut computed = 0;
    for case in cases() {
        computed += usize::from(on(&Cpu::new(), &case) && on(&Reference::new(), &case));
    }
    assert!(computed >= 115, "{computed}");
}

/// `softmax_axis0.onnx` of `tests/cases`: over the samples, so that a class may be another than that of its logits.
#[test]
fn a_softmax_over_samples_is_over_all_of_them() {
    let case = cases().into_iter().find(|case| case.name == "softmax_0-22").unwrap();
    let device = DeviceNetwork::upload(&Cpu::new(), &case.model.network).unwrap();
    // In one batch, and in batches of one.
    let largest = Samples::<Cpu>::BATCH_BYTES;
    for widest in [device.widest, largest] {
        let samples = Samples::upload(&Cpu::new(), &case.inputs, None, widest).unwrap();
        let answers = samples.classify(&Cpu::new(), &device).unwrap().download(&Cpu::new()).unwrap();
        assert_eq!(answers.classes, classes(&case.outputs));
    }
}
