//! Weights whose score lies below the cut-off become zero.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Cutoff, check};
use crate::error::Result;

pub(super) fn threshold_mask(weights: &HostMatrix, scores: &HostMatrix, cutoff: Cutoff) -> Result<HostMatrix> {
    let shape = check::threshold_mask(weights.shape(), scores.shape())?;
    let mut out = HostMatrix::unwritten("threshold_mask", shape)?;
    let n = shape[1];
    let per_element = scores.shape()[1] == n;
    let limit = cutoff.index as usize;
    let rows = out.values_mut().par_chunks_mut(n.max(1)).enumerate().with_min_len((1 << 14) / n.max(1) + 1);
    rows.for_each(|(i, out)| {
        let (weights, scores) = (weights.row(i), scores.row(i));
        // Within a row, elements of exactly the cut-off score go up to this column.
        let ties = limit.saturating_sub(i * n);
        for (j, (out, weight)) in out.iter_mut().zip(weights).enumerate() {
            let score = if per_element { scores[j] } else { scores[0] };
            let removed = score < cutoff.score || (score == cutoff.score && j < ties);
            *out = if removed { 0.0 } else { *weight };
        }
    });
    Ok(out)
}
