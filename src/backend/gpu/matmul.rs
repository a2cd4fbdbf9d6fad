//! Matrix product `C = op(A) op(B)`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, word};
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "matmul",
    entry: "matmul",
    wgsl: concat!(include_str!("../../../shaders/matmul.wgsl"), include_str!("../../../shaders/contraction.wgsl")),
    trusted: true,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    z_row: u32,
    z_column: u32,
    z_stride: u32,
    resume: u32,
}

pub(super) fn matmul(
    context: &Context,
    a: &Matrix,
    transpose_a: Transpose,
    b: &Matrix,
    transpose_b: Transpose,
) -> Result<Matrix> {
    let [n, m, _] = check::matmul(a.shape(), transpose_a, b.shape(), transpose_b)?;
    let mut z = Matrix::new(context, "matmul", [n, m])?;
    if z.blocks.is_empty() {
        return Ok(z);
    }
    // The contraction wants the inner index along the rows of both operands: those of `op(B)` are its columns.
    let across = if transpose_b == Transpose::Yes { Transpose::No } else { Transpose::Yes };
    let contraction = Contraction {
        operation: "matmul",
        x: (a, transpose_a),
        y: (b, across),
        fold: Fold::Store,
        step: z.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = z.blocks.locate_mut(step.rows.start)?;
        let params = Params {
            shape: step.shape,
            z_row,
            z_column: word(step.first_column)?,
            z_stride: word(m)?,
            resume: u32::from(!step.begins),
        };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        context.launch(&kernel).params(&params).read(step.x).read(step.y).write(out).dispatch(step.groups)
    })?;
    Ok(z)
}
