//! From tables to jobs: defaults, then the table, then each point of the matrix.

use std::collections::BTreeMap;

use super::Place;
use super::item::{Entry, Item, Kind};
use crate::batch::{Job, Setting};
use crate::error::Result;

type Settings = BTreeMap<String, Setting>;

/// What jobs have that do not say otherwise.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    all: Settings,
    /// Of the jobs of one command.
    commands: BTreeMap<String, (usize, Settings)>,
}

impl Defaults {
    pub(super) fn of(entries: Vec<Entry>, place: &Place<'_>) -> Result<Self> {
        let mut found = Self::default();
        for Entry { key, line, item } in entries {
            match &item.kind {
                Kind::Table(entries) => {
                    let mut settings = Settings::new();
                    for entry in entries {
                        set(&mut settings, entry, place)?;
                    }
                    found.commands.insert(key, (line, settings));
                }
                _ => set(&mut found.all, &Entry { key, line, item }, place)?,
            }
        }
        Ok(found)
    }

    fn for_command(&self, command: &str) -> Settings {
        let mut settings = self.all.clone();
        settings.extend(self.commands.get(command).iter().flat_map(|(_, own)| own.clone()));
        settings
    }

    /// Fails for defaults of a command that no job has: they would say nothing.
    pub(super) fn check_used(&self, jobs: &[Job], place: &Place<'_>) -> Result<()> {
        let idle = self.commands.iter().find(|(command, _)| jobs.iter().all(|job| job.command != **command));
        idle.map_or(Ok(()), |(command, (line, _))| {
            Err(place.refuse(*line, format!("`defaults.{command}`: no job has the command `{command}`")))
        })
    }
}

/// Sets an option; `false` takes it away.
fn set(settings: &mut Settings, entry: &Entry, place: &Place<'_>) -> Result<()> {
    let key = option(&entry.key);
    match entry.item.setting(&entry.key, place)? {
        Some(setting) => settings.insert(key, setting),
        None => settings.remove(&key),
    };
    Ok(())
}

/// The name of an option: dashes and underscores are alike.
fn option(key: &str) -> String {
    key.replace('_', "-")
}

/// A job without a matrix.
pub(super) fn job(line: usize, entries: &[Entry], defaults: &Defaults, place: &Place<'_>) -> Result<Job> {
    let Some(command) = entries.iter().find(|entry| entry.key == "command") else {
        return Err(place.refuse(line, "a job without `command`".to_owned()));
    };
    let command = command.item.text("command", place)?;
    let mut job = Job { line, name: None, claimed: None, settings: defaults.for_command(&command), command };
    let mut seen = BTreeMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(option(&entry.key), &entry.key) {
            return Err(place.refuse(entry.line, format!("`{}` and `{first}` are the same option", entry.key)));
        }
        match entry.key.as_str() {
            "command" => {}
            "name" => job.name = Some(entry.item.text("name", place)?),
            "id" => job.claimed = Some(entry.item.text("id", place)?),
            _ => set(&mut job.settings, entry, place)?,
        }
    }
    Ok(job)
}

/// The jobs of one table, appended to `jobs`.
pub(super) fn expand(
    line: usize,
    mut entries: Vec<Entry>,
    defaults: &Defaults,
    place: &Place<'_>,
    jobs: &mut Vec<Job>,
) -> Result<()> {
    let matrix = entries.iter().position(|entry| entry.key == "matrix").map(|at| entries.remove(at));
    if let Some(id) = entries.iter().find(|entry| entry.key == "id") {
        return Err(place.refuse(id.line, "`id` is for JSON lines, whose jobs are explicit".to_owned()));
    }
    let base = job(line, &entries, defaults, place)?;
    let axes = matrix.map(|matrix| axes(&matrix, &entries, place)).transpose()?.unwrap_or_default();
    let points = axes.iter().try_fold(1_usize, |product, axis| product.checked_mul(axis.items.len()));
    let points = points.unwrap_or(usize::MAX);
    place.check_count(line, jobs.len().saturating_add(points))?;
    for point in 0..points {
        let (mut job, mut rest) = (base.clone(), point);
        for axis in axes.iter().rev() {
            let item = axis.items.get(rest % axis.items.len());
            rest /= axis.items.len();
            let Some(item) = item else { continue };
            set(&mut job.settings, &Entry { key: axis.key.clone(), line: item.line, item: item.clone() }, place)?;
        }
        jobs.push(job);
    }
    Ok(())
}

/// An option and the values that it takes in turn.
struct Axis {
    key: String,
    items: Vec<Item>,
}

/// The axes of a matrix in alphabetical order.
fn axes(matrix: &Entry, beside: &[Entry], place: &Place<'_>) -> Result<Vec<Axis>> {
    let Kind::Table(entries) = &matrix.item.kind else {
        return Err(place.refuse(matrix.line, format!("`matrix` is {}, expected a table", matrix.item.kind.name())));
    };
    let mut axes: Vec<Axis> = Vec::new();
    for Entry { key, line, item } in entries {
        let refused = |problem: String| Err(place.refuse(*line, problem));
        if ["command", "name", "id", "matrix"].contains(&key.as_str()) {
            return refused(format!("`{key}` is no option: it cannot be an axis of a matrix"));
        }
        if beside.iter().any(|entry| option(&entry.key) == option(key)) {
            return refused(format!("`{key}` stands in the job and in its matrix"));
        }
        if axes.iter().any(|axis| option(&axis.key) == option(key)) {
            return refused(format!("`{key}` stands in the matrix twice"));
        }
        match &item.kind {
            Kind::List(items) if items.is_empty() => return refused(format!("`{key}` is an empty list")),
            Kind::List(items) => axes.push(Axis { key: key.clone(), items: items.clone() }),
            kind => return refused(format!("`{key}` of a matrix is {}, expected a list", kind.name())),
        }
    }
    axes.sort_by_key(|axis| option(&axis.key));
    Ok(axes)
}
