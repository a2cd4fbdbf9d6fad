//! Files on which the program once went wrong: `tests/cases`. Samples beside the models are labelled with the classes that
//! onnxruntime finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tropix::backend::Cpu;
use tropix::network::dataset::{self, DataOptions, Dataset};
use tropix::network::format::{self, ModelFile};
use tropix::network::{DeviceClassifier, Samples};

use crate::files::{f32s, folder, load, put, ramp, safetensors, small};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

fn labelled(name: &str) -> Dataset {
    let file = path(&format!("{name}_data.safetensors"));
    dataset::load(file.to_str().unwrap(), &DataOptions::default()).unwrap()
}

/// The share of samples whose class is that of onnxruntime.
fn share(model: &ModelFile, data: &Dataset) -> f64 {
    let backend = Cpu::new();
    let [_, width] = tropix::backend::RowSource::shape(&data.inputs);
    let device = DeviceClassifier::upload(&backend, &model.network, width).unwrap();
    let samples = Samples::upload(&backend, &data.inputs, data.labels.as_deref(), device.widest()).unwrap();
    samples.classify(&backend, &device).unwrap().download(&backend).unwrap().top(1)
}

fn through(model: &ModelFile, to: &Path) -> ModelFile {
    format::save(model, &model.network, to, false, &BTreeMap::new()).unwrap();
    load(to).unwrap()
}

#[test]
fn every_model_gives_the_classes_of_onnxruntime_in_every_format() {
    for name in ["softmax_axis0", "mp_ceil_round_trip_22", "bn_shared_params", "dead_branch"] {
        let (model, data) = (load(&path(&format!("{name}.onnx"))).unwrap(), labelled(name));
        let folder = folder();
        let again = through(&model, &folder.path().join("again.onnx"));
        let tensors = through(&model, &folder.path().join("model.safetensors"));
        let back = through(&tensors, &folder.path().join("back.onnx"));
        for model in [&model, &again, &tensors, &back] {
            assert_eq!(share(model, &data), 1.0, "{name}");
        }
    }
    // With the classes of the logits, before the softmax over samples, fewer agree.
    let (mut model, data) = (load(&path("softmax_axis0.onnx")).unwrap(), labelled("softmax_axis0"));
    model.network.nodes.pop();
    assert!(share(&model, &data) < 0.5);
}

#[test]
fn a_condition_is_carried_along_with_what_its_branches_take_from_outside() {
    let model = load(&path("if_passed.onnx")).unwrap();
    let [warning] = model.warnings.as_slice() else { unreachable!("{:?}", model.warnings) };
    assert!(warning.contains("node `r` (If): control flow is not supported"), "{warning}");
}

#[test]
fn a_branch_that_is_taken_in_any_case_is_part_of_the_network() {
    let model = load(&path("if_node.onnx")).unwrap();
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    let ops: Vec<&str> = model.network.nodes.iter().map(|node| node.op.name()).collect();
    assert_eq!(ops, ["linear", "relu", "linear"]);
}

#[test]
fn a_branch_that_leads_nowhere_is_left_out_with_a_warning() {
    let model = load(&path("dead_branch.onnx")).unwrap();
    assert_eq!(model.network.nodes.len(), 3);
    assert_eq!(model.warnings, ["node `dead` (Sigmoid) does not lead to the output and is left out"]);
}

#[test]
fn tensors_that_nodes_share_become_one_for_each() {
    let model = load(&path("bn_shared_params.onnx")).unwrap();
    let folder = folder();
    let tensors = through(&model, &folder.path().join("model.safetensors"));
    let mut names: Vec<&str> = tensors.network.tensors().map(tropix::network::Tensor::name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    let values = |model: &ModelFile| model.network.tensors().map(|tensor| tensor.to_vec()).collect::<Vec<_>>();
    assert_eq!(values(&tensors), values(&model));
}

#[test]
fn an_empty_tensor_that_nothing_uses_is_kept() {
    let model = load(&path("empty_tensor.safetensors")).unwrap();
    let sketch: Vec<&str> = model.network.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(sketch, ["a", "a.relu", "b"]);
    let folder = folder();
    let again = through(&model, &folder.path().join("again.safetensors"));
    let kept = |model: &ModelFile| -> Vec<(String, Vec<usize>)> {
        model.network.extra.iter().map(|tensor| (tensor.name().to_owned(), tensor.dimensions().to_vec())).collect()
    };
    assert_eq!(kept(&again), [("scaled_fp8".to_owned(), vec![0])]);
    // Wherever it stands among the others, and whatever its element.
    for (at, element) in [(0, "I64"), (2, "F8_E4M3"), (4, "F32")] {
        let mut entries = small([]);
        entries.insert(at, ("empty", element, &[3, 0, 2], Vec::new()));
        let model = load(&put(&folder, "model.safetensors", safetensors("", &entries))).unwrap();
        let path = folder.path().join(format!("{element}.safetensors"));
        assert_eq!(kept(&through(&model, &path)), [("empty".to_owned(), vec![3, 0, 2])]);
    }
    let entries = [("fc.weight", "F32", &[0, 2][..], Vec::new()), ("fc.bias", "F32", &[2][..], f32s(&ramp(2)))];
    let error = load(&put(&folder, "model.safetensors", safetensors("", &entries))).unwrap_err().to_string();
    assert!(error.contains("`fc.weight` is empty"), "{error}");
}

#[test]
fn an_output_is_chosen_by_what_it_holds_or_by_its_name() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/operators/two_outputs-11.onnx");
    let model = load(&path).unwrap();
    let warnings = [
        "of 2 outputs `y` is taken for the scores; left out: `label`",
        "node `n_label` (ArgMax) does not lead to the output and is left out",
    ];
    assert_eq!(model.warnings, warnings);
    assert_eq!(format::load_scores(&path, None, Some("y")).unwrap().network.nodes.len(), 3);
    let error = format::load_scores(&path, None, Some("z")).unwrap_err().to_string();
    assert!(error.contains("has no output `z`; its outputs are `label`, `y`"), "{error}");
    let error = format::load_scores(&path, None, Some("label")).unwrap_err().to_string();
    assert!(error.contains("(ArgMax): is not supported"), "{error}");
}
