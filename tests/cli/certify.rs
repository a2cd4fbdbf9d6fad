//! `tropix certify`.

use std::fs;

use crate::program::{asset, files, model, tropix, write_model};

fn digits() -> (String, String) {
    (asset("models/mlp-digits.safetensors"), asset("data/digits/digits-test500.safetensors"))
}

#[test]
fn certify_reports_intervals_layers_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = digits();
    let prune = format!("prune {model} -o masked.safetensors --rate 0.05 --no-compact --device cpu");
    tropix(folder.path(), &prune).expect(0, &[]);
    let arguments = format!("certify {model} masked.safetensors --data {data} --device cpu --starts 8 --steps 20");
    let report = tropix(folder.path(), &format!("{arguments} --json --layer")).expect(0, &[]).json();
    assert_eq!(report["schema"], "tropix.report/1");
    assert_eq!(report["command"], "certify");
    assert_eq!(report["radius_from"], "data");
    let certificate = &report["certificate"];
    let outputs = certificate["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 10);
    for output in outputs {
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        let (lower, upper) = (number(&output["error"]["lower"]), number(&output["error"]["upper"]));
        assert!(lower > 0.0 && lower <= upper, "{output}");
        assert!((number(&output["tightness"]) - upper / lower).abs() < 1e-9);
        assert!(number(&output["theorem"]["lower"]) <= number(&output["theorem"]["upper"]));
        assert!(output["bound"].is_string());
    }
    let layers = certificate["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    assert_eq!(layers[0]["neurons"], serde_json::json!([256, 256]));
    assert_eq!(layers[0]["bounds"].as_array().unwrap().len(), 7);
    assert_eq!(layers[0]["lower"].as_array().unwrap().len(), 128);
    assert_eq!(report["layer_timing"].as_array().unwrap().len(), 2);
    let labels = &certificate["labels"];
    assert_eq!(labels["samples"], 500);
    assert!(labels["by_norms"].as_u64() <= labels["unchanged"].as_u64());
    assert!(report["timing"]["bounds"].is_f64());

    // A radius of one's own, one bound, and the same numbers from the same seed.
    let given = format!(
        "certify {model} masked.safetensors --radius 1 --bounds half --device cpu --starts 8 --steps 20 --json"
    );
    let [a, b] = [(), ()].map(|()| tropix(folder.path(), &given).expect(0, &[]).json());
    assert_eq!(a["certificate"], b["certificate"]);
    assert_eq!(a["certificate"]["layers"][0]["bounds"].as_array().unwrap().len(), 1);
    assert_eq!(a["radius_from"], "given");
    assert!(a["certificate"].get("labels").is_none());
    let text =
        tropix(folder.path(), &format!("certify {model} masked.safetensors --radius 1 --bounds half --device cpu"));
    let text = text.expect(0, &[]).stdout;
    for part in ["output", "proved", "theorem 2", "masked.safetensors", "256 > 256"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    assert_eq!(files(folder.path()), ["masked.safetensors"]);
}

#[test]
fn reports_of_structured_runs_show_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = digits();
    let prune = format!("prune {model} -o half.safetensors --keep 0.5 --method path-l2 --data {data} --scale 0.0625");
    let report = tropix(folder.path(), &format!("{prune} --device cpu --json")).expect(0, &[]).json();
    let certificate = &report["certificate"];
    let (radius, quick) = (certificate["radius"].as_f64().unwrap(), certificate["error"].as_f64().unwrap());
    let certify = format!("certify {model} half.safetensors --radius {radius} --bounds pair --starts 4 --steps 10");
    let found = tropix(folder.path(), &format!("{certify} --device cpu --json")).expect(0, &[]).json();
    for output in found["certificate"]["outputs"].as_array().unwrap() {
        assert!(output["error"]["lower"].as_f64().unwrap() <= quick, "{output} beside {quick}");
    }
}

#[test]
fn models_that_cannot_be_compared_exit_65_and_both_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (digits, data) = digits();
    let mnist = model();
    let certify = format!("certify {digits} {mnist} --radius 1 --device cpu");
    tropix(folder.path(), &certify).expect(65, &["mlp-digits", "mlp-mnist", "64", "784"]);
    write_model(&folder.path().join("flat.safetensors"), &[("a.weight", &[10, 64], vec![0.1; 640])]);
    let certify = format!("certify {digits} flat.safetensors --radius 1 --device cpu");
    tropix(folder.path(), &certify).expect(65, &["mlp-digits", "flat.safetensors", "3 linear layers", "the other 1"]);
    // Data of another width.
    let certify = format!("certify {mnist} {mnist} --data {data} --device cpu");
    tropix(folder.path(), &certify).expect(65, &["64", "784"]);
}

