//! Two matrices entry by entry, the second repeated as it is asked for.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Combination, check, vectorised};
use crate::error::Result;

/// Entries of a task at least.
const CHUNK: usize = 1 << 14;

pub(super) fn combine(a: &HostMatrix, b: &HostMatrix, how: Combination, share: usize) -> Result<HostMatrix> {
    check::combine(a.shape(), b.shape(), share)?;
    match how {
        Combination::Add => fill(a, b, share, |a, b| a + b),
        Combination::Subtract => fill(a, b, share, |a, b| a - b),
        Combination::SubtractFrom => fill(a, b, share, |a, b| b - a),
        Combination::Multiply => fill(a, b, share, |a, b| a * b),
        Combination::Divide => fill(a, b, share, |a, b| a / b),
        Combination::DivideInto => fill(a, b, share, |a, b| b / a),
        Combination::Max => fill(a, b, share, f32::max),
        Combination::Min => fill(a, b, share, f32::min),
    }
}

fn fill(a: &HostMatrix, b: &HostMatrix, share: usize, join: impl Fn(f32, f32) -> f32 + Sync) -> Result<HostMatrix> {
    let [n, columns] = a.shape();
    let mut out = HostMatrix::unwritten("combine", [n, columns])?;
    if columns == 0 {
        return Ok(out);
    }
    let ([rows, period], second) = (b.shape(), b.values());
    let line = |(row, (out, a)): (usize, (&mut [f32], &[f32]))| {
        let b = if rows == 1 { second } else { &second[row * period..][..period] };
        if share == 1 {
            for (out, a) in out.chunks_exact_mut(period).zip(a.chunks_exact(period)) {
                vectorised(
                    #[inline(always)]
                    || out.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = join(*a, *b)),
                );
            }
        } else {
            for ((out, a), b) in out.chunks_exact_mut(share).zip(a.chunks_exact(share)).zip(b.iter().cycle()) {
                vectorised(
                    #[inline(always)]
                    || out.iter_mut().zip(a).for_each(|(out, a)| *out = join(*a, *b)),
                );
            }
        }
    };
    let lines = out.values_mut().par_chunks_exact_mut(columns).zip(a.values().par_chunks_exact(columns));
    lines.enumerate().with_min_len(CHUNK / columns + 1).for_each(line);
    Ok(out)
}
