//! One table of many reports: a row per job, the options that differ as columns, then results.

mod leaves;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Folder, JobState};
use crate::error::{Error, Result};
use leaves::Leaves;

pub use write::MergeFormat;

/// Options that name files which a job writes: they change no result.
const WRITTEN: [&str; 6] = ["output", "csv", "svg", "emit-arch", "profile", "report"];

/// What a table holds.
#[derive(Debug, Clone, Default)]
pub struct MergeOptions {
    /// Results by the beginning of their names, such as `accuracy` or `timing`; by default all numbers, texts and pairs that
    /// differ between jobs.
    pub columns: Vec<String>,
    /// Whether jobs without a report are left out instead of being an error.
    pub partial: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name of the option, or path of the result in the report with dots.
    pub name: String,
    /// Whether it is an option of the jobs.
    pub option: bool,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Merged {
    /// Id of the job, its name if any has one, its command if they differ, options that differ, results.
    pub columns: Vec<Column>,
    /// One row per job in the order of the plan; null where a job has no such value.
    pub rows: Vec<Vec<Value>>,
    /// Options and results that are the same for all jobs, where there are several.
    pub common: Vec<(String, Value)>,
    /// Jobs of the plan without a report, and why.
    pub missing: Vec<(String, String)>,
}

/// A job of a plan as it stands in the folder.
struct Line {
    id: String,
    fixed: BTreeMap<String, Value>,
}

/// Merges the reports of one plan, in one folder or in several that each hold some of them.
///
/// # Errors
///
/// [`Error::Format`] if folders hold different plans or a job twice, [`Error::CheckFailed`] if jobs have no report and the
/// table is not to be partial, [`Error::InputMissing`], [`Error::Io`].
pub fn merge(folders: &[Folder], options: &MergeOptions) -> Result<Merged> {
    let Some(first) = folders.first() else {
        return Err(Error::Argument { argument: "folder", problem: "no folder to merge".to_owned() });
    };
    let text = read(&first.plan_file())?;
    for other in folders.iter().skip(1) {
        if read(&other.plan_file())? != text {
            let problem = format!("is another plan than {}", first.plan_file().display());
            return Err(Error::Format { file: other.plan_file(), problem });
        }
    }
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    for line in lines(&first.plan_file(), &text)? {
        match report(folders, &line.id)? {
            Ok(report) => {
                let leaves = leaves::of(&report, &options.columns);
                rows.push(Row { line, leaves });
            }
            Err(why) => missing.push((line.id, why)),
        }
    }
    if !options.partial
        && let Some((id, why)) = missing.first()
    {
        let all = rows.len() + missing.len();
        let problem = format!("{} of {all} jobs have no report, the first is {id} ({why})", missing.len());
        return Err(Error::CheckFailed { problem });
    }
    Ok(table(rows, missing, !options.columns.is_empty()))
}

struct Row {
    line: Line,
    leaves: Leaves,
}

/// The report of a job in the one folder that has it, or why there is none.
fn report(folders: &[Folder], id: &str) -> Result<std::result::Result<Value, String>> {
    let mut found: Option<(&Folder, Value)> = None;
    let mut why = "not done".to_owned();
    for folder in folders {
        match folder.state(id) {
            JobState::Done(report) => {
                if let Some((other, _)) = &found {
                    let problem = format!("job {id} is done in {}, too", other.root().display());
                    return Err(Error::Format { file: folder.of(id), problem });
                }
                found = Some((folder, *report));
            }
            JobState::Failed(_, message) => why = message,
            JobState::Open => {}
        }
    }
    Ok(found.map(|(_, report)| report).ok_or(why))
}

fn table(rows: Vec<Row>, missing: Vec<(String, String)>, asked: bool) -> Merged {
    let mut columns = vec![Column { name: "job".to_owned(), option: false }];
    let mut common = Vec::new();
    let options = rows.iter().flat_map(|row| row.line.fixed.keys());
    let options: BTreeSet<&String> = options.filter(|name| !WRITTEN.contains(&name.as_str())).collect();
    // Results in the order of the first report that has them.
    let mut results: Vec<&String> = Vec::new();
    let mut known = BTreeSet::new();
    for name in rows.iter().flat_map(|row| row.leaves.iter().map(|(name, _)| name)) {
        if !options.contains(name) && known.insert(name) {
            results.push(name);
        }
    }
    // `name` and `command` before the options of the jobs.
    let first = |name: &&String| match name.as_str() {
        "name" => 0,
        "command" => 1,
        _ => 2,
    };
    let mut named: Vec<&String> = options.into_iter().collect();
    named.sort_by_key(first);
    let named = named.into_iter().map(|name| (name, true)).chain(results.into_iter().map(|name| (name, false)));
    for (name, option) in named {
        let value = |row: &Row| if option { row.line.fixed.get(name).cloned() } else { row.leaves.get(name).cloned() };
        let mut values = rows.iter().map(value);
        let one = values.next().flatten();
        let same = values.all(|value| value == one);
        match one {
            // A single job has nothing to differ from.
            Some(value) if same && (option || rows.len() > 1 && !asked) => common.push((name.clone(), value)),
            _ => columns.push(Column { name: name.clone(), option }),
        }
    }
    let cells = |row: &Row| {
        let cell = |column: &Column| match column {
            Column { option: true, name } => row.line.fixed.get(name).cloned().unwrap_or(Value::Null),
            Column { name, .. } if name == "job" => Value::from(row.line.id.as_str()),
            Column { name, .. } => row.leaves.get(name).cloned().unwrap_or(Value::Null),
        };
        columns.iter().map(cell).collect()
    };
    let rows = rows.iter().map(cells).collect();
    Merged { columns, rows, common, missing }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::InputMissing { file: file.to_owned() },
        _ => Error::Io { file: file.to_owned(), source },
    })
}

fn lines(file: &Path, text: &str) -> Result<Vec<Line>> {
    let line = |(at, text): (usize, &str)| {
        let refused = |problem: String| Error::Manifest { file: file.to_owned(), line: at + 1, problem };
        let mut fixed: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        let id = fixed.remove("id").and_then(|id| id.as_str().map(str::to_owned));
        let id = id.ok_or_else(|| refused("a job without `id`".to_owned()))?;
        fixed.values_mut().for_each(|value| *value = leaves::plain(value));
        Ok(Line { id, fixed })
    };
    text.lines().enumerate().map(line).collect()
}

impl Folder {
    /// The ids, names and commands of the plan in the folder, in its order.
    ///
    /// # Errors
    ///
    /// [`Error::InputMissing`], [`Error::Io`], [`Error::Manifest`].
    pub fn planned(&self) -> Result<Vec<(String, String)>> {
        let file = self.plan_file();
        let shown = |line: Line| {
            let command = line.fixed.get("command").and_then(Value::as_str).unwrap_or_default();
            let name = line.fixed.get("name").and_then(Value::as_str);
            (line.id, name.map_or_else(|| command.to_owned(), |name| format!("{command} ({name})")))
        };
        Ok(lines(&file, &read(&file)?)?.into_iter().map(shown).collect())
    }
}
