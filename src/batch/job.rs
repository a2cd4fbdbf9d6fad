//! One job: a command and its options, as words of a command line.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// An option of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its values as text, numbers in their shortest form; `true` for a flag.
    pub words: Vec<String>,
    /// Line of the manifest that it stands in.
    pub line: usize,
}

/// A command with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Line of the manifest where it begins.
    pub line: usize,
    /// A label for people; no part of the id.
    pub name: Option<String>,
    /// The id that the manifest claims for it.
    pub claimed: Option<String>,
    /// The command.
    pub command: String,
    /// Options by name with dashes, and arguments by theirs.
    pub settings: BTreeMap<String, Setting>,
}

impl Job {
    /// Command and options as JSON: what the id is made of, and what a line of a JSONL manifest holds.
    #[must_use]
    pub fn value(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("command".to_owned(), Value::from(self.command.as_str()));
        for (key, setting) in &self.settings {
            let value = match setting.words.as_slice() {
                [word] => Value::from(word.as_str()),
                words => Value::from(words.to_vec()),
            };
            map.insert(key.clone(), value);
        }
        map
    }

    /// Command and options on one line, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let option = |(key, setting): (&String, &Setting)| format!("{key}={}", setting.words.join(","));
        let options: Vec<String> = self.settings.iter().map(option).collect();
        format!("{} {}", self.command, options.join(" "))
    }
}
