//! What pooling passes back, channel by channel.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use super::pooling;
use super::unfold::Geometry;
use crate::backend::{Pooling, Window, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "pooling_gradient",
    entry: "pooling_gradient",
    wgsl: concat!(include_str!("../../../shaders/pooling_gradient.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    image_row: u32,
    pooled_row: u32,
    gradient_row: u32,
    out_row: u32,
    columns: u32,
    down: u32,
    across: u32,
    fold: u32,
    channels: u32,
    geometry: Geometry,
}

pub(super) fn pooling_gradient(
    context: &Context,
    images: &Matrix,
    pooled: &Matrix,
    gradient: &Matrix,
    window: &Window,
    pooling: Pooling,
) -> Result<Matrix> {
    let [down, across] = check::pooling_gradient(images.shape(), pooled.shape(), gradient.shape(), window)?;
    let [n, columns] = images.shape();
    let mut out = Matrix::new(context, "pooling_gradient", [n, columns])?;
    if out.blocks.is_empty() {
        return Ok(out);
    }
    let grid = Grid::new(columns);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    // Where windows overlap, each pixel looks through several of them.
    let overlap = (0..2).map(|axis| window.kernel[axis].div_ceil(window.stride[axis])).product::<usize>();
    let looks = if pooling == Pooling::Max { window.entries() } else { 1 };
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns / (overlap * looks + window.entries());
    let steps = [images, pooled, gradient, &out].map(|matrix| matrix.blocks.step);
    for part in parts(0..n, &steps, most.max(1)) {
        let (values, image_row) = images.blocks.locate(part.start)?;
        let (maxima, pooled_row) = pooled.blocks.locate(part.start)?;
        let (slopes, gradient_row) = gradient.blocks.locate(part.start)?;
        let (buffer, out_row) = out.blocks.locate_mut(part.start)?;
        let params = Params {
            rows: word(part.len())?,
            image_row,
            pooled_row,
            gradient_row,
            out_row,
            columns: word(columns)?,
            down: word(down)?,
            across: word(across)?,
            fold: pooling::fold(pooling),
            channels: word(window.image[0])?,
            geometry: Geometry::new(window)?,
        };
        let launch = context.launch(&kernel).params(&params).read(values).read(maxima).read(slopes);
        launch.write(buffer).dispatch(grid.groups(part.len()))?;
    }
    Ok(out)
}
