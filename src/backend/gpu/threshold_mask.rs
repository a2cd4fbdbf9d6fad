//! Weights with everything below a cut-off set to zero.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Cutoff, check};
use crate::error::Result;

const WGSL: &str =
    concat!(include_str!("../../../shaders/threshold_mask.wgsl"), include_str!("../../../shaders/grid.wgsl"));
pub(super) const ROWS: Source =
    Source { stem: "threshold_mask", entry: "threshold_mask_rows", wgsl: WGSL, trusted: false };
pub(super) const ELEMENTS: Source =
    Source { stem: "threshold_mask", entry: "threshold_mask_elements", wgsl: WGSL, trusted: false };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    first_row: u32,
    score_row: u32,
    columns: u32,
    linear: u32,
    score: u32,
    index: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Elements {
    first: u32,
    end: u32,
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
    // One column of scores may stand for elements, too: where there is one column of weights.
    if scores.blocks.columns == n {
        mask_elements(context, weights, scores, cutoff, &mut kept)?;
    } else {
        mask_rows(context, weights, scores, cutoff, &mut kept)?;
    }
    Ok(kept)
}

/// Weights, scores and result have the same blocks.
fn mask_elements(
    context: &Context,
    weights: &Matrix,
    scores: &Matrix,
    cutoff: Cutoff,
    kept: &mut Matrix,
) -> Result<()> {
    let [p, n] = weights.shape();
    let kernel = context.kernel(&ELEMENTS, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / 4;
    for block in parts(0..p, &[weights.blocks.step], usize::MAX) {
        let (weight, _) = weights.blocks.locate(block.start)?;
        let (score, _) = scores.blocks.locate(block.start)?;
        for part in parts(0..(block.len() * n).div_ceil(4), &[], most) {
            let params = Elements {
                first: word(part.start)?,
                end: word(part.end)?,
                linear: word(block.start * n)?,
                score: cutoff.score.to_bits(),
                index: cutoff.index,
            };
            let (out, _) = kept.blocks.locate_mut(block.start)?;
            let launch = context.launch(&kernel).params(&params).read_words(weight).read_words(score);
            launch.write_words(out).dispatch(lanes(part.len()))?;
        }
    }
    Ok(())
}

fn mask_rows(context: &Context, weights: &Matrix, scores: &Matrix, cutoff: Cutoff, kept: &mut Matrix) -> Result<()> {
    let [p, n] = weights.shape();
    let grid = Grid::new(n);
    let kernel = context.kernel(&ROWS, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / n;
    for part in parts(0..p, &[weights.blocks.step, scores.blocks.step], most) {
        let (weights, first_row) = weights.blocks.locate(part.start)?;
        let (score, score_row) = scores.blocks.locate(part.start)?;
        let params = Params {
            rows: word(part.len())?,
            first_row,
            score_row,
            columns: word(n)?,
            linear: word(part.start * n)?,
            score: cutoff.score.to_bits(),
            index: cutoff.index,
        };
        let (out, _) = kept.blocks.locate_mut(part.start)?;
        let launch = context.launch(&kernel).params(&params).read_words(weights).read_words(score);
        launch.write_words(out).dispatch(grid.groups(part.len()))?;
    }
    Ok(())
}
