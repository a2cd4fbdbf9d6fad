//! `attack`: reports, pictures, bad input.

use std::fs;

use crate::program::{asset, model, tropix, write_model};

fn digits() -> (String, String) {
    (asset("models/mlp-digits.safetensors"), asset("data/digits/digits-test500.safetensors"))
}

fn toy() -> (String, String) {
    (asset("models/toy-moons-bias-2-40-2.safetensors"), asset("data/toys/toy-moons.safetensors"))
}

#[test]
fn a_report_holds_every_attack_between_certificate_and_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), crate::program::data());
    let attack = format!(
        "attack {model} --data {data} --samples 60 --method reduced,fgsm,pgd,apgd --epsilon 0.05,0.15 --epsilon2 0,1 \
         --images sheet.png --device cpu"
    );
    let report = tropix(folder.path(), &format!("{attack} --json")).expect(0, &[]).json();
    let found = &report["models"][0];
    let attacks = found["attacks"].as_array().unwrap();
    assert_eq!(attacks.len(), 4 + 3 * 2);
    assert_eq!(found["samples"], 60);
    let count = |attack: &serde_json::Value| attack["robust"]["count"].as_u64().unwrap();
    for attack in attacks {
        let [low, high] = [0, 1].map(|end| attack["robust"]["interval"][end].as_f64().unwrap());
        let share = attack["robust"]["share"].as_f64().unwrap();
        assert!(low <= share && share <= high && attack["outcomes"].as_array().unwrap().len() == 60);
        let at = usize::from(attack["epsilon"].as_f64().unwrap() > 0.1);
        assert!(count(attack) >= found["certified"]["robust"][at]["count"].as_u64().unwrap());
        if attack["epsilon2"].as_f64().is_some_and(|rows| rows > 0.0) {
            assert!(attack["gap"].as_f64().unwrap() < 1e-4);
        }
    }
    // More room, fewer robust samples; many steps do better than one.
    let of = |method: &str, epsilon: f64| {
        let one =
            |a: &&serde_json::Value| a["method"] == method && (a["epsilon"].as_f64().unwrap() - epsilon).abs() < 1e-9;
        count(attacks.iter().find(one).unwrap())
    };
    for method in ["reduced", "fgsm", "pgd", "apgd"] {
        assert!(of(method, 0.15) < of(method, 0.05), "{method}");
    }
    assert!(of("pgd", 0.15) <= of("fgsm", 0.15) && of("apgd", 0.15) <= of("fgsm", 0.15));
    let sheet = fs::read(folder.path().join("sheet.png")).unwrap();
    assert!(sheet.starts_with(b"\x89PNG"));
    // The same seed gives the same bytes.
    tropix(folder.path(), &format!("{attack} --json --force")).expect(0, &[]);
    assert_eq!(fs::read(folder.path().join("sheet.png")).unwrap(), sheet);
    let text = tropix(folder.path(), &format!("{attack} --force")).expect(0, &[]).stdout;
    for part in ["robust accuracy", "reduced, strattack", "certified", "median", "sheet: the sample", "becomes"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
}

#[test]
fn a_pruned_network_is_attacked_on_the_same_samples() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = digits();
    tropix(folder.path(), &format!("prune {model} -o half.safetensors --rate 0.8 --device cpu")).expect(0, &[]);
    let attack = format!(
        "attack {model} --also half.safetensors --data {data} --scale 0.0625 --samples 40 --method pgd --epsilon 0.1 \
         --no-certify --device cpu"
    );
    let report = tropix(folder.path(), &format!("{attack} --json")).expect(0, &[]).json();
    let robust = |at: usize| report["models"][at]["attacks"][0]["robust"]["count"].as_i64().unwrap();
    let difference = &report["differences"][0];
    let part = |name: &str| difference[name].as_i64().unwrap();
    assert_eq!(robust(0) - robust(1), part("first_only") - part("second_only"));
    assert!(report["models"][1]["model"] == "half.safetensors" && report["models"][0].get("certified").is_none());
    let text = tropix(folder.path(), &attack).expect(0, &[]).stdout;
    assert!(text.contains("robust in the first only"), "{text}");
}

#[test]
fn the_dual_picture_of_two_inputs_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = toy();
    let attack = format!(
        "attack {model} --data {data} --box=-3,3 --epsilon 1 --epsilon2 2 --method reduced,admm --samples 20 --starts 2 \
         --svg dual.svg --device cpu --json"
    );
    let report = tropix(folder.path(), &attack).expect(0, &[]).json();
    for attack in report["models"][0]["attacks"].as_array().unwrap() {
        assert!(attack["gap"].as_f64().unwrap() < 1e-4 && attack["success"]["count"].as_u64().unwrap() > 5, "{attack}");
    }
    let svg = fs::read_to_string(folder.path().join("dual.svg")).unwrap();
    assert!(
        svg.contains("first layer changed") && svg.contains("before green, after blue") && svg.ends_with("</svg>\n")
    );
}

