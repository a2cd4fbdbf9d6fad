//! One step of Adam, entry by entry.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Adam, AdamState, check, vectorised};
use crate::error::Result;

/// Entries of a task.
const CHUNK: usize = 1 << 14;

#[expect(clippy::cast_possible_truncation, reason = "corrections are computed in f64 and used in f32")]
pub(super) fn adam_step(
    weights: &HostMatrix,
    gradient: &HostMatrix,
    [mean, square]: [&HostMatrix; 2],
    adam: Adam,
) -> Result<AdamState<HostMatrix>> {
    let shape = check::adam_step(weights.shape(), gradient.shape(), [mean.shape(), square.shape()], adam)?;
    let new = || HostMatrix::unwritten("adam_step", shape);
    let (mut out, mut new_mean, mut new_square) = (new()?, new()?, new()?);
    let [b1, b2] = adam.decays;
    let [c1, c2] = adam.corrections().map(|correction| correction as f32);
    let written = out.values_mut().par_chunks_mut(CHUNK).zip(new_mean.values_mut().par_chunks_mut(CHUNK));
    let written = written.zip(new_square.values_mut().par_chunks_mut(CHUNK)).enumerate();
    written.for_each(|(chunk, ((out, new_mean), new_square))| {
        let first = chunk * CHUNK;
        let range = first..first + out.len();
        let (w, g) = (&weights.values()[range.clone()], &gradient.values()[range.clone()]);
        let (m, v) = (&mean.values()[range.clone()], &square.values()[range]);
        vectorised(
            #[inline(always)]
            || {
                for i in 0..out.len() {
                    let mean = b1 * m[i] + (1.0 - b1) * g[i];
                    let square = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
                    out[i] = w[i] - adam.rate * (mean / c1) / ((square / c2).sqrt() + adam.epsilon);
                    (new_mean[i], new_square[i]) = (mean, square);
                }
            },
        );
    });
    Ok(AdamState { weights: out, mean: new_mean, square: new_square })
}
