//! Networks with convolutions: evaluated whole, and pruned by `synth-refit`.

use std::fs;

use crate::program::{asset, data, files, tropix};

fn lenet() -> String {
    asset("models/lenet5-mnist.safetensors")
}

#[test]
fn a_convolutional_network_is_evaluated_whole_and_checked_against_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("evaluate {} --data {} --device cpu --verify --json", lenet(), data());
    let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
    assert_eq!(report["accuracy"]["top1"][1], 0.9855);
    assert!(report["verification"]["share_of_bound"].as_f64().unwrap() <= 1.0);
    assert!(report["verification"]["deviation"].as_f64().unwrap() > 0.0);
}

#[test]
fn channels_and_neurons_go_without_data_and_the_file_evaluates_as_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (lenet(), data());
    let arguments = format!("prune {model} -o small.safetensors --keep 0.5 --data {data} --device cpu --json");
    let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
    assert_eq!(report["method"], "synth-refit", "the default where there are convolutions");
    assert_eq!(report["neurons"], serde_json::json!({ "before": 570, "after": 285 }));
    // 10 x 25 + 10, 25 x 250 + 25, 250 x 400 + 250, 10 x 250 + 10.
    assert_eq!(report["parameters"]["after"], 109_295);
    // Data take no part: L1 and path norms lose more than five points here.
    assert!(report["accuracy"]["top1"][1].as_f64().unwrap() > 0.97, "{}", report["accuracy"]);
    let losses = report["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["refit"]["loss"].as_f64().unwrap() / layer["refit"]["variance"].as_f64().unwrap());
    assert!(losses.into_iter().all(|loss| loss > 0.0 && loss < 0.2));
    let again = format!("evaluate small.safetensors --data {data} --against {model} --device cpu --json");
    let again = tropix(folder.path(), &again).expect(0, &[]).json();
    assert_eq!(again["accuracy"]["top1"][1], report["accuracy"]["top1"][1]);
    assert_eq!(again["accuracy"]["agreement"], report["accuracy"]["agreement"]);
    assert_eq!(files(folder.path()), ["small.safetensors"]);
}

#[test]
fn a_sweep_puts_all_methods_that_reduce_convolutions_in_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (lenet(), data());
    let common = format!("--data {data} --device cpu --json");
    let (calib, inputs) = (format!("--calib {data} --calib-samples 200"), "--inputs 300");
    let arguments = format!(
        "sweep {model} --keep 0.5 --methods synth-refit,thinet,l1,random-neurons --latency 2 --csv runs.csv --svg runs.svg {common} {calib} {inputs}"
    );
    let sweep = tropix(folder.path(), &arguments).expect(0, &[]).json();
    let runs = sweep["runs"].as_array().unwrap();
    let names: Vec<[&str; 2]> =
        runs.iter().map(|run| ["method", "refit"].map(|key| run[key].as_str().unwrap())).collect();
    let expected =
        ["synth-refit", "thinet", "l1", "random-neurons"].map(|method| ["none", "data"].map(|refit| [method, refit]));
    assert_eq!(names, expected.concat());
    // The same networks, and files of the same length, as of the single runs.
    for (run, [method, refit]) in runs.iter().zip(names) {
        // What a method does not look at is refused where it runs alone.
        let own = match (method, refit) {
            ("thinet", _) | (_, "data") => &calib,
            ("synth-refit", _) => inputs,
            _ => "",
        };
        let arguments = format!(
            "prune {model} -o {method}-{refit}.safetensors --keep 0.5 --method {method} --refit {refit} {common} {own}"
        );
        let single = tropix(folder.path(), &arguments).expect(0, &[]).json();
        assert_eq!(run["file_bytes"], single["file_bytes"]["after"], "{method} {refit}");
        assert_eq!(run["top1"], single["accuracy"]["top1"][1], "{method} {refit}");
        assert_eq!(run["parameters"], 109_295);
        // 10 x 25 x 24^2 + 25 x 250 x 8^2 + 250 x 400 + 10 x 250.
        assert_eq!(run["multiply_adds"], 646_500);
        assert!(run["latency"]["ratio"].as_f64().unwrap() > 0.0);
    }
    assert!(runs[0]["top1"].as_f64().unwrap() > runs[4]["top1"].as_f64().unwrap() + 0.05);
    assert_ne!(runs[0]["top1"], runs[1]["top1"], "synthetic inputs and calibration samples");
    assert!(runs[5]["top1"].as_f64().unwrap() > runs[4]["top1"].as_f64().unwrap() + 0.05, "l1 with a refit on samples");
    assert_eq!(sweep["file_bytes"], fs::metadata(&model).unwrap().len());
    let lines = fs::read_to_string(folder.path().join("runs.csv")).unwrap();
    assert_eq!(lines.lines().next().unwrap().split(',').count(), lines.lines().nth(4).unwrap().split(',').count());
    assert!(fs::read_to_string(folder.path().join("runs.svg")).unwrap().contains("synth-refit + data"));
}

