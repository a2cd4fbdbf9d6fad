//! The fold that keeps computed values, and the best of them.

use std::ops::Range;

use pulp::Simd;

use super::super::contraction::Fold;

/// Keeps the computed values of a tile.
pub(super) struct Scores<'a> {
    /// Of the columns of the product, padded.
    offsets: &'a [f32],
    columns: Range<usize>,
    /// Columns with room for the padding of the last panel.
    stride: usize,
    values: Vec<f32>,
}

impl<'a> Scores<'a> {
    pub(super) fn new(offsets: &'a [f32], columns: Range<usize>) -> Self {
        let stride = columns.len().next_multiple_of(64);
        Self { offsets, columns, stride, values: Vec::new() }
    }

    /// The values of a row of the tile.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.stride..][..self.columns.len()]
    }
}

impl Fold for Scores<'_> {
    fn begin(&mut self, rows: usize) {
        self.values = vec![0.0; rows * self.stride];
    }

    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        let (offsets, _) = S::as_simd_f32s(&self.offsets[column..][..V * S::F32_LANES]);
        for (r, product) in product.iter().enumerate() {
            let at = (row + r) * self.stride + column - self.columns.start;
            let (values, _) = S::as_mut_simd_f32s(&mut self.values[at..][..V * S::F32_LANES]);
            for (v, value) in values.iter_mut().enumerate() {
                *value = simd.add_f32s(product[v], offsets[v]);
            }
        }
    }
}

/// A computed value and the centre that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best {
    pub(super) value: f32,
    pub(super) centre: u32,
}

pub(super) const NONE: Best = Best { value: f32::NEG_INFINITY, centre: u32::MAX };

impl Best {
    /// Takes another value; of equal ones the lower centre's stays.
    #[inline(always)]
    pub(super) fn meet(&mut self, value: f32, centre: u32) {
        if value > self.value || (value == self.value && centre < self.centre) {
            *self = Self { value, centre };
        }
    }
}
