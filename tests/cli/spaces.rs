//! Units of any graph: `prune` and `inspect` on ONNX models of which backends do not compute all.

use std::fs;

use crate::program::{asset, data, model, tropix};

fn graph(name: &str) -> String {
    asset(&format!("golden/onnx/spaces/{name}.onnx"))
}

#[test]
fn half_of_every_unit_of_a_transformer_goes_and_the_file_says_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let attention = graph("attention");
    let report = tropix(folder.path(), &format!("prune {attention} -o half.onnx --keep 0.5 --method l1 --json"));
    let report = report.expect(0, &[]).json();
    assert_eq!(report["parameters"], serde_json::json!({ "before": 1327, "after": 425 }));
    let spaces = report["spaces"].as_array().unwrap();
    // The stream, coupled by its norm; queries, keys and values of two heads; the hidden units.
    let units: Vec<_> = spaces.iter().map(|space| (&space["before"], &space["after"], &space["cells"])).collect();
    assert_eq!(
        units,
        [(&12.into(), &6.into(), &1.into()), (&24.into(), &12.into(), &4.into()), (&16.into(), &8.into(), &1.into())]
    );
    assert_eq!(spaces[0]["coupled"], true);
    let left = tropix(folder.path(), "inspect half.onnx").expect(0, &[]).stdout;
    assert!(left.contains("space: 12 units in 4 sets, written by `matmul4`"), "{left}");
    assert!(left.contains("kept: 5 units of `gemm35`: `logits` is an output of the network"), "{left}");
    // The same again, and nothing is written over.
    tropix(folder.path(), &format!("prune {attention} -o again.onnx --keep 0.5 --method l1")).expect(0, &[]);
    assert_eq!(fs::read(folder.path().join("half.onnx")).unwrap(), fs::read(folder.path().join("again.onnx")).unwrap());
    tropix(folder.path(), &format!("prune {attention} -o half.onnx --keep 0.5 --method l1")).expect(73, &["exists"]);
}

#[test]
fn data_measure_what_is_left_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    tropix(folder.path(), &format!("convert {} -o mlp.onnx", model())).expect(0, &[]);
    let prune = "prune mlp.onnx --keep 0.5 --method l1 --device cpu --json";
    let report = tropix(folder.path(), &format!("{prune} -o a.onnx --data {}", data())).expect(0, &[]).json();
    tropix(folder.path(), &format!("{prune} -o b.onnx")).expect(0, &[]);
    assert_eq!(fs::read(folder.path().join("a.onnx")).unwrap(), fs::read(folder.path().join("b.onnx")).unwrap());
    let evaluate = format!("evaluate a.onnx --against mlp.onnx --data {} --device cpu --json", data());
    let evaluated = tropix(folder.path(), &evaluate).expect(0, &[]).json();
    assert_eq!(report["accuracy"], evaluated["accuracy"]);
    assert_eq!(report["accuracy"]["top1"][0], 0.9645);
    let dry = tropix(folder.path(), &format!("{prune} --dry-run --data {}", data())).expect(0, &[]).json();
    assert_eq!(dry["accuracy"], evaluated["accuracy"]);
}

