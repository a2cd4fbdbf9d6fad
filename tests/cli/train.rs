//! `train`: new networks, models that are trained on, teachers, and what is refused.

use crate::program::{asset, data, files, program, tropix};

#[test]
fn a_new_network_learns_points_that_are_kept_for_others_to_measure() {
    let folder = tempfile::tempdir().unwrap();
    let train = "train --layout 2-30-2 --toy circles --noise 0.05 --epochs 40 --learning-rate 0.01 --batch-size 32 \
                 --device cpu --json";
    let report = tropix(folder.path(), &format!("{train} -o net.safetensors --save-points held.safetensors"));
    let report = report.expect(0, &[]).json();
    let training = &report["training"];
    assert_eq!((&report["layout"], &report["initial"]), (&"2-30-2".into(), &"pytorch".into()));
    assert_eq!((&report["parameters"], &training["trained"]), (&152.into(), &152.into()));
    assert_eq!((&training["training_samples"], &training["held_out_samples"]), (&800.into(), &200.into()));
    let last = training["epochs"][39]["held_out"].as_f64().unwrap();
    assert!(last > 0.95 && training["before"].as_f64().unwrap() < 0.8, "{training}");
    // Another command reads both files and finds the same.
    let measured = tropix(folder.path(), "evaluate net.safetensors --data held.safetensors --device cpu --json");
    let measured = measured.expect(0, &[]).json();
    assert_eq!((&measured["accuracy"]["n"], measured["accuracy"]["top1"][1].as_f64()), (&200.into(), Some(last)));
    // The same seed gives the same bytes, another one others.
    tropix(folder.path(), &format!("{train} -o again.safetensors")).expect(0, &[]);
    tropix(folder.path(), &format!("{train} -o other.safetensors --seed 1")).expect(0, &[]);
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("net.safetensors"), bytes("again.safetensors"));
    assert_ne!(bytes("net.safetensors"), bytes("other.safetensors"));
}

#[test]
fn what_pruning_has_left_of_a_graph_is_trained_on_with_and_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (mobile, train) = (asset("models/mobile-mnist.onnx"), asset("data/mnist/mnist-train500.safetensors"));
    let prune = format!("prune {mobile} --keep 0.5 --method l1 -o half.onnx --device cpu");
    tropix(folder.path(), &prune).expect(0, &[]);
    let common = format!(
        "--data {train} --test {} --epochs 5 --batch-size 25 --learning-rate 0.005 --device cpu --json",
        data()
    );
    let of = |options: &str| {
        let report = tropix(folder.path(), &format!("train half.onnx {common} {options}")).expect(0, &[]).json();
        let training = &report["training"];
        (training["before"].as_f64().unwrap(), training["epochs"][4]["held_out"].as_f64().unwrap())
    };
    let (before, after) = of("-o tuned.onnx --shift 1");
    assert!(after > before + 0.2, "{before} {after}");
    let (_, taught) = of(&format!("-o taught.onnx --teacher {mobile}"));
    assert!(taught > before + 0.2, "{before} {taught}");
    // The file is one that onnxruntime's checks and `evaluate` read.
    let evaluate = format!("evaluate tuned.onnx --data {} --device cpu --json", data());
    let found = tropix(folder.path(), &evaluate).expect(0, &[]).json();
    assert_eq!(found["accuracy"]["top1"][1].as_f64(), Some(after));
    // `prune --finetune all` is the same in one step.
    let prune =
        format!("prune {mobile} --keep 0.5 --method l1 -o one.onnx --data {} --train {train} --device cpu", data());
    let report = tropix(
        folder.path(),
        &format!("{prune} --finetune all --epochs 5 --batch-size 25 --learning-rate 0.005 --json"),
    )
    .expect(0, &[])
    .json();
    let tuning = &report["finetune"];
    assert_eq!((&tuning["scope"], &tuning["training_samples"]), (&"all".into(), &500.into()));
    assert!((tuning["before"].as_f64().unwrap() - before).abs() < 1e-9);
    assert!(report["accuracy"]["top1"][1].as_f64().unwrap() > before + 0.2, "{tuning}");
}

