//! Arrays of a `NumPy` archive.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Array, Found, LABELS, SAMPLES, no_samples, npy};
use crate::error::{Error, Result};

pub(super) fn load(path: &Path) -> Result<Found> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let broken = |error: ZipError| refused(format!("not a readable .npz: {error}"));
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::InputMissing { file: path.to_owned() },
        _ => Error::Io { file: path.to_owned(), source },
    })?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let names: Vec<String> = archive.file_names().map(|name| name.trim_end_matches(".npy").to_owned()).collect();
    let mut first = |wanted: &[&str]| -> Result<Option<Array>> {
        let Some(name) = wanted.iter().find(|name| names.iter().any(|other| other == *name)) else { return Ok(None) };
        // `numpy.savez` appends the ending, other programs may not.
        let at = archive.index_for_name(&format!("{name}.npy")).or_else(|| archive.index_for_name(name));
        let entry = archive.by_index(at.unwrap_or_default()).map_err(broken)?;
        let (shape, raw) = npy::read(entry).map_err(|problem| refused(format!("array `{name}`: {problem}")))?;
        Ok(Some(Array { name: (*name).to_owned(), shape, raw }))
    };
    let (samples, labels) = (first(&SAMPLES)?, first(&LABELS)?);
    let samples = samples.ok_or_else(|| refused(no_samples(names.iter().map(String::as_str))))?;
    Ok(Found { samples, labels, paths: vec![path.to_owned()] })
}
