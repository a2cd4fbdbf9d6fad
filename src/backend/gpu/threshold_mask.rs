//! Weights with everything below a cut-off set to zero.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Cutoff, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "threshold_mask",
    entry: "threshold_mask",
    wgsl: concat!(include_str!("../../../shaders/threshold_mask.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    first_row: u32,
    score_row: u32,
    columns: u32,
    score_columns: u32,
    linear: u32,
    score: u32,
    index: u32,
}

pub(super) fn threshold_mask(context: &Context, weights: &Matrix, scores: &Matrix, cutoff: Cutoff) -> Result<Matrix> {
    let [p, n] = check::threshold_mask(weights.shape(), scores.shape())?;
    let mut kept = Matrix::new(context, "threshold_mask", [p, n])?;
    if kept.blocks.is_empty() {
        return Ok(kept);
    }
    let grid = Grid::new(n);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / n;
    for part in parts(0..p, &[weights.blocks.step, scores.blocks.step], most) {
        let (weights, first_row) = weights.blocks.locate(part.start)?;
        let (score, score_row) = scores.blocks.locate(part.start)?;
        let params = Params {
            rows: word(part.len())?,
            first_row,
            score_row,
            columns: word(n)?,
            score_columns: word(scores.blocks.columns)?,
            linear: word(part.start * n)?,
            score: cutoff.score.to_bits(),
            index: cutoff.index,
        };
        let (out, _) = kept.blocks.locate_mut(part.start)?;
        let launch = context.launch(&kernel).params(&params).read_words(weights).read_words(score);
        launch.write_words(out).dispatch(grid.groups(part.len()))?;
    }
    Ok(kept)
}
