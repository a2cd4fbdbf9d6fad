//! The operands of the contraction: rows as they lie in memory, and the packed form of columns.

use std::array::from_fn;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::contraction::{PanelWidth, ROWS, arch};
use super::patches::Patches;
use super::transpose::transpose;

/// Which index of a [`View`] is contiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The inner index.
    RowMajor,
    /// The row index.
    ColumnMajor,
}

/// One operand of a contraction: `rows` vectors of length `inner`.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) order: Order,
    /// Entries from one row to the next, where rows are contiguous: more than `inner` for a part of the inner index.
    pub(super) stride: usize,
    /// The row of the matrix that each row of a row-major operand is, where they are not the same.
    pub(super) picked: Option<&'a [u32]>,
}

impl<'a> View<'a> {
    /// Some rows of a row-major operand, in that order.
    pub(super) fn pick(self, picked: &'a [u32]) -> Self {
        Self { rows: picked.len(), picked: Some(picked), ..self }
    }

    #[inline(always)]
    fn place(&self, row: usize) -> usize {
        self.picked.map_or(row, |picked| picked[row] as usize)
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn inner(&self) -> usize {
        self.inner
    }

    /// The same rows, a part of the inner index alone.
    pub(super) fn part(&self, inner: Range<usize>) -> Self {
        let values = match self.order {
            Order::RowMajor => &self.values[inner.start..],
            Order::ColumnMajor => &self.values[inner.start * self.rows..inner.end * self.rows],
        };
        Self { values, inner: inner.len(), ..*self }
    }

    /// Whether the entries of a row are contiguous.
    pub(super) fn is_row_major(&self) -> bool {
        self.order == Order::RowMajor
    }

    /// One row of a row-major operand.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        &self.values[self.place(row) * self.stride..][..self.inner]
    }

    /// The entries of `count` whole rows of a row-major operand, none of them picked.
    #[inline(always)]
    pub(super) fn rows_from(&self, first: usize, count: usize) -> &'a [f32] {
        &self.values[first * self.inner..(first + count) * self.inner]
    }

    /// Writes a panel: `out[k width + r]` is entry `inner.start + k` of row `first + r`, 0 past the last row.
    #[inline(always)]
    pub(super) fn pack(&self, first: usize, width: usize, inner: Range<usize>, out: &mut [f32]) {
        let count = width.min(self.rows - first);
        match self.order {
            Order::RowMajor => {
                let mut lane = 0;
                while lane < width && !inner.is_empty() {
                    let place = (first + lane, inner.start, width);
                    lane += match width - lane {
                        16.. => self.interleave::<16>(place, &mut out[lane..]),
                        8.. => self.interleave::<8>(place, &mut out[lane..]),
                        6.. => self.interleave::<6>(place, &mut out[lane..]),
                        4.. => self.interleave::<4>(place, &mut out[lane..]),
                        _ => self.interleave::<1>(place, &mut out[lane..]),
                    }
                }
            }
            Order::ColumnMajor => {
                for (k, out) in inner.zip(out.chunks_exact_mut(width)) {
                    let source = &self.values[k * self.rows + first..][..count];
                    match (out.as_chunks_mut().0, source.as_chunks().0) {
                        // The height of a micro-tile: a copy of known length is not a call.
                        ([out], [source]) if width == ROWS => *out = *source as [f32; ROWS],
                        _ => out[..count].copy_from_slice(source),
                    }
                }
            }
        }
        if count < width {
            out.chunks_exact_mut(width).for_each(|out| out[count..].fill(0.0));
        }
    }

    /// The same for a `width` of whole vectors.
    #[inline(always)]
    pub(super) fn pack_vectors<S: Simd>(
        &self,
        simd: S,
        first: usize,
        width: usize,
        inner: Range<usize>,
        out: &mut [f32],
    ) {
        let lanes = S::F32_LANES;
        if self.order == Order::ColumnMajor || lanes == 1 {
            return self.pack(first, width, inner, out);
        }
        let whole = inner.len() / lanes * lanes;
        for lane in (0..width).step_by(lanes) {
            // As many streams as lanes: more of them would need more pages at a time than the processor keeps at hand.
            let rows: [&[f32]; 16] = from_fn(|r| {
                let row = first + lane + r;
                if row < self.rows { &self.row(row)[inner.start..][..whole] } else { &[] }
            });
            for k in (0..whole).step_by(lanes) {
                transpose(simd, &rows, k, &mut out[k * width + lane..], width);
            }
        }
        self.pack(first, width, inner.start + whole..inner.end, &mut out[whole * width..]);
    }

    /// Writes `W` rows of a row-major operand side by side, `stride` apart from one inner index to the next. Past the last
    /// row it repeats that row, so that the loop has no branch.
    #[inline(always)]
    fn interleave<const W: usize>(&self, (first, start, stride): (usize, usize, usize), out: &mut [f32]) -> usize {
        let length = out.len().div_ceil(stride);
        let rows: [&[f32]; W] = from_fn(|row| {
            let row = self.place((first + row).min(self.rows - 1));
            &self.values[row * self.stride + start..][..length]
        });
        for (k, out) in out.chunks_mut(stride).enumerate().take(length) {
            if let Some((out, _)) = out.split_first_chunk_mut::<W>() {
                *out = from_fn(|row| rows[row][k]);
            }
        }
        W
    }
}

