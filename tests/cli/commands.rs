//! What each command writes and reports.

use std::fs;

use crate::program::{asset, data, files, model, tropix, write_model};

#[test]
fn prune_writes_a_file_that_evaluates_as_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), data());
    let arguments = format!("prune {model} -o small.safetensors --rate 0.9 --data {data} --device cpu --verify --json");
    let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
    assert_eq!(files(folder.path()), ["small.safetensors"]);
    assert_eq!(report["schema"], "tropix.report/1");
    assert_eq!(report["command"], "prune");
    assert_eq!(report["method"], "tropical-path");
    assert_eq!(report["seed"], 0);
    assert_eq!(report["device"]["kind"], "cpu");
    assert_eq!(report["device"]["software"], false);
    assert_eq!(report["model"]["output"], "small.safetensors");
    assert_eq!(report["weights"]["before"], 668_672);
    assert_eq!(report["weights"]["after"], 66_867);
    assert!((report["weights"]["rate"].as_f64().unwrap() - 0.9).abs() < 1e-6);
    assert_eq!(report["neurons"]["before"], 1024);
    assert!(report["neurons"]["after"].as_u64().unwrap() < 1024);
    assert_eq!(report["accuracy"]["n"], 2000);
    assert_eq!(report["accuracy"]["top1"][0], 0.9645);
    assert_eq!(report["layers"].as_array().unwrap().len(), 3);
    assert!(report["timing"]["score"].is_f64());
    assert_eq!(report["verification"]["ok"], true);
    assert_eq!(report["verification"]["masks"]["differing"], 0);
    let bytes = fs::metadata(folder.path().join("small.safetensors")).unwrap().len();
    assert_eq!(report["file_bytes"]["after"], bytes);
    assert!(bytes < report["file_bytes"]["before"].as_u64().unwrap());

    let again = tropix(
        folder.path(),
        &format!("evaluate small.safetensors --data {data} --against {model} --device cpu --json"),
    );
    let again = again.expect(0, &[]).json();
    assert_eq!(again["accuracy"]["top1"][1], report["accuracy"]["top1"][1]);
    assert_eq!(again["accuracy"]["agreement"], report["accuracy"]["agreement"]);
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_seed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: u64| {
        let arguments = format!("prune {} -o {name} --rate 0.5 --method random --seed {seed} --device cpu", model());
        tropix(folder.path(), &arguments).expect(0, &[]);
        fs::read(folder.path().join(name)).unwrap()
    };
    let (a, b, c) = (run("a.safetensors", 1), run("b.safetensors", 1), run("c.safetensors", 2));
    assert!(a == b);
    assert!(a != c);
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = tropix(folder.path(), &format!("prune {} --rate 0.5 --dry-run --device cpu", model())).expect(0, &[]);
    assert!(run.stdout.contains("50.00 %"), "{}", run.stdout);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn rates_zero_and_one_are_limits() {
    let folder = tempfile::tempdir().unwrap();
    for (rate, kept) in [("0", 668_672), ("1", 0)] {
        let arguments =
            format!("prune {} -o {rate}.safetensors --rate {rate} --data {} --device cpu --json", model(), data());
        let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
        assert_eq!(report["weights"]["after"], kept);
        assert_eq!(report["accuracy"]["agreement"].as_f64().unwrap() == 1.0, rate == "0");
        if rate == "1" {
            assert_eq!(report["neurons"]["after"], 2, "one neuron stays in each hidden layer");
            assert!(report["warnings"][0].as_str().unwrap().contains("every neuron"));
        }
    }
}

