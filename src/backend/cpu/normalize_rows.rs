//! Rows in units of themselves.

use rayon::prelude::*;

use super::exponential::exponential;
use super::matrix::HostMatrix;
use super::reduce_rows::{extreme, sum, task};
use crate::backend::{RowNorm, check, vectorised};
use crate::error::Result;

pub(super) fn normalize_rows(x: &HostMatrix, norm: RowNorm) -> Result<HostMatrix> {
    check::normalize_rows(x.shape())?;
    let norm = norm.checked()?;
    let [_, columns] = x.shape();
    let mut out = HostMatrix::unwritten("normalize_rows", x.shape())?;
    let task = task(columns);
    out.values_mut().par_chunks_mut(task).zip(x.values().par_chunks(task)).for_each(|(out, rows)| {
        let rows = out.chunks_exact_mut(columns).zip(rows.chunks_exact(columns));
        vectorised(
            #[inline(always)]
            || rows.for_each(|(out, row)| normalize(row, norm, out)),
        );
    });
    Ok(out)
}

#[expect(clippy::cast_precision_loss, reason = "rows have far fewer than 2^24 entries")]
#[inline(always)]
fn normalize(row: &[f32], norm: RowNorm, out: &mut [f32]) {
    let count = row.len() as f32;
    match norm {
        RowNorm::Softmax => {
            let largest = extreme(row, f32::max);
            out.iter_mut().zip(row).for_each(|(out, x)| *out = exponential(x - largest));
            let scale = 1.0 / sum(out, |x| x);
            out.iter_mut().for_each(|out| *out *= scale);
        }
        RowNorm::LogSoftmax => {
            let largest = extreme(row, f32::max);
            let all = row.iter().map(|x| (x - largest).exp()).sum::<f32>().ln();
            out.iter_mut().zip(row).for_each(|(out, x)| *out = (x - largest) - all);
        }
        RowNorm::Standard { epsilon } => {
            let mean = sum(row, |x| x) / count;
            let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
            let scale = 1.0 / (variance + epsilon).sqrt();
            out.iter_mut().zip(row).for_each(|(out, x)| *out = (x - mean) * scale);
        }
        RowNorm::RootMeanSquare { epsilon } => {
            let scale = 1.0 / (sum(row, |x| x * x) / count + epsilon).sqrt();
            out.iter_mut().zip(row).for_each(|(out, x)| *out = x * scale);
        }
    }
}