#[test]
fn convolutions_of_layers_are_trained_and_written_in_their_format() {
    let folder = tempfile::tempdir().unwrap();
    let (lenet, train) = (asset("models/lenet5-mnist.safetensors"), asset("data/mnist/mnist-train500.safetensors"));
    let prune = format!("prune {lenet} --keep 0.25 --method l1 -o small.safetensors --data {} --train {train}", data());
    let all = format!("{prune} --finetune all --epochs 3 --device cpu --json");
    let all = tropix(folder.path(), &all).expect(0, &[]).json();
    let head = format!("{} --finetune classifier --epochs 3 --device cpu --json", prune.replace("small.", "head."));
    let head = tropix(folder.path(), &head).expect(0, &[]).json();
    let after = |report: &serde_json::Value| report["accuracy"]["top1"][1].as_f64().unwrap();
    assert!(after(&all) > all["finetune"]["before"].as_f64().unwrap() + 0.2, "{all}");
    let tensor = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor("features.0.weight").unwrap().data().to_vec()
    };
    // Only one of them moves convolutions.
    tropix(folder.path(), &format!("{} --device cpu", prune.replace("small.", "plain."))).expect(2, &["--finetune"]);
    let plain = format!("prune {lenet} --keep 0.25 --method l1 -o plain.safetensors --device cpu");
    tropix(folder.path(), &plain).expect(0, &[]);
    assert_eq!(tensor("head.safetensors"), tensor("plain.safetensors"));
    assert_ne!(tensor("small.safetensors"), tensor("plain.safetensors"));
    assert!(after(&head) > head["finetune"]["before"].as_f64().unwrap(), "{head}");
}

#[test]
fn a_killed_training_goes_on_with_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let of = |epochs: usize, rest: &str| {
        let line = format!("train --layout 2-20-2 --toy xor --epochs {epochs} --batch-size 10 --device cpu --json");
        tropix(folder.path(), &format!("{line} {rest}"))
    };
    let state = "--checkpoint state.safetensors";
    of(300, "-o whole.safetensors").expect(0, &[]);
    // Killed in the midst, between any two of its writings.
    let mut child = program()
        .args("train --layout 2-20-2 --toy xor --epochs 300 --batch-size 10 --device cpu".split(' '))
        .args("-o cut.safetensors --checkpoint state.safetensors".split(' '))
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    while !folder.path().join("state.safetensors").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.path().join("cut.safetensors").exists());
    // The state is neither overwritten nor taken for another training's.
    of(300, &format!("-o cut.safetensors {state}")).expect(73, &["state.safetensors", "exists"]);
    of(299, &format!("-o cut.safetensors {state} --resume")).expect(65, &["state.safetensors", "other options"]);
    of(300, "-o cut.safetensors --checkpoint-every 2").expect(2, &["--checkpoint-every"]);
    of(300, "-o cut.safetensors --resume").expect(2, &["--checkpoint"]);
    let report = of(300, &format!("-o cut.safetensors {state} --resume")).expect(0, &[]).json();
    assert!(report["training"]["resumed"].as_u64().unwrap() >= 1);
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("cut.safetensors"), bytes("whole.safetensors"));
    // A state cut short is no state.
    std::fs::write(folder.path().join("state.safetensors"), &bytes("state.safetensors")[..500]).unwrap();
    of(300, &format!("-o other.safetensors {state} --resume")).expect(65, &["state.safetensors"]);
    assert!(!folder.path().join("other.safetensors").exists());
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (asset("models/mlp-digits.safetensors"), data());
    let moons = "--toy moons --epochs 2";
    for (arguments, code, part) in [
        (moons.to_owned(), 2, "--layout"),
        (format!("--layout 2 {moons}"), 2, "number of classes"),
        (format!("--layout 2-0-2 {moons}"), 2, "`0`"),
        (format!("--layout 1x4x4-3c5-2 {moons}"), 2, "does not fit"),
        (format!("--layout 3-4-2 {moons}"), 65, "takes 3"),
        ("--layout 2-4-2".to_owned(), 2, "--toy"),
        (format!("--layout 2-4-2 {moons} --data {data}"), 2, "--data"),
        (format!("--layout 784-4-10 --data {data} --noise 1"), 2, "without `--toy`"),
        (format!("--layout 784-4-10 --data {data} --test {data} --holdout 0.5"), 2, "with `--test`"),
        (format!("--layout 784-4-5 --data {data}"), 65, "labels are not below 5"),
        (format!("{model} --layout 2-4-2 {moons}"), 2, "--layout"),
        (format!("{model} --data {data}"), 65, "takes 64"),
        (format!("--layout 2-4-2 {moons} --learning-rate 1e6 --optimizer sgd"), 2, "first epoch"),
        (format!("--layout 2-4-2 {moons} --shift 1"), 2, "no images"),
        (format!("--layout 2-4-2 {moons} --noise -1"), 2, "noise"),
        (format!("--layout 784-4-10 --data {data} --teacher {model} --epochs 1"), 65, "the teacher takes 64"),
    ] {
        tropix(folder.path(), &format!("train -o out.safetensors --device cpu {arguments}")).expect(code, &[part]);
    }
    assert!(files(folder.path()).is_empty());
}
