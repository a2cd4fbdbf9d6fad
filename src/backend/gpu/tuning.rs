//! The variants that were measured fastest on an adapter, kept in a file of the user's cache folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::adapter::AdapterSummary;
use super::tile::Variant;
use crate::error::{Error, Result};

/// The name of the file in the cache folder.
const FILE: &str = "tuning.json";

/// Which variant of the contraction to prefer, instead of the one that suits the type of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// For left operands of at least [`Tuning::MANY`] rows.
    pub many_rows: Variant,
    /// For fewer rows.
    pub few_rows: Variant,
}

impl Tuning {
    /// Rows from which the first of the two is taken.
    pub const MANY: usize = 32;

    /// The preference for a number of rows.
    pub(super) fn variant(self, rows: usize) -> Variant {
        if rows >= Self::MANY { self.many_rows } else { self.few_rows }
    }

    /// What the file in `folder` says of an adapter. A file that is missing or damaged says nothing.
    #[must_use]
    pub fn load(folder: &Path, adapter: &AdapterSummary) -> Option<Self> {
        read(folder).remove(&key(adapter))
    }

    /// Writes what was measured on an adapter into the file in `folder`, beside what it says of others.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder or the file cannot be written.
    pub fn save(self, folder: &Path, adapter: &AdapterSummary) -> Result<()> {
        let path = folder.join(FILE);
        let mut known = read(folder);
        known.insert(key(adapter), self);
        let text = serde_json::to_string_pretty(&known).map_err(|error| Error::Internal { what: error.to_string() })?;
        let write = || {
            fs::create_dir_all(folder)?;
            // Write beside, then rename: a reader sees the old file or the new one.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path).map_err(|failed| failed.error)
        };
        write().map(drop).map_err(|source| Error::Io { file: path.clone(), source })
    }
}

/// An adapter with another driver is another adapter.
fn key(adapter: &AdapterSummary) -> String {
    format!("{} / {} / {}", adapter.name, adapter.backend, adapter.driver_info)
}

fn read(folder: &Path) -> BTreeMap<String, Tuning> {
    let text = fs::read(folder.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
