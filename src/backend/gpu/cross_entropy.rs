//! Cross-entropy of the softmax and its gradient.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Indices, Matrix, parts, word};
use crate::backend::{CrossEntropy, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "cross_entropy",
    entry: "cross_entropy",
    wgsl: concat!(include_str!("../../../shaders/cross_entropy.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    logit_row: u32,
    label_row: u32,
    loss_row: u32,
    classes: u32,
    share: f32,
}

#[expect(clippy::cast_precision_loss, reason = "batches have far fewer than 2^24 samples")]
pub(super) fn cross_entropy(context: &Context, logits: &Matrix, labels: &Indices) -> Result<CrossEntropy<Matrix>> {
    let [n, k] = check::cross_entropy(logits.shape(), labels.blocks.rows)?;
    let mut losses = Matrix::new(context, "cross_entropy", [n, 1])?;
    let mut gradient = Matrix::new(context, "cross_entropy", [n, k])?;
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / k;
    for part in parts(0..n, &[logits.blocks.step, labels.blocks.step, losses.blocks.step], most) {
        let (block, logit_row) = logits.blocks.locate(part.start)?;
        let (given, label_row) = labels.blocks.locate(part.start)?;
        let (loss, loss_row) = losses.blocks.locate_mut(part.start)?;
        // Logits and gradient have the same blocks.
        let (slopes, _) = gradient.blocks.locate_mut(part.start)?;
        let (rows, classes) = (word(part.len())?, word(k)?);
        let params = Params { rows, logit_row, label_row, loss_row, classes, share: 1.0 / n as f32 };
        let launch = context.launch(&kernel).params(&params).read(block).read_words(given);
        launch.write(loss).write(slopes).dispatch(lanes(part.len()))?;
    }
    Ok(CrossEntropy { losses, gradient })
}