#[test]
fn trunks_and_named_layers_stay_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &str| {
        let command = format!("prune {} --keep 0.5 --method fpgm --dry-run --json {options}", graph("gated"));
        let report = tropix(folder.path(), &command).expect(0, &[]).json();
        let spaces = report["spaces"].as_array().unwrap().iter();
        spaces.map(|space| space["after"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(run(""), [4, 6, 3]);
    assert_eq!(run("--no-trunk"), [8, 12, 3]);
    assert_eq!(run("--ignore conv0"), [8, 6, 3]);
    let wrong = format!("prune {} --keep 0.5 --method l1 --dry-run --ignore conv99", graph("gated"));
    tropix(folder.path(), &wrong).expect(2, &["there is no operator `conv99`"]);
}

#[test]
fn a_refit_needs_no_data_and_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let refit =
        format!("prune {} -o half.onnx --keep 0.5 --inputs 200 --prior gaussian --device cpu --json", graph("mixer"));
    let report = tropix(folder.path(), &refit).expect(0, &["not all of it is computed"]).json();
    assert_eq!(report["method"], "synth-refit");
    let fits: Vec<f64> =
        (report["spaces"].as_array().unwrap().iter()).filter_map(|space| space["refit"]["loss"].as_f64()).collect();
    assert!(fits.len() >= 2 && fits.iter().all(|loss| (0.0..1.0).contains(loss)), "{fits:?}");
}

#[test]
fn samples_may_take_the_place_of_synthetic_inputs() {
    let folder = tempfile::tempdir().unwrap();
    tropix(folder.path(), &format!("convert {} -o mlp.onnx", model())).expect(0, &[]);
    let top1 = |inputs: &str| {
        let prune =
            format!("prune mlp.onnx --keep 0.1 --method synth-refit --no-trunk --dry-run --device cpu {inputs}");
        let report = tropix(folder.path(), &format!("{prune} --data {} --json", data())).expect(0, &[]).json();
        report["accuracy"]["top1"][1].as_f64().unwrap()
    };
    let (samples, drawn) = (top1(&format!("--calib {} --calib-samples 400", data())), top1("--inputs 400"));
    assert!(samples > 0.8 && samples != drawn, "{samples} {drawn}");
    let run = |options: &str, parts: &[&str]| {
        let calib = format!("--calib {}", data());
        let prune = format!("prune mlp.onnx --keep 0.5 --no-trunk --dry-run --device cpu {calib} {options}");
        tropix(folder.path(), &prune).expect(2, parts);
    };
    run("--method synth-refit --inputs 100", &["`--inputs`", "with `--calib`: no inputs are drawn"]);
    run("--method l1", &["`--calib`", "without `synth-refit`"]);
}

#[test]
fn what_is_for_layers_alone_is_refused_on_any_graph_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &str, code, parts: &[&str]| {
        tropix(folder.path(), &format!("prune {options} --keep 0.5 --dry-run --device cpu")).expect(code, parts);
    };
    run(&format!("{} --method tropnnc", graph("mixer")), 2, &["works on layers", "l1, l2, path-l2"]);
    run(&format!("{} --method l1 --layer matmul0=0.5", graph("mixer")), 2, &["has no effect on units of any graph"]);
    run(&format!("{} --method l1 --ridge 0.1", graph("mixer")), 2, &["has no effect without `synth-refit`"]);
    run(&format!("{} --method norm-scale", graph("mixer")), 65, &["has no batch norm"]);
    run(&format!("{} --method fpgm", model()), 2, &["is for ONNX models"]);
    run(&format!("{} --method l1 --no-trunk", model()), 2, &["is for ONNX models"]);
}

