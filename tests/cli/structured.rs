//! `tropix prune --keep`: neurons go.

use std::fs;

use crate::program::{data, files, model, tropix, write_model};

#[test]
fn prune_keep_writes_smaller_shapes_that_evaluate_as_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), data());
    let arguments = format!(
        "prune {model} -o small.safetensors --keep 0.5 --method path-l2 --layer classifier.2=100n --data {data} \
         --device cpu --verify --json"
    );
    let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
    assert_eq!(report["method"], "path-l2");
    assert_eq!(report["neurons"], serde_json::json!({ "before": 1024, "after": 356 }));
    // 256 x 784 + 256, 100 x 256 + 100, 10 x 100 + 10.
    assert_eq!(report["parameters"]["after"], 227_670);
    assert_eq!(report["layers"][1]["after"], 100);
    let bytes = fs::metadata(folder.path().join("small.safetensors")).unwrap().len();
    assert_eq!(report["file_bytes"]["after"], bytes);
    assert!(report["verification"][1]["share_of_bound"].as_f64().unwrap() <= 1.0);
    let again = format!("evaluate small.safetensors --data {data} --against {model} --device cpu --json");
    let again = tropix(folder.path(), &again).expect(0, &[]).json();
    assert_eq!(again["accuracy"]["top1"][1], report["accuracy"]["top1"][1]);
    assert_eq!(again["accuracy"]["agreement"], report["accuracy"]["agreement"]);
    assert_eq!(files(folder.path()), ["small.safetensors"]);
}

#[test]
fn arguments_that_do_not_fit_a_structured_run_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let model = model();
    for (arguments, part) in [
        ("--keep 1.5", "1.5"),
        ("--keep 0.5 --rate 0.5", "--rate"),
        ("--keep 0.5 --method lamp", "lamp"),
        ("--rate 0.5 --method path-l2", "path-l2"),
        ("--keep 0.5 --layer classifier.0", "NAME=SHARE"),
        ("--keep 0.5 --layer nosuch=0.5", "nosuch"),
        ("--layer classifier.0=513n", "513"),
        ("--keep 0.5 --round-to 0", "round-to"),
    ] {
        tropix(folder.path(), &format!("prune {model} -o out.safetensors --device cpu {arguments}")).expect(2, &[part]);
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_network_without_a_hidden_layer_exits_65() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("one.safetensors"), &[("fc.weight", &[3, 2], vec![1.0; 6])]);
    let run = tropix(folder.path(), "prune one.safetensors -o out.safetensors --keep 0.5 --device cpu");
    run.expect(65, &["no hidden ReLU layer", "fc"]);
    assert_eq!(files(folder.path()), ["one.safetensors"]);
}
