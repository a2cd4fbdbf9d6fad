//! Columns in another order, some of them several times or nowhere.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::check;
use crate::error::Result;

pub(super) fn gather(x: &HostMatrix, index: &[u32]) -> Result<HostMatrix> {
    check::gather(x.shape())?;
    let [n, columns] = x.shape();
    let mut out = HostMatrix::unwritten("gather", [n, index.len()])?;
    if index.is_empty() {
        return Ok(out);
    }
    let values = x.values();
    out.values_mut().par_chunks_exact_mut(index.len()).enumerate().for_each(|(row, out)| {
        let from = &values[row * columns..][..columns];
        out.iter_mut().zip(index).for_each(|(out, at)| *out = from.get(*at as usize).copied().unwrap_or(0.0));
    });
    Ok(out)
}
