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