#[test]
fn whole_heads_go_and_those_that_are_weighed_against_each_other_stay_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let prune = |name: &str, options: &str| format!("prune {} --heads 0.5 --device cpu --json {options}", graph(name));
    let report = tropix(folder.path(), &prune("separate", "--method l1 -o half.onnx")).expect(0, &[]).json();
    let heads = &report["heads"].as_array().unwrap()[0];
    assert_eq!([&heads["before"], &heads["after"]], [4, 2]);
    assert_eq!(report["heads"].as_array().unwrap().len(), 1);
    // Two of four heads with 12 x 4 weights and 4 biases for each of queries, keys and values, 4 x 12 weights that read them,
    // and a table of 6 x 6 biases.
    let gone = 2 * (3 * (12 * 4 + 4) + 4 * 12 + 36);
    assert_eq!(report["parameters"], serde_json::json!({ "before": 1992, "after": 1992 - gone }));
    let frozen = report["frozen"].as_array().unwrap();
    let why = frozen.iter().find(|frozen| frozen["name"] == "matmul37").unwrap();
    assert_eq!(why["reason"], "heads stay: `softmax38` (Softmax) weighs them against each other");
    let left = tropix(folder.path(), "inspect half.onnx").expect(0, &[]).stdout;
    assert!(left.contains("space: 8 units in 2 sets, written by `matmul2`"), "{left}");
    // Heads are written by three layers, and are no trunk.
    let count = |options: &str| {
        let report = tropix(folder.path(), &prune("separate", &format!("--method l1 --dry-run {options}")));
        report.expect(0, &[]).json()["heads"][0]["after"].as_u64().unwrap()
    };
    assert_eq!([count("--no-trunk"), count("--ignore matmul2"), count("--round-to 4")], [2, 4, 2]);
    // Units of what is left go, too, and a refit chooses heads by what reads them.
    let report = tropix(folder.path(), &prune("attention", "--keep 0.5 --inputs 200 --prior gaussian --dry-run"));
    let report = report.expect(0, &[]).json();
    assert_eq!(report["parameters"]["after"], 349);
    assert!(report["heads"][0]["refit"]["loss"].as_f64().unwrap() < 1.0, "{report}");
    tropix(folder.path(), &prune("mixer", "--method l1 --dry-run")).expect(65, &["no whole heads can go"]);
}

#[test]
fn one_ranking_over_all_spaces_leaves_the_share_of_all_units() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &str| {
        let command = format!("prune {} --method l1 --dry-run --json --device cpu {options}", graph("gated"));
        let report = tropix(folder.path(), &command).expect(0, &[]).json();
        let spaces = report["spaces"].as_array().unwrap().iter();
        let after: Vec<u64> = spaces.map(|space| space["after"].as_u64().unwrap()).collect();
        (after, report["parameters"]["after"].as_u64().unwrap())
    };
    let (uniform, parameters) = run("--keep 0.5");
    let (ranked, fewer) = run("--keep 0.5 --global");
    assert_eq!([uniform.iter().sum::<u64>(), ranked.iter().sum()], [13, 13]);
    assert!(uniform != ranked && fewer < parameters, "{ranked:?} {fewer} {parameters}");
    // The 8, 12 and 6 units of the spaces lose no more than a quarter each.
    assert_eq!(run("--keep 0.5 --global --max-ratio 0.25").0, [6, 9, 5]);
    assert_eq!(run("--keep 0.5 --max-ratio 0.25").0, run("--keep 0.75").0);
    // In steps the same numbers stay.
    assert_eq!(run("--keep 0.5 --steps 3").0, uniform);
    assert_eq!(run("--keep 0.5 --global --steps 4").0.iter().sum::<u64>(), 13);
    for wrong in ["--heads 0.5 --global", "--heads 0.5 --steps 2", "--keep 0.5 --steps 0"] {
        tropix(folder.path(), &format!("prune {} --dry-run {wrong}", graph("gated"))).expect(2, &[]);
    }
}

#[test]
fn steps_look_again_at_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let run = |steps: u32, file: &str| {
        let command =
            format!("prune {} --keep 0.4 --method path-l2 --device cpu --steps {steps} -o {file}", graph("mixer"));
        tropix(folder.path(), &command).expect(0, &[]);
        fs::read(folder.path().join(file)).unwrap()
    };
    let (once, often) = (run(1, "a.onnx"), run(4, "b.onnx"));
    // As many units, others of them.
    assert_eq!(once.len(), often.len());
    assert!(once != often);
    let refit = "--inputs 200 --prior gaussian --device cpu --json --dry-run";
    let report = tropix(folder.path(), &format!("prune {} --keep 0.4 --steps 2 {refit}", graph("mixer")));
    let spaces = report.expect(0, &[]).json()["spaces"].clone();
    assert!(spaces.as_array().unwrap().iter().filter(|space| space["refit"].is_object()).count() >= 2, "{spaces}");
}

