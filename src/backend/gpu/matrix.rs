//! Matrices and lists of indices: row blocks, each within the adapter's limits.

use std::ops::Range;
use std::sync::OnceLock;

use super::context::Context;
use super::contraction::Panels;
use super::pool::Buffer;
use crate::backend::check;
use crate::error::{Error, Result};

/// Rows of 4-byte words, cut into blocks that each fit into one binding.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Rows of every block but the last, at least 1.
    pub(super) step: usize,
    pub(super) buffers: Vec<Buffer>,
}

/// A matrix on the device.
#[derive(Debug)]
pub struct Matrix {
    pub(super) blocks: Blocks,
    /// The matrix packed for the right side of a contraction, made when it is first needed.
    pub(super) panels: OnceLock<Panels>,
}

/// A list of indices on the device.
#[derive(Debug)]
pub struct Indices {
    pub(super) blocks: Blocks,
}

impl Blocks {
    /// Blocks of rows, whose number is a multiple of `multiple` in all but the last.
    fn new(context: &Context, operation: &'static str, [rows, columns]: [usize; 2], multiple: usize) -> Result<Self> {
        let row = columns as u64 * 4;
        let least = row.saturating_mul(multiple as u64);
        if least > context.max_binding {
            return Err(Error::TooLarge { operation, bytes: least, limit: context.max_binding });
        }
        // An empty row takes no room: all of them fit into one block.
        let fitting = context.max_binding.checked_div(least).unwrap_or(u64::MAX);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX).saturating_mul(multiple);
        let step = fitting.min(rows.next_multiple_of(multiple)).max(multiple);
        let count = if columns == 0 { 0 } else { rows.div_ceil(step) };
        let buffers = (0..count).map(|at| context.storage(operation, (rows - at * step).min(step) as u64 * row));
        Ok(Self { rows, columns, step, buffers: buffers.collect::<Result<_>>()? })
    }

    /// The block that holds a row, and the place of the row in it.
    pub(super) fn locate(&self, row: usize) -> Result<(&Buffer, u32)> {
        let missing = || Error::Internal { what: format!("no block for row {row} of {}", self.rows) };
        Ok((self.buffers.get(row / self.step).ok_or_else(missing)?, word(row % self.step)?))
    }

    /// The block that holds a row, to be written, and the place of the row in it.
    pub(super) fn locate_mut(&mut self, row: usize) -> Result<(&mut Buffer, u32)> {
        let missing = || Error::Internal { what: format!("no block for row {row} of {}", self.rows) };
        Ok((self.buffers.get_mut(row / self.step).ok_or_else(missing)?, word(row % self.step)?))
    }

    /// Whether there is nothing to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }
}

impl Matrix {
    /// A matrix whose contents the next dispatches write.
    pub(super) fn new(context: &Context, operation: &'static str, shape: [usize; 2]) -> Result<Self> {
        Self::with_multiple(context, operation, shape, 1)
    }

    /// A matrix of whose rows each block holds a multiple of `multiple`.
    pub(super) fn with_multiple(
        context: &Context,
        operation: &'static str,
        shape: [usize; 2],
        multiple: usize,
    ) -> Result<Self> {
        Ok(Self { blocks: Blocks::new(context, operation, shape, multiple)?, panels: OnceLock::new() })
    }

    /// A matrix of zeros.
    pub(super) fn zeros(context: &Context, operation: &'static str, shape: [usize; 2]) -> Result<Self> {
        let matrix = Self::new(context, operation, shape)?;
        for buffer in &matrix.blocks.buffers {
            copy(context, operation, |encoder| encoder.clear_buffer(buffer.raw(), 0, None))?;
        }
        Ok(matrix)
    }

    /// The same entries in rows of another length: the same buffers where rows end where blocks do.
    pub(super) fn reshaped(self, context: &Context, columns: usize) -> Result<Self> {
        let shape = check::reshape(self.shape(), columns)?;
        let whole = self.blocks.buffers.len() == 1;
        let entries = self.blocks.step * self.blocks.columns;
        if self.blocks.is_empty() || (!whole && !entries.is_multiple_of(columns)) {
            return self.copied(context, shape, 1);
        }
        let step = if whole { shape[0] } else { entries / columns };
        let blocks = Blocks { rows: shape[0], columns, step: step.max(1), buffers: self.blocks.buffers };
        Ok(Self { blocks, panels: OnceLock::new() })
    }

