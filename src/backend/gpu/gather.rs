//! Columns in another order, some of them several times or nowhere.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Indices, Matrix, parts, word};
use crate::backend::check;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "gather",
    entry: "gather",
    wgsl: concat!(include_str!("../../../shaders/gather.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    x_row: u32,
    y_row: u32,
    columns: u32,
    out: u32,
}

pub(super) fn gather(context: &Context, x: &Matrix, index: &Indices) -> Result<Matrix> {
    check::gather(x.shape())?;
    let ([n, columns], out) = (x.shape(), index.blocks.rows);
    let mut y = Matrix::new(context, "gather", [n, out])?;
    if y.blocks.is_empty() {
        return Ok(y);
    }
    let grid = Grid::new(out);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / out;
    // A list as long as a row fits into one binding.
    let (list, _) = index.blocks.locate(0)?;
    for part in parts(0..n, &[y.blocks.step, x.blocks.step], most) {
        let (values, x_row) = x.blocks.locate(part.start)?;
        let (written, y_row) = y.blocks.locate_mut(part.start)?;
        let params = Params { rows: word(part.len())?, x_row, y_row, columns: word(columns)?, out: word(out)? };
        let launch = context.launch(&kernel).params(&params).read(values).read_words(list);
        launch.write(written).dispatch(grid.groups(part.len()))?;
    }
    Ok(y)
}