#[test]
fn lengths_that_a_model_leaves_open_are_given_and_stay_open() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| asset(&format!("golden/onnx/open/{name}.onnx"));
    let wrong = |name: &str, options: &str, code, parts: &[&str]| {
        tropix(folder.path(), &format!("inspect {} {options}", open(name))).expect(code, parts);
    };
    wrong("tokens", "", 65, &["axis 2 of input `input` is dynamic", "--input-shape"]);
    wrong("tokens", "--input-shape 3,8", 65, &["has 3 axes behind the batch, 2 lengths are given"]);
    wrong("tokens", "--input-shape 4,8,8", 65, &["axis 1 of input `input` has length 3, not 4"]);
    wrong("tokens", "--input-shape image:3,8,8", 65, &["has no input `image`; its inputs are `input`"]);
    wrong("tokens", "--input-shape 3,0,8", 2, &["expected lengths of at least 1"]);
    wrong("pair", "--input-shape 7,6", 65, &["has 2 inputs (`input`, `other`); name the one of each shape"]);
    wrong("pair", "--input-shape input:7,6", 0, &[]);

    let prune = format!("prune {} --keep 0.5 --method l1 --device cpu", open("tokens"));
    tropix(folder.path(), &format!("{prune} --input-shape 3,8,8 -o a.onnx")).expect(0, &[]);
    tropix(folder.path(), &format!("{prune} --input-shape 3,12,16 -o b.onnx")).expect(0, &[]);
    // What is written does not depend on the length, and is open as before.
    assert_eq!(fs::read(folder.path().join("a.onnx")).unwrap(), fs::read(folder.path().join("b.onnx")).unwrap());
    tropix(folder.path(), "inspect a.onnx").expect(65, &["axis 2 of input `input` is dynamic"]);
    let left = tropix(folder.path(), "inspect a.onnx --input-shape 3,20,20").expect(0, &[]).stdout;
    assert!(left.contains("space: 6 units in 2 sets"), "{left}");
    let refit = "--keep 0.5 --inputs 100 --prior gaussian --device cpu --dry-run --json --input-shape 3,8,8";
    let report = tropix(folder.path(), &format!("prune {} {refit}", open("tokens"))).expect(0, &[]).json();
    assert_eq!(report["method"], "synth-refit");
    let pair = format!("prune {} --keep 0.5 --method l1 --input-shape input:7,6 -o c.onnx --json", open("pair"));
    let report = tropix(folder.path(), &pair).expect(0, &[]).json();
    // Eight units that two layers write, 6 and 4 weights and two biases each, and one reads, 5 weights.
    assert_eq!(report["parameters"], serde_json::json!({ "before": 141, "after": 141 - 4 * (6 + 4 + 2 + 5) }));
}

#[test]
fn a_picture_shows_what_each_operator_writes_and_why_units_stay() {
    let folder = tempfile::tempdir().unwrap();
    let draw = format!("inspect {} --svg", graph("separate"));
    tropix(folder.path(), &format!("{draw} a.svg")).expect(0, &["wrote a.svg"]);
    tropix(folder.path(), &format!("{draw} b.svg")).expect(0, &[]);
    let svg = fs::read_to_string(folder.path().join("a.svg")).unwrap();
    assert_eq!(svg, fs::read_to_string(folder.path().join("b.svg")).unwrap());
    // The input and 47 operators.
    assert_eq!(svg.matches("<g>").count(), 48);
    let titles = [
        "matmul0 (MatMul)\nwrites units of space 1, `matmul0`",
        "matmul21 (MatMul)\nwrites units of space 1, `matmul0`\nreads units of space 3, `matmul10`",
        "gemm46 (Gemm)\nreads units of space 1, `matmul0`\nits units stay: `logits` is an output of the network",
    ];
    for title in titles {
        assert!(svg.contains(&format!("<title>{title}</title>")), "{title}");
    }
    assert!(svg.contains("2: 16 units in 4 sets of matmul2"), "no legend");
    tropix(folder.path(), &format!("{draw} a.svg")).expect(73, &["exists"]);
    tropix(folder.path(), &format!("{draw} a.png")).expect(2, &[".svg"]);
    tropix(folder.path(), &format!("inspect {} --svg c.svg", model())).expect(2, &["of which this is none"]);
}

