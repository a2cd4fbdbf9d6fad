//! Scores of the first pass over problem (2): norms of the generators and row scores.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{COLUMNS, Grid, columns};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{RowScores, check};
use crate::error::Result;

const WGSL: &str = concat!(
    include_str!("../../../shaders/row_scores.wgsl"),
    include_str!("../../../shaders/columns.wgsl"),
    include_str!("../../../shaders/grid.wgsl")
);
pub(super) const NORMS: Source = Source { stem: "row_scores", entry: "row_norms", wgsl: WGSL, trusted: false };
pub(super) const SCORES: Source = Source { stem: "row_scores", entry: "row_scores", wgsl: WGSL, trusted: false };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct NormParams {
    rows: u32,
    first_row: u32,
    neuron: u32,
    columns: u32,
    constants: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ScoreParams {
    rows: u32,
    neurons: u32,
    first: u32,
    end: u32,
    sums_row: u32,
    resume: u32,
    finish: u32,
}

pub(super) fn row_scores(
    context: &Context,
    rows: &Matrix,
    constants: Option<&Matrix>,
    coefficients: &Matrix,
) -> Result<RowScores<Matrix>> {
    let p = check::row_scores(rows.shape(), constants.map(Matrix::shape), coefficients.shape())?;
    let mut norms = Matrix::new(context, "row_scores", [1, p])?;
    let mut scores = Matrix::new(context, "row_scores", [1, p])?;
    if p > 0 {
        fill_norms(context, rows, constants, &mut norms)?;
        fill_scores(context, coefficients, &norms, &mut scores)?;
    }
    Ok(RowScores { norms, rows: scores })
}

fn fill_norms(context: &Context, rows: &Matrix, constants: Option<&Matrix>, norms: &mut Matrix) -> Result<()> {
    let [p, columns] = rows.shape();
    let grid = Grid::reducing(columns);
    let kernel = context.kernel(&NORMS, grid.reduction(context.subgroups))?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns.max(1);
    for part in parts(0..p, &[rows.blocks.step], most) {
        let (block, first_row) = if columns == 0 { (context.empty(), 0) } else { rows.blocks.locate(part.start)? };
        let params = NormParams {
            rows: word(part.len())?,
            first_row,
            neuron: word(part.start)?,
            columns: word(columns)?,
            constants: u32::from(constants.is_some()),
        };
        let (out, _) = norms.blocks.locate_mut(0)?;
        let launch = context.launch(&kernel).params(&params).read(block);
        let launch = launch.read_or_empty(constants.and_then(Matrix::only)).write(out);
        launch.dispatch(grid.reductions(part.len()))?;
    }
    Ok(())
}

fn fill_scores(context: &Context, coefficients: &Matrix, norms: &Matrix, scores: &mut Matrix) -> Result<()> {
    let [k, p] = coefficients.shape();
    let kernel = context.kernel(&SCORES, Grid::new(64).reduction(context.subgroups))?;
    // Two partial sums for each neuron.
    let mut sums = Matrix::new(context, "row_scores", [p, 2])?;
    let step = sums.blocks.step;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / coefficients.blocks.step.max(1);
    let mut blocks = parts(0..k, &[coefficients.blocks.step], usize::MAX);
    if blocks.is_empty() {
        // An empty sum is still to be written.
        blocks.push(0..0);
    }
    for classes in blocks {
        for part in parts(0..p, &[step], most.max(COLUMNS)) {
            let block = coefficients.blocks.buffers.get(classes.start / coefficients.blocks.step);
            let (sums, sums_row) = sums.blocks.locate_mut(part.start)?;
            let params = ScoreParams {
                rows: word(classes.len())?,
                neurons: word(p)?,
                first: word(part.start)?,
                end: word(part.end)?,
                sums_row,
                resume: u32::from(classes.start > 0),
                finish: u32::from(classes.end == k),
            };
            let (out, _) = scores.blocks.locate_mut(0)?;
            let launch = context.launch(&kernel).params(&params).read_or_empty(block);
            launch.read_or_empty(norms.only()).write(sums).write(out).dispatch(columns(part.len()))?;
        }
    }
    Ok(())
}
