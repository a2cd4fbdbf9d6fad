//! The entries of each window folded, channel by channel.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use super::unfold::Geometry;
use crate::backend::{Pooling, Window, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "pooling",
    entry: "pooling",
    wgsl: concat!(include_str!("../../../shaders/pooling.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    out_row: u32,
    image_row: u32,
    columns: u32,
    channels: u32,
    positions: u32,
    across: u32,
    fold: u32,
    geometry: Geometry,
}

pub(super) fn pooling(context: &Context, images: &Matrix, window: &Window, pooling: Pooling) -> Result<Matrix> {
    let ([n, columns], [height, width]) = check::pooling(images.shape(), window)?;
    let mut out = Matrix::new(context, "pooling", [n, columns])?;
    if out.blocks.is_empty() {
        return Ok(out);
    }
    let grid = Grid::new(columns);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns / window.entries();
    for part in parts(0..n, &[out.blocks.step, images.blocks.step], most) {
        let (values, image_row) = images.blocks.locate(part.start)?;
        let (buffer, out_row) = out.blocks.locate_mut(part.start)?;
        let params = Params {
            rows: word(part.len())?,
            out_row,
            image_row,
            columns: word(columns)?,
            channels: word(window.image[0])?,
            positions: word(height * width)?,
            across: word(width)?,
            fold: fold(pooling),
            geometry: Geometry::new(window)?,
        };
        context.launch(&kernel).params(&params).read(values).write(buffer).dispatch(grid.groups(part.len()))?;
    }
    Ok(out)
}

/// How kernels call it.
pub(super) fn fold(pooling: Pooling) -> u32 {
    match pooling {
        Pooling::Max => 0,
        Pooling::Average => 1,
        Pooling::AveragePadded => 2,
    }
}