/// The operand whose rows are the columns of the product.
#[derive(Debug, Clone, Copy)]
pub(super) enum Columns<'a> {
    /// Packed before.
    Packed(&'a Packed),
    /// To be packed panel by panel.
    Loose(View<'a>),
    /// Row-major and not worth packing.
    Direct(View<'a>),
    /// Windows of images, to be packed panel by panel.
    Patches(Patches<'a>),
}

impl Columns<'_> {
    /// Whether each tile packs its columns anew.
    pub(super) fn is_loose(&self) -> bool {
        matches!(self, Self::Loose(_))
    }

    /// The same columns, a part of the inner index alone, where that costs nothing.
    pub(super) fn part(&self, inner: Range<usize>) -> Option<Self> {
        match self {
            Self::Loose(view) => Some(Self::Loose(view.part(inner))),
            Self::Direct(view) => Some(Self::Direct(view.part(inner))),
            Self::Packed(_) | Self::Patches(_) => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.columns,
            Self::Loose(view) | Self::Direct(view) => view.rows,
            Self::Patches(patches) => patches.count,
        }
    }

    /// The part `inner` of the panel that starts at column `first` and is `width` wide, packed into `scratch` if need be.
    #[inline(always)]
    pub(super) fn panel<'s, S: Simd>(
        &'s self,
        simd: S,
        first: usize,
        width: usize,
        inner: Range<usize>,
        scratch: &'s mut Lines,
    ) -> &'s [f32] {
        match self {
            Self::Packed(packed) => {
                let start = first * packed.inner;
                &packed.lines.values()[start + inner.start * width..start + inner.end * width]
            }
            Self::Loose(view) | Self::Direct(view) => {
                let out = scratch.at_least(inner.len() * width);
                view.pack_vectors(simd, first, width, inner, out);
                out
            }
            Self::Patches(patches) => {
                let out = scratch.at_least(inner.len() * width);
                patches.pack(first, width, inner, out);
                out
            }
        }
    }
}

/// Panels of columns, `[panel][inner][lane]`; the last panel is as many whole vectors wide as its columns need.
#[derive(Debug)]
pub(super) struct Packed {
    lines: Lines,
    columns: usize,
    inner: usize,
}

impl Packed {
    pub(super) fn new(view: View<'_>) -> Self {
        let (width, lanes) = arch().dispatch(PanelWidth);
        let padded = view.rows.next_multiple_of(lanes);
        let mut lines = Lines::default();
        let panels = lines.at_least(padded * view.inner).par_chunks_mut((width * view.inner).max(1)).enumerate();
        panels.for_each(|(panel, out)| arch().dispatch(Pack { view, first: panel * width, out }));
        Self { lines, columns: view.rows, inner: view.inner }
    }
}

/// The packing of one panel with all of the inner index.
struct Pack<'a> {
    view: View<'a>,
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { view, first, out } = self;
        view.pack_vectors(simd, first, out.len() / view.inner, 0..view.inner, out);
    }
}

/// One cache line, so that no vector load of a packed operand crosses two.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A buffer of f32 that starts on a cache line.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    pub(super) fn values(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    /// The first `length` values, with what they held before.
    pub(super) fn at_least(&mut self, length: usize) -> &mut [f32] {
        if self.0.len() * 16 < length {
            self.0.resize(length.div_ceil(16), Line([0.0; 16]));
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..length]
    }
}
