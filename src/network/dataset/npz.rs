//! Arrays `x` and `y` of a `NumPy` archive.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::ArrayD;
use ndarray_npy::{NpzReader, ReadDataError, ReadNpzError, ReadableElement};
use py_literal::Value;

use super::rows::{Bytes, Kind, Raw, labels};
use super::{Found, npy_header};
use crate::error::{Error, Result};

/// Bytes that are decoded in one go.
const CHUNK: usize = 1 << 20;

pub(super) fn load(path: &Path) -> Result<Found> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let broken = |error: ReadNpzError| refused(format!("not a readable .npz: {error}"));
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::InputMissing { file: path.to_owned() },
        _ => Error::Io { file: path.to_owned(), source },
    })?;
    let again = file.try_clone().map_err(|source| Error::Io { file: path.to_owned(), source })?;
    npy_header::check(again, &["x", "y"]).map_err(refused)?;
    let mut archive = NpzReader::new(file).map_err(broken)?;
    let names = archive.names().map_err(broken)?;
    let mut array = |name: &str| -> Result<Option<(Vec<usize>, Raw)>> {
        if !names.iter().any(|other| other == name) {
            return Ok(None);
        }
        let array: ArrayD<Number> =
            archive.by_name(name).map_err(|error| refused(format!("array `{name}`: {error}")))?;
        let bytes = array.iter().flat_map(|number| number.0.to_le_bytes()).collect();
        Ok(Some((array.shape().to_vec(), Raw { kind: Kind::F32, bytes: Bytes::Owned(bytes) })))
    };
    let samples = array("x")?;
    let classes = array("y")?;
    let Some((shape, raw)) = samples else {
        return Err(refused(format!("no array `x`; there are: {}", names.join(", "))));
    };
    let labels = match classes {
        None => None,
        Some((shape, _)) if !matches!(*shape, [_] | [_, 1]) => {
            return Err(refused(format!("`y` has shape {shape:?}, expected one label per sample")));
        }
        Some((_, raw)) => Some(labels(&raw).map_err(refused)?),
    };
    Ok(Found { raw, shape, labels, name: "x".to_owned(), pixels: false, paths: vec![path.to_owned()] })
}

/// A number of whatever element type the array has, rounded to f32. (The elements of `ndarray_npy` take one type only,
/// and allocate what the header claims; this one grows with what is there.)
#[derive(Clone, Copy)]
struct Number(f32);

impl ReadableElement for Number {
    fn read_to_end_exact_vec<R: Read>(
        mut reader: R,
        description: &Value,
        count: usize,
    ) -> std::result::Result<Vec<Self>, ReadDataError> {
        let kind = match description.as_string().map(|text| text.trim_start_matches(['|', '<', '='])) {
            Some("u1") => Kind::U8,
            Some("i1") => Kind::I8,
            Some("u2") => Kind::U16,
            Some("i2") => Kind::I16,
            Some("f2") => Kind::F16,
            Some("u4") => Kind::U32,
            Some("i4") => Kind::I32,
            Some("f4") => Kind::F32,
            Some("u8") => Kind::U64,
            Some("i8") => Kind::I64,
            Some("f8") => Kind::F64,
            _ => return Err(ReadDataError::WrongDescriptor(description.clone())),
        };
        let (mut numbers, mut bytes) = (Vec::new(), Vec::new());
        loop {
            bytes.clear();
            let chunk = reader.by_ref().take(CHUNK as u64).read_to_end(&mut bytes)?;
            #[expect(clippy::cast_possible_truncation, reason = "backends compute in f32")]
            kind.for_each(&bytes, |value| numbers.push(Self(value as f32)));
            if numbers.len() > count {
                return Err(ReadDataError::ExtraBytes((numbers.len() - count) * kind.size()));
            }
            if chunk < CHUNK {
                break;
            }
        }
        if numbers.len() < count || bytes.len() % kind.size() != 0 {
            return Err(ReadDataError::MissingData);
        }
        Ok(numbers)
    }
}
