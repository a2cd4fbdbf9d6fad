//! `phi(alpha A + beta B)`, entry by entry.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Activation, check, vectorised};
use crate::error::Result;

/// Entries of a task.
const CHUNK: usize = 1 << 15;

pub(super) fn weighted_sum(
    a: &HostMatrix,
    b: Option<&HostMatrix>,
    [alpha, beta]: [f32; 2],
    activation: Activation,
) -> Result<HostMatrix> {
    let shape = check::weighted_sum(a.shape(), b.map(HostMatrix::shape), [alpha, beta])?;
    let mut out = HostMatrix::unwritten("weighted_sum", shape)?;
    let floor = match activation {
        Activation::Identity => f32::NEG_INFINITY,
        Activation::Relu => 0.0,
    };
    let chunks = out.values_mut().par_chunks_mut(CHUNK).zip(a.values().par_chunks(CHUNK)).enumerate();
    chunks.for_each(|(chunk, (out, a))| {
        vectorised(
            #[inline(always)]
            || match b {
                None => out.iter_mut().zip(a).for_each(|(out, a)| *out = (alpha * a).max(floor)),
                Some(b) => {
                    let b = &b.values()[chunk * CHUNK..][..a.len()];
                    out.iter_mut()
                        .zip(a.iter().zip(b))
                        .for_each(|(out, (a, b))| *out = (alpha * a + beta * b).max(floor));
                }
            },
        );
    });
    Ok(out)
}
