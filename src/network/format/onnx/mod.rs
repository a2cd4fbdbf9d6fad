//! ONNX files in and out.
//!
//! ```text
//! file -> proto (messages; raw data stay in the map) -> read (checks, order) -> import (node by node) -> Network
//! Network + the model it came from -> rewrite -> write        Network of another format -> export -> write
//! ```

mod attributes;
mod data;
mod export;
mod import;
mod proto;
mod read;
mod rewrite;
mod source;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::write::Pending;
use crate::error::Result;
use crate::network::Network;

pub(super) use read::read;
pub(super) use source::Read;
pub use source::Source;

/// Whether `path` is named as an ONNX file.
pub(super) fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// The files that a model may be written to, the model last: data that lay beside it lie beside it again.
pub(super) fn outputs(source: Option<&Source>, output: &Path) -> Vec<PathBuf> {
    let data = source.is_some_and(|source| source.external).then(|| write::data_path(output));
    data.into_iter().chain([output.to_owned()]).collect()
}

/// Writes `network` as ONNX: into the model it came from, or as a new one.
pub(super) fn write(
    source: Option<&Source>,
    network: &Network,
    output: &Path,
    extra_metadata: &BTreeMap<String, String>,
) -> Result<Vec<Pending>> {
    let mut rewritten = match source {
        Some(source) => rewrite::rewrite(source, network)?,
        None => export::export(network)?,
    };
    let metadata = &mut rewritten.model.metadata_props;
    for (key, value) in extra_metadata {
        metadata.retain(|entry| entry.key() != key);
        metadata.push(proto::Entry { key: Some(key.clone()), value: Some(value.clone()) });
    }
    write::write(rewritten, output, source.is_some_and(|source| source.external))
}
