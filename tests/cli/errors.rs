//! Errors for people and for programs: they name the place, say it once, and are JSON where reports are.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{asset, data, files, model, program, tropix};

/// Runs the program with an environment of its own.
fn with_variable(folder: &Path, (name, value): (&str, &str), arguments: &str) -> (i32, String, String) {
    let mut command = program();
    let output = command.current_dir(folder).env(name, value).args(arguments.split_whitespace()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn with_json_an_error_is_one_object_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let model = model();
    fs::write(folder.path().join("old.safetensors"), "old").unwrap();
    let cases = [
        ("inspect none.safetensors".to_owned(), 66, "input_missing", Some("none.safetensors")),
        ("inspect old.safetensors".to_owned(), 65, "format", Some("old.safetensors")),
        (format!("convert {model} -o old.safetensors"), 73, "output_refused", Some("old.safetensors")),
        (format!("prune {model} -o none/a.safetensors --rate 0.5"), 74, "io", Some("none")),
        (format!("evaluate {model}"), 2, "argument", None),
        (format!("prune {model} --rate 0.5 --dry-run --order rows-first"), 2, "argument", None),
        ("polynomial x+*".to_owned(), 2, "expression", None),
        (format!("prune {model} --rate 2"), 2, "usage", None),
        ("nonsense".to_owned(), 2, "usage", None),
        (format!("inspect {model} --nonsense"), 2, "usage", None),
    ];
    for (arguments, code, kind, path) in cases {
        let ran = tropix(folder.path(), &format!("{arguments} --json")).expect(code, &["error"]);
        let report: Value = ran.json();
        assert_eq!(report["schema"], "tropix.report/1", "{arguments}");
        assert_eq!(report["error"]["kind"], kind, "{arguments}");
        assert_eq!(report["error"]["path"], path.map_or(Value::Null, Value::from), "{arguments}");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.starts_with("error") && ran.stderr.contains(message), "{message}");
        let (code_again, stdout, _) = with_variable(folder.path(), ("TROPIX_JSON", "1"), &arguments);
        assert_eq!((code_again, stdout), (code, ran.stdout), "{arguments}");
        assert!(tropix(folder.path(), &arguments).expect(code, &[]).stdout.is_empty(), "{arguments}");
    }
    // An answer is no error.
    assert!(tropix(folder.path(), "--version --json").expect(0, &[]).stdout.starts_with("tropix "));
}

#[test]
fn what_the_system_says_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("prune {} -o none/out.safetensors --rate 0.5 --device cpu", model());
    let ran = tropix(folder.path(), &arguments).expect(74, &["none: No such file"]);
    assert_eq!(ran.stderr.matches("No such file").count(), 1, "{}", ran.stderr);
}

#[test]
fn numbers_below_zero_reach_the_option_that_refuses_them() {
    let folder = tempfile::tempdir().unwrap();
    let (model, digits) = (model(), asset("data/digits/digits-test500.safetensors"));
    for (arguments, option, value) in [
        (format!("prune {model} --dry-run --rate -0.1"), "--rate", "-0.1"),
        (format!("prune {model} --dry-run --rate -1e-3"), "--rate", "-1e-3"),
        (format!("prune {model} --dry-run --lambda -1"), "--lambda", "-1"),
        (format!("prune {model} --dry-run --keep -0.5"), "--keep", "-0.5"),
        (format!("prune {model} --dry-run --target-params -5"), "--target-params", "-5"),
        (format!("prune {model} --dry-run --keep 0.5 --round-to -8"), "--round-to", "-8"),
        (format!("prune {model} --dry-run --keep 0.5 --radius -2"), "--radius", "-2"),
        (format!("sweep {model} --data {digits} --rates -0.1:0.5:0.1"), "--rates", "-0.1"),
        (format!("sweep {model} --data {digits} --keep 0.5,-0.5"), "--keep", "-0.5"),
        (format!("sweep {model} --data {digits} --seeds -1"), "--seeds", "-1"),
        ("zonotope [[1,0]] --class -1".to_owned(), "--class", "-1"),
        ("random-model 3,-4,2 -o a.safetensors".to_owned(), "WIDTHS", "-4"),
        ("inspect a --seed -1".to_owned(), "--seed", "-1"),
        ("inspect a --threads -1".to_owned(), "--threads", "-1"),
    ] {
        let ran = tropix(folder.path(), &arguments).expect(2, &[option, value]);
        assert!(!ran.stderr.contains("'-- "), "{arguments}: {}", ran.stderr);
    }
    // Where they mean something they are taken.
    let evaluate = format!("evaluate {} --data {digits} --device cpu", asset("models/mlp-digits.safetensors"));
    tropix(folder.path(), &format!("{evaluate} --scale -0.0625 --mean -0.5")).expect(0, &[]);
}

