//! Rows in units of themselves.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{RowNorm, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "normalize_rows",
    entry: "normalize_rows",
    wgsl: concat!(
        include_str!("../../../shaders/normalize_rows.wgsl"),
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
    norm: u32,
    epsilon: f32,
}

pub(super) fn normalize_rows(context: &Context, x: &Matrix, norm: RowNorm) -> Result<Matrix> {
    check::normalize_rows(x.shape())?;
    let (norm, epsilon) = norm.checked()?.code();
    let [n, columns] = x.shape();
    let mut y = Matrix::new(context, "normalize_rows", [n, columns])?;
    if n == 0 {
        return Ok(y);
    }
    let grid = Grid::folding(columns, context.software);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns;
    for part in parts(0..n, &[x.blocks.step, y.blocks.step], most) {
        let (values, x_row) = x.blocks.locate(part.start)?;
        let (out, y_row) = y.blocks.locate_mut(part.start)?;
        let params = Params { rows: word(part.len())?, x_row, y_row, columns: word(columns)?, norm, epsilon };
        let launch = context.launch(&kernel).params(&params).read(values);
        launch.write(out).dispatch(grid.reductions(part.len()))?;
    }
    Ok(y)
}
