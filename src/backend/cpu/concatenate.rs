//! Matrices side by side.

use std::mem;

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::check;
use crate::error::Result;

pub(super) fn concatenate(parts: &[&HostMatrix]) -> Result<HostMatrix> {
    let shape = check::concatenate(&parts.iter().map(|part| part.shape()).collect::<Vec<_>>())?;
    let mut out = HostMatrix::unwritten("concatenate", shape)?;
    let columns = shape[1].max(1);
    let rows = out.values_mut().par_chunks_exact_mut(columns).enumerate();
    rows.with_min_len((1 << 14) / columns + 1).for_each(|(row, mut out)| {
        for part in parts {
            let (own, rest) = mem::take(&mut out).split_at_mut(part.shape()[1]);
            out = rest;
            own.copy_from_slice(part.row(row));
        }
    });
    Ok(out)
}