#[test]
fn variables_take_words_for_yes_and_no_and_are_named_where_they_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for yes in ["1", "true", "yes", "YES", "on"] {
        let (code, stdout, stderr) = with_variable(folder.path(), ("TROPIX_JSON", yes), "polynomial x+1");
        assert_eq!(code, 0, "{yes}: {stderr}");
        assert!(stdout.starts_with('{'), "{yes}: {stdout}");
    }
    for no in ["0", "false", "no", "off", ""] {
        let (code, stdout, stderr) = with_variable(folder.path(), ("TROPIX_JSON", no), "polynomial x+1 -v");
        assert_eq!(code, 0, "{no}: {stderr}");
        assert!(!stdout.starts_with('{'), "{no}: {stdout}");
    }
    for (name, value) in [
        ("TROPIX_JSON", "maybe"),
        ("TROPIX_QUIET", "2"),
        ("TROPIX_FORCE", "maybe"),
        ("TROPIX_VERIFY", "maybe"),
        ("TROPIX_THREADS", "0"),
        ("TROPIX_SEED", "x"),
        ("TROPIX_DEVICE", "tpu"),
        ("TROPIX_COLOR", "red"),
        ("TROPIX_LOG_FORMAT", "xml"),
    ] {
        let (code, _, stderr) = with_variable(folder.path(), (name, value), "polynomial x+1");
        assert_eq!(code, 2, "{name}: {stderr}");
        assert!(stderr.contains(name) && stderr.contains(value), "{name}: {stderr}");
    }
    // What stands on the command line is not blamed on the environment.
    let (_, _, stderr) = with_variable(folder.path(), ("TROPIX_SEED", "1"), "polynomial x+1 --seed x");
    assert!(!stderr.contains("TROPIX_SEED"), "{stderr}");
}

#[test]
fn files_of_other_kinds_are_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    put("a.npy", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
    put("a.csv", b"1,2,3\n4,5,6\n");
    put("a.png", b"\x89PNG\r\n\x1a\n0000000000");
    put("train-images", b"\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00");
    put("renamed", b"PK\x03\x04..............");
    put("a.pt", b"PK\x03\x04..............");
    fs::create_dir(folder.path().join("mnist")).unwrap();
    for (name, words) in [
        ("a.npy", ["NumPy array", "savez"]),
        ("a.csv", ["table of text", "savez"]),
        ("a.png", ["image", "savez"]),
        ("train-images", ["IDX", "mnist:DIR"]),
        ("renamed", ["zip", "NAME.npz"]),
        ("a.pt", ["pickle", "savez"]),
        ("mnist", ["folder", "mnist:DIR"]),
    ] {
        let arguments = format!("evaluate {} --data {name} --device cpu", model());
        let ran = tropix(folder.path(), &arguments).expect(65, &[name, words[0], words[1]]);
        assert!(!ran.stderr.contains("header"), "{}", ran.stderr);
    }
}

#[test]
fn a_report_tells_how_to_run_it_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "0,0\n3,4\n").unwrap();
    fs::write(folder.path().join("b.csv"), "0,0\n").unwrap();
    let report = tropix(folder.path(), "hausdorff a.csv b.csv --directed --device cpu --seed 3 --json").expect(0, &[]);
    let run = &report.json()["run"];
    let line: Vec<&str> = run["command_line"].as_array().unwrap().iter().skip(1).map(|v| v.as_str().unwrap()).collect();
    assert_eq!(line.join(" "), "hausdorff a.csv b.csv --directed --device cpu --seed 3 --json");
    let options = serde_json::json!(
        {"a": "a.csv", "b": "b.csv", "directed": true, "device": "cpu", "seed": "3", "json": true});
    assert_eq!(run["options"], options);
    assert_eq!(run["inputs"][1]["path"], "b.csv");
    assert_eq!(run["inputs"][1]["bytes"], 4);
    // By sha256sum.
    assert_eq!(run["inputs"][1]["sha256"], "2344a6fe1efae4d143090dee9eb4ee4510976b5a9e92b80aa57981b2480c09e1");

    let (model, data) = (model(), data());
    let prune = format!("prune {model} -o a.safetensors --rate 0.5 --data {data} --device cpu --json");
    let lines = [
        prune,
        format!("convert {model} -o a.onnx --json"),
        "random-model 4,3,2 -o b.safetensors --json".to_owned(),
        format!("inspect {model} --json"),
        format!("evaluate {model} --data {data} --device cpu --json"),
        format!("compare {model} {model} --data {data} --runs 1 --json"),
        "polynomial x+1 --json".to_owned(),
        "zonotope [[1,0],[1,1]] --device cpu --json".to_owned(),
    ];
    for line in lines {
        let report = tropix(folder.path(), &line).expect(0, &[]).json();
        for part in ["schema", "command", "version", "device"] {
            assert!(!report[part].is_null(), "{line}: {part}");
        }
        let inputs = report["run"]["inputs"].as_array().unwrap();
        let named = |path: &str| inputs.iter().any(|input| input["path"] == path);
        assert_eq!(named(&model), line.contains(&model), "{line}");
        assert_eq!(named(&data), line.contains(&data), "{line}");
    }
    let (_, stdout, _) = with_variable(folder.path(), ("TROPIX_SEED", "7"), "polynomial x+1 --json");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["run"]["environment"], serde_json::json!({"seed": "7"}));
    assert_eq!(files(folder.path()).len(), 5);
}
