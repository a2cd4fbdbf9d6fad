//! `phi(alpha A + beta B)`, entry by entry.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Activation, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "weighted_sum",
    entry: "weighted_sum",
    wgsl: concat!(include_str!("../../../shaders/weighted_sum.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first: u32,
    end: u32,
    both: u32,
    relu: u32,
    alpha: f32,
    beta: f32,
}

pub(super) fn weighted_sum(
    context: &Context,
    a: &Matrix,
    b: Option<&Matrix>,
    [alpha, beta]: [f32; 2],
    activation: Activation,
) -> Result<Matrix> {
    let [n, m] = check::weighted_sum(a.shape(), b.map(Matrix::shape), [alpha, beta])?;
    let mut y = Matrix::new(context, "weighted_sum", [n, m])?;
    if y.blocks.is_empty() {
        return Ok(y);
    }
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / 4;
    // Matrices of one shape have the same blocks.
    for block in parts(0..n, &[y.blocks.step], usize::MAX) {
        let (first, _) = a.blocks.locate(block.start)?;
        let second = b.map(|b| b.blocks.locate(block.start)).transpose()?.map(|(second, _)| second);
        let (out, _) = y.blocks.locate_mut(block.start)?;
        for part in parts(0..(block.len() * m).div_ceil(4), &[], most) {
            let params = Params {
                first: word(part.start)?,
                end: word(part.end)?,
                both: u32::from(second.is_some()),
                relu: u32::from(activation == Activation::Relu),
                alpha,
                beta,
            };
            let launch = context.launch(&kernel).params(&params).read(first).read_or_empty(second);
            launch.write(&mut *out).dispatch(lanes(part.len()))?;
        }
    }
    Ok(y)
}
