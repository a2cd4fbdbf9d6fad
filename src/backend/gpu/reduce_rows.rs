//! One number of each row.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Reduction, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "reduce_rows",
    entry: "reduce_rows",
    wgsl: concat!(
        include_str!("../../../shaders/reduce_rows.wgsl"),
        include_str!("../../../shaders/row_fold.wgsl"),
        include_str!("../../../shaders/grid.wgsl")
    ),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    x_row: u32,
    y_row: u32,
    columns: u32,
    reduction: u32,
}

pub(super) fn reduce_rows(context: &Context, x: &Matrix, reduction: Reduction) -> Result<Matrix> {
    check::reduce_rows(x.shape())?;
    let [n, columns] = x.shape();
    let mut y = Matrix::new(context, "reduce_rows", [n, 1])?;
    if n == 0 {
        return Ok(y);
    }
    let grid = Grid::folding(columns, context.software);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns;
    for part in parts(0..n, &[x.blocks.step, y.blocks.step], most) {
        let (values, x_row) = x.blocks.locate(part.start)?;
        let (out, y_row) = y.blocks.locate_mut(part.start)?;
        let params =
            Params { rows: word(part.len())?, x_row, y_row, columns: word(columns)?, reduction: reduction.code() };
        let launch = context.launch(&kernel).params(&params).read(values);
        launch.write(out).dispatch(grid.reductions(part.len()))?;
    }
    Ok(y)
}
