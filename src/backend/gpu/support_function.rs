//! Support functions of zonotopes: `<shift, u> + sum_i max(<g_i, u>, 0)`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape, Slices};
use super::grid::lanes;
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
pub(super) const SLICES: Source = Source { entry: "support_function_slices", ..SOURCE };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    slice: u32,
    slices: u32,
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
        fold: Fold::Slices,
        step: h.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = h.blocks.locate_mut(step.rows.start)?;
        let words = shift.filter(|_| step.begins).map_or(0, |shift| shift.blocks.columns);
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let Slices { panels: slice, count: slices } = step.slices;
        let params =
            Params { shape: step.shape, slice, slices, z_row, shift: word(words)?, resume: u32::from(!step.begins) };
        let first = if slices == 1 { params } else { Params { z_row: 0, resume: 0, ..params } };
        let launch = context.launch(&kernel).params(&first).read(step.x).read(step.y);
        let launch = launch.read_or_empty(shift.and_then(Matrix::only));
        if slices == 1 {
            return launch.write(out).dispatch(step.groups);
        }
        let mut sums = context.storage("support_function", step.rows.len() as u64 * u64::from(slices) * 4)?;
        launch.write(&mut sums).dispatch(step.groups)?;
        let kernel = context.kernel(&SLICES, tile.constants())?;
        context.launch(&kernel).params(&params).read(&sums).write(out).dispatch(lanes(step.rows.len()))
    })?;
    Ok(h)
}
