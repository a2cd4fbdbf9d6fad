//! Samples that were made, as a file that `--data` and `--calib` read.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use ndarray::ArrayView2;
use safetensors::tensor::{Dtype, TensorView};

use super::write::Pending;
use crate::error::{Error, Result};

/// Writes samples, one in each row, as the tensor `features` of a safetensors file: values that a network takes as they are,
/// without its normalisation, with their `labels`, if they have any. `shape` is that of one sample.
///
/// # Errors
///
/// [`Error::Io`]; [`Error::Internal`] if the shape is not one of a row.
pub fn save_samples(
    path: &Path,
    samples: &ArrayView2<'_, f32>,
    labels: Option<&[u32]>,
    shape: &[usize],
    about: &str,
    force: bool,
) -> Result<()> {
    let bytes: Vec<u8> = samples.iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape = [&[samples.nrows()], shape].concat();
    let view = TensorView::new(Dtype::F32, shape, &bytes);
    let view = view.map_err(|error| Error::Internal { what: error.to_string() })?;
    let classes: Vec<u8> = labels.unwrap_or_default().iter().flat_map(|label| label.to_le_bytes()).collect();
    let labels = labels.map(|labels| TensorView::new(Dtype::U32, vec![labels.len()], &classes)).transpose();
    let labels = labels.map_err(|error| Error::Internal { what: error.to_string() })?;
    let metadata = HashMap::from([("tropix.report".to_owned(), about.to_owned())]);
    let file = safetensors::serialize(
        [Some(("features", view)), labels.map(|labels| ("labels", labels))].into_iter().flatten(),
        Some(metadata),
    );
    let file = file.map_err(|error| Error::Internal { what: error.to_string() })?;
    Pending::write(path, |out| io::Write::write_all(out, &file))?.publish(force)
}
