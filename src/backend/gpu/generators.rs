//! Generators of the class zonotopes: `Diag(weights_m) [A | c]` for every class.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::check;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "generators",
    entry: "generators",
    wgsl: concat!(include_str!("../../../shaders/generators.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    out_row: u32,
    first: u32,
    neurons: u32,
    columns: u32,
    width: u32,
    weights_row: u32,
    rows_first: u32,
}

pub(super) fn generators(
    context: &Context,
    weights: &Matrix,
    rows: &Matrix,
    constants: Option<&Matrix>,
) -> Result<Matrix> {
    let [stacked, width] = check::generators(weights.shape(), rows.shape(), constants.map(Matrix::shape))?;
    let [p, columns] = rows.shape();
    let mut g = Matrix::new(context, "generators", [stacked, width])?;
    if g.blocks.is_empty() {
        return Ok(g);
    }
    let grid = Grid::new(width);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / width;
    // Within one block of A all classes of a block of weights may share a dispatch; otherwise each class has its own.
    let whole = rows.blocks.buffers.len() <= 1;
    let classes = if whole { weights.blocks.step } else { 1 };
    for class in parts(0..weights.blocks.rows, &[classes], usize::MAX) {
        let (weight, weights_row) = weights.blocks.locate(class.start)?;
        let neurons = if whole { usize::MAX } else { rows.blocks.step };
        for run in parts(0..class.len() * p, &[neurons], usize::MAX) {
            let start = class.start * p + run.start;
            for part in parts(start..start + run.len(), &[g.blocks.step], most) {
                let first = part.start - class.start * p;
                let block = if whole { 0 } else { run.start };
                let (out, out_row) = g.blocks.locate_mut(part.start)?;
                let a = if columns == 0 { None } else { Some(rows.blocks.locate(block)?.0) };
                let params = Params {
                    rows: word(part.len())?,
                    out_row,
                    first: word(first)?,
                    neurons: word(p)?,
                    columns: word(columns)?,
                    width: word(width)?,
                    weights_row,
                    rows_first: word(block)?,
                };
                let launch = context.launch(&kernel).params(&params).read(weight).read_or_empty(a);
                let launch = launch.read_or_empty(constants.and_then(Matrix::only)).write(out);
                launch.dispatch(grid.groups(part.len()))?;
            }
        }
    }
    Ok(g)
}
