//! `y_i = P_r(x_i + step g_i / |g_i|)`, a row at a time.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{check, vectorised};
use crate::error::Result;

/// Elements of one task.
const TASK: usize = 1 << 14;

pub(super) fn ball_step(x: &HostMatrix, gradient: &HostMatrix, step: f32, radius: f32) -> Result<HostMatrix> {
    let shape = check::ball_step(x.shape(), gradient.shape(), step, radius)?;
    let mut out = HostMatrix::unwritten("ball_step", shape)?;
    let width = shape[1].max(1);
    let rows = out.values_mut().par_chunks_mut(width).enumerate().with_min_len(TASK / width + 1);
    rows.for_each(|(i, out)| {
        vectorised(
            #[inline(always)]
            || row(x.row(i), gradient.row(i), step, radius, out),
        )
    });
    Ok(out)
}

#[inline(always)]
fn row(x: &[f32], gradient: &[f32], step: f32, radius: f32, out: &mut [f32]) {
    let norm = square_sum(gradient).sqrt();
    let factor = if norm > 0.0 { step / norm } else { 0.0 };
    for ((out, x), g) in out.iter_mut().zip(x).zip(gradient) {
        *out = x + factor * g;
    }
    let norm = square_sum(out).sqrt();
    if norm > radius {
        let scale = radius / norm;
        out.iter_mut().for_each(|out| *out *= scale);
    }
}

/// `sum_k x_k^2` over 32 lanes in a fixed order.
#[inline(always)]
fn square_sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; 32];
    let (blocks, tail) = x.as_chunks::<32>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += x * x;
        }
    }
    lanes.iter().sum::<f32>() + tail.iter().map(|x| x * x).sum::<f32>()
}
