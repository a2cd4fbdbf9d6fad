//! One step of squared path norms through a layer.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{COLUMNS, Grid, columns};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Transpose, check};
use crate::error::Result;

const WGSL: &str = concat!(
    include_str!("../../../shaders/path_norms.wgsl"),
    include_str!("../../../shaders/columns.wgsl"),
    include_str!("../../../shaders/grid.wgsl")
);
pub(super) const FORWARD: Source =
    Source { stem: "path_norms", entry: "path_norms_forward", wgsl: WGSL, trusted: false };
pub(super) const BACKWARD: Source =
    Source { stem: "path_norms", entry: "path_norms_backward", wgsl: WGSL, trusted: false };

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
struct Params {
    rows: u32,
    first_row: u32,
    row: u32,
    columns: u32,
    bias: u32,
    first: u32,
    end: u32,
    resume: u32,
}

pub(super) fn path_norms(
    context: &Context,
    weights: &Matrix,
    squares: &Matrix,
    bias: Option<&Matrix>,
    direction: Transpose,
) -> Result<Matrix> {
    let length = check::path_norms(weights.shape(), squares.shape(), bias.map(Matrix::shape), direction)?;
    let mut out = Matrix::new(context, "path_norms", [1, length])?;
    if length > 0 {
        match direction {
            Transpose::No => forward(context, weights, squares, bias, &mut out)?,
            Transpose::Yes => backward(context, weights, squares, &mut out)?,
        }
    }
    Ok(out)
}

fn forward(
    context: &Context,
    weights: &Matrix,
    squares: &Matrix,
    bias: Option<&Matrix>,
    out: &mut Matrix,
) -> Result<()> {
    let [p, columns] = weights.shape();
    let grid = Grid::reducing(columns);
    let kernel = context.kernel(&FORWARD, grid.reduction(context.subgroups))?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns.max(1);
    for part in parts(0..p, &[weights.blocks.step], most) {
        let (block, first_row) = if columns == 0 { (context.empty(), 0) } else { weights.blocks.locate(part.start)? };
        let params = Params {
            rows: word(part.len())?,
            first_row,
            row: word(part.start)?,
            columns: word(columns)?,
            bias: u32::from(bias.is_some()),
            ..Params::default()
        };
        let launch = context.launch(&kernel).params(&params).read(block).read_or_empty(squares.only());
        let launch = launch.read_or_empty(bias.and_then(Matrix::only)).write(out.blocks.locate_mut(0)?.0);
        launch.dispatch(grid.reductions(part.len()))?;
    }
    Ok(())
}

fn backward(context: &Context, weights: &Matrix, squares: &Matrix, out: &mut Matrix) -> Result<()> {
    let [p, length] = weights.shape();
    let kernel = context.kernel(&BACKWARD, Grid::new(64).reduction(context.subgroups))?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / weights.blocks.step;
    let mut blocks = parts(0..p, &[weights.blocks.step], usize::MAX);
    if blocks.is_empty() {
        // An empty sum is still to be written.
        blocks.push(0..0);
    }
    for rows in blocks {
        for part in parts(0..length, &[], most.max(COLUMNS)) {
            let params = Params {
                rows: word(rows.len())?,
                row: word(rows.start)?,
                columns: word(length)?,
                first: word(part.start)?,
                end: word(part.end)?,
                resume: u32::from(rows.start > 0),
                ..Params::default()
            };
            let block = weights.blocks.buffers.get(rows.start / weights.blocks.step);
            let launch = context.launch(&kernel).params(&params).read_or_empty(block).read_or_empty(squares.only());
            launch.write(out.blocks.locate_mut(0)?.0).dispatch(columns(part.len()))?;
        }
    }
    Ok(())
}
