//! One number of each row.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Reduction, check, vectorised};
use crate::error::Result;

/// Sums that are taken side by side, as vectors hold them.
const LANES: usize = 16;

pub(super) fn reduce_rows(x: &HostMatrix, reduction: Reduction) -> Result<HostMatrix> {
    check::reduce_rows(x.shape())?;
    let [n, columns] = x.shape();
    let mut out = HostMatrix::unwritten("reduce_rows", [n, 1])?;
    let task = task(columns);
    out.values_mut().par_chunks_mut(task / columns).zip(x.values().par_chunks(task)).for_each(|(out, rows)| {
        let rows = out.iter_mut().zip(rows.chunks_exact(columns));
        vectorised(
            #[inline(always)]
            || rows.for_each(|(out, row)| *out = reduced(row, reduction)),
        );
    });
    Ok(out)
}

/// Entries of the rows of one task.
pub(super) fn task(columns: usize) -> usize {
    ((1 << 13) / columns + 1) * columns
}

#[expect(clippy::cast_precision_loss, reason = "rows have far fewer than 2^24 entries")]
#[inline(always)]
fn reduced(row: &[f32], reduction: Reduction) -> f32 {
    match reduction {
        Reduction::Sum => sum(row, |x| x),
        Reduction::Mean => sum(row, |x| x) / row.len() as f32,
        Reduction::Squares => sum(row, |x| x * x),
        Reduction::Max => extreme(row, f32::max),
        Reduction::Min => extreme(row, f32::min),
    }
}

/// `sum_j f(x_j)`, in an order that the length fixes.
#[inline(always)]
pub(super) fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += f(*x));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, x)| *sum += f(*x));
    sums.iter().sum()
}

/// The largest entry, or the least.
#[inline(always)]
pub(super) fn extreme(row: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut found = [row.first().copied().unwrap_or(0.0); LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        found.iter_mut().zip(chunk).for_each(|(found, x)| *found = of(*found, *x));
    }
    found.iter_mut().zip(rest).for_each(|(found, x)| *found = of(*found, *x));
    found.into_iter().reduce(of).unwrap_or(0.0)
}
