//! One layer: `Y = phi(X W^T + 1 b^T)`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, word};
use crate::backend::{Activation, Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "affine",
    entry: "affine",
    wgsl: concat!(include_str!("../../../shaders/affine.wgsl"), include_str!("../../../shaders/contraction.wgsl")),
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
    bias: u32,
    relu: u32,
}

pub(super) fn affine(
    context: &Context,
    x: &Matrix,
    weights: &Matrix,
    bias: Option<&Matrix>,
    activation: Activation,
) -> Result<Matrix> {
    let [n, m] = check::affine(x.shape(), weights.shape(), bias.map(Matrix::shape))?;
    let mut z = Matrix::new(context, "affine", [n, m])?;
    if z.blocks.is_empty() {
        return Ok(z);
    }
    let contraction = Contraction {
        operation: "affine",
        x: (x, Transpose::No),
        y: (weights, Transpose::No),
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
            bias: u32::from(step.begins && bias.is_some()),
            relu: u32::from(step.ends && activation == Activation::Relu),
        };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
        launch.read_or_empty(bias.and_then(Matrix::only)).write(out).dispatch(step.groups)
    })?;
    Ok(z)
}
