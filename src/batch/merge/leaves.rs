//! The values of a report that fit into the cell of a table.

use serde_json::Value;

/// Parts of a report that say what was asked for, not what came out, or that change from run to run.
const PASSED_OVER: &[&str] = &["schema", "command", "timing", "memory", "run", "job", "files", "warnings", "model"];
/// What tells the elements of a list apart.
const NAMES: &[&str] = &["name", "method", "id", "layer", "operation"];
/// Characters of a text that still is a cell.
const LONGEST: usize = 80;

/// Values by their path in the report, in its order.
#[derive(Debug, Default)]
pub(super) struct Leaves(Vec<(String, Value)>);

impl Leaves {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, Value)> {
        self.0.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The leaves of a report: those whose path begins with one of `wanted`, or, if none is, numbers, flags, short texts and
/// pairs.
pub(super) fn of(report: &Value, wanted: &[String]) -> Leaves {
    let mut leaves = Leaves::default();
    for (key, value) in report.as_object().into_iter().flatten() {
        if !wanted.is_empty() || !PASSED_OVER.contains(&key.as_str()) {
            add(key.clone(), value, wanted, &mut leaves);
        }
    }
    leaves
}

fn add(path: String, value: &Value, wanted: &[String], leaves: &mut Leaves) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                add(format!("{path}.{key}"), value, wanted, leaves);
            }
        }
        // Before and after.
        Value::Array(values) if wanted.is_empty() && (values.len() != 2 || !values.iter().all(Value::is_number)) => {}
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                let name = NAMES.iter().find_map(|name| value.get(name)?.as_str());
                let name = name.map_or_else(|| at.to_string(), str::to_owned);
                add(format!("{path}.{name}"), value, wanted, leaves);
            }
        }
        Value::Null => {}
        Value::String(text) if text.chars().count() > LONGEST => {}
        _ if wanted.is_empty() || wanted.iter().any(|prefix| begins(&path, prefix)) => {
            leaves.0.push((path, value.clone()));
        }
        _ => {}
    }
}

/// Whether a path is `prefix` or lies below it.
fn begins(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// An option as a value: a number where it is one, a list as one text.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.parse::<f64>() {
            Ok(_) => serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_else(|| value.clone()),
            Err(_) => value.clone(),
        },
        Value::Array(values) => Value::from(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        _ => value.clone(),
    }
}
