//! The form of one JSON object per line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Place;
use super::expand::{Defaults, job};
use super::item::{Entry, Item, Kind};
use crate::batch::Job;
use crate::error::Result;
use crate::nesting;
use crate::number::shortest;

/// The jobs of a JSONL manifest.
pub(super) fn jobs(text: &str, place: &Place<'_>) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = at + 1;
        let refused = |problem: String| place.refuse(number, problem);
        nesting::check(line.as_bytes(), nesting::DEEPEST)
            .map_err(|problem| refused(problem.trim_start_matches("line 1: ").to_owned()))?;
        let value: Json = serde_json::from_str(line)
            .map_err(|error| refused(error.to_string().replace("at line 1 column", "at column")))?;
        match value.located(number).kind {
            Kind::Table(entries) => jobs.push(job(number, &entries, &Defaults::default(), place)?),
            kind => return Err(refused(format!("a job is {}, expected an object", kind.name()))),
        }
        place.check_count(number, jobs.len())?;
    }
    Ok(jobs)
}

/// A JSON value whose objects keep no key twice.
enum Json {
    Word(String),
    Flag(bool),
    Null,
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    fn located(self, line: usize) -> Item {
        let kind = match self {
            Self::Word(word) => Kind::Word(word),
            Self::Flag(flag) => Kind::Flag(flag),
            Self::Null => Kind::Other("null"),
            Self::List(values) => Kind::List(values.into_iter().map(|value| value.located(line)).collect()),
            Self::Object(pairs) => {
                let entry = |(key, value): (String, Self)| Entry { key, line, item: value.located(line) };
                Kind::Table(pairs.into_iter().map(entry).collect())
            }
        };
        Item { line, kind }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON value")
            }

            fn visit_bool<E>(self, flag: bool) -> std::result::Result<Json, E> {
                Ok(Json::Flag(flag))
            }

            fn visit_u64<E>(self, number: u64) -> std::result::Result<Json, E> {
                Ok(Json::Word(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> std::result::Result<Json, E> {
                Ok(Json::Word(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> std::result::Result<Json, E> {
                Ok(Json::Word(shortest(number)))
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Json, E> {
                Ok(Json::Word(text.to_owned()))
            }

            fn visit_unit<E>(self) -> std::result::Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Json, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Json::List(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Json, A::Error> {
                let mut pairs: Vec<(String, Json)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Json>()? {
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format!("duplicate key `{key}`")));
                    }
                    pairs.push((key, value));
                }
                Ok(Json::Object(pairs))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
