//! `G_m = Diag(weights_m) [A | c]` for every class, stacked.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::check;
use crate::error::Result;

pub(super) fn generators(
    weights: &HostMatrix,
    rows: &HostMatrix,
    constants: Option<&HostMatrix>,
) -> Result<HostMatrix> {
    let shape = check::generators(weights.shape(), rows.shape(), constants.map(HostMatrix::shape))?;
    let mut out = HostMatrix::unwritten("generators", shape)?;
    let ([p, n], width) = (rows.shape(), shape[1].max(1));
    // Weights are k x p and row m p + i has weight (m, i): the two run in step.
    let stacked = out.values_mut().par_chunks_mut(width).zip(weights.values()).enumerate();
    stacked.with_min_len((1 << 14) / width + 1).for_each(|(row, (out, weight))| {
        for (out, entry) in out.iter_mut().zip(rows.row(row % p)) {
            *out = weight * entry;
        }
        if let (Some(out), Some(constants)) = (out.get_mut(n), constants) {
            *out = weight * constants.values()[row % p];
        }
    });
    Ok(out)
}
