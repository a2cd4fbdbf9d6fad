//! The forms of a table.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::Merged;
use crate::error::{Error, Result};
use crate::number::trimmed;
use crate::report::escaped;

/// A form of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeFormat {
    /// Comma-separated values with all digits (RFC 4180).
    Csv,
    /// An object with `common` values and `rows`, with all digits.
    Json,
    /// A table of Markdown, numbers with six decimals.
    Markdown,
    /// A page, numbers with six decimals.
    Html,
}

/// Decimals in the forms for people.
const PLACES: usize = 6;

impl Merged {
    /// The table as text.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the JSON writer fails.
    pub fn text(&self, format: MergeFormat) -> Result<String> {
        Ok(match format {
            MergeFormat::Csv => self.csv(),
            MergeFormat::Json => {
                let text = serde_json::to_string_pretty(&self.value());
                text.map_err(|error| Error::Internal { what: format!("merged table: {error}") })? + "\n"
            }
            MergeFormat::Markdown => self.markdown(),
            MergeFormat::Html => self.html(),
        })
    }

    /// The table as a JSON object.
    #[must_use]
    pub fn value(&self) -> Value {
        let row = |cells: &Vec<Value>| {
            let pairs = self.columns.iter().zip(cells).filter(|(_, cell)| !cell.is_null());
            Value::Object(pairs.map(|(column, cell)| (column.name.clone(), cell.clone())).collect::<Map<_, _>>())
        };
        let missing = |(id, why): &(String, String)| serde_json::json!({ "job": id, "reason": why });
        serde_json::json!({
            "schema": "tropix.merge/1",
            "columns": self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
            "common": self.common.iter().cloned().collect::<Map<_, _>>(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "missing": self.missing.iter().map(missing).collect::<Vec<_>>(),
        })
    }

    fn csv(&self) -> String {
        let quoted = |text: String| {
            if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let names = self.columns.iter().map(|column| quoted(column.name.clone()));
        let mut text = names.collect::<Vec<_>>().join(",") + "\n";
        for row in &self.rows {
            text += &row.iter().map(|cell| quoted(exact(cell))).collect::<Vec<_>>().join(",");
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.columns.iter().map(|column| escaped(&column.name)).collect());
        text += &line(self.columns.iter().map(|_| "---".to_owned()).collect());
        for row in &self.rows {
            text += &line(row.iter().map(|cell| escaped(&rounded(cell))).collect());
        }
        for (at, (name, value)) in self.common.iter().enumerate() {
            let before = if at == 0 { "\nThe same for all jobs: " } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{before}`{name}` {}", escaped(&rounded(value)));
        }
        if self.common.is_empty() { text } else { text + ".\n" }
    }

    fn html(&self) -> String {
        let row = |tag: &str, cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
            format!("<tr>{}</tr>\n", cells.concat())
        };
        let mut text = String::from(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>tropix: merged reports</title>\n\
             <style>body{font:14px sans-serif}table{border-collapse:collapse}th,td{padding:2px 8px;text-align:right;\
             border-bottom:1px solid #ccc}</style>\n<table>\n<thead>\n",
        );
        text += &row("th", self.columns.iter().map(|column| column.name.clone()).collect());
        text += "</thead>\n<tbody>\n";
        for cells in &self.rows {
            text += &row("td", cells.iter().map(rounded).collect());
        }
        text += "</tbody>\n</table>\n";
        if !self.common.is_empty() {
            let pairs: Vec<String> =
                self.common.iter().map(|(name, value)| format!("{name} {}", rounded(value))).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "<p>The same for all jobs: {}.</p>", escaped(&pairs.join(", ")));
        }
        text + "</html>\n"
    }
}

/// A cell with all digits.
fn exact(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A cell for people.
fn rounded(cell: &Value) -> String {
    match cell {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            number.as_f64().map_or_else(|| exact(cell), |value| trimmed(value, PLACES))
        }
        _ => exact(cell),
    }
}
