//! Tropical polynomials: `max_i c_i + <a_i, x>` with its lowest argument.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape, Slices};
use super::grid::lanes;
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
pub(super) const SLICES: Source = Source { entry: "tropical_eval_slices", ..SOURCE };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    slice: u32,
    slices: u32,
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
        fold: Fold::Slices,
        step: values.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (value, z_row) = values.blocks.locate_mut(step.rows.start)?;
        let (argument, _) = arguments.blocks.locate_mut(step.rows.start)?;
        let first = word(step.first_column)?;
        let Slices { panels: slice, count: slices } = step.slices;
        let params = Params { shape: step.shape, slice, slices, z_row, first, resume: u32::from(!step.begins) };
        let partial = if slices == 1 { params } else { Params { z_row: 0, resume: 0, ..params } };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let launch = context.launch(&kernel).params(&partial).read(step.x).read(step.y);
        let launch = launch.read_or_empty(coefficients.only());
        if slices == 1 {
            return launch.write(value).write_words(argument).dispatch(step.groups);
        }
        let bytes = step.rows.len() as u64 * u64::from(slices) * 4;
        let mut bests = context.storage("tropical_eval", bytes)?;
        let mut indices = context.storage("tropical_eval", bytes)?;
        launch.write(&mut bests).write_words(&mut indices).dispatch(step.groups)?;
        let kernel = context.kernel(&SLICES, tile.constants())?;
        let launch = context.launch(&kernel).params(&params).read(&bests).read_words(&indices);
        launch.write(value).write_words(argument).dispatch(lanes(step.rows.len()))
    })?;
    Ok(Maxima { values, arguments })
}
