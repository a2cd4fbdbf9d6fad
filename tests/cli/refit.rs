//! Networks that a refit once ruined.

use std::path::Path;

use crate::program::tropix;

fn case(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name).display().to_string()
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn constant_features_do_not_ruin_a_refit() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (case("refit_border.onnx"), case("refit_border_data.safetensors"));
    let adapter = format!("gpu:{}", crate::gpu::adapter());
    for (name, device) in [("cpu", "cpu"), ("gpu", adapter.as_str()), ("reference", "reference")] {
        let prune = format!(
            "prune {model} -o o-{name}.onnx --keep 0.5 --calib {data} --refit data --device {device} --json --verify"
        );
        let report = tropix(folder.path(), &prune).expect(0, &[]).json();
        assert!(report["outcome"]["difference"].as_f64().unwrap() < 0.05, "{}", report["outcome"]);
        let compare = format!("compare o-{name}.onnx {model} --data {data} --device cpu --json");
        let agreement = tropix(folder.path(), &compare).expect(0, &[]).json();
        assert!(agreement["comparison"]["agreement"].as_f64().unwrap() >= 0.99, "{agreement}");
    }
}

#[test]
fn padding_as_large_as_the_kernel_does_not_ruin_a_refit() {
    let folder = tempfile::tempdir().unwrap();
    let model = case("refit_pad3.onnx");
    for keep in ["0.5", "0.84"] {
        let prune = format!("prune {model} -o o.onnx --force --keep {keep} --device cpu --json");
        let report = tropix(folder.path(), &prune).expect(0, &[]).json();
        let held = &report["layers"][0]["held_out"];
        let (loss, without) = (held["loss"].as_f64().unwrap(), held["without_refit"].as_f64().unwrap());
        assert!(loss < 0.1 && loss < without, "{held}");
    }
}
