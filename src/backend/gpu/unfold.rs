//! Windows of images as rows.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Indices, Matrix, parts, word};
use crate::backend::{Window, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "unfold",
    entry: "unfold",
    wgsl: concat!(include_str!("../../../shaders/unfold.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    out_row: u32,
    first: u32,
    chosen: u32,
    chosen_row: u32,
    first_image: u32,
    images: u32,
    stride: u32,
    columns: u32,
    channels: u32,
    first_channel: u32,
    positions: u32,
    across: u32,
    geometry: Geometry,
}

/// A window as the shaders take it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Geometry {
    height: u32,
    width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    top: u32,
    left: u32,
    dilation_y: u32,
    dilation_x: u32,
}

impl Geometry {
    pub(super) fn new(window: &Window) -> Result<Self> {
        Ok(Self {
            height: word(window.image[1])?,
            width: word(window.image[2])?,
            kernel_height: word(window.kernel[0])?,
            kernel_width: word(window.kernel[1])?,
            stride_y: word(window.stride[0])?,
            stride_x: word(window.stride[1])?,
            top: word(window.padding[0])?,
            left: word(window.padding[1])?,
            dilation_y: word(window.dilation[0])?,
            dilation_x: word(window.dilation[1])?,
        })
    }
}

/// Which rows of an unfolding are wanted.
pub(super) enum Rows<'a> {
    /// All windows of a range of images.
    Images(Range<usize>),
    /// The windows of a list.
    Chosen(&'a Indices),
}

pub(super) fn unfold(
    context: &Context,
    images: &Matrix,
    window: &Window,
    positions: Option<&Indices>,
) -> Result<Matrix> {
    let [_, columns] = check::unfold(images.shape(), window, positions.map(|positions| positions.blocks.rows))?;
    let rows = positions.map_or_else(|| Rows::Images(0..images.blocks.rows), Rows::Chosen);
    patches(context, "unfold", images, window, 0..window.image[0], &rows, columns)
}

/// The windows of some channels as rows of `stride` words, padded with zeros.
pub(super) fn patches(
    context: &Context,
    operation: &'static str,
    images: &Matrix,
    window: &Window,
    channels: Range<usize>,
    rows: &Rows<'_>,
    stride: usize,
) -> Result<Matrix> {
    let [height, width] = window.positions()?;
    let (positions, columns) = (height * width, channels.len() * window.entries());
    let (first, count) = match rows {
        Rows::Images(range) => (range.start * positions, range.len() * positions),
        Rows::Chosen(chosen) => (0, chosen.blocks.rows),
    };
    let mut out = Matrix::new(context, operation, [count, stride])?;
    if out.blocks.is_empty() || images.blocks.is_empty() {
        return Ok(out);
    }
    let grid = Grid::new(stride);
    let kernel = context.kernel(&SOURCE, grid.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / stride;
    let chosen_step = if let Rows::Chosen(chosen) = rows { chosen.blocks.step } else { usize::MAX };
    let geometry = Geometry::new(window)?;
    for part in parts(0..count, &[out.blocks.step, chosen_step], most) {
        // The images from which the rows of this part may come.
        let range = match rows {
            Rows::Images(_) => {
                (first + part.start) / positions..(first + part.end).div_ceil(positions).min(images.blocks.rows)
            }
            Rows::Chosen(_) => 0..images.blocks.rows,
        };
        let (given, chosen_row) = match rows {
            Rows::Images(_) => (context.empty(), 0),
            Rows::Chosen(chosen) => chosen.blocks.locate(part.start)?,
        };
        for block in parts(range, &[images.blocks.step], usize::MAX) {
            let (values, offset) = images.blocks.locate(block.start)?;
            let first_image = block.start - offset as usize;
            let (buffer, out_row) = out.blocks.locate_mut(part.start)?;
            let params = Params {
                rows: word(part.len())?,
                out_row,
                first: word(first + part.start)?,
                chosen: u32::from(matches!(rows, Rows::Chosen(_))),
                chosen_row,
                first_image: word(first_image)?,
                images: word(images.blocks.step.min(images.blocks.rows - first_image))?,
                stride: word(stride)?,
                columns: word(columns)?,
                channels: word(window.image[0])?,
                first_channel: word(channels.start)?,
                positions: word(positions)?,
                across: word(width)?,
                geometry,
            };
            let launch = context.launch(&kernel).params(&params).read(values).read_words(given);
            launch.write(buffer).dispatch(grid.groups(part.len()))?;
        }
    }
    Ok(out)
}
