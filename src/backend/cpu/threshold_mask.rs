//! Weights whose score lies below the cut-off become zero.

use pulp::{Arch, Simd, WithSimd};
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
            let ((out_ties, out), (w_ties, w), (s_ties, s)) =
                (out.split_at_mut(ties), weights.split_at(ties), scores.split_at(ties));
            arch.dispatch(Mask::<true> { out: out_ties, weights: w_ties, scores: s_ties, cut: cutoff.score });
            arch.dispatch(Mask::<false> { out, weights: w, scores: s, cut: cutoff.score });
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

/// Copies weights, except those whose score lies below the cut or, with `TIES`, on it.
struct Mask<'a, const TIES: bool> {
    out: &'a mut [f32],
    weights: &'a [f32],
    scores: &'a [f32],
    cut: f32,
}

impl<const TIES: bool> WithSimd for Mask<'_, TIES> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (zero, cut) = (simd.splat_f32s(0.0), simd.splat_f32s(self.cut));
        let kept = |weight: S::f32s, score: S::f32s| {
            let removed = if TIES { simd.less_than_or_equal_f32s(score, cut) } else { simd.less_than_f32s(score, cut) };
            simd.select_f32s(removed, zero, weight)
        };
        let (out, out_tail) = S::as_mut_simd_f32s(self.out);
        let (weights, weights_tail) = S::as_simd_f32s(self.weights);
        let (scores, scores_tail) = S::as_simd_f32s(self.scores);
        for (out, (weight, score)) in out.iter_mut().zip(weights.iter().zip(scores)) {
            *out = kept(*weight, *score);
        }
        let tail = kept(simd.partial_load_f32s(weights_tail), simd.partial_load_f32s(scores_tail));
        simd.partial_store_f32s(out_tail, tail);
    }
}
