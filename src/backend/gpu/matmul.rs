//! Matrix product `C = op(A) op(B)`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, word};
use super::shares::{self, Finish, Place};
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
    z_share: u32,
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
        fold: Fold::Shares,
        step: z.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = z.blocks.locate_mut(step.rows.start)?;
        let place =
            Place { row: z_row, column: word(step.first_column)?, stride: word(m)?, share: 0, resume: !step.begins };
        shares::store(context, tile, step, place, Finish::default(), out, |out, place, _| {
            let params = Params {
                shape: step.shape,
                z_row: place.row,
                z_column: place.column,
                z_stride: place.stride,
                z_share: place.share,
                resume: u32::from(place.resume),
            };
            let kernel = context.kernel(&SOURCE, tile.constants())?;
            context.launch(&kernel).params(&params).read(step.x).read(step.y).write(out).dispatch(step.groups)
        })
    })?;
    Ok(z)
}
