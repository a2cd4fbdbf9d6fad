//! What users meet: a clear message, the documented exit code, and nothing lost.

use std::fs;

use crate::program::{asset, data, files, model, tropix, write_model};

#[test]
fn usage_errors_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let model = model();
    for arguments in [
        format!("prune {model} -o out.safetensors --rate 1.5"),
        format!("prune {model} -o out.safetensors --rate NaN"),
        format!("prune {model} -o out.safetensors --rate -0.1"),
        format!("prune {model} -o out.safetensors"),
        format!("prune {model} --rate 0.5"),
        format!("prune {model} -o out.safetensors --rate 0.5 --lambda 1"),
        format!("prune {model} -o out.safetensors --rate 0.5 --method best"),
        format!("prune {model} -o out.safetensors --lambda 0.1 --device cpu"),
        format!("sweep {model} --rates 0:2:0.1"),
        format!("sweep {model} --rates 0.9:0.1:0.0"),
        format!("sweep {model} --device cpu"),
        format!("prune {model} -o out.safetensors --rate 0.5 --device tpu"),
        "nonsense".to_owned(),
    ] {
        tropix(folder.path(), &arguments).expect(2, &["error"]);
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn inputs_that_are_missing_exit_66() {
    let folder = tempfile::tempdir().unwrap();
    tropix(folder.path(), "prune none.safetensors -o out.safetensors --rate 0.5").expect(66, &["none.safetensors"]);
    let arguments = format!("prune {} -o out.safetensors --rate 0.5 --data none.npz --device cpu", model());
    tropix(folder.path(), &arguments).expect(66, &["none.npz"]);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn outputs_that_must_not_be_written_exit_73_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("model.safetensors");
    fs::copy(model(), &own).unwrap();
    let before = fs::read(&own).unwrap();
    fs::hard_link(&own, folder.path().join("hard.safetensors")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&own, folder.path().join("soft.safetensors")).unwrap();
    for name in ["model.safetensors", "hard.safetensors", "soft.safetensors", "../DIR/model.safetensors"] {
        let name = name.replace("DIR", &folder.path().file_name().unwrap().to_string_lossy());
        let run = tropix(folder.path(), &format!("prune model.safetensors -o {name} --rate 0.5 --force --device cpu"));
        run.expect(73, &["is an input"]);
    }
    fs::write(folder.path().join("old.safetensors"), "old").unwrap();
    let prune = "prune model.safetensors -o old.safetensors --rate 0.5 --device cpu";
    tropix(folder.path(), prune).expect(73, &["old.safetensors", "exists"]);
    assert_eq!(fs::read(folder.path().join("old.safetensors")).unwrap(), b"old");
    tropix(folder.path(), &format!("{prune} --force")).expect(0, &[]);
    assert!(fs::read(folder.path().join("old.safetensors")).unwrap().len() > 1000);
    assert_eq!(fs::read(&own).unwrap(), before);
    // Data are inputs too.
    fs::copy(data(), folder.path().join("data.safetensors")).unwrap();
    let prune = "prune model.safetensors -o data.safetensors --rate 0.5 --data data.safetensors --force --device cpu";
    tropix(folder.path(), prune).expect(73, &["is an input"]);
}

#[test]
fn a_folder_that_is_not_there_exits_74() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("prune {} -o none/out.safetensors --rate 0.5 --device cpu", model());
    tropix(folder.path(), &arguments).expect(74, &["none"]);
}

#[test]
fn data_that_do_not_fit_exit_65_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let digits = asset("data/digits/digits-test500.safetensors");
    let arguments = format!("prune {} -o out.safetensors --rate 0.5 --data {digits} --device cpu", model());
    tropix(folder.path(), &arguments).expect(65, &["64", "784"]);
    // Labels beyond the classes.
    write_model(
        &folder.path().join("two.safetensors"),
        &[("a.weight", &[4, 784], vec![0.1; 3136]), ("b.weight", &[2, 4], vec![0.2; 8])],
    );
    let arguments = format!("evaluate two.safetensors --data {} --device cpu", data());
    tropix(folder.path(), &arguments).expect(65, &["label", "2"]);
    assert_eq!(files(folder.path()), ["two.safetensors"]);
}

#[test]
fn weights_whose_products_overflow_exit_65() {
    let folder = tempfile::tempdir().unwrap();
    write_model(
        &folder.path().join("huge.safetensors"),
        &[("a.weight", &[3, 2], vec![3e38; 6]), ("b.weight", &[2, 3], vec![2e38; 6])],
    );
    for method in ["tropical-path", "tropical"] {
        let arguments = format!("prune huge.safetensors -o out.safetensors --rate 0.5 --method {method} --device cpu");
        tropix(folder.path(), &arguments).expect(65, &["overflows"]);
    }
    assert_eq!(files(folder.path()), ["huge.safetensors"]);
}

#[test]
fn layers_that_do_not_chain_exit_65_and_name_the_break() {
    let folder = tempfile::tempdir().unwrap();
    write_model(
        &folder.path().join("broken.safetensors"),
        &[("fc1.weight", &[512, 3], vec![0.1; 1536]), ("fc2.weight", &[2, 4096], vec![0.2; 8192])],
    );
    let run = tropix(folder.path(), "prune broken.safetensors -o out.safetensors --rate 0.5 --device cpu");
    run.expect(65, &["`fc1` gives 512, `fc2` takes 4096 (= 512 x 8?)"]);
    tropix(folder.path(), "inspect broken.safetensors --emit-arch arch.toml").expect(65, &["wrote arch.toml"]);
    assert_eq!(files(folder.path()), ["arch.toml", "broken.safetensors"]);
}

#[test]
fn an_adapter_that_is_not_there_exits_69() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("prune {} -o out.safetensors --rate 0.5 --device gpu:nosuchadapter", model());
    tropix(folder.path(), &arguments).expect(69, &["nosuchadapter"]);
    assert!(files(folder.path()).is_empty());
}
