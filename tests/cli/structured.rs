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
        ("--keep 0.5 --method greedy-gaussian --refit none", "greedy-gaussian"),
        ("--keep 0.5 --method thinet", "calibration"),
        ("--keep 0.5 --method sm", "calibration"),
        ("--keep 0.5 --prior moments", "--calib"),
        ("--keep 0.5 --ridge many", "many"),
        ("--max-error 5", "radius"),
        ("--max-error 5 --keep 0.5 --radius 1", "--max-error"),
        ("--max-error -1 --radius 1", "-1"),
        ("--keep 0.5 --allocate certificate", "radius"),
        ("--keep 0.5 --allocate evenly", "evenly"),
        ("--target-params 9000 --allocate loss --method tropnnc-threshold", "by itself"),
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

#[test]
fn the_default_method_says_why_and_a_sweep_compares() {
    let folder = tempfile::tempdir().unwrap();
    let model = crate::program::asset("models/mlp-digits.safetensors");
    let data = crate::program::asset("data/digits/digits-test500.safetensors");
    let common = format!("--data {data} --scale 0.0625 --device cpu");
    let report = tropix(folder.path(), &format!("prune {model} --dry-run --keep 0.25 {common} --json")).expect(0, &[]);
    let report = report.json();
    assert_eq!((&report["method"], &report["refit"]), (&"greedy-gaussian".into(), &"gaussian".into()));
    assert!(report["why"].as_str().unwrap().contains("no data"));
    assert!(report["accuracy"]["top1"][1].as_f64().unwrap() >= 0.9);
    assert!(report["layers"][0]["loss"].as_f64().unwrap() > 0.0);

    let arguments = format!(
        "sweep {model} {common} --keep 0.5,0.25 --methods greedy-gaussian,random-neurons --seeds 0,1,2 --csv runs.csv \
         --svg runs.svg --json"
    );
    let sweep = tropix(folder.path(), &arguments).expect(0, &[]).json();
    // One run each for the method without seeds, two refits of three seeds each for the other.
    assert_eq!(sweep["runs"].as_array().unwrap().len(), 2 + 2 * 2 * 3);
    assert_eq!(sweep["summaries"].as_array().unwrap().len(), 6);
    assert_eq!(sweep["summaries"][1]["mean"], report["accuracy"]["top1"][1], "the same run");
    let lines = fs::read_to_string(folder.path().join("runs.csv")).unwrap();
    assert_eq!(lines.lines().count(), 15);
    assert!(lines.starts_with(
        "method,refit,keep,seed,units,parameters,file_bytes,multiply_adds,latency_ratio,top1,agreement,mean,spread\n"
    ));
    let counted = arguments.replace("--seeds 0,1,2", "--seeds 3 --force");
    assert_eq!(tropix(folder.path(), &counted).expect(0, &[]).json()["runs"], sweep["runs"], "three seeds from 0 on");
    assert!(fs::read_to_string(folder.path().join("runs.svg")).unwrap().contains("random-neurons + gaussian"));

    let arguments = format!("prune {model} -o small.safetensors --target-params 10000 --device cpu --json");
    let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
    let after = report["parameters"]["after"].as_u64().unwrap();
    assert!((9_500..=10_000).contains(&after), "{after}");
}

#[test]
fn a_certified_error_is_met_with_as_few_neurons_as_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let model = crate::program::asset("models/mlp-digits.safetensors");
    let data = crate::program::asset("data/digits/digits-test500.safetensors");
    let run = |most: f64, more: &str| {
        let arguments = format!(
            "prune {model} -o small.safetensors --method path-l2 --max-error {most} --data {data} --scale 0.0625 --device cpu \
             --force --json {more}"
        );
        let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
        let error = report["certificate"]["error"].as_f64().unwrap();
        assert!(error <= most, "{error} is certified, {most} was asked for");
        assert_eq!(report["max_error"], most);
        report["neurons"]["after"].as_u64().unwrap()
    };
    let (few, many) = (run(60.0, ""), run(10.0, ""));
    assert!(few < many && many < 384, "{few} neurons at 60, {many} at 10");
    let divided = run(60.0, "--allocate certificate --bounds half");
    assert!(divided < 384, "{divided}");
    assert_eq!(run(60.0, "--round-to 16") % 16, 0);
    // No error at all is more than rounding lets anyone prove.
    let prune = format!("prune {model} -o none.safetensors --max-error 1e-30 --radius 1 --device cpu");
    tropix(folder.path(), &prune).expect(65, &["bound is", "every neuron"]);
    let images = crate::program::asset("models/lenet5-mnist.safetensors");
    let prune = format!("prune {images} -o none.safetensors --max-error 5 --radius 1 --device cpu");
    tropix(folder.path(), &prune).expect(65, &["linear layers from its input"]);
    assert_eq!(files(folder.path()), ["small.safetensors"]);
}

