//! Matrices side by side.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::check;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "concatenate",
    entry: "concatenate",
    wgsl: concat!(include_str!("../../../shaders/concatenate.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    row: u32,
    out_row: u32,
    columns: u32,
    column: u32,
    stride: u32,
}

pub(super) fn concatenate(context: &Context, operands: &[&Matrix]) -> Result<Matrix> {
    let shapes: Vec<_> = operands.iter().map(|operand| operand.shape()).collect();
    let [n, stride] = check::concatenate(&shapes)?;
    let mut joined = Matrix::new(context, "concatenate", [n, stride])?;
    let mut column = 0;
    for operand in operands {
        let columns = operand.blocks.columns;
        if !operand.blocks.is_empty() {
            let grid = Grid::new(columns);
            let kernel = context.kernel(&SOURCE, grid.constants())?;
            let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns;
            for part in parts(0..n, &[operand.blocks.step, joined.blocks.step], most) {
                let (values, row) = operand.blocks.locate(part.start)?;
                let (out, out_row) = joined.blocks.locate_mut(part.start)?;
                let params = Params {
                    rows: word(part.len())?,
                    row,
                    out_row,
                    columns: word(columns)?,
                    column: word(column)?,
                    stride: word(stride)?,
                };
                context.launch(&kernel).params(&params).read(values).write(out).dispatch(grid.groups(part.len()))?;
            }
        }
        column += columns;
    }
    Ok(joined)
}
