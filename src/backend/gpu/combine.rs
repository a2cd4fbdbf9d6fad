//! Two matrices entry by entry, the second repeated as it is asked for.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Combination, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "combine",
    entry: "combine",
    wgsl: concat!(include_str!("../../../shaders/combine.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    a_row: u32,
    b_row: u32,
    b_step: u32,
    columns: u32,
    period: u32,
    share: u32,
    how: u32,
}

pub(super) fn combine(context: &Context, a: &Matrix, b: &Matrix, how: Combination, share: usize) -> Result<Matrix> {
    check::combine(a.shape(), b.shape(), share)?;
    let ([n, columns], [rows, period]) = (a.shape(), b.shape());
    let mut y = Matrix::new(context, "combine", [n, columns])?;
    if y.blocks.is_empty() || n == 0 {
        return Ok(y);
    }
    let grid = Grid::new(columns);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns;
    let single = rows == 1;
    let steps = [y.blocks.step, a.blocks.step, if single { usize::MAX } else { b.blocks.step }];
    for part in parts(0..n, &steps, most) {
        let (values, a_row) = a.blocks.locate(part.start)?;
        let (second, b_row) = b.blocks.locate(if single { 0 } else { part.start })?;
        let (out, _) = y.blocks.locate_mut(part.start)?;
        let params = Params {
            rows: word(part.len())?,
            a_row,
            b_row,
            b_step: u32::from(!single),
            columns: word(columns)?,
            period: word(period)?,
            share: word(share)?,
            how: how.code(),
        };
        let launch = context.launch(&kernel).params(&params).read(values).read(second);
        launch.write(out).dispatch(grid.groups(part.len()))?;
    }
    Ok(y)
}
