//! Packing: rows into panels for the right side of a contraction, padded or transposed rows for the left side.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Blocks, Matrix, parts, word};
use super::pool::Buffer;
use crate::backend::Transpose;
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "pack",
    entry: "pack",
    wgsl: concat!(include_str!("../../../shaders/pack.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    first_row: u32,
    stride: u32,
    first: u32,
    length: u32,
    along_columns: u32,
    inner: u32,
    column: u32,
    step: u32,
}

/// A rectangle of `columns x inner` values in panels of `width` columns.
#[derive(Debug, Clone)]
pub(super) struct Rectangle {
    pub(super) columns: std::ops::Range<usize>,
    /// Starts at a multiple of 4 and may end beyond the matrix.
    pub(super) inner: std::ops::Range<usize>,
    pub(super) width: u32,
    /// Whether entries are stored in two bytes.
    pub(super) half: bool,
}

impl Rectangle {
    /// Bytes of the rectangle with its last panel padded.
    pub(super) fn bytes(&self) -> u64 {
        let columns = self.columns.len() as u64;
        columns.next_multiple_of(u64::from(self.width)) * self.inner.len() as u64 * if self.half { 2 } else { 4 }
    }
}

/// Fills `out` with a rectangle of `op(source)`, whose rows are the columns of the panels, and zeros around it.
pub(super) fn pack(
    context: &Context,
    source: &Blocks,
    transpose: Transpose,
    rectangle: &Rectangle,
    out: &mut Buffer,
) -> Result<()> {
    let turned = transpose == Transpose::Yes;
    let (columns, inner) = if turned { (source.columns, source.rows) } else { (source.rows, source.columns) };
    let column_end = rectangle.columns.end.min(columns);
    let inner_end = rectangle.inner.end.min(inner);
    let padded = !rectangle.columns.len().is_multiple_of(rectangle.width as usize)
        || column_end < rectangle.columns.end
        || inner_end < rectangle.inner.end;
    if padded {
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(out.raw(), 0, None);
        context.submit(Some(encoder.finish()))?;
    }
    if inner_end <= rectangle.inner.start || column_end <= rectangle.columns.start {
        return Ok(());
    }
    // Rows of the source, and the words to take from each of them.
    let across = rectangle.columns.start..column_end;
    let along = rectangle.inner.start..inner_end;
    let (rows, words) = if turned { (along, across) } else { (across, along) };
    let grid = Grid::new(words.len());
    let mut constants = grid.constants();
    constants.consts.push(("WIDTH", rectangle.width));
    constants.store_packed(rectangle.half);
    let kernel = context.kernel(&SOURCE, constants)?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / words.len();
    for part in parts(rows.clone(), &[source.step], most) {
        let (values, first_row) = source.locate(part.start)?;
        let offset = word(part.start - rows.start)?;
        let params = Params {
            rows: word(part.len())?,
            first_row,
            stride: word(source.columns)?,
            first: word(words.start)?,
            length: word(words.len())?,
            along_columns: u32::from(turned),
            inner: word(rectangle.inner.len())?,
            column: if turned { 0 } else { offset },
            step: if turned { offset } else { 0 },
        };
        context.launch(&kernel).params(&params).read(values).write(out).dispatch(grid.groups(part.len()))?;
    }
    Ok(())
}

/// Copies `op(source)` into row-major rows of `columns` entries, a multiple of 4, padded with zeros; in two bytes each where the
/// context asks for it, so that the words of the result hold two.
pub(super) fn rows(
    context: &Context,
    operation: &'static str,
    source: &Matrix,
    transpose: Transpose,
    columns: usize,
) -> Result<Matrix> {
    let [rows, _] = turned(source.shape(), transpose);
    let words = if context.half { columns / 2 } else { columns };
    let mut out = Matrix::new(context, operation, [rows, words])?;
    let step = out.blocks.step;
    for (at, buffer) in out.blocks.buffers.iter_mut().enumerate() {
        let rectangle = Rectangle {
            columns: at * step..((at + 1) * step).min(rows),
            inner: 0..columns,
            width: 1,
            half: context.half,
        };
        pack(context, &source.blocks, transpose, &rectangle, buffer)?;
    }
    Ok(out)
}

/// The shape of `op(matrix)`.
pub(super) fn turned([rows, columns]: [usize; 2], transpose: Transpose) -> [usize; 2] {
    if transpose == Transpose::Yes { [columns, rows] } else { [rows, columns] }
}