#[test]
fn bad_input_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (digits, data) = digits();
    let (toy, moons) = toy();
    let (lenet, mnist) = (asset("models/lenet5-mnist.safetensors"), crate::program::data());
    let mobile = asset("models/mobile-mnist.onnx");
    let of_digits = format!("{digits} --data {data} --scale 0.0625");
    for (arguments, code, parts) in [
        (
            format!("{digits} --data {data} --scale 1"),
            65,
            vec!["outside the box of inputs from 0 to 1", "of sample", "--box"],
        ),
        (format!("{of_digits} --epsilon 0"), 2, vec!["epsilon", "0 is no radius"]),
        (format!("{of_digits} --epsilon=-0.1"), 2, vec!["epsilon", "-0.1"]),
        (format!("{of_digits} --epsilon2=-1"), 2, vec!["epsilon2", "-1"]),
        (format!("{of_digits} --target 10"), 2, vec!["target", "classes are 0 to 9"]),
        (format!("{of_digits} --target none"), 2, vec!["none"]),
        (format!("{of_digits} --box 0"), 2, vec!["box"]),
        (format!("{of_digits} --svg a.svg"), 2, vec!["svg", "two inputs"]),
        (format!("{of_digits} --images a.jpg"), 2, vec!["images", ".png"]),
        (format!("{of_digits} --method pgd --kappa 0.5"), 2, vec!["--kappa", "no effect"]),
        (format!("{of_digits} --method fgsm --starts 3"), 2, vec!["--starts", "no effect"]),
        (format!("{of_digits} --epsilon2 0 --polytope zonotopes"), 2, vec!["--polytope", "no effect"]),
        (format!("{toy} --data {moons} --box=-3,3 --images a.png"), 2, vec!["images", "are no images"]),
        (format!("{toy} --data {moons} --box=-3,3 --distance groups"), 2, vec!["distance", "no groups"]),
        (
            format!("{lenet} --data {mnist}"),
            65,
            vec!["lenet5-mnist", "conv2d", "what is possible", "tropix convert", "--box"],
        ),
        (format!("{mobile} --data {mnist} --method reduced"), 65, vec!["mobile-mnist", "what is possible", "pgd"]),
        (format!("{mobile} --data {mnist} --no-certify"), 2, vec!["--no-certify", "no effect"]),
        (digits.clone(), 2, vec!["data", "labelled samples"]),
        (format!("{} --data {data}", model()), 65, vec!["64", "784"]),
    ] {
        let parts: Vec<&str> = parts.into_iter().collect();
        tropix(folder.path(), &format!("attack {arguments} --device cpu")).expect(code, &parts);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn any_graph_is_attacked_by_its_input_gradients() {
    let folder = tempfile::tempdir().unwrap();
    let lenet = asset("models/lenet5-mnist.safetensors");
    tropix(folder.path(), &format!("convert {lenet} -o lenet.onnx")).expect(0, &[]);
    let attack = format!(
        "attack lenet.onnx --data {} --samples 20 --method fgsm,pgd,apgd --steps 10 --epsilon 0.2 --device cpu --json",
        crate::program::data()
    );
    let report = tropix(folder.path(), &attack).expect(0, &[]).json();
    let found = &report["models"][0];
    let count = |at: usize| found["attacks"][at]["robust"]["count"].as_u64().unwrap();
    assert!(count(1) <= count(0) && count(2) <= count(0) && count(1) < 20, "{found}");
    assert!(
        found.get("certified").is_none() && report["warnings"][0].as_str().unwrap().contains("no certified distances")
    );
}

/// Two points with labels, as a safetensors file.
fn points(path: &std::path::Path, labels: [i64; 2]) {
    let header = r#"{"points":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"labels":{"dtype":"I64","shape":[2],"data_offsets":[16,32]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    for value in [0.9_f32, 0.1, 0.1, 0.9] {
        file.extend(value.to_le_bytes());
    }
    labels.iter().for_each(|label| file.extend(label.to_le_bytes()));
    fs::write(path, file).unwrap();
}

#[test]
fn labels_that_leave_nothing_to_attack_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    // Class 0 where the first input is larger.
    write_model(&folder.path().join("m.safetensors"), &[("a.weight", &[2, 2], vec![1.0, 0.0, 0.0, 1.0])]);
    let run = |labels, rest: &str| {
        points(&folder.path().join("d.safetensors"), labels);
        tropix(folder.path(), &format!("attack m.safetensors --data d.safetensors --device cpu {rest}"))
    };
    run([1, 0], "").expect(65, &["all 2 samples are misclassified"]);
    run([0, 2], "").expect(65, &["labels", "2"]);
    run([0, 0], "--target 0").expect(2, &["target", "0 is the class of every correctly classified sample"]);
    // A linear classifier: the certified distance is the distance, 0.4 in both inputs.
    let report = run([0, 1], "--epsilon 0.39,0.41 --method reduced,pgd --json").expect(0, &[]).json();
    let counts: Vec<u64> = report["models"][0]["attacks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["robust"]["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [2, 0, 2, 0]);
    let radius = report["models"][0]["certified"]["radii"][0].as_f64().unwrap();
    assert!((radius - 0.4).abs() < 1e-3 && radius <= 0.4, "{radius}");
}
