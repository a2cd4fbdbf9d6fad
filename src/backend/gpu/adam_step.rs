//! One step of Adam, entry by entry.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Adam, AdamState, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "adam_step",
    entry: "adam_step",
    wgsl: concat!(include_str!("../../../shaders/adam_step.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first: u32,
    end: u32,
    rate: f32,
    mean_decay: f32,
    square_decay: f32,
    mean_correction: f32,
    square_correction: f32,
    epsilon: f32,
}

#[expect(clippy::cast_possible_truncation, reason = "corrections are computed in f64 and used in f32")]
pub(super) fn adam_step(
    context: &Context,
    weights: &Matrix,
    gradient: &Matrix,
    [mean, square]: [&Matrix; 2],
    adam: Adam,
) -> Result<AdamState<Matrix>> {
    let [n, m] = check::adam_step(weights.shape(), gradient.shape(), [mean.shape(), square.shape()], adam)?;
    let new = || Matrix::new(context, "adam_step", [n, m]);
    let mut state = AdamState { weights: new()?, mean: new()?, square: new()? };
    if state.weights.blocks.is_empty() {
        return Ok(state);
    }
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / 16;
    let [mean_correction, square_correction] = adam.corrections().map(|correction| correction as f32);
    // Matrices of one shape have the same blocks.
    for block in parts(0..n, &[weights.blocks.step], usize::MAX) {
        let at = block.start;
        let (w, g) = (weights.blocks.locate(at)?.0, gradient.blocks.locate(at)?.0);
        let (m_old, v_old) = (mean.blocks.locate(at)?.0, square.blocks.locate(at)?.0);
        for part in parts(0..(block.len() * m).div_ceil(4), &[], most) {
            let params = Params {
                first: word(part.start)?,
                end: word(part.end)?,
                rate: adam.rate,
                mean_decay: adam.decays[0],
                square_decay: adam.decays[1],
                mean_correction,
                square_correction,
                epsilon: adam.epsilon,
            };
            let launch = context.launch(&kernel).params(&params).read(w).read(g).read(m_old).read(v_old);
            let launch = launch.write(state.weights.blocks.locate_mut(at)?.0);
            let launch = launch.write(state.mean.blocks.locate_mut(at)?.0);
            launch.write(state.square.blocks.locate_mut(at)?.0).dispatch(lanes(part.len()))?;
        }
    }
    Ok(state)
}
