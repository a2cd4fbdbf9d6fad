//! Which elements of a weight matrix stay: one bit each, rows aligned to words.

use rayon::prelude::*;

use crate::backend::{Cutoff, RowSource, vectorised};
use crate::error::Result;

/// A bit per element of a matrix; set bits stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    rows: usize,
    columns: usize,
    words_per_row: usize,
    words: Vec<u64>,
}

impl Mask {
    /// A mask that keeps every element.
    #[must_use]
    pub fn full(rows: usize, columns: usize) -> Self {
        let words_per_row = columns.div_ceil(64);
        let mut words = vec![u64::MAX; rows * words_per_row];
        if !columns.is_multiple_of(64) {
            for last in words.iter_mut().skip(words_per_row - 1).step_by(words_per_row) {
                *last = (1 << (columns % 64)) - 1;
            }
        }
        Self { rows, columns, words_per_row, words }
    }

    /// The elements that a cut-off keeps: the host twin of [`crate::backend::Backend::threshold_mask`].
    ///
    /// # Errors
    ///
    /// What reading `scores` returns.
    pub fn from_scores(scores: &dyn RowSource, cutoff: Cutoff) -> Result<Self> {
        let [rows, columns] = scores.shape();
        let mut mask = Self::full(rows, columns);
        if mask.words.is_empty() {
            return Ok(mask);
        }
        let index_of_cut = cutoff.index as usize;
        mask.words.par_chunks_exact_mut(mask.words_per_row).enumerate().try_for_each_init(
            || vec![0.0_f32; columns],
            |buffer, (i, words)| {
                scores.read_rows(i, buffer)?;
                // Elements before this one of the row lose a tie.
                let tie_from = index_of_cut.saturating_sub(i * columns);
                vectorised(
                    #[inline(always)]
                    || {
                        for (number, (word, scores)) in words.iter_mut().zip(buffer.chunks(64)).enumerate() {
                            *word = kept_bits(scores, cutoff.score, tie_from.saturating_sub(64 * number));
                        }
                    },
                );
                Ok(())
            },
        )?;
        Ok(mask)
    }

    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// Whether element `(i, j)` stays.
    #[must_use]
    pub fn keeps(&self, i: usize, j: usize) -> bool {
        self.words[i * self.words_per_row + j / 64] >> (j % 64) & 1 == 1
    }

    /// Removes element `(i, j)`; returns whether it had stayed until now.
    pub fn remove(&mut self, i: usize, j: usize) -> bool {
        let word = &mut self.words[i * self.words_per_row + j / 64];
        let bit = 1 << (j % 64);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    /// Removes row `i`.
    pub fn remove_row(&mut self, i: usize) {
        self.words[i * self.words_per_row..(i + 1) * self.words_per_row].fill(0);
    }

    /// How many elements of row `i` stay.
    #[must_use]
    pub fn kept_in_row(&self, i: usize) -> usize {
        let words = &self.words[i * self.words_per_row..(i + 1) * self.words_per_row];
        words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many elements stay.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The elements on which two masks of one shape differ, in row-major order.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (usize, usize)> + 'a {
        let pairs = self.words.iter().zip(&other.words).enumerate();
        pairs.filter(|(_, (a, b))| a != b).flat_map(move |(word, (a, b))| {
            let (row, first) = (word / self.words_per_row, word % self.words_per_row * 64);
            let different = a ^ b;
            (0..64).filter(move |bit| different >> bit & 1 == 1).map(move |bit| (row, first + bit))
        })
    }

    /// Sets the removed elements of row `i` to zero.
    pub(crate) fn apply_to_row(&self, i: usize, row: &mut [f32]) {
        let words = &self.words[i * self.words_per_row..(i + 1) * self.words_per_row];
        vectorised(
            #[inline(always)]
            || {
                for (word, values) in words.iter().zip(row.chunks_mut(64)) {
                    match *word {
                        u64::MAX => {}
                        0 => values.fill(0.0),
                        word => {
                            for (bit, value) in values.iter_mut().enumerate() {
                                *value = if word >> bit & 1 == 1 { *value } else { 0.0 };
                            }
                        }
                    }
                }
            },
        );
    }
}

/// One bit for each of up to 64 scores above the cut, or at it and not among the first `tie_from`.
#[inline(always)]
fn kept_bits(scores: &[f32], cut: f32, tie_from: usize) -> u64 {
    let (mut above, mut equal) = (0_u64, 0_u64);
    for (bit, score) in scores.iter().enumerate() {
        above |= u64::from(*score > cut) << bit;
        equal |= u64::from(*score == cut) << bit;
    }
    let wins = if tie_from >= 64 { 0 } else { u64::MAX << tie_from };
    above | (equal & wins)
}

/// A mask as scores: 1 where an element stays, 0 where it goes, for [`crate::backend::Backend::threshold_mask`] with the
/// cut-off [`Mask::CUTOFF`].
impl RowSource for Mask {
    fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        for (offset, row) in out.chunks_exact_mut(self.columns.max(1)).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = if self.keeps(first + offset, j) { 1.0 } else { 0.0 };
            }
        }
        Ok(())
    }
}

impl Mask {
    /// The cut-off that turns a mask read as scores back into itself.
    pub const CUTOFF: Cutoff = Cutoff { score: 1.0, index: 0 };
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_cutoff_removes_lower_scores_and_of_equal_ones_the_lower_indices() -> Result<()> {
        let scores = array![[1.0_f32, 2.0, 3.0], [2.0, 2.0, 0.5]];
        let mask = Mask::from_scores(&scores, Cutoff { score: 2.0, index: 4 })?;
        let kept: Vec<_> =
            (0..2).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|(i, j)| mask.keeps(*i, *j)).collect();
        assert_eq!(kept, [(0, 2), (1, 1)]);
        assert_eq!(mask.kept(), 2);
        Ok(())
    }

    #[test]
    fn differences_name_exactly_the_elements_that_were_removed() {
        let full = Mask::full(3, 130);
        assert_eq!(full.kept(), 390);
        let mut cut = full.clone();
        assert!(cut.remove(1, 129) && cut.remove(2, 64) && !cut.remove(2, 64));
        assert_eq!(full.differences(&cut).collect::<Vec<_>>(), [(1, 129), (2, 64)]);
    }
}
