//! `tropix zonotope` and `tropix hausdorff` from outside.

use std::fs;

use serde_json::json;

use crate::program::{asset, case, files, model, tropix};

#[test]
fn zonotope_describes_inline_generators() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        "zonotope [[2,0],[1,1],[0,-3],[0,0],[-4,0]] --support 1,2 --contains 0,0 --contains 9,9 --json --device cpu";
    let report = tropix(folder.path(), arguments).expect(0, &[]).json();
    assert_eq!((&report["schema"], &report["command"]), (&"tropix.report/1".into(), &"zonotope".into()));
    assert_eq!([&report["generators"], &report["directions"], &report["rank"]], [5, 3, 2]);
    // Sides 6 and 3, and the diagonal (1, 1): |6 * 3| + |6 * 1| + |1 * 3|.
    assert_eq!((&report["volume"], &report["centre"]), (&json!(27.0), &json!([-0.5, -1.0])));
    let expected = json!([[-4.0, -3.0], [2.0, -3.0], [3.0, -2.0], [3.0, 1.0], [-3.0, 1.0], [-4.0, 0.0]]);
    assert_eq!(report["vertices"]["vertices"], expected);
    assert_eq!(report["supports"][0]["value"], 5.0);
    assert_eq!(
        (&report["memberships"][0]["inside"], &report["memberships"][1]["inside"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn zonotope_reads_files_and_classes_of_models_and_draws_their_shadows() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cube.csv"), "1,0,0\n0,1,0\n0,0,1\n").unwrap();
    fs::write(folder.path().join("point.json"), r#"{"generators": [], "shift": [1, 2]}"#).unwrap();
    let cube = tropix(folder.path(), "zonotope cube.csv --svg cube.svg --json --device cpu").expect(0, &[]).json();
    assert_eq!((&cube["vertices"]["count"], &cube["volume"]), (&json!(8), &json!(1.0)));
    let point = tropix(folder.path(), "zonotope point.json --json --device cpu").expect(0, &[]).json();
    assert_eq!(point["vertices"]["vertices"], json!([[1.0, 2.0]]));
    let interval = tropix(folder.path(), "zonotope [[2],[-3]] --json --device cpu").expect(0, &[]).json();
    assert_eq!((&interval["volume"], &interval["vertices"]["vertices"]), (&json!(5.0), &json!([[0.0 - 3.0], [2.0]])));
    let toy = asset("models/toy-moons-bias-2-40-2.safetensors");
    let run = format!("zonotope {toy} --class 1 --svg toy.svg --json --device cpu");
    let class = tropix(folder.path(), &run).expect(0, &[]).json();
    assert_eq!((&class["dimension"], &class["generators"]), (&json!(3), &json!(40)));
    let svg = fs::read_to_string(folder.path().join("toy.svg")).unwrap();
    assert!(svg.contains("<title") && svg.contains("shadow from dimension 3"));
    // The same input gives the same bytes.
    tropix(folder.path(), &run.replace("toy.svg", "again.svg")).expect(0, &[]);
    assert_eq!(fs::read_to_string(folder.path().join("again.svg")).unwrap(), svg);
}

#[test]
fn zonotope_refuses_more_vertices_than_memory_allows_and_samples_them_instead() {
    let folder = tempfile::tempdir().unwrap();
    let model = model();
    let refused = tropix(folder.path(), &format!("zonotope {model} --svg out.svg --device cpu"));
    refused.expect(65, &["vertices would take", "sample"]);
    assert!(files(folder.path()).is_empty());
    let run = format!("zonotope {model} --sample 50 --json --device cpu");
    let report = tropix(folder.path(), &run).expect(0, &[]).json();
    let vertices = &report["vertices"];
    assert_eq!((&vertices["complete"], &vertices["count"]), (&json!(false), &json!(100)));
    // Every direction found a vertex of its own: nearly all are missing, and it says so.
    assert_eq!(vertices["sampling"]["missing_mass"], 1.0);
    tropix(folder.path(), &format!("zonotope {model} --no-vertices --device cpu")).expect(0, &[]);
}

#[test]
fn generators_that_are_all_zero_make_a_point() {
    let folder = tempfile::tempdir().unwrap();
    let report = tropix(folder.path(), "zonotope [[0,0],[0,0]] --json --device cpu").expect(0, &[]).json();
    assert_eq!((&report["rank"], &report["vertices"]["vertices"]), (&json!(0), &json!([[0.0, 0.0]])));
    let run = tropix(folder.path(), "zonotope [[0,0],[0,0]] --device cpu");
    let table = &run.expect(0, &[]).stdout;
    assert!(table.contains("perimeter") && !table.contains("-0.0"), "{table}");
}

#[test]
fn bad_zonotopes_are_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("rows.csv", "1,2\n3,x\n");
    write("nan.json", r#"{"generators": [[1, 2]], "shift": [1, 2, 3]}"#);
    write("empty.csv", "");
    write("points.json", r#"{"points": [[1, 2]]}"#);
    for (arguments, code, parts) in [
        ("zonotope [[1,2],[3]] --device cpu", 2, ["generator 1", "expected 2"]),
        ("zonotope [] --device cpu", 2, ["dimension", "generator"]),
        ("zonotope [[1,0],[0,1]] --support 1,2,3 --device cpu", 2, ["support", "3 entries"]),
        ("zonotope [[1,0],[0,1]] --support 1,NaN --device cpu", 2, ["NaN", "finite"]),
        ("zonotope [[1],[2]] --svg out.svg --device cpu", 2, ["svg", "two dimensions"]),
        ("zonotope points.json --device cpu", 2, ["points", "generators"]),
        ("zonotope rows.csv --device cpu", 65, ["rows.csv", "line 2: `x`"]),
        ("zonotope nan.json --device cpu", 65, ["nan.json", "expected 3"]),
        ("zonotope empty.csv --device cpu", 65, ["empty.csv", "dimension"]),
        ("zonotope none.csv --device cpu", 66, ["none.csv", "no such file"]),
    ] {
        tropix(folder.path(), arguments).expect(code, &parts);
    }
    let toy = asset("models/toy-moons-bias-2-40-2.safetensors");
    tropix(folder.path(), &format!("zonotope {toy} --class 2 --device cpu")).expect(2, &["class", "2 outputs"]);
    tropix(folder.path(), &format!("zonotope {toy} --layer x --device cpu")).expect(65, &["`x` is no hidden layer"]);
}

#[test]
fn hausdorff_of_points_names_the_pair_and_the_method() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "x,y\n0,0\n1,0\n0,5\n").unwrap();
    fs::write(folder.path().join("b.csv"), "0,0\n1,0\n").unwrap();
    let report = tropix(folder.path(), "hausdorff a.csv b.csv --svg h.svg --json --device cpu").expect(0, &[]).json();
    assert_eq!(report["interval"], json!({ "lower": 5.0, "upper": 5.0 }));
    let detail = &report["detail"];
    assert_eq!(detail["forward"]["pair"], json!({ "from": 2, "to": 0, "distance": 5.0 }));
    assert_eq!((&detail["backward"]["pair"]["distance"], &detail["forward"]["method"]), (&json!(0.0), &json!("all")));
    let svg = fs::read_to_string(folder.path().join("h.svg")).unwrap();
    assert!(svg.contains("Hausdorff distance 5.000000"));
    let one = tropix(folder.path(), "hausdorff b.csv a.csv --directed --json --device cpu").expect(0, &[]).json();
    assert_eq!((&one["interval"]["upper"], &one["detail"]["backward"]), (&json!(0.0), &json!(null)));
    let data = crate::program::data();
    let same = tropix(folder.path(), &format!("hausdorff points:{data} points:{data} --json --device cpu"));
    assert_eq!(same.expect(0, &[]).json()["interval"]["upper"], 0.0);
}

#[test]
fn hausdorff_of_bodies_is_exact_in_the_plane_and_an_interval_beyond() {
    let folder = tempfile::tempdir().unwrap();
    let plane = "hausdorff [[1,0],[0,1]] [[2,0],[0,2]] --svg h.svg --json --device cpu";
    let report = tropix(folder.path(), plane).expect(0, &[]).json();
    assert!((report["interval"]["lower"].as_f64().unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!(report["detail"]["to"], json!([1.0, 1.0]));
    assert!(report["detail"]["orientation"].as_f64().unwrap() < 1e-12);
    assert_eq!(report["detail"]["rotated"], json!(null));
    // A square and its half turn by an eighth: the diamond.
    let turned = "hausdorff [[1,0],[0,1]] [[1,1],[-1,1]] --rotations --json --device cpu";
    let report = tropix(folder.path(), turned).expect(0, &[]).json();
    let detail = &report["detail"];
    assert!(detail["normalised"].as_f64().unwrap() > 0.1 && detail["rotated"]["distance"].as_f64().unwrap() < 1e-6);
    let model = model();
    let prune = format!("prune {model} -o small.safetensors --rate 0.3 --no-compact --device cpu");
    tropix(folder.path(), &prune).expect(0, &[]);
    let run = format!("hausdorff {model} small.safetensors --class 3 --directions 500 --json --device cpu");
    let report = tropix(folder.path(), &run).expect(0, &[]).json();
    let bound = |name: &str| report["interval"][name].as_f64().unwrap();
    assert!(0.0 < bound("lower") && bound("lower") <= bound("upper"), "{report}");
    assert!(bound("lower") >= report["detail"]["sampled"].as_f64().unwrap() * (1.0 - 1e-9));
    assert_eq!((&report["dimension"], &report["detail"]["kind"]), (&json!(513), &json!("bounds")));
}

#[test]
fn sides_that_cannot_be_compared_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.csv", "0,0\n");
    write("wide.csv", "0,0,0\n");
    write("empty.csv", "# nothing\n");
    for (arguments, code, part) in [
        ("hausdorff a.csv wide.csv --device cpu", 2, "dimension 3"),
        ("hausdorff a.csv [[1,0]] --device cpu", 2, "points beside a zonotope"),
        ("hausdorff [[1,0]] [[1,0,0]] --device cpu", 2, "dimension"),
        ("hausdorff [[1,0]] [[1,1]] --directed --device cpu", 2, "point samples"),
        ("hausdorff [[1,0,0]] [[0,1,0]] --rotations --device cpu", 2, "in the plane"),
        ("hausdorff wide.csv wide.csv --svg h.svg --device cpu", 2, "plane"),
        ("hausdorff a.csv empty.csv --device cpu", 65, "empty.csv"),
        ("hausdorff a.csv none.csv --device cpu", 66, "none.csv"),
        ("hausdorff a.csv a.csv --svg a.csv --force --device cpu", 73, "is an input"),
    ] {
        tropix(folder.path(), arguments).expect(code, &[part]);
    }
}

/// Points near 1e8, a unit of f32 apart from each other: the distance is that of the numbers in the files.
#[test]
fn hausdorff_of_points_is_exact_for_the_numbers_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["off_a.csv", "off_b.csv"].map(case);
    for device in ["cpu", "reference"] {
        for verify in ["", "--verify"] {
            let run = tropix(folder.path(), &format!("hausdorff {a} {b} --device {device} {verify} --json"));
            let report = run.expect(0, &[]).json();
            assert_eq!(report["interval"], json!({"lower": 5.0, "upper": 5.0}));
            assert_eq!(report["detail"]["forward"]["pair"], json!({"from": 1, "to": 0, "distance": 5.0}));
        }
    }
    fs::write(folder.path().join("x.csv"), "3e-200,0\n").unwrap();
    fs::write(folder.path().join("y.csv"), "0,4e-200\n").unwrap();
    let report = tropix(folder.path(), "hausdorff x.csv y.csv --device cpu --json").expect(0, &[]).json();
    assert_eq!(report["interval"], json!({"lower": 5e-200, "upper": 5e-200}));
}

/// A measure is a number that f64 holds, or an error that names it.
#[test]
fn measures_beyond_f64_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, what) in [
        ("zonotope [[1e308,0],[1e308,0]]", "a coordinate of a vertex"),
        ("zonotope [[1e200,0],[0,1e200]]", "the area"),
        ("zonotope [[1e-200,0],[0,1e-200]]", "the area"),
        ("zonotope [[1e150,0,0],[0,1e150,0],[0,0,1e150]]", "the volume"),
        ("zonotope [[1e308],[-1e308]]", "the length"),
        ("zonotope [[1,0],[0,1]] --support 1e308,1e308", "the support function at (1e308, 1e308)"),
        ("hausdorff [[1e308,0],[1e308,0]] [[1,0],[0,1]]", "the distance"),
        ("hausdorff [[1e308,0,0],[1e308,0,0]] [[1,0,0],[0,1,0]]", "the distance"),
    ] {
        let run = tropix(folder.path(), &format!("{arguments} --device cpu --json"));
        let run = run.expect(65, &[what, "beyond the range of f64"]);
        let report = run.json();
        assert_eq!(report["error"]["kind"], "out_of_range", "{report}");
        assert_eq!(report.as_object().unwrap().len(), 2, "nothing but the error: {report}");
    }
}

