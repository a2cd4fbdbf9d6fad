//! Products entry by entry, neighbours of a row with one factor.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{check, vectorised};
use crate::error::Result;

pub(super) fn product(a: &HostMatrix, b: &HostMatrix) -> Result<HostMatrix> {
    let share = check::product(a.shape(), b.shape())?;
    let mut out = HostMatrix::unwritten("product", a.shape())?;
    if share == 1 {
        let values = out.values_mut().par_iter_mut().with_min_len(1 << 14);
        values.zip(a.values()).zip(b.values()).for_each(|((out, a), b)| *out = a * b);
        return Ok(out);
    }
    // Entry k of B is the factor of the k-th neighbours, over all rows.
    let groups = out.values_mut().par_chunks_exact_mut(share).zip(a.values().par_chunks_exact(share));
    groups.zip(b.values()).with_min_len((1 << 14) / share + 1).for_each(|((out, a), factor)| {
        vectorised(|| out.iter_mut().zip(a).for_each(|(out, a)| *out = a * factor));
    });
    Ok(out)
}
