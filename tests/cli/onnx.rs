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
fn a_bad_graph_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (name, part) in
        [("unknown-operator", "node `node_y` (Frobnicate)"), ("cycle", "cycle"), ("truncated", "truncated")]
    {
        let model = asset(&format!("golden/onnx/bad/{name}.onnx"));
        tropix(folder.path(), &format!("prune {model} -o out.onnx --rate 0.5 --device cpu")).expect(65, &[part]);
        tropix(folder.path(), &format!("convert {model} -o out.safetensors")).expect(65, &[part]);
    }
    assert_eq!(files(folder.path()), [""; 0]);
}
