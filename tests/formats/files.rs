//! Safetensors files made byte by byte, without the code under test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tropix::Result;
use tropix::network::format::{self, ModelFile};

/// A folder that goes away with the test.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Name, element type, shape, bytes.
pub(crate) type Entry<'a> = (&'a str, &'a str, &'a [usize], Vec<u8>);

/// A file of these tensors in this order.
pub(crate) fn safetensors(metadata: &str, entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut fields, mut data) = (Vec::new(), Vec::new());
    if !metadata.is_empty() {
        fields.push(format!("\"__metadata__\":{metadata}"));
    }
    for (name, dtype, shape, bytes) in entries {
        let (first, end) = (data.len(), data.len() + bytes.len());
        fields
            .push(format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{first},{end}]}}"));
        data.extend(bytes);
    }
    with_header(&format!("{{{}}}", fields.join(",")), &data)
}

/// A file with this header, whatever it says.
pub(crate) fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

pub(crate) fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// `count` different small values.
pub(crate) fn ramp(count: usize) -> Vec<f32> {
    (1_u16..).take(count).map(|i| f32::from(i) / 8.0).collect()
}

/// A 2-3-2 network with biases: `fc1` and `fc2`, and the given further tensors.
pub(crate) fn small<'a>(more: impl IntoIterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = vec![
        ("fc2.weight", "F32", &[2, 3], f32s(&ramp(6))),
        ("fc2.bias", "F32", &[2], f32s(&ramp(2))),
        ("fc1.weight", "F32", &[3, 2], f32s(&ramp(6))),
        ("fc1.bias", "F32", &[3], f32s(&ramp(3))),
    ];
    entries.extend(more);
    entries
}

/// Writes `bytes` as `name` into `folder`.
pub(crate) fn put(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn load(path: &Path) -> Result<ModelFile> {
    format::load(path, None)
}

/// The text of the error that loading these bytes gives.
pub(crate) fn refusal(bytes: Vec<u8>) -> String {
    let folder = folder();
    load(&put(&folder, "model.safetensors", bytes)).unwrap_err().to_string()
}