#[test]
fn weights_of_integers_constant_branches_and_sums_by_letters_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        // 8 channels: 27 weights, a bias and 10 columns each; 10 units with 8 weights and 5 columns.
        ("quantized", 8 * (27 + 1) + 8 * 10 + 10 * 5 + 5, "space: 8 units, written by `conv2`, read by `matmul7`"),
        // 14 units between layers of 12 and 5.
        ("taken", 10 * 12 + 12 + 12 * 14 + 14 * 5 + 5, "space: 14 units, written by"),
        ("summed", 120 + 3 * (96 + 8) + 96 + 60, "space: 12 units, written by `einsum0`, `einsum14`"),
    ];
    for (name, parameters, line) in cases {
        let found = tropix(folder.path(), &format!("inspect {}", graph(name))).expect(0, &[]).stdout;
        assert!(found.contains(line), "{name}: {found}");
        let prune = format!("prune {} --keep 0.5 --method l1 --device cpu --json -o {name}.onnx", graph(name));
        let report = tropix(folder.path(), &prune).expect(0, &[]).json();
        assert_eq!(report["parameters"]["before"], parameters, "{name}");
        tropix(folder.path(), &format!("inspect {name}.onnx")).expect(0, &[]);
    }
}

#[test]
fn inputs_that_were_distilled_are_kept_and_give_the_same_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let residual = asset("golden/onnx/residual.onnx");
    let prune = format!("prune {residual} --keep 0.5 --method synth-refit --no-trunk --device cpu");
    let distilled = format!("{prune} --prior distilled --inputs 40 --distil-steps 3 --keep-inputs kept.safetensors");
    let report = tropix(folder.path(), &format!("{distilled} -o half.onnx --json")).expect(0, &[]).json();
    let found = &report["distilled"];
    assert_eq!((&found["inputs"], &found["steps"]), (&40.into(), &3.into()));
    assert!(found["norms"].as_u64().unwrap() > 0);
    assert!(found["loss"][1].as_f64().unwrap() < found["loss"][0].as_f64().unwrap());
    let seconds = |phase: &str| report["timing"][phase].as_f64().unwrap();
    let parts = ["streams", "moments", "solve"].map(|part| seconds(&format!("prune/{part}")));
    assert!(parts.iter().all(|part| *part > 0.0) && parts.iter().sum::<f64>() <= seconds("prune"), "{parts:?}");
    let again = format!("{prune} -o again.onnx --calib kept.safetensors --norm-statistics batch");
    tropix(folder.path(), &again).expect(0, &[]);
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("half.onnx"), bytes("again.onnx"));
    // Samples pass batch norms with the statistics of training, unless something else is asked for.
    tropix(folder.path(), &format!("{prune} -o other.onnx --calib kept.safetensors")).expect(0, &[]);
    assert_ne!(bytes("half.onnx"), bytes("other.onnx"));
    tropix(folder.path(), &format!("{distilled} -o new.onnx")).expect(73, &["kept.safetensors"]);
    let without = graph("attention");
    tropix(folder.path(), &format!("prune {without} --keep 0.5 --prior distilled -o new.onnx"))
        .expect(65, &["no batch norm tells"]);
    tropix(folder.path(), &format!("prune {without} --keep 0.5 --norm-statistics batch -o new.onnx"))
        .expect(2, &["--norm-statistics", "without batch norms"]);
    tropix(folder.path(), &format!("{prune} --distil-steps 3 -o new.onnx")).expect(2, &["--prior distilled"]);
}
