//! Sets of activation patterns as bit masks, in the layout of [`Backend::activation_patterns`].
//!
//! [`Backend::activation_patterns`]: crate::backend::Backend::activation_patterns

use ndarray::Array2;

use crate::backend::RowSource;
use crate::error::Result;

/// A list of different activation patterns of `p` generators, each of `ceil(p / 32)` words: bit `i % 32` of word `i / 32`
/// tells whether generator `i` is active. As a [`RowSource`] it is the matrix `S` of zeros and ones, a row per pattern, so
/// that the vertices of a zonotope are `S G + 1 shift^T`.
#[derive(Debug, Clone)]
pub struct Patterns {
    generators: usize,
    count: usize,
    words: Vec<u32>,
    table: Table,
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.generators == other.generators && self.words == other.words && self.count == other.count
    }
}

impl Patterns {
    /// An empty list.
    #[must_use]
    pub fn new(generators: usize) -> Self {
        Self { generators, count: 0, words: Vec::new(), table: Table::default() }
    }

    /// Number of generators.
    #[must_use]
    pub fn generators(&self) -> usize {
        self.generators
    }

    /// Number of patterns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Words of one pattern.
    #[must_use]
    pub fn words(&self) -> usize {
        self.generators.div_ceil(32)
    }

    /// The words of a pattern.
    #[must_use]
    pub fn row(&self, pattern: usize) -> &[u32] {
        &self.words[pattern * self.words()..(pattern + 1) * self.words()]
    }

    /// Whether a generator is active in a pattern.
    #[must_use]
    pub fn is_active(&self, pattern: usize, generator: usize) -> bool {
        is_set(self.row(pattern), generator)
    }

    /// The active generators of a pattern, ascending.
    pub fn active(&self, pattern: usize) -> impl Iterator<Item = usize> + '_ {
        set_bits(self.row(pattern))
    }

    /// The place of a pattern in the list.
    #[must_use]
    pub fn find(&self, words: &[u32]) -> Option<usize> {
        self.table.find(&self.words, self.count, words).ok()
    }

    /// Adds a pattern unless the list has it; returns its place and whether it is new. Bits past the last generator have
    /// to be clear.
    pub fn insert(&mut self, words: &[u32]) -> (usize, bool) {
        debug_assert_eq!(words.len(), self.words());
        self.table.grow(&self.words, self.count, words.len());
        match self.table.find(&self.words, self.count, words) {
            Ok(at) => (at, false),
            Err(slot) => {
                self.table.slots[slot] = self.count + 1;
                self.words.extend_from_slice(words);
                self.count += 1;
                (self.count - 1, true)
            }
        }
    }

    /// The vertices `shift + sum_i s_i g_i`, one row for each pattern.
    ///
    /// `generators`: `p x d`, `shift`: `d`. Sums run in ascending order of generators.
    #[must_use]
    pub fn vertices(&self, generators: &Array2<f64>, shift: &[f64]) -> Array2<f64> {
        let mut vertices = Array2::zeros((self.count, shift.len()));
        for (pattern, mut vertex) in vertices.rows_mut().into_iter().enumerate() {
            vertex.iter_mut().zip(shift).for_each(|(sum, shift)| *sum = *shift);
            for generator in self.active(pattern) {
                vertex += &generators.row(generator);
            }
        }
        vertices
    }
}

impl RowSource for Patterns {
    fn shape(&self) -> [usize; 2] {
        [self.count, self.generators]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        for (pattern, row) in (first..).zip(out.chunks_exact_mut(self.generators.max(1))) {
            let words = self.row(pattern);
            row.iter_mut().enumerate().for_each(|(bit, slot)| *slot = if is_set(words, bit) { 1.0 } else { 0.0 });
        }
        Ok(())
    }
}

/// Whether a bit is set.
pub(super) fn is_set(words: &[u32], bit: usize) -> bool {
    words[bit / 32] >> (bit % 32) & 1 == 1
}

