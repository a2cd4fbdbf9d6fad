//! Tropical polynomials: `max_i c_i + <a_i, x>` with its lowest argument.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Indices, Matrix, word};
use crate::backend::{Maxima, Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "tropical_eval",
    entry: "tropical_eval",
    wgsl: concat!(
        include_str!("../../../shaders/tropical_eval.wgsl"),
        include_str!("../../../shaders/contraction.wgsl")
    ),
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

pub(super) fn tropical_eval(
    context: &Context,
    points: &Matrix,
    exponents: &Matrix,
    coefficients: &Matrix,
) -> Result<Maxima<Matrix, Indices>> {
    let n = check::tropical_eval(points.shape(), exponents.shape(), coefficients.shape())?;
    let mut values = Matrix::new(context, "tropical_eval", [n, 1])?;
    let mut arguments = Indices::new(context, "tropical_eval", n)?;
    let contraction = Contraction {
        operation: "tropical_eval",
        x: (points, Transpose::No),
        y: (exponents, Transpose::No),
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
        launch.read_or_empty(coefficients.only()).write(value).write_words(argument).dispatch(step.groups)
    })?;
    Ok(Maxima { values, arguments })
}
