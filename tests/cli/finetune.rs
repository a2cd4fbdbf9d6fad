//! `prune --finetune`.

use crate::program::{asset, data, files, model, tropix, write_model};

#[test]
fn pruned_weights_stay_zero_and_the_held_out_part_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), data());
    let common = format!("--rate 0.95 --data {data} --device cpu --json");
    let prune = format!("prune {model} -o tuned.safetensors {common} --finetune all --epochs 3 --verify");
    let report = tropix(folder.path(), &prune).expect(0, &[]).json();
    let tuning = &report["finetune"];
    assert_eq!((&tuning["training_samples"], &tuning["held_out_samples"]), (&1600.into(), &400.into()));
    assert_eq!((&report["accuracy"]["n"], &tuning["scope"]), (&400.into(), &"all".into()));
    assert!(report["data"].as_str().unwrap().contains("400 of 2000 samples, held out from training"));
    let (before, after) = (tuning["before"].as_f64().unwrap(), report["accuracy"]["top1"][1].as_f64().unwrap());
    assert!(before < 0.75 && after > before + 0.1, "{before} {after}");
    assert_eq!(tuning["epochs"][2]["held_out"].as_f64().unwrap(), after, "nothing chooses among epochs");
    // As many weights are not zero as without training.
    let plain = tropix(folder.path(), &format!("prune {model} -o plain.safetensors {common}")).expect(0, &[]).json();
    assert_eq!(report["weights"], plain["weights"]);
    let zeros = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor("classifier.0.weight").unwrap();
        tensor.data().chunks(4).map(|bytes| bytes[..3] == [0; 3] && bytes[3] & 0x7f == 0).collect::<Vec<_>>()
    };
    assert_eq!(zeros("tuned.safetensors"), zeros("plain.safetensors"));
    // The same seed gives the same bytes.
    tropix(folder.path(), &prune.replace("tuned.", "again.")).expect(0, &[]);
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("tuned.safetensors"), bytes("again.safetensors"));
}

#[test]
fn the_head_of_a_convolutional_network_is_tuned_on_images_for_every_family() {
    let folder = tempfile::tempdir().unwrap();
    let (lenet, data) = (asset("models/lenet5-mnist.safetensors"), data());
    for (target, scope) in [("--rate 0.95 --method class-blind", "all"), ("--keep 0.5 --method l1", "head")] {
        let prune = format!(
            "prune {lenet} -o small.safetensors {target} --data {data} --device cpu --finetune {scope} --epochs 2 --json \
             --force"
        );
        let report = tropix(folder.path(), &prune).expect(0, &[]).json();
        let (before, after) =
            (report["finetune"]["before"].as_f64().unwrap(), report["accuracy"]["top1"][1].as_f64().unwrap());
        assert!(after > before + 0.02, "{target}: {before} {after}");
    }
    // All samples are measured where others are trained on.
    let prune =
        format!("prune {lenet} --dry-run --rate 0.9 --data {data} --train {data} --finetune biases --epochs 1 --json");
    let report = tropix(folder.path(), &format!("{prune} --device cpu")).expect(0, &[]).json();
    assert_eq!(report["finetune"]["held_out_samples"], 2000);
}

#[test]
fn what_cannot_be_tuned_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), data());
    write_model(&folder.path().join("x.safetensors"), &[("x", &[2, 784], vec![0.5; 1568])]);
    for (arguments, code, part) in [
        ("--finetune all".to_owned(), 2, "needs labelled data"),
        ("--finetune all --data x.safetensors".to_owned(), 65, "holds no `labels`"),
        (format!("--finetune all --data {data} --holdout 0"), 65, "0 of 2000"),
        (format!("--finetune all --data {data} --epochs 0"), 2, "epochs"),
        (format!("--finetune all --data {data} --learning-rate 0"), 2, "learning-rate"),
        (format!("--finetune everything --data {data}"), 2, "everything"),
        (format!("--train {data} --data {data}"), 2, "--finetune"),
        (format!("--finetune all --data {data} --train none.npz"), 66, "none.npz"),
    ] {
        let prune = format!("prune {model} -o out.safetensors --rate 0.5 --device cpu {arguments}");
        tropix(folder.path(), &prune).expect(code, &[part]);
    }
    assert_eq!(files(folder.path()), ["x.safetensors"]);
}