#[test]
fn radii_and_bounds_that_are_none_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let (digits, _) = digits();
    for (arguments, word) in [
        ("--radius NaN", "radius"),
        ("--radius -1", "radius"),
        ("--radius inf", "radius"),
        ("", "--radius"),
        ("--radius 1 --bounds best", "best"),
        ("--radius 1 --starts 0", "starts"),
    ] {
        tropix(folder.path(), &format!("certify {digits} {digits} {arguments} --device cpu")).expect(2, &[word]);
    }
    tropix(folder.path(), &format!("certify {digits} none.safetensors --radius 1")).expect(66, &["none.safetensors"]);
}

#[test]
fn heads_without_hidden_layers_are_certified_exactly() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("a.safetensors"), &[("a.weight", &[2, 2], vec![3.0, 0.0, 0.0, 1.0])]);
    write_model(&folder.path().join("b.safetensors"), &[("a.weight", &[2, 2], vec![0.0, 4.0, 0.0, 1.0])]);
    let run = tropix(folder.path(), "certify a.safetensors b.safetensors --radius 2 --device cpu --json");
    let report = run.expect(0, &[]).json();
    let error = |j: usize, end: &str| report["certificate"]["outputs"][j]["error"][end].as_f64().unwrap();
    // The rows differ by (3, -4): by 10 at norm 2. The second row is the same.
    assert!((error(0, "upper") - 10.0).abs() < 1e-6 && error(0, "lower") > 9.999, "{report}");
    assert!(error(1, "upper") < 1e-9);
    assert!(fs::metadata(folder.path().join("a.safetensors")).is_ok());
}

#[test]
fn certify_compare_and_boundary_say_the_same_of_convolutional_networks() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (asset("models/lenet5-mnist.safetensors"), crate::program::data());
    // Only the linear layers change: the features that images give are the same in both.
    let prune = format!("prune {model} -o head.safetensors --layer fc1=400n --method l1 --device cpu");
    tropix(folder.path(), &prune).expect(0, &[]);
    let certify = format!("certify {model} head.safetensors --data {data} --bounds half --starts 2 --steps 5");
    let report = tropix(folder.path(), &format!("{certify} --device cpu --json")).expect(0, &[]).json();
    let radius = report["certificate"]["radius"].as_f64().unwrap();
    assert!(report["certificate"]["labels"]["samples"].as_u64().unwrap_or(2000) > 0);
    let compare = format!("compare {model} head.safetensors --data {data} --runs 1 --json");
    let compared = tropix(folder.path(), &compare).expect(0, &[]).json();
    assert_eq!(compared["certificate"]["status"], "certified", "{}", compared["certificate"]);
    let other = compared["certificate"]["radius"].as_f64().unwrap();
    assert!((radius - other).abs() < 1e-4 * radius, "{radius} {other}");
    let boundary = format!("boundary {model} --data {data} --svg b.svg --grid 8 --device cpu --json");
    let shown = tropix(folder.path(), &boundary).expect(0, &[]).json();
    assert_eq!(shown["view"]["kind"], "principal axes");
    // Where convolutions change, both say that nothing is certified, and why.
    let prune = format!("prune {model} -o small.safetensors --keep 0.5 --method l1 --device cpu");
    tropix(folder.path(), &prune).expect(0, &[]);
    let why = "the layers before the linear ones differ";
    let certify = format!("certify {model} small.safetensors --data {data} --device cpu");
    tropix(folder.path(), &certify).expect(65, &[why, "small.safetensors"]);
    let compare = format!("compare {model} small.safetensors --data {data} --runs 1 --json");
    let compared = tropix(folder.path(), &compare).expect(0, &[]).json();
    assert!(compared["certificate"]["reason"].as_str().unwrap().contains(why));
}

#[test]
fn a_certificate_of_a_pruned_network_can_be_left_out_and_costs_no_more_than_its_help_says() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), crate::program::data());
    let prune = format!("prune {model} -o half.safetensors --keep 0.5 --data {data} --device cpu --json");
    let report = tropix(folder.path(), &prune).expect(0, &[]).json();
    // One or two seconds, with room for a busy machine.
    assert!(report["timing"]["certify"].as_f64().unwrap() < 8.0, "{}", report["timing"]);
    assert!(report["certificate"]["left_out"].as_array().unwrap().contains(&"sdp".into()));
    for rest in ["--keep 0.5", "--rate 0.5"] {
        let without = format!("prune {model} -o out.safetensors {rest} --data {data} --device cpu --json --no-certify");
        let report = tropix(folder.path(), &format!("{without} --force")).expect(0, &[]).json();
        assert!(report.get("certificate").is_none(), "{}", report["certificate"]);
    }
}