/// Turns a bit over.
pub(super) fn flip(words: &mut [u32], bit: usize) {
    words[bit / 32] ^= 1 << (bit % 32);
}

/// The bits that are set, ascending.
pub(super) fn set_bits(words: &[u32]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = rest.trailing_zeros();
            (rest != 0).then(|| {
                rest &= rest - 1;
                32 * at + bit as usize
            })
        })
    })
}

/// Turns the first `bits` bits over: the pattern of the opposite vertex.
pub(super) fn complement(words: &mut [u32], bits: usize) {
    words.iter_mut().for_each(|word| *word = !*word);
    if let (Some(last), rest @ 1..) = (words.last_mut(), bits % 32) {
        *last &= (1 << rest) - 1;
    }
}

/// An index of patterns by their words, with open addressing; a slot holds a place plus one.
#[derive(Debug, Clone, Default)]
struct Table {
    slots: Vec<usize>,
}

impl Table {
    fn start(&self, words: &[u32]) -> usize {
        let hash = words
            .iter()
            .fold(0_u64, |hash, word| (hash.rotate_left(23) ^ u64::from(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps fewer bits than either has")]
        let hash = (hash ^ (hash >> 29)) as usize;
        hash & self.slots.len().wrapping_sub(1)
    }

    /// The place of a pattern, or the slot in which it would go.
    fn find(&self, all: &[u32], count: usize, words: &[u32]) -> std::result::Result<usize, usize> {
        if count == 0 && self.slots.is_empty() {
            return Err(0);
        }
        let mut slot = self.start(words);
        while let Some(at) = self.slots[slot].checked_sub(1) {
            if all[at * words.len()..(at + 1) * words.len()] == *words {
                return Ok(at);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        Err(slot)
    }

    /// Makes room for one more: at most half of the slots are taken.
    fn grow(&mut self, all: &[u32], count: usize, width: usize) {
        if 2 * (count + 1) <= self.slots.len() {
            return;
        }
        self.slots = vec![0; (4 * (count + 1)).next_power_of_two().max(16)];
        for at in 0..count {
            let mut slot = self.start(&all[at * width..(at + 1) * width]);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_pattern_is_listed_once_and_found_again() {
        let mut patterns = Patterns::new(70);
        let mut known = HashMap::new();
        for number in 0..2000_u32 {
            let words = [number.wrapping_mul(2_654_435_761) % 700, number % 3, number % 2];
            let next = known.len();
            let at = *known.entry(words).or_insert(next);
            assert_eq!(patterns.insert(&words), (at, at == next));
        }
        assert_eq!(patterns.len(), known.len());
        assert!(known.iter().all(|(words, at)| patterns.find(words) == Some(*at) && patterns.row(*at) == words));
        assert_eq!(patterns.find(&[u32::MAX, 0, 0]), None);
    }

    #[test]
    fn complements_leave_bits_past_the_last_generator_clear() {
        let mut words = [0b101, 0b1];
        complement(&mut words, 34);
        assert_eq!(words, [!0b101, 0b10]);
        let mut full = [7];
        complement(&mut full, 32);
        assert_eq!(full, [!7]);
    }

    #[test]
    fn without_generators_there_is_one_pattern_and_it_is_the_shift() {
        let mut patterns = Patterns::new(0);
        assert_eq!(patterns.insert(&[]), (0, true));
        assert_eq!(patterns.insert(&[]), (0, false));
        assert_eq!(patterns.vertices(&Array2::zeros((0, 2)), &[1.0, 2.0]), ndarray::array![[1.0, 2.0]]);
    }

    #[test]
    fn rows_are_zeros_and_ones() -> Result<()> {
        let mut patterns = Patterns::new(33);
        patterns.insert(&[1, 0]);
        patterns.insert(&[2, 1]);
        let mut row = vec![9.0; 33];
        patterns.read_rows(1, &mut row)?;
        assert_eq!(row.iter().sum::<f32>(), 2.0);
        assert_eq!((row[1], row[32]), (1.0, 1.0));
        Ok(())
    }
}
