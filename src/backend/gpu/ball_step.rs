//! One step of projected gradient ascent on a ball, row by row.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::check;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "ball_step",
    entry: "ball_step",
    wgsl: concat!(include_str!("../../../shaders/ball_step.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    first_row: u32,
    columns: u32,
    step: f32,
    radius: f32,
}

pub(super) fn ball_step(context: &Context, x: &Matrix, gradient: &Matrix, step: f32, radius: f32) -> Result<Matrix> {
    let [n, d] = check::ball_step(x.shape(), gradient.shape(), step, radius)?;
    let mut y = Matrix::new(context, "ball_step", [n, d])?;
    if y.blocks.is_empty() {
        return Ok(y);
    }
    let grid = Grid::new(d);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / d;
    // Matrices of one shape are cut into the same blocks.
    for part in parts(0..n, &[x.blocks.step], most) {
        let (points, first_row) = x.blocks.locate(part.start)?;
        let (slopes, _) = gradient.blocks.locate(part.start)?;
        let (out, _) = y.blocks.locate_mut(part.start)?;
        let params = Params { rows: word(part.len())?, first_row, columns: word(d)?, step, radius };
        let launch = context.launch(&kernel).params(&params).read(points).read(slopes).write(out);
        launch.dispatch(grid.reductions(part.len()))?;
    }
    Ok(y)
}
