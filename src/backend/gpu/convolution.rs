//! One convolutional layer: windows of a few images at a time, unfolded, against all kernels.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use super::unfold::{Geometry, Rows, patches};
use crate::backend::{Activation, Transpose, Window, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "convolution",
    entry: "convolution",
    wgsl: concat!(include_str!("../../../shaders/convolution.wgsl"), include_str!("../../../shaders/contraction.wgsl")),
    trusted: true,
};

pub(super) const GROUPED: Source = Source {
    stem: "convolution_grouped",
    entry: "convolution_grouped",
    wgsl: concat!(
        include_str!("../../../shaders/convolution_grouped.wgsl"),
        include_str!("../../../shaders/grid.wgsl")
    ),
    trusted: false,
};

/// Bytes of unfolded windows at a time: enough to keep the adapter busy, a fraction of what activations take.
const UNFOLDED: usize = 64 << 20;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    window: u32,
    column: u32,
    channels: u32,
    positions: u32,
    resume: u32,
    bias: u32,
    relu: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Grouped {
    rows: u32,
    out_row: u32,
    image_row: u32,
    row: u32,
    row_end: u32,
    columns: u32,
    inputs: u32,
    outputs: u32,
    channels: u32,
    positions: u32,
    across: u32,
    bias: u32,
    relu: u32,
    geometry: Geometry,
}

pub(super) fn convolution(
    context: &Context,
    images: &Matrix,
    weights: &Matrix,
    bias: Option<&Matrix>,
    window: &Window,
    groups: usize,
    activation: Activation,
) -> Result<Matrix> {
    let (shape, [height, width]) =
        check::convolution(images.shape(), weights.shape(), bias.map(Matrix::shape), window, groups)?;
    let mut z = Matrix::new(context, "convolution", shape)?;
    if z.blocks.is_empty() {
        return Ok(z);
    }
    if groups > 1 {
        grouped(context, images, weights, bias, window, groups, activation, &mut z)?;
        return Ok(z);
    }
    let positions = height * width;
    // A length that no variant of the contraction has to pad.
    let inner = weights.blocks.columns.next_multiple_of(16).max(16);
    let most = (UNFOLDED / (positions * inner * 4)).max(1);
    for part in parts(0..shape[0], &[z.blocks.step], most) {
        let rows = Rows::Images(part.clone());
        let x = patches(context, "convolution", images, window, 0..window.image[0], &rows, inner)?;
        let contraction = Contraction {
            operation: "convolution",
            x: (&x, Transpose::No),
            y: (weights, Transpose::No),
            fold: Fold::Store,
            step: usize::MAX,
        };
        contraction.run(context, |tile, step| {
            let (out, image) = z.blocks.locate_mut(part.start)?;
            let params = Params {
                shape: step.shape,
                window: word(image as usize * positions + step.rows.start)?,
                column: word(step.first_column)?,
                channels: word(weights.blocks.rows)?,
                positions: word(positions)?,
                resume: u32::from(!step.begins),
                bias: u32::from(step.begins && bias.is_some()),
                relu: u32::from(step.ends && activation == Activation::Relu),
            };
            let kernel = context.kernel(&SOURCE, tile.constants())?;
            let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
            launch.read_or_empty(bias.and_then(Matrix::only)).write(out).dispatch(step.groups)
        })?;
    }
    Ok(z)
}

#[expect(clippy::too_many_arguments, reason = "the operands of the operation")]
fn grouped(
    context: &Context,
    images: &Matrix,
    weights: &Matrix,
    bias: Option<&Matrix>,
    window: &Window,
    groups: usize,
    activation: Activation,
    z: &mut Matrix,
) -> Result<()> {
    let [height, width] = window.positions()?;
    let [n, columns] = z.shape();
    let grid = Grid::new(columns);
    let kernel = context.kernel(&GROUPED, grid.constants())?;
    let inner = weights.blocks.columns.max(1);
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns / inner;
    for part in parts(0..n, &[z.blocks.step, images.blocks.step], most) {
        let (values, image_row) =
            if images.blocks.is_empty() { (context.empty(), 0) } else { images.blocks.locate(part.start)? };
        for rows in parts(0..weights.blocks.rows, &[weights.blocks.step], usize::MAX) {
            let kernels = if weights.blocks.is_empty() { None } else { Some(weights.blocks.locate(rows.start)?.0) };
            let (out, out_row) = z.blocks.locate_mut(part.start)?;
            let params = Grouped {
                rows: word(part.len())?,
                out_row,
                image_row,
                row: word(rows.start)?,
                row_end: word(rows.end)?,
                columns: word(columns)?,
                inputs: word(window.image[0] / groups)?,
                outputs: word(weights.blocks.rows / groups)?,
                channels: word(window.image[0])?,
                positions: word(height * width)?,
                across: word(width)?,
                bias: u32::from(bias.is_some()),
                relu: u32::from(activation == Activation::Relu),
                geometry: Geometry::new(window)?,
            };
            let launch = context.launch(&kernel).params(&params).read(values).read_or_empty(kernels);
            launch.read_or_empty(bias.and_then(Matrix::only)).write(out).dispatch(grid.groups(part.len()))?;
        }
    }
    Ok(())
}
