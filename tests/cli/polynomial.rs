//! `polynomial`: tables, JSON, pictures, and what is refused.

use std::fs;

use crate::program::{files, tropix};

#[test]
fn the_polynomials_of_figure_1_have_3_6_and_10_regions() {
    let folder = tempfile::tempdir().unwrap();
    let cubic = "0+-1x+-1y+-4x^2+-3xy+-4y^2+-9x^3+-7x^2y+-7xy^2+-9y^3";
    let run = tropix(
        folder.path(),
        &format!("polynomial x+y+0 1x^2+1y^2+2xy+2x+2y+2 {cubic} --at 1,2 --svg figure.svg --device cpu --json"),
    );
    let report = run.expect(0, &[]).json();
    let expressions = report["expressions"].as_array().unwrap();
    let regions: Vec<u64> = expressions.iter().map(|e| e["numerator"]["regions"].as_u64().unwrap()).collect();
    assert_eq!(regions, [3, 6, 10]);
    let values: Vec<f64> = expressions.iter().map(|e| e["values"][0]["value"].as_f64().unwrap()).collect();
    // max(1, 2, 0); 1 + 2 y; -y at (1, 2).
    assert_eq!(values, [2.0, 5.0, 1.0]);
    let svg = fs::read_to_string(folder.path().join("figure.svg")).unwrap();
    assert!(svg.contains("hypersurface, 10 regions") && svg.contains("<desc"));
    let again = tropix(folder.path(), &format!("polynomial x+y+0 1x^2+1y^2+2xy+2x+2y+2 {cubic} --svg again.svg"));
    again.expect(0, &[]);
    assert_eq!(svg, fs::read_to_string(folder.path().join("again.svg")).unwrap());
}

#[test]
fn rational_functions_have_numerator_and_denominator() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        tropix(folder.path(), "polynomial max(x,0)-max(x-1,0) --at 5 --at=-2 --at 0.25 --device reference --json");
    let report = run.expect(0, &[]).json();
    let expression = &report["expressions"][0];
    assert_eq!(
        (expression["syntax"].as_str(), report["device"]["kind"].as_str()),
        (Some("explicit"), Some("reference"))
    );
    let values: Vec<f64> =
        expression["values"].as_array().unwrap().iter().map(|v| v["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [1.0, 0.0, 0.25]);
    assert_eq!(expression["denominator"]["regions"].as_u64(), Some(2));
}

#[test]
fn what_cannot_be_read_or_drawn_exits_2_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        ("polynomial x++y --svg out.svg", "column 3: expected a monomial, found `+`"),
        ("polynomial nan+x --svg out.svg", "`nan` is no coefficient"),
        ("polynomial max(x,y --svg out.svg", "column 8: expected `)`"),
        ("polynomial x+0 --svg out.svg", "1 variables"),
        ("polynomial (x+y)/(x+0) --svg out.svg", "rational function in 2 variables"),
        ("polynomial x+y --at 1,2,3 --svg out.svg", "3 coordinates for the variables x, y"),
        ("polynomial x+y --at 1,nan --svg out.svg", "not a finite number"),
        ("polynomial x+y --variables x --svg out.svg", "`y` of the expression"),
        ("polynomial max() --svg out.svg", "column 5: expected a term, found `)`"),
        ("polynomial --svg out.svg", "required"),
    ] {
        tropix(folder.path(), arguments).expect(2, &[part]);
    }
    assert!(files(folder.path()).is_empty());
}

/// The values and the monomials belong to the numbers as they are written, on every device.
#[test]
fn values_are_exact_on_every_device() {
    let folder = tempfile::tempdir().unwrap();
    for device in ["cpu", "reference"] {
        for (arguments, value, monomials) in [
            ("100000001+100000000x --at 0", 100_000_001.0, vec![0]),
            ("0.1x+0.2 --at 1", 1.1, vec![0]),
            ("0.1x+0.2 --syntax explicit --at 1", 0.3, vec![0]),
            ("max(0.1x+0.2,0.3) --at 1", 0.3, vec![0, 1]),
            ("1e300x+0 --at 1", 1e300, vec![0]),
        ] {
            let run = tropix(folder.path(), &format!("polynomial {arguments} --device {device} --json"));
            let report = run.expect(0, &[]).json();
            let found = &report["expressions"][0]["values"][0];
            assert_eq!(found["value"].as_f64(), Some(value), "{arguments}: {found}");
            assert_eq!(found["monomials"], serde_json::json!(monomials), "{arguments}: {found}");
            assert_eq!(found["monomial"], serde_json::json!(monomials[0]));
            assert_eq!(found.get("device_value").is_some(), device == "cpu" && value < 1e37, "{found}");
        }
    }
    let run = tropix(folder.path(), "polynomial 100000001+100000000x --at 0 --device cpu");
    assert!(run.expect(0, &[]).stdout.contains("100000001"));
    tropix(folder.path(), "polynomial 1e300x^1e10 --at 1e300 --device cpu")
        .expect(65, &["the value of `1e300x^1e10` at (1e300) is beyond the range of f64"]);
}

#[test]
fn a_subdivision_of_large_coefficients_has_no_cell_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let text = "100000003x^3y^2+100000002y+100000002x^3+100000001x^3y^3+99999998x^2y^2+99999999xy^3";
    let report = tropix(folder.path(), &format!("polynomial {text} --json")).expect(0, &[]).json();
    let geometry = &report["expressions"][0]["numerator"];
    let count = |name: &str| geometry["dual_subdivision"][name].as_array().unwrap().len();
    assert_eq!((count("cells"), count("edges")), (2, 6));
    let segments = geometry["hypersurface"].as_array().unwrap().iter().filter(|piece| piece["kind"] == "segment");
    assert!(segments.into_iter().all(|segment| segment["from"] != segment["to"]), "{geometry}");
}
