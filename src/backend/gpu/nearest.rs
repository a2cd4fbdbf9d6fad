//! Nearest neighbours: `min_j |x_i - y_j|^2` in direct differences, with its lowest argument.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Indices, Matrix, word};
use crate::backend::{Minima, Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "nearest",
    entry: "nearest",
    wgsl: concat!(include_str!("../../../shaders/nearest.wgsl"), include_str!("../../../shaders/contraction.wgsl")),
    trusted: true,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    z_row: u32,
    first: u32,
    resume: u32,
}

pub(super) fn nearest(context: &Context, x: &Matrix, y: &Matrix) -> Result<Minima<Matrix, Indices>> {
    let n = check::nearest(x.shape(), y.shape())?;
    let mut values = Matrix::new(context, "nearest", [n, 1])?;
    let mut arguments = Indices::new(context, "nearest", n)?;
    let contraction = Contraction {
        operation: "nearest",
        x: (x, Transpose::No),
        y: (y, Transpose::No),
        fold: Fold::Columns,
        step: values.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (value, z_row) = values.blocks.locate_mut(step.rows.start)?;
        let (argument, _) = arguments.blocks.locate_mut(step.rows.start)?;
        let first = word(step.first_column)?;
        let params = Params { shape: step.shape, z_row, first, resume: u32::from(!step.begins) };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
        launch.write(value).write_words(argument).dispatch(step.groups)
    })?;
    Ok(Minima { values, arguments })
}
