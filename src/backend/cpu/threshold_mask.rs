//! Weights whose score lies below the cut-off become zero.

use pulp::Arch;
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
    let arch = Arch::new();
    let rows = out.values_mut().par_chunks_mut(n.max(1)).enumerate().with_min_len((1 << 14) / n.max(1) + 1);
    rows.for_each(|(i, out)| {
        let (weights, scores) = (weights.row(i), scores.row(i));
        // Within a row, elements of exactly the cut-off score go up to this column.
        let ties = limit.saturating_sub(i * n);
        let ties = ties.min(n);
        if per_element {
            arch.dispatch(
                #[inline(always)]
                || {
                    keep(&mut out[..ties], &weights[..ties], &scores[..ties], |score| score > cutoff.score);
                    keep(&mut out[ties..], &weights[ties..], &scores[ties..], |score| score >= cutoff.score);
                },
            );
        } else {
            let (below, equal) = (scores[0] < cutoff.score, scores[0] == cutoff.score);
            let removed = if below {
                n
            } else if equal {
                ties
            } else {
                0
            };
            out[..removed].fill(0.0);
            out[removed..].copy_from_slice(&weights[removed..]);
        }
    });
    Ok(out)
}

/// Copies the weights whose score `stays`.
#[inline(always)]
fn keep(out: &mut [f32], weights: &[f32], scores: &[f32], stays: impl Fn(f32) -> bool) {
    for (out, (weight, score)) in out.iter_mut().zip(weights.iter().zip(scores)) {
        *out = if stays(*score) { *weight } else { 0.0 };
    }
}
