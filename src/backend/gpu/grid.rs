//! The grid of row-by-row kernels, the host's side of `shaders/grid.wgsl`.

use super::kernel::Constants;

/// Lanes of a workgroup.
const GROUP: usize = 64;
/// Columns that the lanes of a row cover before another workgroup takes over.
const SEGMENT: usize = 2048;

/// How lanes share the rows of a matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    lanes: u32,
    columns: usize,
}

impl Grid {
    /// Few lanes for short rows, so that none idles, many for long rows, so that neighbours read neighbouring words.
    pub(super) fn new(columns: usize) -> Self {
        let lanes = match columns {
            0..=2 => 1,
            3..=8 => 4,
            9..=32 => 16,
            _ => 64,
        };
        Self { lanes, columns }
    }

    /// The lanes that fold a row with barriers between them: one, where an adapter in software would wait for the others.
    pub(super) fn folding(columns: usize, software: bool) -> Self {
        if software { Self { lanes: 1, columns } } else { Self::new(columns) }
    }

    /// The lanes that reduce a row of vectors, or of words where rows do not start at a vector.
    pub(super) fn reducing(columns: usize) -> Self {
        Self::new(if columns.is_multiple_of(4) { columns / 4 } else { columns })
    }

    /// The values that the kernel is compiled with.
    pub(super) fn constants(self) -> Constants {
        Constants { overrides: vec![("ROW_LANES", self.lanes)], ..Constants::default() }
    }

    /// The values that a kernel is compiled with whose lanes add up what they found.
    pub(super) fn reduction(self, subgroups: bool) -> Constants {
        let mut constants = self.constants();
        constants.libraries.push(if subgroups {
            include_str!("../../../shaders/reduce_subgroups.wgsl")
        } else {
            include_str!("../../../shaders/reduce_memory.wgsl")
        });
        constants
    }

    /// Workgroups for kernels that give each row as many workgroups as it has segments.
    pub(super) fn groups(self, rows: usize) -> u64 {
        self.reductions(rows) * self.columns.div_ceil(SEGMENT) as u64
    }

    /// Workgroups for kernels that reduce each row within one workgroup.
    pub(super) fn reductions(self, rows: usize) -> u64 {
        rows.div_ceil(GROUP / self.lanes as usize) as u64
    }
}

/// Columns that a workgroup owns, the host's side of `shaders/columns.wgsl`.
pub(super) const COLUMNS: usize = 32;

/// Workgroups for kernels that go down columns.
pub(super) fn columns(columns: usize) -> u64 {
    columns.div_ceil(COLUMNS) as u64
}

/// Workgroups for kernels in which a lane owns an item.
pub(super) fn lanes(items: usize) -> u64 {
    items.div_ceil(GROUP) as u64
}