#[test]
fn a_budget_is_divided_among_layers() {
    let folder = tempfile::tempdir().unwrap();
    let model = crate::program::asset("models/mlp-digits.safetensors");
    let run = |arguments: &str| {
        let arguments = format!("prune {model} --dry-run --device cpu --json {arguments}");
        tropix(folder.path(), &arguments).expect(0, &[]).json()
    };
    let uniform = run("--keep 0.25");
    for arguments in [
        "--keep 0.25 --allocate loss",
        "--target-params 6570 --allocate loss",
        "--keep 0.25 --allocate certificate --radius 4 --bounds half",
        "--keep 0.25 --allocate loss --round-to 8",
    ] {
        let divided = run(arguments);
        let after = |report: &serde_json::Value| report["parameters"]["after"].as_u64().unwrap();
        assert!(after(&divided) <= after(&uniform) && after(&divided) > 5_500, "{arguments}: {}", after(&divided));
        let kept: Vec<u64> = (0..2).map(|at| divided["layers"][at]["after"].as_u64().unwrap()).collect();
        assert!(kept != [64, 32], "{arguments}: {kept:?} is what every layer's share gives");
        assert!(!arguments.contains("round-to") || kept.iter().all(|units| units % 8 == 0), "{kept:?}");
    }
}

#[test]
fn moments_that_are_no_covariance_are_projected_with_a_warning_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_model(&at("net.safetensors"), &[("a.weight", &[4, 2], vec![0.5; 8]), ("b.weight", &[2, 4], vec![0.2; 8])]);
    write_model(
        &at("m.safetensors"),
        &[("mean", &[2], vec![0.0; 2]), ("covariance", &[2, 2], vec![1.0, 2.0, 2.0, 1.0])],
    );
    write_model(&at("w.safetensors"), &[("mean", &[3], vec![0.0; 3]), ("covariance", &[3, 3], vec![0.0; 9])]);
    let prune = "prune net.safetensors --dry-run --keep 0.5 --no-lossless --device cpu --moments";
    tropix(folder.path(), &format!("{prune} m.safetensors")).expect(0, &["-1.000e0", "projected"]);
    tropix(folder.path(), &format!("{prune} w.safetensors")).expect(65, &["3 values for inputs of 2"]);
    tropix(folder.path(), &format!("{prune} net.safetensors")).expect(65, &["no tensor `mean`"]);
}

#[test]
fn inputs_that_are_no_numbers_or_of_another_width_exit_65_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_model(&at("net.safetensors"), &[("a.weight", &[4, 2], vec![0.5; 8]), ("b.weight", &[2, 4], vec![0.2; 8])]);
    write_model(&at("c.safetensors"), &[("features", &[5, 3], vec![1.0; 15])]);
    for (name, mean, spread) in [("nan", f32::NAN, 1.0), ("inf", 0.0, f32::INFINITY)] {
        let covariance = vec![spread, 0.0, 0.0, 1.0];
        let file = at(&format!("{name}.safetensors"));
        write_model(&file, &[("mean", &[2], vec![mean, 0.0]), ("covariance", &[2, 2], covariance)]);
    }
    let before = files(folder.path());
    for (arguments, part) in [
        ("--moments nan.safetensors", "mean"),
        ("--moments inf.safetensors", "covariance"),
        ("--refit data --calib c.safetensors", "3 values"),
        ("--method thinet --calib c.safetensors", "3 values"),
        ("--method sm --calib c.safetensors", "3 values"),
    ] {
        let prune = format!("prune net.safetensors -o out.safetensors --keep 0.5 --device cpu {arguments}");
        tropix(folder.path(), &prune).expect(65, &[part]);
    }
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_layer_of_one_neuron_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let layers = [("a.weight", &[1, 2][..], vec![0.5; 2]), ("b.weight", &[2, 1][..], vec![0.2; 2])];
    write_model(&at("one.safetensors"), &layers);
    for method in ["tropnnc", "tropnnc-threshold", "path-l2", "greedy-gaussian", "cup"] {
        let prune = format!("prune one.safetensors --dry-run --keep 0.1 --method {method} --device cpu --json");
        let report = tropix(folder.path(), &prune).expect(0, &[]).json();
        assert_eq!(report["neurons"], serde_json::json!({ "before": 1, "after": 1 }), "{method}");
    }
}