#[test]
fn the_row_protocol_reports_its_alternation_and_takes_a_penalty() {
    let folder = tempfile::tempdir().unwrap();
    let base = format!("prune {} --dry-run --method tropical --device cpu --json", model());
    let by_rate = tropix(folder.path(), &format!("{base} --rate 0.7")).expect(0, &[]).json();
    assert!((by_rate["weights"]["rate"].as_f64().unwrap() - 0.7).abs() < 1e-6);
    for block in by_rate["alternation"].as_array().unwrap() {
        let objective: Vec<f64> = block["objective"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert_eq!(objective.len(), 7);
        assert!(objective.windows(2).all(|pair| pair[1] <= pair[0] * (1.0 + 1e-6)), "{objective:?}");
        assert!(objective[2] < objective[0]);
    }
    let by_penalty =
        tropix(folder.path(), &format!("{base} --lambda 0.05 --kept-weights shrunk")).expect(0, &[]).json();
    assert_eq!(by_penalty["alternation"][0]["lambda"], 0.05);
    assert_eq!(by_penalty["options"]["kept"], "shrunk");
    let first = by_rate["alternation"][0]["removed_rows"].as_u64().unwrap();
    let other = tropix(folder.path(), &format!("{base} --rate 0.7 --order elements-first")).expect(0, &[]).json();
    assert!(other["alternation"][0]["removed_rows"].as_u64().unwrap() < first);
}

#[test]
fn sweep_writes_table_csv_and_a_picture_with_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let base = format!(
        "sweep {} --data {} --methods tropical-path,lamp,random --rates 0,0.5,0.9 --seeds 1,2 --device cpu",
        asset("models/mlp-digits.safetensors"),
        asset("data/digits/digits-test500.safetensors"),
    );
    let base = format!("{base} --scale 0.0625");
    let report = tropix(folder.path(), &format!("{base} --json --csv a.csv --svg a.svg")).expect(0, &[]).json();
    tropix(folder.path(), &format!("{base} --csv b.csv --svg b.svg")).expect(0, &[]);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("a.csv"), read("b.csv"));
    assert_eq!(read("a.svg"), read("b.svg"));
    assert_eq!(read("a.csv").lines().count(), 1 + 4 * 3);
    assert!(read("a.svg").contains("<title") && read("a.svg").contains("<desc"));
    let curves = report["curves"].as_array().unwrap();
    let names: Vec<&str> = curves.iter().map(|curve| curve["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["tropical-path", "lamp", "random", "random"]);
    assert_eq!(curves[3]["seed"], 2);
    assert_eq!(curves[0]["points"][0]["top1"], 0.994);
    assert_eq!(curves[0]["points"][0]["agreement"], 1.0);
    assert!(curves[0]["auc"].as_f64().unwrap() > curves[2]["auc"].as_f64().unwrap());
    tropix(folder.path(), &format!("{base} --csv a.csv")).expect(73, &["a.csv"]);
}

#[test]
fn inspect_names_blocks_and_writes_an_architecture_that_loads() {
    let folder = tempfile::tempdir().unwrap();
    let report = tropix(folder.path(), &format!("inspect {} --json", model())).expect(0, &[]).json();
    assert_eq!(report["blocks"].as_array().unwrap().len(), 2);
    assert_eq!(report["layers"][0]["shape"], serde_json::json!([512, 784]));
    tropix(folder.path(), &format!("inspect {} --emit-arch arch.toml", model())).expect(0, &["wrote arch.toml"]);
    let pruned = tropix(
        folder.path(),
        &format!("prune {} --arch arch.toml -o small.safetensors --rate 0.5 --device cpu", model()),
    );
    assert!(!pruned.expect(0, &[]).stderr.contains("guessed"));
    // The output describes itself.
    let report = tropix(folder.path(), "inspect small.safetensors --json").expect(0, &[]).json();
    assert_eq!(report["origin"], "header");
}

#[test]
fn what_lies_before_the_head_is_carried_and_declined() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conv.safetensors");
    let ramp = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
    write_model(
        &path,
        &[
            ("features.0.weight", &[4, 3, 3, 3], ramp(108)),
            ("features.0.bias", &[4], ramp(4)),
            ("classifier.0.weight", &[8, 16], ramp(128)),
            ("classifier.0.bias", &[8], ramp(8)),
            ("classifier.2.weight", &[3, 8], ramp(24)),
        ],
    );
    let report = tropix(folder.path(), "prune conv.safetensors -o out.safetensors --rate 0.5 --device cpu --json");
    let report = report.expect(0, &[]).json();
    assert_eq!(report["weights"]["before"], 152);
    assert_eq!(report["declined"][0]["name"], "features.0");
    let (before, after) = (fs::read(&path).unwrap(), fs::read(folder.path().join("out.safetensors")).unwrap());
    let kernel = |bytes: &[u8]| {
        safetensors::SafeTensors::deserialize(bytes).unwrap().tensor("features.0.weight").unwrap().data().to_vec()
    };
    assert_eq!(kernel(&before), kernel(&after));
    let strict = "prune conv.safetensors -o strict.safetensors --rate 0.5 --device cpu --strict";
    tropix(folder.path(), strict).expect(65, &["features.0", "cannot be pruned"]);
}

#[test]
fn another_activation_is_declined_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let tensors: [(&str, &[usize], Vec<f32>); 3] = [
        ("a.weight", &[5, 3], vec![0.3; 15]),
        ("b.weight", &[4, 5], vec![0.2; 20]),
        ("c.weight", &[2, 4], vec![0.1; 8]),
    ];
    write_model(&folder.path().join("leaky.safetensors"), &tensors);
    let arch = r#"
        version = 1
        input = [3]
        layer = [
          { name = "a", op = "linear", weight = "a.weight" },
          { name = "act", op = "leaky_relu", negative_slope = 0.1 },
          { name = "b", op = "linear", weight = "b.weight" },
          { name = "r", op = "relu" },
          { name = "c", op = "linear", weight = "c.weight" },
        ]"#;
    fs::write(folder.path().join("arch.toml"), arch).unwrap();
    let prune = "prune leaky.safetensors --arch arch.toml -o out.safetensors --rate 0.5 --device cpu";
    let report = tropix(folder.path(), &format!("{prune} --json")).expect(0, &[]).json();
    assert_eq!(report["declined"][0]["name"], "a");
    assert_eq!(report["declined"][0]["reason"], "`act` (leaky_relu) lies between it and the output");
    assert_eq!(report["weights"]["before"], 28);
    tropix(folder.path(), &format!("{prune} --strict --force")).expect(65, &["leaky_relu"]);
}

#[test]
fn doctor_tests_every_operation_of_the_host_path() {
    let folder = tempfile::tempdir().unwrap();
    let report = tropix(folder.path(), "doctor --device cpu --json").expect(0, &[]).json();
    let operations = report["tests"][0]["operations"].as_array().unwrap();
    assert!(operations.len() >= 10, "{operations:?}");
    assert!(operations.iter().all(|operation| operation["ok"] == true));
}

#[test]
fn a_pruned_model_is_written_in_well_under_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    tropix(folder.path(), &format!("prune {} -o small.safetensors --rate 0.9 --device cpu", model())).expect(0, &[]);
    let seconds = start.elapsed().as_secs_f64();
    assert!(seconds < 2.0, "{seconds} s; about 0.05 s on an idle core");
}