#[test]
fn zonotopes_of_every_scale_have_their_measures() {
    let folder = tempfile::tempdir().unwrap();
    let read = |arguments: &str| {
        let report = tropix(folder.path(), &format!("{arguments} --device cpu --json")).expect(0, &[]).json();
        assert!(!report.to_string().contains("null"), "{report}");
        report
    };
    let near = |value: &serde_json::Value, wanted: f64| {
        let value = value.as_f64().unwrap();
        assert!((value / wanted - 1.0).abs() < 1e-12, "{value:e} {wanted:e}");
    };
    for scale in ["1e150", "1e-150", "1e120", "1e-120", "1"] {
        let unit: f64 = scale.parse().unwrap();
        let report = read(&format!("zonotope [[{scale},0],[0,{scale}]]"));
        near(&report["volume"], unit * unit);
        near(&report["perimeter"], 4.0 * unit);
        assert_eq!(report["vertices"]["count"], 4);
        let report = read(&format!("hausdorff [[{scale},0],[0,{scale}]] [[{scale},0]]"));
        near(&report["interval"]["upper"], unit);
    }
    // Thin beside its length, but not flat.
    near(&read("zonotope [[1e200,0],[0,1e-200]]")["volume"], 1.0);
    near(&read("zonotope [[1,0],[0,1e-14]]")["volume"], 1e-14);
}

