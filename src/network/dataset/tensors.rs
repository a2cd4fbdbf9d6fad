//! Data in a safetensors file.

use std::path::Path;

use super::Found;
use super::rows::{Bytes, Kind, Raw, labels};
use crate::error::{Error, Result};
use crate::network::format::header;
use crate::network::{Element, Tensor};

/// Names of the samples; the first that is there is taken.
const SAMPLES: [&str; 4] = ["images", "features", "points", "x"];

pub(super) fn load(path: &Path) -> Result<Found> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let tensors = header::open(path)?.tensors;
    let named = |name: &str| tensors.iter().find(|tensor| tensor.name() == name);
    let Some(samples) = SAMPLES.into_iter().find_map(named) else {
        let names: Vec<String> = tensors.iter().map(|tensor| format!("`{}`", tensor.name())).collect();
        let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let wanted = SAMPLES.map(|name| format!("`{name}`")).join(", ");
        return Err(refused(format!("no samples: expected one of {wanted}; there is {there}")));
    };
    let labels = match named("labels") {
        None => None,
        Some(tensor) if !matches!(tensor.dimensions(), [_] | [_, 1]) => {
            return Err(refused(format!("`labels` has shape {:?}, expected one per sample", tensor.dimensions())));
        }
        Some(tensor) => Some(labels(&raw(tensor).map_err(refused)?).map_err(refused)?),
    };
    let raw = raw(samples).map_err(refused)?;
    Ok(Found {
        pixels: samples.name() == "images" && raw.kind == Kind::U8,
        raw,
        shape: samples.dimensions().to_vec(),
        labels,
        name: samples.name().to_owned(),
        paths: vec![path.to_owned()],
    })
}

fn raw(tensor: &Tensor) -> std::result::Result<Raw, String> {
    let kind = match tensor.element() {
        Element::F64 => Kind::F64,
        Element::F32 => Kind::F32,
        Element::F16 => Kind::F16,
        Element::Bf16 => Kind::Bf16,
        Element::Opaque { name, .. } => match name {
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
