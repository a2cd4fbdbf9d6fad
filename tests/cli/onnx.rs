//! ONNX in and out, `convert` and `compare`.

use std::fs;

use crate::program::{asset, files, tropix};

/// The MNIST model as ONNX.
fn converted(folder: &std::path::Path) {
    tropix(folder, &format!("convert {} -o mlp.onnx", asset("models/mlp-mnist.safetensors"))).expect(0, &[]);
}

#[test]
fn an_onnx_model_is_pruned_evaluated_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let data = asset("data/mnist/mnist-test2000.safetensors");
    converted(folder.path());
    let prune = format!("prune mlp.onnx -o small.onnx --rate 0.9 --data {data} --device cpu --verify --json");
    let report = tropix(folder.path(), &prune).expect(0, &[]).json();
    assert_eq!(report["weights"]["after"], 66_867);
    // The same accuracy as from the safetensors file: README.
    assert_eq!(report["accuracy"]["top1"][1], 0.832);
    let compare = format!("compare mlp.onnx small.onnx --data {data} --runs 3 --json");
    let report = tropix(folder.path(), &compare).expect(0, &[]).json();
    assert_eq!(report["comparison"]["top1"], serde_json::json!([0.9645, 0.832]));
    assert_eq!(report["comparison"]["agreement"], 0.836);
    assert!(report["comparison"]["difference"]["value"].as_f64().unwrap() > 1.0);
    assert_eq!(report["multiply_adds"]["before"], 668_672);
    assert!(report["multiply_adds"]["after"].as_u64().unwrap() < 668_672);
    assert_eq!(report["latency"][0]["batch"], 1);
    let text = tropix(folder.path(), &format!("compare mlp.onnx mlp.onnx --data {data} --runs 1")).expect(0, &[]);
    assert!(text.stdout.contains("0.000e0"), "{}", text.stdout);
    tropix(folder.path(), "compare mlp.onnx small.onnx").expect(2, &["needs data"]);
}

#[test]
fn conversion_and_back_keeps_every_byte_of_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    converted(folder.path());
    tropix(folder.path(), "convert mlp.onnx -o back.safetensors").expect(0, &[]);
    tropix(folder.path(), "convert back.safetensors -o again.onnx").expect(0, &[]);
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("again.onnx"), bytes("mlp.onnx"));
    tropix(folder.path(), "convert mlp.onnx -o mlp.onnx").expect(73, &["is an input"]);
    tropix(folder.path(), "convert mlp.onnx -o again.onnx").expect(73, &["exists"]);
}

#[test]
fn every_bad_graph_is_refused_by_the_program_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let bad = asset("golden/onnx/bad");
    let text = fs::read_to_string(format!("{bad}/messages.json")).unwrap();
    let messages: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    assert!(messages.len() >= 28);
    for (name, part) in &messages {
        let model = format!("{bad}/{name}.onnx");
        let parts = [part.as_str(), &format!("{name}.onnx")];
        tropix(folder.path(), &format!("prune {model} -o out.onnx --rate 0.5 --device cpu")).expect(65, &parts);
        tropix(folder.path(), &format!("convert {model} -o out.safetensors")).expect(65, &parts);
    }
    let model = format!("{bad}/cycle.onnx");
    for command in ["inspect MODEL", "prune MODEL -o out.onnx --keep 0.5", "sweep MODEL --data x.npz", "evaluate MODEL"]
    {
        tropix(folder.path(), &format!("{} --device cpu", command.replace("MODEL", &model))).expect(65, &["cycle"]);
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn a_convolutional_network_goes_to_onnx_and_back_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let lenet = asset("models/lenet5-mnist.safetensors");
    tropix(folder.path(), &format!("convert {lenet} -o lenet.onnx")).expect(0, &[]);
    tropix(folder.path(), "convert lenet.onnx -o back.safetensors").expect(0, &[]);
    tropix(folder.path(), "convert back.safetensors -o again.onnx").expect(0, &[]);
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("again.onnx"), bytes("lenet.onnx"));
    let (before, after) = (fs::read(&lenet).unwrap(), bytes("back.safetensors"));
    let [before, after] = [&before, &after].map(|bytes| safetensors::SafeTensors::deserialize(bytes).unwrap());
    let mut compared = 0;
    for (name, tensor) in before.tensors() {
        let other = after.tensor(&name).unwrap();
        assert_eq!((tensor.shape(), tensor.data()), (other.shape(), other.data()), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 8);
}

#[test]
fn a_comparison_gives_the_certified_bound_or_says_why_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = asset("data/mnist/mnist-test2000.safetensors");
    let lenet = asset("models/lenet5-mnist.safetensors");
    let compare = |a: &str, b: &str| {
        tropix(folder.path(), &format!("compare {a} {b} --data {data} --runs 1 --json")).expect(0, &[]).json()
    };
    // Weights of the linear layers went: the convolutions are the same, in whatever format.
    let prune = format!("prune {lenet} -o masked.safetensors --rate 0.2 --no-compact --device cpu");
    tropix(folder.path(), &prune).expect(0, &[]);
    tropix(folder.path(), "convert masked.safetensors -o masked.onnx").expect(0, &[]);
    for other in ["masked.safetensors", "masked.onnx"] {
        let report = compare(&lenet, other);
        assert_eq!(report["certificate"]["status"], "certified", "{}", report["certificate"]);
        let (error, found) = (&report["certificate"]["error"], &report["comparison"]["difference"]["value"]);
        let (error, found) = (error.as_f64().unwrap(), found.as_f64().unwrap());
        // What the data show, within what f32 adds to logits of about ten.
        assert!(found > 0.0 && found <= error + 1e-4, "{found} {error}");
    }
    // Channels went.
    tropix(folder.path(), &format!("prune {lenet} -o half.safetensors --keep 0.5 --method l1 --device cpu"))
        .expect(0, &[]);
    let report = compare(&lenet, "half.safetensors");
    assert_eq!(report["certificate"]["status"], "not-certified");
    assert!(report["certificate"]["reason"].as_str().unwrap().contains("the layers before the linear ones differ"));
}

#[test]
fn a_sweep_of_weights_takes_images_and_says_the_same_as_the_whole_network() {
    let folder = tempfile::tempdir().unwrap();
    let data = asset("data/mnist/mnist-test2000.safetensors");
    let lenet = asset("models/lenet5-mnist.safetensors");
    let sweep = format!("sweep {lenet} --data {data} --methods lamp --rates 0,0.9 --device cpu --json");
    let report = tropix(folder.path(), &sweep).expect(0, &[]).json();
    assert_eq!(report["accuracy"]["top1"][1], 0.9855);
    tropix(folder.path(), &format!("prune {lenet} -o lamp.safetensors --method lamp --rate 0.9 --device cpu"))
        .expect(0, &[]);
    let whole = format!("evaluate lamp.safetensors --data {data} --device cpu --json");
    let whole = tropix(folder.path(), &whole).expect(0, &[]).json();
    assert_eq!(report["curves"][0]["points"][1]["top1"], whole["accuracy"]["top1"][1], "{}", report["curves"]);
}
