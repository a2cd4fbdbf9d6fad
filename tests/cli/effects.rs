//! Options that would say nothing are refused, and targets at their limits say what became of them.

use std::fs;

use crate::program::{asset, files, model, tropix, write_model};

#[test]
fn an_option_without_effect_exits_2_and_is_named_with_what_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (model, digits) = (model(), asset("models/mlp-digits.safetensors"));
    let (lenet, toy) = (asset("models/lenet5-mnist.safetensors"), asset("models/toy-moons-bias-2-40-2.safetensors"));
    let of_digits = asset("data/digits/digits-test500.safetensors");
    fs::write(folder.path().join("a.csv"), "0,0\n1,1\n").unwrap();
    let rate = format!("prune {model} --dry-run --rate 0.5 --device cpu");
    let keep = format!("prune {digits} --dry-run --keep 0.5 --device cpu");
    let tropical = ["--objective coupled", "--order rows-first", "--kept-weights shrunk", "--half-steps 3"];
    let mut cases: Vec<(String, &str, &str)> = Vec::new();
    for option in tropical.iter().chain(&["--no-bias-in-generator"]) {
        for run in [&rate, &keep, &format!("{rate} --method lamp"), &format!("sweep {digits} --methods lamp")] {
            cases.push((format!("{run} {option}"), option, "`tropical`"));
        }
    }
    for option in ["--epochs 3", "--optimizer sgd", "--learning-rate 0.1", "--batch-size 8", "--holdout 0.5"] {
        for run in [&rate, &keep, &format!("{keep} --finetune none")] {
            cases.push((format!("{run} {option}"), option, "`--finetune`"));
        }
    }
    for option in ["--moments m", "--prior iso", "--inputs 2000", "--ridge 0.1", "--no-lossless"] {
        cases.push((format!("{rate} {option}"), option, "`--keep`"));
        if option != "--no-lossless" {
            cases.push((format!("sweep {digits} --methods lamp {option}"), option, "`--keep`"));
        }
    }
    let certify = format!("certify {digits} {digits} --radius 1");
    for option in ["--scale 0.5", "--mean 0.5", "--std 2"] {
        for run in [&rate, &certify, &format!("boundary {toy}")] {
            cases.push((format!("{run} {option}"), option, "`--data`"));
        }
    }
    let more = [
        (format!("{rate} --round-to 8"), "--round-to", "`--keep`"),
        (format!("{rate} --calib-samples 8"), "--calib-samples", "`--keep`"),
        (format!("{keep} --calib-samples 8"), "--calib-samples", "`--calib`"),
        (format!("{keep} --no-compact"), "--no-compact", "`--rate`"),
        (format!("{keep} --bounds half"), "--bounds", "`--radius`"),
        (
            format!("{keep} --data {of_digits} --finetune head --train {of_digits} --holdout 0.5"),
            "--holdout",
            "`--train`",
        ),
        // Where the method is known:
        (format!("{keep} --inputs 2000"), "--inputs", "`greedy-gaussian`"),
        (format!("{keep} --prior iso --method l1"), "--prior", "`l1`"),
        (format!("{keep} --ridge 0.1 --method l1"), "--ridge", "`none`"),
        (format!("{keep} --calib {of_digits} --method l1"), "--calib", "`none`"),
        (format!("{keep} --calib {of_digits} --refit gaussian"), "--calib", "`gaussian`"),
        (format!("{keep} --scale 0.0625"), "--scale", "`greedy-gaussian`"),
        (format!("prune {lenet} --dry-run --keep 0.5 --method l1 --mean 0.5 --device cpu"), "--mean", "`l1`"),
        (format!("sweep {digits} --data {of_digits} --methods lamp --seeds 3"), "--seeds", "random"),
        (format!("boundary {toy} --grid 9 --form minimal"), "--form", "`--grid`"),
        (format!("boundary {toy} --grid 9 --samples 9"), "--samples", "`--grid`"),
        (format!("boundary {toy} --grid 9 --most-cells 9"), "--most-cells", "`--grid`"),
        (format!("boundary {toy} --most-cells 9 --device cpu"), "--most-cells", "one hidden layer"),
        (format!("boundary {digits} --data {of_digits} --samples 9"), "--samples", "several hidden layers"),
        ("zonotope [[1,0]] --no-vertices --max-memory 9".to_owned(), "--max-memory", "`--no-vertices`"),
        ("zonotope [[1,0]] --class 1".to_owned(), "--class", "model"),
        ("zonotope [[1,0]] --minimal".to_owned(), "--minimal", "model"),
        ("hausdorff a.csv a.csv --layer x".to_owned(), "--layer", "model"),
        ("hausdorff a.csv a.csv --directions 9".to_owned(), "--directions", "points"),
        ("hausdorff a.csv a.csv --rotations".to_owned(), "--rotations", "points"),
        ("bench --tune --quick --device cpu".to_owned(), "--quick", "`--tune`"),
        ("bench --f16 --device cpu".to_owned(), "--f16", "adapter"),
        ("polynomial x+1 -q -v".to_owned(), "--verbose", "`--quiet`"),
    ];
    for (run, option, other) in cases.iter().map(|(run, option, other)| (run.clone(), *option, *other)).chain(more) {
        let option = option.split(' ').next().unwrap_or_default();
        tropix(folder.path(), &run).expect(2, &[option, "has no effect", other]);
    }
    assert_eq!(files(folder.path()), ["a.csv"]);
}

