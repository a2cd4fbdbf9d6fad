//! `C_ij = max_k a_ik + b_kj`: the contraction with another inner operation.

use pulp::Simd;

use super::affine::product;
use super::contraction::Inner;
use super::matrix::HostMatrix;
use super::operand::Columns;
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) fn max_plus_matmul(a: &HostMatrix, b: &HostMatrix) -> Result<HostMatrix> {
    check::max_plus_matmul(a.shape(), b.shape())?;
    // As for `matmul`, the columns of B are contiguous across a panel.
    let columns = Columns::Loose(b.view(Transpose::Yes));
    product::<MaxPlus>("max_plus_matmul", a.view(Transpose::No), columns, None, f32::NEG_INFINITY)
}

/// `max_k x_k + y_k`.
struct MaxPlus;

impl Inner for MaxPlus {
    #[inline(always)]
    fn start<S: Simd>(simd: S) -> S::f32s {
        simd.splat_f32s(f32::NEG_INFINITY)
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
        simd.max_f32s(simd.add_f32s(x, y), sum)
    }

    #[inline(always)]
    fn join<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.max_f32s(a, b)
    }
}
