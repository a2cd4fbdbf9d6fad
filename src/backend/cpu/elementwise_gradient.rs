//! `dY phi'(X)`, entry by entry.

use rayon::prelude::*;

use super::exponential::{error_function, exponential, sigmoid};
use super::matrix::HostMatrix;
use crate::backend::{Function, check, vectorised};
use crate::error::Result;

/// Entries of a task.
const CHUNK: usize = 1 << 13;

/// `1 / sqrt(2 pi)`.
const DENSITY: f32 = 0.398_942_3;

pub(super) fn elementwise_gradient(x: &HostMatrix, gradient: &HostMatrix, function: Function) -> Result<HostMatrix> {
    let shape = check::elementwise_gradient(x.shape(), gradient.shape())?;
    let function = function.checked()?;
    let mut out = HostMatrix::unwritten("elementwise_gradient", shape)?;
    let chunks = out.values_mut().par_chunks_mut(CHUNK).zip(x.values().par_chunks(CHUNK));
    chunks.zip(gradient.values().par_chunks(CHUNK)).for_each(|((out, x), dy)| match function {
        Function::Clip { low, high } => fill(out, x, dy, |x| if x > low && x < high { 1.0 } else { 0.0 }),
        Function::Leaky { slope } => fill(out, x, dy, |x| if x > 0.0 { 1.0 } else { slope }),
        Function::HardSigmoid { alpha, beta } => fill(out, x, dy, |x| {
            let value = alpha * x + beta;
            if value > 0.0 && value < 1.0 { alpha } else { 0.0 }
        }),
        Function::HardSwish => fill(out, x, dy, |x| {
            let inner = if x > -3.0 { x / 3.0 + 0.5 } else { 0.0 };
            if x >= 3.0 { 1.0 } else { inner }
        }),
        Function::Sigmoid => fill(out, x, dy, |x| sigmoid(x) * sigmoid(-x)),
        Function::Silu => fill(out, x, dy, |x| sigmoid(x) * (1.0 + x.clamp(-90.0, 90.0) * sigmoid(-x))),
        Function::Gelu => fill(out, x, dy, |x| {
            let near = x.clamp(-12.0, 12.0);
            let density = DENSITY * exponential(-0.5 * near * near);
            0.5 * (1.0 + error_function(x * std::f32::consts::FRAC_1_SQRT_2)) + near * density
        }),
        Function::GeluTanh => fill(out, x, dy, |x| {
            // Beyond 10 the tangent is one, and the cube stays small.
            let near = x.clamp(-10.0, 10.0);
            let cubic = 1.595_769 * (near + 0.044_715 * near * near * near);
            let gate = sigmoid(cubic);
            gate + near * gate * sigmoid(-cubic) * (1.595_769 * (1.0 + 0.134_145 * near * near))
        }),
        Function::Tanh => fill(out, x, dy, |x| 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x)),
        Function::Exp => fill(out, x, dy, exponential),
        // Others are rare enough for the digits of f64.
        #[expect(clippy::cast_possible_truncation, reason = "cut to the range of f32")]
        other => {
            out.iter_mut().zip(x).zip(dy).for_each(|((out, x), dy)| *out = dy * other.slope(f64::from(*x)) as f32);
        }
    });
    Ok(out)
}

#[inline(always)]
fn fill(out: &mut [f32], x: &[f32], dy: &[f32], slope: impl Fn(f32) -> f32) {
    vectorised(
        #[inline(always)]
        || out.iter_mut().zip(x).zip(dy).for_each(|((out, x), dy)| *out = dy * slope(*x)),
    );
}
