//! `C = op(A) op(B)`.

use super::affine::product;
use super::contraction::Sum;
use super::matrix::HostMatrix;
use super::operand::Columns;
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) fn matmul(
    a: &HostMatrix,
    transpose_a: Transpose,
    b: &HostMatrix,
    transpose_b: Transpose,
) -> Result<HostMatrix> {
    check::matmul(a.shape(), transpose_a, b.shape(), transpose_b)?;
    let rows = a.view(transpose_a);
    let columns = match transpose_b {
        // The columns of B itself are contiguous across a panel: packing them is a copy, not worth keeping.
        Transpose::No => Columns::Loose(b.view(Transpose::Yes)),
        Transpose::Yes => b.columns_for(rows),
    };
    product::<Sum>("matmul", rows, columns, None, f32::NEG_INFINITY)
}
