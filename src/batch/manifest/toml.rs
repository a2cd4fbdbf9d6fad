//! The TOML form.

use ::toml::de::{DeTable, DeValue};

use super::Place;
use super::expand::{Defaults, expand};
use super::item::{Entry, Item, Kind};
use crate::batch::Job;
use crate::error::Result;
use crate::number::shortest;

/// The version of the form that this program reads.
const VERSION: &str = "1";

/// Lines of a text, by the place of a byte.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}

/// The jobs of a TOML manifest.
pub(super) fn jobs(text: &str, place: &Place<'_>) -> Result<Vec<Job>> {
    let lines = Lines::of(text);
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| lines.line(span.start));
        place.refuse(line, error.message().to_owned())
    })?;
    let (mut defaults, mut tables) = (Defaults::default(), Vec::new());
    for Entry { key, line, item } in entries(table.get_ref(), &lines) {
        match (key.as_str(), item.kind) {
            ("version", Kind::Word(word)) if word == VERSION => {}
            ("version", Kind::Word(word)) => {
                return Err(place.refuse(line, format!("`version` = {word}, this program reads {VERSION}")));
            }
            ("defaults", Kind::Table(entries)) => defaults = Defaults::of(entries, place)?,
            ("job", Kind::List(items)) => tables = items,
            ("job", Kind::Table(_)) => {
                return Err(place.refuse(line, "`job` is a table, expected a list of tables: `[[job]]`".to_owned()));
            }
            ("version" | "defaults" | "job", kind) => {
                return Err(place.refuse(line, format!("`{key}` is {}", kind.name())));
            }
            _ => {
                let problem = format!("unknown key `{key}`; a manifest has `version`, `defaults` and `job`");
                return Err(place.refuse(line, problem));
            }
        }
    }
    let mut jobs = Vec::new();
    for table in tables {
        match table.kind {
            Kind::Table(entries) => expand(table.line, entries, &defaults, place, &mut jobs)?,
            kind => return Err(place.refuse(table.line, format!("a job is {}, expected a table", kind.name()))),
        }
    }
    defaults.check_used(&jobs, place)?;
    Ok(jobs)
}

fn entries(table: &DeTable<'_>, lines: &Lines) -> Vec<Entry> {
    let entry = |(key, value): (&::toml::Spanned<::toml::de::DeString<'_>>, &::toml::Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        line: lines.line(key.span().start),
        item: item(value, lines),
    };
    table.iter().map(entry).collect()
}

fn item(value: &::toml::Spanned<DeValue<'_>>, lines: &Lines) -> Item {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Word(text.to_string()),
        DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Kind::Word(number.to_string()),
            Err(_) => Kind::Other("a number beyond all bounds"),
        },
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Kind::Word(shortest(number)),
            _ => Kind::Other("not a finite number"),
        },
        DeValue::Boolean(flag) => Kind::Flag(*flag),
        DeValue::Datetime(_) => Kind::Other("a date"),
        DeValue::Array(array) => Kind::List(array.iter().map(|value| item(value, lines)).collect()),
        DeValue::Table(table) => Kind::Table(entries(table, lines)),
    };
    Item { line: lines.line(value.span().start), kind }
}
