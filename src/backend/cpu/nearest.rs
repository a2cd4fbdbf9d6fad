//! `min_j |x_i - y_j|^2` with the lowest arg min: the maximum of the negated sums of squared differences.

use pulp::Simd;

use super::contraction::Inner;
use super::matrix::HostMatrix;
use super::tropical_eval::largest;
use crate::backend::{Minima, check};
use crate::error::Result;

pub(super) fn nearest(x: &HostMatrix, y: &HostMatrix) -> Result<Minima<HostMatrix, Vec<u32>>> {
    check::nearest(x.shape(), y.shape())?;
    let (mut values, arguments) = largest::<NegatedSquares>("nearest", x, y, None)?;
    // Subtraction turns a zero of either sign into zero.
    values.iter_mut().for_each(|value| *value = 0.0 - *value);
    Ok(Minima { values: HostMatrix::column_vector(values), arguments })
}

/// `- sum_k (x_k - y_k)^2`.
struct NegatedSquares;

impl Inner for NegatedSquares {
    #[inline(always)]
    fn start<S: Simd>(simd: S) -> S::f32s {
        simd.splat_f32s(0.0)
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
        let difference = simd.sub_f32s(x, y);
        simd.negate_mul_add_e_f32s(difference, difference, sum)
    }

    #[inline(always)]
    fn join<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.add_f32s(a, b)
    }
}
