//! Class and rank of the label for each row of logits.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Indices, Matrix, parts, word};
use crate::backend::{Classified, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "classify",
    entry: "classify",
    wgsl: concat!(include_str!("../../../shaders/classify.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    logit_row: u32,
    first_row: u32,
    classes: u32,
    labels: u32,
}

pub(super) fn classify(context: &Context, logits: &Matrix, labels: Option<&Indices>) -> Result<Classified<Indices>> {
    let n = check::classify(logits.shape(), labels.map(|labels| labels.blocks.rows))?;
    let k = logits.blocks.columns;
    let mut class = Indices::new(context, "classify", n)?;
    let mut rank = Indices::new(context, "classify", n)?;
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / k;
    for part in parts(0..n, &[logits.blocks.step, class.blocks.step], most) {
        let (block, logit_row) = logits.blocks.locate(part.start)?;
        let (classes, first_row) = class.blocks.locate_mut(part.start)?;
        let params = Params {
            rows: word(part.len())?,
            logit_row,
            first_row,
            classes: word(k)?,
            labels: u32::from(labels.is_some()),
        };
        let given = labels.map(|labels| labels.blocks.locate(part.start)).transpose()?;
        let (ranks, _) = rank.blocks.locate_mut(part.start)?;
        let launch = context.launch(&kernel).params(&params).read(block);
        let launch = launch.read_words(given.map_or(context.empty(), |(block, _)| block));
        launch.write_words(classes).write_words(ranks).dispatch(lanes(part.len()))?;
    }
    Ok(Classified { class, rank })
}