#[test]
fn options_with_an_effect_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let digits = asset("models/mlp-digits.safetensors");
    let data = format!("{} --scale 0.0625", asset("data/digits/digits-test500.safetensors"));
    let toy = asset("models/toy-moons-bias-2-40-2.safetensors");
    let keep = format!("prune {digits} --dry-run --keep 0.5 --device cpu");
    for run in [
        format!("prune {digits} --dry-run --rate 0.5 --device cpu --method tropical --order elements-first"),
        format!("{keep} --ridge 0.1"),
        format!("{keep} --prior iso"),
        format!("{keep} --calib {data} --calib-samples 100"),
        format!("{keep} --calib {data} --refit gaussian --prior moments"),
        format!("{keep} --method synth-refit --inputs 1000"),
        format!("{keep} --bounds half --radius 1"),
        format!("{keep} --data {data} --finetune head --epochs 1 --holdout 0.5"),
        format!("sweep {digits} --data {data} --rates 0.5 --methods random --seeds 2 --device cpu"),
        format!("boundary {toy} --samples 10 --form minimal --device cpu"),
        format!("boundary {toy} --grid 9 --device cpu"),
        format!("zonotope {toy} --class 1 --no-vertices --device cpu"),
    ] {
        tropix(folder.path(), &run).expect(0, &[]);
    }
}

#[test]
fn targets_at_their_limits_warn() {
    let folder = tempfile::tempdir().unwrap();
    let ramp = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
    write_model(
        &folder.path().join("net.safetensors"),
        &[("a.weight", &[6, 3], ramp(18)), ("b.weight", &[5, 6], ramp(30)), ("c.weight", &[2, 5], ramp(10))],
    );
    for (arguments, words) in [
        ("--keep 0", ["`--keep 0`", "`a` keeps 1, `b` keeps 1"]),
        ("--layer a=0n --keep 1", ["`--layer a=0`", "`a` keeps 1"]),
        ("--keep 0.5 --round-to 8", ["`--round-to 8`", "beyond the 6 neurons of `a`, which keeps 6"]),
        ("--rate 1", ["`--rate 1`", "removes every weight"]),
    ] {
        let run = format!("prune net.safetensors --dry-run --device cpu {arguments}");
        let report = tropix(folder.path(), &format!("{run} --json")).expect(0, &words).json();
        let warnings = report["warnings"].as_array().unwrap();
        let says = |warning: &serde_json::Value| words.iter().all(|word| warning.as_str().unwrap().contains(word));
        assert!(warnings.iter().any(says), "{arguments}: {warnings:?}");
    }
    let quiet = "prune net.safetensors --dry-run --device cpu --json";
    for arguments in ["--keep 0.5 --round-to 2", "--rate 0.9"] {
        let report = tropix(folder.path(), &format!("{quiet} {arguments}")).expect(0, &[]).json();
        assert!(report["warnings"].as_array().unwrap().is_empty(), "{arguments}: {}", report["warnings"]);
    }
}

#[test]
fn the_share_removed_is_that_of_the_whole_network_and_a_file_that_grew_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let lenet = asset("models/lenet5-mnist.safetensors");
    let run = format!("prune {lenet} -o a.safetensors --rate 0.5 --device cpu");
    let report = tropix(folder.path(), &format!("{run} --json")).expect(0, &[]).json();
    let of = |part: &str, name: &str| report[part][name].as_f64().unwrap();
    let removed = of("weights", "before") - of("weights", "after");
    assert!(of("network_weights", "before") > of("weights", "before"));
    assert_eq!(of("network_weights", "before") - of("network_weights", "after"), removed);
    let share = removed / of("network_weights", "before");
    assert!((of("network_weights", "rate") - share).abs() < 1e-12);
    let text = tropix(folder.path(), &format!("{run} --force")).expect(0, &[]).stdout;
    assert!(text.contains(&format!("weights of the network ({:.2} % removed)", 100.0 * share)), "{text}");

    // The architecture in the metadata takes more than one neuron of three gives.
    write_model(
        &folder.path().join("net.safetensors"),
        &[("a.weight", &[3, 3], vec![0.5; 9]), ("b.weight", &[2, 3], vec![0.25; 6])],
    );
    for target in ["--keep 1", "--rate 0"] {
        let run = format!("prune net.safetensors -o b.safetensors {target} --device cpu --force");
        let text = tropix(folder.path(), &run).expect(0, &[]).stdout;
        assert!(text.contains("file (grew)"), "{text}");
    }
    assert!(
        !tropix(folder.path(), &format!("prune {} -o c.safetensors --rate 0.9 --device cpu", model()))
            .expect(0, &[])
            .stdout
            .contains("grew")
    );
}
