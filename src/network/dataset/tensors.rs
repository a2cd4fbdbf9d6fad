//! Data in a safetensors file.

use std::path::Path;

use super::rows::{Bytes, Kind, Raw};
use super::{Array, Found, LABELS, SAMPLES, no_samples};
use crate::error::{Error, Result};
use crate::network::format::header;
use crate::network::{Element, Tensor};

pub(super) fn load(path: &Path) -> Result<Found> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let tensors = header::open(path)?.tensors;
    let first = |wanted: &[&str]| {
        let found = wanted.iter().find_map(|name| tensors.iter().find(|tensor| tensor.name() == *name));
        found.map(array).transpose().map_err(refused)
    };
    let labels = first(&LABELS)?;
    let missing = || refused(no_samples(tensors.iter().map(Tensor::name)));
    let samples = first(&SAMPLES)?.ok_or_else(missing)?;
    Ok(Found { samples, labels, paths: vec![path.to_owned()] })
}

fn array(tensor: &Tensor) -> std::result::Result<Array, String> {
    Ok(Array { name: tensor.name().to_owned(), shape: tensor.dimensions().to_vec(), raw: raw(tensor)? })
}

fn raw(tensor: &Tensor) -> std::result::Result<Raw, String> {
    let kind = match tensor.element() {
        Element::F64 => Kind::F64,
        Element::F32 => Kind::F32,
        Element::F16 => Kind::F16,
        Element::Bf16 => Kind::Bf16,
        Element::Opaque { name, .. } => match name {
            "BOOL" => Kind::Bool,
            "U8" => Kind::U8,
            "I8" => Kind::I8,
            "U16" => Kind::U16,
            "I16" => Kind::I16,
            "U32" => Kind::U32,
            "I32" => Kind::I32,
            "U64" => Kind::U64,
            "I64" => Kind::I64,
            _ => return Err(format!("tensor `{}` has element type {name}, which is no number here", tensor.name())),
        },
    };
    let (map, bytes) = tensor.mapped_bytes().ok_or_else(|| format!("tensor `{}` is not mapped", tensor.name()))?;
    Ok(Raw { kind, bytes: Bytes::Mapped(map, bytes) })
}
