//! What stands behind a key, in whichever form the manifest is written.

use super::Place;
use crate::batch::Setting;
use crate::error::Result;

/// A value and the line that it stands in.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Text, or a number in its shortest form.
    Word(String),
    Flag(bool),
    List(Vec<Item>),
    Table(Vec<Entry>),
    /// Something that no option takes, by name.
    Other(&'static str),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Line of the key.
    pub(super) line: usize,
    pub(super) item: Item,
}

impl Item {
    /// The value as an option: nothing for `false`.
    pub(super) fn setting(&self, key: &str, place: &Place<'_>) -> Result<Option<Setting>> {
        let line = self.line;
        let of = |words: Vec<String>| Some(Setting { words, line });
        match &self.kind {
            Kind::Word(word) => Ok(of(vec![self.legal(key, word, place)?])),
            Kind::Flag(true) => Ok(of(vec!["true".to_owned()])),
            Kind::Flag(false) => Ok(None),
            Kind::List(items) if items.is_empty() => Err(place.refuse(line, format!("`{key}` is an empty list"))),
            Kind::List(items) => {
                let word = |item: &Self| match &item.kind {
                    Kind::Word(word) => item.legal(key, word, place),
                    kind => Err(place.refuse(item.line, format!("`{key}` holds {} in a list", kind.name()))),
                };
                Ok(of(items.iter().map(word).collect::<Result<_>>()?))
            }
            kind => Err(place.refuse(line, format!("`{key}` is {}, expected text, a number or a list", kind.name()))),
        }
    }

    /// The text behind a key that takes nothing else.
    pub(super) fn text(&self, key: &str, place: &Place<'_>) -> Result<String> {
        match &self.kind {
            Kind::Word(word) if !word.is_empty() => self.legal(key, word, place),
            Kind::Word(_) => Err(place.refuse(self.line, format!("`{key}` is empty"))),
            kind => Err(place.refuse(self.line, format!("`{key}` is {}, expected text", kind.name()))),
        }
    }

    fn legal(&self, key: &str, word: &str, place: &Place<'_>) -> Result<String> {
        if word.contains('\0') {
            return Err(place.refuse(self.line, format!("`{key}` = {word:?} holds a zero byte")));
        }
        Ok(word.to_owned())
    }
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Word(_) => "text or a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}
