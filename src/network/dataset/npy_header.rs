//! The headers of the arrays of a `NumPy` archive, looked at before their parser, whose time doubles with each bracket.

use std::fs::File;
use std::io::Read;

use zip::ZipArchive;

use crate::nesting;

/// Brackets that may be open at once: a dictionary with a list of fields, each a tuple, and some levels of fields in these.
const DEEPEST: usize = 6;

/// Bytes of a header at most; a numeric array has about a hundred.
const LONGEST: u32 = 1 << 16;

/// Checks the headers of some arrays, where they are in the archive and readable at all.
///
/// # Errors
///
/// What is wrong, with the name of the array.
pub(super) fn check(file: File, names: &[&str]) -> Result<(), String> {
    // What is no archive, or no array, is told by the reader itself.
    let Ok(mut archive) = ZipArchive::new(file) else { return Ok(()) };
    for name in names {
        for entry in [(*name).to_owned(), format!("{name}.npy")] {
            let Ok(array) = archive.by_name(&entry) else { continue };
            header(array).map_err(|problem| format!("array `{name}`: header: {problem}"))?;
        }
    }
    Ok(())
}

fn header(mut array: impl Read) -> Result<(), String> {
    let mut start = [0; 8];
    if array.read_exact(&mut start).is_err() || !start.starts_with(b"\x93NUMPY") {
        return Ok(());
    }
    // Version 1 has two bytes for the length, later ones four.
    let mut length = [0; 4];
    let bytes = if start[6] == 1 { 2 } else { 4 };
    if array.read_exact(&mut length[..bytes]).is_err() {
        return Ok(());
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(format!("{length} bytes long; at most {LONGEST} are read"));
    }
    let mut text = Vec::new();
    if array.take(u64::from(length)).read_to_end(&mut text).is_err() {
        return Ok(());
    }
    nesting::check(&text, DEEPEST)
}
