//! Alternating minimisation of problem (2): sums over the targets, all half-steps from them, then the elements.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{COLUMNS, Grid, columns, lanes};
use super::kernel::{Kernel, Source};
use super::matrix::{Matrix, parts, word};
use crate::backend::{HalfStep, RowUpdate, check};
use crate::error::Result;

const WGSL: &str = concat!(
    include_str!("../../../shaders/row_update.wgsl"),
    include_str!("../../../shaders/columns.wgsl"),
    include_str!("../../../shaders/grid.wgsl")
);
pub(super) const SUMS: Source = Source { stem: "row_update", entry: "target_sums", wgsl: WGSL, trusted: false };
const ALTERNATE: Source = Source { entry: "alternate", ..SUMS };
const ELEMENTS: Source = Source { entry: "elements", ..SUMS };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct SumParams {
    rows: u32,
    neurons: u32,
    first: u32,
    end: u32,
    sums_row: u32,
    resume: u32,
    lambda: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Alternation {
    first: u32,
    end: u32,
    neurons: u32,
    sums_row: u32,
    half_steps: u32,
    rows_first: u32,
    lambda: f32,
    first_step: u32,
    end_step: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ElementParams {
    first: u32,
    end: u32,
    neurons: u32,
}

pub(super) fn row_update(
    context: &Context,
    norms: &Matrix,
    targets: &Matrix,
    lambda: f32,
    first: HalfStep,
    half_steps: usize,
) -> Result<RowUpdate<Matrix>> {
    let [k, p] = check::row_update(norms.shape(), targets.shape(), lambda)?;
    let vector = || Matrix::new(context, "row_update", [1, p]);
    let (mut scale, mut cuts, mut divisors) = (vector()?, vector()?, vector()?);
    let mut elements = Matrix::new(context, "row_update", [k, p])?;
    let mut objective = Matrix::new(context, "row_update", [half_steps + 1, p])?;
    if p == 0 {
        return Ok(RowUpdate { scale, elements, objective });
    }
    let sums = target_sums(context, norms, targets, lambda)?;
    let kernel = kernel(context, &ALTERNATE)?;
    // Each block of objectives goes through all half-steps again and keeps its own.
    for steps in parts(0..half_steps + 1, &[objective.blocks.step], usize::MAX) {
        for part in parts(0..p, &[sums.blocks.step], usize::MAX) {
            let (known, sums_row) = sums.blocks.locate(part.start)?;
            let params = Alternation {
                first: word(part.start)?,
                end: word(part.end)?,
                neurons: word(p)?,
                sums_row,
                half_steps: word(half_steps)?,
                rows_first: u32::from(first == HalfStep::Rows),
                lambda,
                first_step: word(steps.start)?,
                end_step: word(steps.end)?,
            };
            let launch = context.launch(&kernel).params(&params).read_or_empty(norms.only()).read(known);
            let launch = launch.write(scale.blocks.locate_mut(0)?.0).write(cuts.blocks.locate_mut(0)?.0);
            let launch = launch.write(divisors.blocks.locate_mut(0)?.0);
            launch.write(objective.blocks.locate_mut(steps.start)?.0).dispatch(lanes(part.len()))?;
        }
    }
    fill_elements(context, targets, [&cuts, &divisors], &mut elements)?;
    Ok(RowUpdate { scale, elements, objective })
}

/// The sums of `min(t, cut)`, of its square, of `max(0, t - cut)` and of its square, for each neuron.
fn target_sums(context: &Context, norms: &Matrix, targets: &Matrix, lambda: f32) -> Result<Matrix> {
    let [k, p] = targets.shape();
    let mut sums = Matrix::new(context, "row_update", [p, 4])?;
    let kernel = kernel(context, &SUMS)?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / targets.blocks.step;
    let mut blocks = parts(0..k, &[targets.blocks.step], usize::MAX);
    if blocks.is_empty() {
        // An empty sum is still to be written.
        blocks.push(0..0);
    }
    let step = sums.blocks.step;
    for classes in blocks {
        for part in parts(0..p, &[step], most.max(COLUMNS)) {
            let block = targets.blocks.buffers.get(classes.start / targets.blocks.step);
            let (out, sums_row) = sums.blocks.locate_mut(part.start)?;
            let params = SumParams {
                rows: word(classes.len())?,
                neurons: word(p)?,
                first: word(part.start)?,
                end: word(part.end)?,
                sums_row,
                resume: u32::from(classes.start > 0),
                lambda,
            };
            let launch = context.launch(&kernel).params(&params).read_or_empty(norms.only()).read_or_empty(block);
            launch.write(out).dispatch(columns(part.len()))?;
        }
    }
    Ok(sums)
}

/// `max(0, t - cut) / divisor`, block by block.
fn fill_elements(
    context: &Context,
    targets: &Matrix,
    [cuts, divisors]: [&Matrix; 2],
    elements: &mut Matrix,
) -> Result<()> {
    let [k, p] = elements.shape();
    let kernel = kernel(context, &ELEMENTS)?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / 4;
    for classes in parts(0..k, &[elements.blocks.step], usize::MAX) {
        let (block, _) = targets.blocks.locate(classes.start)?;
        let (out, _) = elements.blocks.locate_mut(classes.start)?;
        for part in parts(0..(classes.len() * p).div_ceil(4), &[], most) {
            let params = ElementParams { first: word(part.start)?, end: word(part.end)?, neurons: word(p)? };
            let launch = context.launch(&kernel).params(&params).read(block);
            let launch = launch.read_or_empty(cuts.only()).read_or_empty(divisors.only());
            launch.write(out).dispatch(lanes(part.len()))?;
        }
    }
    Ok(())
}

fn kernel(context: &Context, source: &Source) -> Result<Arc<Kernel>> {
    context.kernel(source, Grid::new(64).reduction(context.subgroups))
}
