//! Support functions of zonotopes: `<shift, u> + sum_i max(<g_i, u>, 0)`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, word};
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "support_function",
    entry: "support_function",
    wgsl: concat!(
        include_str!("../../../shaders/support_function.wgsl"),
        include_str!("../../../shaders/contraction.wgsl")
    ),
    trusted: true,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    z_row: u32,
    shift: u32,
    resume: u32,
}

pub(super) fn support_function(
    context: &Context,
    generators: &Matrix,
    shift: Option<&Matrix>,
    directions: &Matrix,
) -> Result<Matrix> {
    let n = check::support_function(generators.shape(), shift.map(Matrix::shape), directions.shape())?;
    let mut h = Matrix::new(context, "support_function", [n, 1])?;
    let contraction = Contraction {
        operation: "support_function",
        x: (directions, Transpose::No),
        y: (generators, Transpose::No),
        fold: Fold::Columns,
        step: h.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = h.blocks.locate_mut(step.rows.start)?;
        let words = shift.filter(|_| step.begins).map_or(0, |shift| shift.blocks.columns);
        let params = Params { shape: step.shape, z_row, shift: word(words)?, resume: u32::from(!step.begins) };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
        launch.read_or_empty(shift.and_then(Matrix::only)).write(out).dispatch(step.groups)
    })?;
    Ok(h)
}
