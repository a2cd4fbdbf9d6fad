//! Mean and covariance of inputs in a safetensors file.

use std::path::Path;

use ndarray::{Array1, Array2};

use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::format::header;

/// Reads the tensors `mean` (d) and `covariance` (d x d). What their values are is for the caller to judge.
///
/// # Errors
///
/// [`Error::InputMissing`], [`Error::Format`] for other names or shapes, [`Error::Io`].
pub fn load_moments(path: &Path) -> Result<(Array1<f64>, Array2<f64>)> {
    let tensors = header::open(path)?.tensors;
    let named = |name: &str| -> Result<&Tensor> {
        let found = tensors.iter().find(|tensor| tensor.name() == name && tensor.element().is_float());
        let problem = || format!("no tensor `{name}` of floats; moments are `mean` (d) and `covariance` (d x d)");
        found.ok_or_else(|| Error::Format { file: path.to_owned(), problem: problem() })
    };
    let (mean, covariance) = (named("mean")?, named("covariance")?);
    let d = mean.len();
    if covariance.dimensions() != [d, d] {
        let problem = format!("`covariance` has shape {:?}, `mean` {:?}", covariance.dimensions(), mean.dimensions());
        return Err(Error::Format { file: path.to_owned(), problem });
    }
    let wide = |tensor: &Tensor| tensor.to_vec().into_iter().map(f64::from).collect::<Vec<f64>>();
    let matrix = Array2::from_shape_vec((d, d), wide(covariance));
    let matrix = matrix.map_err(|error| Error::Internal { what: error.to_string() })?;
    Ok((Array1::from_vec(wide(mean)), matrix))
}
