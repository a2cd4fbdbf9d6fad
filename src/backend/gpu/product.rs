//! Products entry by entry, neighbours of a row with one factor.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::check;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "product",
    entry: "product",
    wgsl: concat!(include_str!("../../../shaders/product.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    a_row: u32,
    b_row: u32,
    columns: u32,
    factors: u32,
    share: u32,
}

pub(super) fn product(context: &Context, a: &Matrix, b: &Matrix) -> Result<Matrix> {
    let share = check::product(a.shape(), b.shape())?;
    let [n, columns] = a.shape();
    let mut y = Matrix::new(context, "product", [n, columns])?;
    if y.blocks.is_empty() {
        return Ok(y);
    }
    let grid = Grid::new(columns);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns;
    for part in parts(0..n, &[y.blocks.step, b.blocks.step], most) {
        let (values, a_row) = a.blocks.locate(part.start)?;
        let (second, b_row) = b.blocks.locate(part.start)?;
        let (out, _) = y.blocks.locate_mut(part.start)?;
        let [_, factors] = b.shape();
        let params = Params {
            rows: word(part.len())?,
            a_row,
            b_row,
            columns: word(columns)?,
            factors: word(factors)?,
            share: word(share)?,
        };
        let launch = context.launch(&kernel).params(&params).read(values).read(second);
        launch.write(out).dispatch(grid.groups(part.len()))?;
    }
    Ok(y)
}