    /// The matrix with blocks that hold a multiple of `multiple` rows each: itself where it is one.
    pub(super) fn in_blocks_of(&self, context: &Context, multiple: usize) -> Result<Held<'_>> {
        if self.blocks.buffers.len() < 2 || self.blocks.step.is_multiple_of(multiple) {
            return Ok(Held::Whole(self));
        }
        self.copied(context, self.shape(), multiple).map(Held::Copy)
    }

    /// The entries in new blocks.
    fn copied(&self, context: &Context, shape: [usize; 2], multiple: usize) -> Result<Self> {
        let out = Self::with_multiple(context, "reshape", shape, multiple)?;
        let words = |blocks: &Blocks| blocks.step * blocks.columns;
        let all = if out.blocks.is_empty() { 0 } else { shape[0] * shape[1] };
        for part in parts(0..all, &[words(&self.blocks), words(&out.blocks)], usize::MAX) {
            let place = |blocks: &Blocks| (part.start / words(blocks), (part.start % words(blocks)) as u64 * 4);
            let ((from, first), (to, second)) = (place(&self.blocks), place(&out.blocks));
            let (Some(from), Some(to)) = (self.blocks.buffers.get(from), out.blocks.buffers.get(to)) else {
                return Err(Error::Internal { what: format!("no block for entry {} of {all}", part.start) });
            };
            copy(context, "reshape", |encoder| {
                encoder.copy_buffer_to_buffer(from.raw(), first, to.raw(), second, part.len() as u64 * 4);
            })?;
        }
        Ok(out)
    }

    pub(super) fn shape(&self) -> [usize; 2] {
        [self.blocks.rows, self.blocks.columns]
    }

    /// The only block of a vector, or nothing if it has no elements.
    pub(super) fn only(&self) -> Option<&Buffer> {
        self.blocks.buffers.first()
    }
}

impl Indices {
    /// A list whose contents the next dispatches write.
    pub(super) fn new(context: &Context, operation: &'static str, length: usize) -> Result<Self> {
        Self::table(context, operation, [length, 1])
    }

    /// A list made of rows, each of which lies within one block.
    pub(super) fn table(context: &Context, operation: &'static str, shape: [usize; 2]) -> Result<Self> {
        Ok(Self { blocks: Blocks::new(context, operation, shape, 1)? })
    }
}

/// Submits one command.
fn copy(context: &Context, operation: &'static str, encode: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<()> {
    let commands = context.scoped(operation, || {
        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encode(&mut encoder);
        encoder.finish()
    })?;
    context.submit(Some(commands)).map(drop)
}

/// A matrix that is there, or one that was made of it.
pub(super) enum Held<'a> {
    Whole(&'a Matrix),
    Copy(Matrix),
}

impl std::ops::Deref for Held<'_> {
    type Target = Matrix;

    fn deref(&self) -> &Matrix {
        match self {
            Self::Whole(matrix) => matrix,
            Self::Copy(matrix) => matrix,
        }
    }
}

/// Cuts rows wherever one of the operands starts a new block, and after `most` rows.
pub(super) fn parts(rows: Range<usize>, steps: &[usize], most: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = rows.start;
    while start < rows.end {
        let cut = steps.iter().map(|step| (start / step + 1).saturating_mul(*step)).min().unwrap_or(rows.end);
        let end = cut.min(rows.end).min(start.saturating_add(most.max(1)));
        found.push(start..end);
        start = end;
    }
    found
}

/// A count or an offset within a block, which the size of a binding keeps below 2^32.
pub(super) fn word(n: usize) -> Result<u32> {
    u32::try_from(n).map_err(|_| Error::Internal { what: format!("{n} does not fit into 32 bits") })
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_end_where_any_operand_starts_a_block() {
        assert_eq!(parts(0..10, &[4, 6], 100), [0..4, 4..6, 6..8, 8..10]);
        assert_eq!(parts(3..9, &[usize::MAX], 4), [3..7, 7..9]);
        assert!(parts(5..5, &[1], 1).is_empty());
    }
}
