//! `dY phi'(X)`, entry by entry.

use super::context::Context;
use super::elementwise::Params;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Function, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "elementwise_gradient",
    entry: "elementwise_gradient",
    wgsl: concat!(
        include_str!("../../../shaders/elementwise_gradient.wgsl"),
        include_str!("../../../shaders/functions.wgsl"),
        include_str!("../../../shaders/grid.wgsl")
    ),
    trusted: false,
};

pub(super) fn elementwise_gradient(
    context: &Context,
    x: &Matrix,
    gradient: &Matrix,
    function: Function,
) -> Result<Matrix> {
    let [n, m] = check::elementwise_gradient(x.shape(), gradient.shape())?;
    let (function, [alpha, beta]) = function.checked()?.code();
    let mut out = Matrix::new(context, "elementwise_gradient", [n, m])?;
    if out.blocks.is_empty() {
        return Ok(out);
    }
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / 6;
    // Matrices of one shape have the same blocks.
    for block in parts(0..n, &[out.blocks.step], usize::MAX) {
        let ((from, _), (slopes, _)) = (x.blocks.locate(block.start)?, gradient.blocks.locate(block.start)?);
        let (to, _) = out.blocks.locate_mut(block.start)?;
        for part in parts(0..(block.len() * m).div_ceil(4), &[], most) {
            let params = Params { first: word(part.start)?, end: word(part.end)?, function, alpha, beta };
            let launch = context.launch(&kernel).params(&params).read(from).read(slopes);
            launch.write(&mut *to).dispatch(lanes(part.len()))?;
        }
    }
    Ok(out)
}
