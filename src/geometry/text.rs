//! Zonotopes and point samples in text: JSON, and rows of numbers.

use ndarray::{Array1, Array2};
use serde::Deserialize;

use super::zonotope::Zonotope;
use crate::nesting;

/// What a text holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A zonotope.
    Zonotope(Zonotope),
    /// A point sample, one row each.
    Points(Array2<f64>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Rows(Vec<Vec<f64>>),
    Object(Object),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    generators: Option<Vec<Vec<f64>>>,
    shift: Option<Vec<f64>>,
    dimension: Option<usize>,
    points: Option<Vec<Vec<f64>>>,
}

/// Reads JSON: `{"generators": [[..], ..], "shift": [..]}`, the list of generators alone, or `{"points": [[..], ..]}`.
/// Without generators, `dimension` or a shift tells the dimension.
///
/// # Errors
///
/// What is wrong, with its place.
pub fn parse_json(text: &str) -> Result<Shape, String> {
    // An untagged value would hide where it stopped fitting.
    nesting::check(text.as_bytes(), nesting::DEEPEST)?;
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let document = serde_json::from_value(value).map_err(|_| {
        "expected a list of rows of numbers, or an object with `generators` and `shift`, or with `points`".to_owned()
    })?;
    let object = match document {
        Document::Rows(rows) => Object { generators: Some(rows), shift: None, dimension: None, points: None },
        Document::Object(object) => object,
    };
    match object {
        Object { points: Some(points), generators: None, shift: None, .. } => Ok(Shape::Points(points_of(&points)?)),
        Object { generators: Some(generators), shift, dimension, points: None } => {
            let width = dimension.or(shift.as_ref().map(Vec::len));
            let generators = matrix(&generators, width, "generator")?;
            let zonotope = Zonotope::new(generators, shift.map(Array1::from));
            zonotope.map(Shape::Zonotope).map_err(|error| error.to_string())
        }
        _ => Err("expected either `generators`, with or without `shift`, or `points`".to_owned()),
    }
}

/// Reads rows of numbers separated by commas, semicolons, tabs or spaces; empty lines and those that begin with `#` are
/// passed over, as is a first line of names.
///
/// # Errors
///
/// The line and the entry that is no number, or a row of another length.
pub fn parse_rows(text: &str) -> Result<Vec<Vec<f64>>, String> {
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entries = line.split([',', ';', '\t', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        let row: Result<Vec<f64>, String> = entries
            .map(|entry| entry.parse().map_err(|_| format!("line {number}: `{entry}` is not a number")))
            .collect();
        match row {
            Ok(row) => {
                if let Some(first) = rows.first().filter(|first| first.len() != row.len()) {
                    return Err(format!("line {number} has {} entries, the first row {}", row.len(), first.len()));
                }
                rows.push(row);
            }
            // Names of columns.
            Err(_) if rows.is_empty() && number == 1 => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(rows)
}

/// A zonotope from rows of numbers, its generators.
///
/// # Errors
///
/// What is wrong, with its place.
pub fn zonotope_of(rows: &[Vec<f64>]) -> Result<Zonotope, String> {
    Zonotope::new(matrix(rows, None, "generator")?, None).map_err(|error| error.to_string())
}

/// A point sample from rows of numbers.
///
/// # Errors
///
/// What is wrong, with its place.
pub fn points_of(rows: &[Vec<f64>]) -> Result<Array2<f64>, String> {
    let points = matrix(rows, None, "point")?;
    match points.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((i, k), value)) => Err(format!("entry {k} of point {i} is {value}")),
        None if points.is_empty() => Err("there are no points".to_owned()),
        None => Ok(points),
    }
}

fn matrix(rows: &[Vec<f64>], width: Option<usize>, what: &str) -> Result<Array2<f64>, String> {
    let width = width
        .or(rows.first().map(Vec::len))
        .ok_or_else(|| format!("there is no {what}, and nothing tells the dimension: add \"dimension\", or a shift"))?;
    if let Some((at, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != width) {
        return Err(format!("{what} {at} has {} entries, expected {width}", row.len()));
    }
    Array2::from_shape_vec((rows.len(), width), rows.concat()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_json_and_rows_are_read() {
        let zonotope = Zonotope::new(ndarray::array![[1.0, 0.0], [0.5, 2.0]], None).map(Shape::Zonotope).ok();
        assert_eq!(parse_json("[[1,0],[0.5,2]]").ok(), zonotope);
        assert_eq!(parse_json(r#"{"generators": [[1,0],[0.5,2]], "shift": [0,0]}"#).ok(), zonotope);
        assert!(matches!(parse_json(r#"{"points": [[1,0]]}"#), Ok(Shape::Points(_))));
        assert!(
            matches!(parse_json(r#"{"generators": [], "dimension": 3}"#), Ok(Shape::Zonotope(z)) if z.dimension() == 3)
        );
        assert_eq!(parse_rows("x,y\n1, 0\n\n# note\n0.5 2\n"), Ok(vec![vec![1.0, 0.0], vec![0.5, 2.0]]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, part) in [
            ("[[1,0],[2]]", "generator 1 has 1 entries, expected 2"),
            ("[]", "nothing tells the dimension"),
            ("[[1,0", "not JSON"),
            ("{\"generator\": [[1]]}", "expected"),
            ("{\"shift\": [1]}", "either `generators`"),
            ("{\"generators\": [[1,2]], \"shift\": [1,2,3]}", "expected 3"),
        ] {
            assert!(parse_json(text).is_err_and(|problem| problem.contains(part)), "{text}: {:?}", parse_json(text));
        }
        assert!(parse_rows("1,2\n1,x").is_err_and(|problem| problem.contains("line 2: `x`")));
        assert!(parse_rows("1,2\n1").is_err_and(|problem| problem.contains("line 2 has 1 entries")));
        assert!(points_of(&[vec![1e300]]).is_ok());
        assert!(points_of(&[vec![f64::INFINITY]]).is_err_and(|problem| problem.contains("inf")));
        assert!(zonotope_of(&[vec![f64::NAN]]).is_err_and(|problem| problem.contains("NaN")));
    }
}
