//! Mean and covariance of `max(z, 0)` for normal `z`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{ReluMoments, check};
use crate::error::Result;

const WGSL: &str =
    concat!(include_str!("../../../shaders/relu_covariance.wgsl"), include_str!("../../../shaders/grid.wgsl"));
pub(super) const MEANS: Source = Source { stem: "relu_covariance", entry: "relu_mean", wgsl: WGSL, trusted: false };
pub(super) const COVARIANCES: Source =
    Source { stem: "relu_covariance", entry: "relu_covariance", wgsl: WGSL, trusted: false };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct MeanParams {
    rows: u32,
    first_row: u32,
    neuron: u32,
    neurons: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct CovarianceParams {
    rows: u32,
    in_row: u32,
    out_row: u32,
    neuron: u32,
    neurons: u32,
}

/// Operations for one entry: 16 nodes of about 60 each, where a dispatch is cut by the entries that it reads.
const WORK: usize = 64;

pub(super) fn relu_covariance(context: &Context, mean: &Matrix, covariance: &Matrix) -> Result<ReluMoments<Matrix>> {
    let n = check::relu_covariance(mean.shape(), covariance.shape())?;
    let vector = || Matrix::new(context, "relu_covariance", [1, n]);
    let (mut deviations, mut heights, mut means) = (vector()?, vector()?, vector()?);
    let mut out = Matrix::new(context, "relu_covariance", [n, n])?;
    if n == 0 {
        return Ok(ReluMoments { mean: means, covariance: out });
    }
    let kernel = context.kernel(&MEANS, Grid::new(64).constants())?;
    for part in parts(0..n, &[covariance.blocks.step], usize::MAX) {
        let (block, first_row) = covariance.blocks.locate(part.start)?;
        let (neuron, neurons) = (word(part.start)?, word(n)?);
        let params = MeanParams { rows: word(part.len())?, first_row, neuron, neurons };
        let launch = context.launch(&kernel).params(&params).read_or_empty(mean.only()).read(block);
        let launch = launch.write(deviations.blocks.locate_mut(0)?.0).write(heights.blocks.locate_mut(0)?.0);
        launch.write(means.blocks.locate_mut(0)?.0).dispatch(lanes(part.len()))?;
    }
    let grid = Grid::new(n);
    let kernel = context.kernel(&COVARIANCES, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / (n * WORK);
    for part in parts(0..n, &[covariance.blocks.step, out.blocks.step], most) {
        let (block, in_row) = covariance.blocks.locate(part.start)?;
        let (result, out_row) = out.blocks.locate_mut(part.start)?;
        let params =
            CovarianceParams { rows: word(part.len())?, in_row, out_row, neuron: word(part.start)?, neurons: word(n)? };
        let launch = context.launch(&kernel).params(&params).read(block);
        let launch = launch.read(deviations.blocks.locate(0)?.0).read(heights.blocks.locate(0)?.0);
        launch.write(result).dispatch(grid.groups(part.len()))?;
    }
    Ok(ReluMoments { mean: means, covariance: out })
}
