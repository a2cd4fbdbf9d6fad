//! Products of the matrices that lie behind each other in two operands.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::check;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "batched_matmul",
    entry: "batched_matmul",
    wgsl: concat!(include_str!("../../../shaders/batched_matmul.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

/// For adapters in software.
pub(super) const DIRECT: Source = Source { entry: "batched_matmul_direct", ..SOURCE };

/// Rows and columns of the tile of a workgroup.
const TILE: usize = 32;

/// Rows that a lane owns without one.
const ROWS: usize = 8;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    a_row: u32,
    b_row: u32,
    c_row: u32,
    m: u32,
    k: u32,
    l: u32,
    count: u32,
}

pub(super) fn batched_matmul(context: &Context, a: &Matrix, b: &Matrix, groups: usize) -> Result<Matrix> {
    let [m, k, l] = check::batched_matmul(a.shape(), b.shape(), groups)?;
    if m * l == 0 || k == 0 {
        return Matrix::zeros(context, "batched_matmul", [groups * m, l]);
    }
    // A product lies within one block of each operand.
    let (a, b) = (a.in_blocks_of(context, m)?, b.in_blocks_of(context, k)?);
    let mut c = Matrix::with_multiple(context, "batched_matmul", [groups * m, l], m)?;
    let source = if context.software { &DIRECT } else { &SOURCE };
    let kernel = context.kernel(source, Grid::new(64).constants())?;
    let most = usize::try_from(context.work).unwrap_or(usize::MAX) / (m * k * l).max(1);
    let tiles = m.div_ceil(TILE) * l.div_ceil(TILE);
    for part in parts(0..groups, &[a.blocks.step / m, b.blocks.step / k, c.blocks.step / m], most) {
        let (first, a_row) = a.blocks.locate(part.start * m)?;
        let (second, b_row) = b.blocks.locate(part.start * k)?;
        let (out, c_row) = c.blocks.locate_mut(part.start * m)?;
        let (count, workgroups) = if context.software {
            (part.len(), lanes(part.len() * m.div_ceil(ROWS) * l))
        } else {
            (part.len() * tiles, (part.len() * tiles) as u64)
        };
        let params = Params { a_row, b_row, c_row, m: word(m)?, k: word(k)?, l: word(l)?, count: word(count)? };
        let launch = context.launch(&kernel).params(&params).read(first).read(second);
        launch.write(out).dispatch(workgroups)?;
    }
    Ok(c)
}
