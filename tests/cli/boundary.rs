//! `boundary`: networks with two inputs, slices of others, and what is refused.

use std::fs;

use crate::program::{asset, data, files, model, tropix, write_model};

fn moons() -> String {
    format!(
        "boundary {} --data {}",
        asset("models/toy-moons-bias-2-40-2.safetensors"),
        asset("data/toys/toy-moons.safetensors")
    )
}

#[test]
fn a_network_with_two_inputs_is_shown_whole() {
    let folder = tempfile::tempdir().unwrap();
    let run = tropix(folder.path(), &format!("{} --svg out.svg --device cpu --json", moons()));
    let report = run.expect(0, &[]).json();
    assert_eq!(report["exactness"].as_str(), Some("polytope"));
    let polytope = &report["polytope"];
    // 1 + p + C(p, 2) patterns of 40 lines in general position.
    assert_eq!(polytope["patterns"].as_u64(), Some(821));
    let membership = &polytope["membership"];
    assert_eq!((membership["points"].as_u64(), membership["off"].as_u64()), (Some(1000), Some(0)));
    assert!(polytope["mixed_edges"].as_u64().unwrap() > 10);
    assert_eq!(polytope["dead_regions"].as_array().unwrap().len(), 0);
    let svg = fs::read_to_string(folder.path().join("out.svg")).unwrap();
    assert!(svg.contains("mixed edges red") && svg.contains("class 1"));
    let minimal = tropix(folder.path(), &format!("{} --form minimal --device reference --json", moons()));
    let minimal = minimal.expect(0, &[]).json();
    assert_eq!(minimal["polytope"]["mixed_edges"], polytope["mixed_edges"]);
    assert!(minimal["polytope"]["surplus_edges"].as_u64() <= polytope["surplus_edges"].as_u64());
}

#[test]
fn a_dead_cone_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    write_model(
        &folder.path().join("dead.safetensors"),
        &[("a.weight", &[2, 2], vec![1.0, 0.0, 1.0, 1.0]), ("b.weight", &[2, 2], vec![1.0, -2.0, -1.0, 1.0])],
    );
    let run = tropix(folder.path(), "boundary dead.safetensors --device cpu").expect(0, &[]);
    assert!(run.stdout.contains("undecided region: classes 0 and 1 have equal logits"), "{}", run.stdout);
}

#[test]
fn slices_of_deep_networks_are_exact_or_say_that_they_are_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let digits = format!(
        "boundary {} --data {} --scale 0.0625 --device cpu --json",
        asset("models/mlp-digits.safetensors"),
        asset("data/digits/digits-test500.safetensors")
    );
    let slice = tropix(folder.path(), &format!("{digits} --points 0,1,2 --svg out.svg")).expect(0, &[]).json();
    assert_eq!((slice["exactness"].as_str(), slice["view"]["kind"].as_str()), (Some("subdivision"), Some("points")));
    assert!(slice["linear_cells"].as_u64().unwrap() > 1000 && slice["boundary"].as_array().unwrap().len() > 50);
    assert!(fs::metadata(folder.path().join("out.svg")).unwrap().len() < 1_000_000);
    let grid = tropix(folder.path(), &format!("{digits} --grid 50")).expect(0, &[]).json();
    assert_eq!((grid["exactness"].as_str(), grid["view"]["kind"].as_str()), (Some("grid"), Some("principal axes")));
    let cells = tropix(folder.path(), &format!("{digits} --points 0,1,2 --most-cells 100"));
    cells.expect(65, &["more than 100 affine cells"]);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), data());
    for (arguments, part) in [
        (format!("boundary {model} --svg out.svg"), "more than two inputs"),
        (format!("boundary {model} --data {data} --points 0,1 --svg out.svg"), "expected three numbers"),
        (format!("boundary {model} --data {data} --points 0,1,5000 --svg out.svg"), "the data have 2000 samples"),
        (format!("{} --classes 0,7 --svg out.svg", moons()), "below 2"),
        (format!("{} --window 0,1,2 --svg out.svg", moons()), "four numbers"),
        (format!("{} --window 1,0,0,1 --svg out.svg", moons()), "X0 < X1"),
    ] {
        tropix(folder.path(), &format!("{arguments} --device cpu")).expect(2, &[part]);
    }
    let same = format!("boundary {model} --data {data} --points 3,3,4 --svg out.svg --device cpu");
    tropix(folder.path(), &same).expect(65, &["lie on a line"]);
    assert!(files(folder.path()).is_empty());
}
