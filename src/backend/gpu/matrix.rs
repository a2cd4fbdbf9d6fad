//! Matrices and lists of indices: row blocks, each within the adapter's limits.

use std::ops::Range;
use std::sync::OnceLock;

use super::context::Context;
use super::contraction::Panels;
use super::pool::Buffer;
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
    fn new(context: &Context, operation: &'static str, [rows, columns]: [usize; 2]) -> Result<Self> {
        let row = columns as u64 * 4;
        if row > context.max_binding {
            return Err(Error::TooLarge { operation, bytes: row, limit: context.max_binding });
        }
        // An empty row takes no room: all of them fit into one block.
        let fitting = context.max_binding.checked_div(row).unwrap_or(u64::MAX);
        let step = usize::try_from(fitting).unwrap_or(usize::MAX).min(rows).max(1);
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
        Ok(Self { blocks: Blocks::new(context, operation, shape)?, panels: OnceLock::new() })
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
        Ok(Self { blocks: Blocks::new(context, operation, shape)? })
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
