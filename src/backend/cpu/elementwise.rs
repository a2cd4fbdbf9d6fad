//! `phi(X)`, entry by entry.

use rayon::prelude::*;

use super::exponential::{error_function, exponential, hyperbolic_tangent, sigmoid};
use super::matrix::HostMatrix;
use crate::backend::{Function, vectorised};
use crate::error::Result;

/// Entries of a task.
const CHUNK: usize = 1 << 13;

pub(super) fn elementwise(x: &HostMatrix, function: Function) -> Result<HostMatrix> {
    let function = function.checked()?;
    let mut out = HostMatrix::unwritten("elementwise", x.shape())?;
    let chunks = out.values_mut().par_chunks_mut(CHUNK).zip(x.values().par_chunks(CHUNK));
    chunks.for_each(|(out, x)| match function {
        // What is made of products and comparisons alone runs in vectors.
        Function::Clip { low, high } => fill(out, x, |x| x.max(low).min(high)),
        Function::Leaky { slope } => fill(out, x, |x| x.max(0.0) + slope * x.min(0.0)),
        Function::HardSigmoid { alpha, beta } => fill(out, x, |x| (alpha * x + beta).clamp(0.0, 1.0)),
        Function::HardSwish => fill(out, x, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        Function::Softsign => fill(out, x, |x| x / (1.0 + x.abs())),
        Function::Abs => fill(out, x, f32::abs),
        Function::Sigmoid => fill(out, x, sigmoid),
        Function::Silu => fill(out, x, |x| x * sigmoid(x)),
        Function::Gelu => fill(out, x, |x| 0.5 * x * (1.0 + error_function(x * std::f32::consts::FRAC_1_SQRT_2))),
        Function::GeluTanh => fill(out, x, |x| {
            // Beyond 10 the tangent is one, and the cube stays small.
            let near = x.clamp(-10.0, 10.0);
            x * sigmoid(1.595_769 * (near + 0.044_715 * near * near * near))
        }),
        Function::Tanh => fill(out, x, hyperbolic_tangent),
        Function::Erf => fill(out, x, error_function),
        Function::Exp => fill(out, x, exponential),
        Function::Sqrt => fill(out, x, |x| x.max(0.0).sqrt()),
        // Others are rare enough for the digits of f64.
        #[expect(clippy::cast_possible_truncation, reason = "cut to the range of f32")]
        other => out.iter_mut().zip(x).for_each(|(out, x)| *out = other.at(f64::from(*x)) as f32),
    });
    Ok(out)
}

#[inline(always)]
fn fill(out: &mut [f32], x: &[f32], phi: impl Fn(f32) -> f32) {
    vectorised(
        #[inline(always)]
        || out.iter_mut().zip(x).for_each(|(out, x)| *out = phi(*x)),
    );
}
