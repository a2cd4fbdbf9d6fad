//! `phi(X)`, entry by entry.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::Function;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "elementwise",
    entry: "elementwise",
    wgsl: concat!(
        include_str!("../../../shaders/elementwise.wgsl"),
        include_str!("../../../shaders/functions.wgsl"),
        include_str!("../../../shaders/grid.wgsl")
    ),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) function: u32,
    pub(super) alpha: f32,
    pub(super) beta: f32,
}

pub(super) fn elementwise(context: &Context, x: &Matrix, function: Function) -> Result<Matrix> {
    let (function, [alpha, beta]) = function.checked()?.code();
    let [n, m] = x.shape();
    let mut y = Matrix::new(context, "elementwise", [n, m])?;
    if y.blocks.is_empty() {
        return Ok(y);
    }
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / 4;
    // Matrices of one shape have the same blocks.
    for block in parts(0..n, &[y.blocks.step], usize::MAX) {
        let (from, _) = x.blocks.locate(block.start)?;
        let (out, _) = y.blocks.locate_mut(block.start)?;
        for part in parts(0..(block.len() * m).div_ceil(4), &[], most) {
            let params = Params { first: word(part.start)?, end: word(part.end)?, function, alpha, beta };
            let launch = context.launch(&kernel).params(&params).read(from);
            launch.write(&mut *out).dispatch(lanes(part.len()))?;
        }
    }
    Ok(y)
}