/// No number fills a line, and none that is not zero looks like zero.
#[test]
fn tables_show_numbers_of_every_size() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.csv"), "3e-200,0\n").unwrap();
    fs::write(folder.path().join("y.csv"), "0,4e-200\n").unwrap();
    for (arguments, parts) in [
        ("hausdorff x.csv y.csv", vec!["5.000000000e-200"]),
        ("zonotope [[1e150,0],[0,1e150]]", vec!["1.000000e300", "(5.000000e149, 5.000000e149)"]),
        ("zonotope [[1e-120,0],[0,1e-120]]", vec!["1.000000e-240", "4.000000e-120"]),
        ("hausdorff [[1e-120,0],[0,1e-120]] [[1e-120,0]]", vec!["1.000000000e-120", "(1e-120, 1e-120)"]),
        ("polynomial 1e300x+1e-9 --at 1e290", vec!["1e300x", "1e-9", "(1e290)"]),
        ("polynomial max(1e300*x,0.1)", vec!["x^1e300"]),
    ] {
        let stdout = tropix(folder.path(), &format!("{arguments} --device cpu")).expect(0, &[]).stdout;
        assert!(parts.iter().all(|part| stdout.contains(part)), "{arguments}: {stdout}");
        assert!(!stdout.contains("00000000000000000"), "{stdout}");
    }
}
