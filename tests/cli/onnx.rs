//! ONNX in and out, `convert` and `compare`.

use std::fs;

use crate::program::{asset, files, tropix, write_model};

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

#[test]
fn data_beside_a_model_are_named_replaced_and_taken_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = asset("golden/onnx/bottleneck.onnx");
    let outputs = |report: &serde_json::Value, key: &str| -> Vec<String> {
        report[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for (command, key) in [("convert", "outputs"), ("prune --keep 0.5 --method l1", "files")] {
        let run = format!("{command} {model} -o out.onnx --device cpu --json");
        let report = tropix(folder.path(), &run).expect(0, &[]).json();
        assert_eq!(outputs(&report, key), ["out.onnx.data", "out.onnx"]);
        assert_eq!(files(folder.path()), ["out.onnx", "out.onnx.data"]);
        // What an earlier run left is no obstacle to one that may replace it.
        tropix(folder.path(), &run).expect(73, &["exists"]);
        tropix(folder.path(), &format!("{run} --force")).expect(0, &[]);
        fs::remove_file(folder.path().join("out.onnx")).unwrap();
        tropix(folder.path(), &format!("{run} --force")).expect(0, &[]);
        let report = tropix(folder.path(), &format!("{run} --single-file --force")).expect(0, &[]).json();
        assert_eq!(outputs(&report, key), ["out.onnx"]);
        // The old data are nobody's now, and the model does without them.
        fs::remove_file(folder.path().join("out.onnx.data")).unwrap();
        tropix(folder.path(), "inspect out.onnx").expect(0, &[]);
        fs::remove_file(folder.path().join("out.onnx")).unwrap();
    }
}

#[test]
fn a_network_of_which_every_unit_is_kept_computes_the_same_in_every_format() {
    let graphs = asset("golden/onnx/operators");
    let folder = tempfile::tempdir().unwrap();
    // Pools, scalings and a softmax that are written in other words than they were read.
    let cases: [(&str, &[usize]); 4] = [
        ("max_pool_in_padding-22", &[8, 3, 9, 8]),
        ("average_pool_ceil_pads_1-11", &[8, 3, 9, 8]),
        ("scaled_channels-11", &[8, 2, 6, 5]),
        ("softmax_image_samples-11", &[8, 2, 6, 5]),
    ];
    for (name, shape) in cases {
        let values = (0_u16..).take(shape.iter().product()).map(|at| f32::from(at * 37 % 17) / 8.0 - 1.0).collect();
        write_model(&folder.path().join("x.safetensors"), &[("x", shape, values)]);
        let model = format!("{graphs}/{name}.onnx");
        for ending in ["onnx", "safetensors"] {
            let prune = format!("prune {model} -o {name}.{ending} --keep 1 --device cpu --json");
            let report = tropix(folder.path(), &prune).expect(0, &[]).json();
            assert_eq!(report["parameters"]["before"], report["parameters"]["after"], "{name}");
            assert!(report["parameters"]["before"].is_u64());
            let compare = format!("compare {model} {name}.{ending} --data x.safetensors --runs 1 --device cpu --json");
            let report = tropix(folder.path(), &compare).expect(0, &[]).json();
            let apart = report["comparison"]["difference"]["value"].as_f64().unwrap();
            assert!(apart < 1e-5, "{name}.{ending}: {apart}");
        }
    }
}
