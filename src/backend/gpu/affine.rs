//! One layer: `Y = phi(X W^T + 1 b^T)`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, word};
use super::shares::{self, Finish, Place};
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
    z_share: u32,
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
        fold: Fold::Shares,
        step: z.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = z.blocks.locate_mut(step.rows.start)?;
        let place =
            Place { row: z_row, column: word(step.first_column)?, stride: word(m)?, share: 0, resume: !step.begins };
        let finish = Finish {
            bias: bias.filter(|_| step.begins).and_then(Matrix::only),
            relu: step.ends && activation == Activation::Relu,
        };
        shares::store(context, tile, step, place, finish, out, |out, place, finish| {
            let params = Params {
                shape: step.shape,
                z_row: place.row,
                z_column: place.column,
                z_stride: place.stride,
                z_share: place.share,
                resume: u32::from(place.resume),
                bias: u32::from(finish.bias.is_some()),
                relu: u32::from(finish.relu),
            };
            let kernel = context.kernel(&SOURCE, tile.constants())?;
            let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
            launch.read_or_empty(finish.bias).write(out).dispatch(step.groups)
        })
    })?;
    Ok(z)
}