#[test]
fn trunks_keep_their_channels_unless_they_are_coupled() {
    let folder = tempfile::tempdir().unwrap();
    let model = asset("golden/onnx/trunk.onnx");
    let prune = |more: &str| tropix(folder.path(), &format!("prune {model} --keep 0.5 --device cpu --json {more}"));
    let apart = prune("-o apart.onnx").expect(0, &[]).json();
    let reasons = apart["declined"].as_array().unwrap();
    assert!(reasons.len() == 5 && reasons.iter().all(|one| one["reason"].as_str().unwrap().starts_with("trunk: ")));
    prune("-o strict.onnx --strict").expect(65, &["trunk: `"]);
    let coupled = prune("-o coupled.onnx --strict --couple-trunk").expect(0, &[]).json();
    assert_eq!(coupled["declined"].as_array().unwrap().len(), 0);
    assert_eq!(coupled["layers"][0]["tied"], serde_json::json!(["node_b"]));
    assert_eq!(coupled["layers"][0]["next"], "node_a, node_c, node_e");
    assert_eq!(coupled["neurons"], serde_json::json!({ "before": 30, "after": 15 }));
    assert!(coupled["parameters"]["after"].as_u64().unwrap() < apart["parameters"]["after"].as_u64().unwrap());
    prune("-o none.onnx --couple-trunk --method cup").expect(65, &["`cup`", "trunk", "node_stem"]);
    assert_eq!(files(folder.path()), ["apart.onnx", "coupled.onnx"]);
}

#[test]
fn a_sweep_leaves_out_what_cannot_reduce_convolutions_and_names_it_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let common = format!("sweep {} --keep 0.5 --data {} --device cpu", lenet(), data());
    tropix(folder.path(), &format!("{common} --methods greedy-gaussian"))
        .expect(65, &["greedy-gaussian", "convolutions"]);
    tropix(folder.path(), &format!("{common} --methods l1 --refits gaussian")).expect(65, &["l1", "gaussian"]);
    tropix(folder.path(), &format!("{common} --methods synth-refit --refits data")).expect(2, &["calibration"]);
}

#[test]
fn a_sweep_of_the_head_leaves_convolutions_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (lenet(), data());
    let common = format!("sweep {model} --data {data} --device cpu");
    let arguments = format!(
        "{common} --calib {data} --calib-samples 200 --head --keep 0.5,1 --methods greedy-gaussian,sm-stable,tropical-rows \
         --refits none,gaussian --json"
    );
    let sweep = tropix(folder.path(), &arguments).expect(0, &[]).json();
    let (half, whole): (Vec<_>, Vec<_>) =
        sweep["runs"].as_array().unwrap().iter().partition(|run| run["keep"].as_f64() == Some(0.5));
    assert_eq!((half.len(), whole.len()), (4, 4));
    for run in half {
        // 20 x 25 + 20, 50 x 500 + 50, 250 x 800 + 250, 10 x 250 + 10: half of the 500 neurons, and all channels.
        assert_eq!((&run["parameters"], &run["units"]), (&228_330.into(), &250.into()), "{run}");
        assert_eq!(run["multiply_adds"], 20 * 25 * 576 + 50 * 500 * 64 + 250 * 800 + 10 * 250);
        let least = if run["refit"] == "gaussian" { 0.98 } else { 0.9 };
        assert!(run["top1"].as_f64().unwrap() > least && run["top1"] != sweep["accuracy"]["top1"][1], "{run}");
    }
    assert!(whole.iter().all(|run| run["top1"] == sweep["accuracy"]["top1"][1] && run["units"] == 500));
    tropix(folder.path(), &format!("{common} --head")).expect(2, &["--keep"]);
    tropix(folder.path(), &format!("{common} --head --keep 0.5 --latency")).expect(2, &["--latency"]);
}

#[test]
fn arguments_of_the_refit_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = lenet();
    for (arguments, code, part) in [
        ("--keep 0.5 --prior trees", 2, "trees"),
        ("--keep 0.5 --ridge -1", 2, "ridge"),
        ("--keep 0.5 --inputs 0", 2, "inputs"),
        ("--keep 0.5 --layer conv9=0.5", 2, "conv9"),
    ] {
        let arguments = format!("prune {model} -o out.safetensors --device cpu {arguments}");
        tropix(folder.path(), &arguments).expect(code, &[part]);
    }
    // Leaves are images; a vector of sixteen values is none.
    tropix(folder.path(), "random-model 16,20,4 -o vector.safetensors").expect(0, &[]);
    let arguments =
        "prune vector.safetensors -o out.safetensors --keep 0.5 --method synth-refit --prior leaves --device cpu";
    tropix(folder.path(), arguments).expect(65, &["is no image for the prior `leaves`"]);
    assert_eq!(files(folder.path()), ["vector.safetensors"]);
}
