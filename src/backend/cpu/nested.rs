//! The weights of a layer in the order in which cut-offs remove them, and the sparse product with what a cut-off leaves.
//!
//! ```text
//! row i: | kept by all cut-offs | by all but the last | ... | by the first alone |
//!        start                  end at the last cut                             end at the first cut
//! ```
//!
//! What any cut-off keeps is a prefix of each row, and what the one before it keeps besides is the stretch that follows:
//! all cut-offs share one copy of the weights.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::contraction::arch;
use super::matrix::HostMatrix;
use crate::backend::Cutoff;

/// Samples that the sparse product takes at a time: whole micro-tiles of the dense one, and sums that fill the registers.
pub(super) const TILE: usize = 96;

/// Rows that one task sorts.
const BAND: usize = 16;

/// A weight and the input that it multiplies.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    column: u32,
    weight: f32,
}

/// The weights of a layer, each row's by the number of cut-offs that keep them, most first.
#[derive(Debug)]
pub(super) struct Nested {
    entries: Vec<Entry>,
    /// `[cut][row]`: one past the last entry of the row that the cut-off keeps.
    ends: Vec<u32>,
    shape: [usize; 2],
}

/// Which entries of each row take part in a product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Those that this cut-off keeps,
    pub(super) cut: usize,
    /// without those that this later one keeps: their sums are in the state.
    pub(super) after: Option<usize>,
}

/// The bias of a layer, and the least value that its activation lets through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish<'a> {
    pub(super) bias: &'a [f32],
    pub(super) floor: f32,
}

impl Nested {
    /// Sorts the weights by `cutoffs`, which ascend in the order of removal.
    pub(super) fn new(weights: &HostMatrix, scores: &HostMatrix, cutoffs: &[Cutoff]) -> Self {
        let ([m, d], cuts) = (weights.shape(), cutoffs.len());
        let per_element = scores.shape()[1] == d;
        let mut entries = vec![Entry::default(); m * d];
        let mut ends_of_rows = vec![0_u32; m * cuts];
        let bands = entries.par_chunks_mut((BAND * d).max(1)).zip(ends_of_rows.par_chunks_mut((BAND * cuts).max(1)));
        bands.enumerate().for_each_init(Vec::new, |lives, (band, (entries, ends))| {
            let rows = entries.chunks_mut(d).zip(ends.chunks_mut(cuts));
            for (i, (entries, ends)) in (band * BAND..).zip(rows) {
                let score = |j: usize| scores.row(i)[if per_element { j } else { 0 }];
                lives.clear();
                lives.extend((0..d).map(|j| {
                    let score = score(j);
                    let removes =
                        |cut: &Cutoff| score < cut.score || (score == cut.score && i * d + j < cut.index as usize);
                    cutoffs.partition_point(|cut| !removes(cut))
                }));
                fill(entries, ends, weights.row(i), lives, word(i * d));
            }
        });
        let ends = (0..cuts).flat_map(|cut| ends_of_rows.iter().skip(cut).step_by(cuts)).copied().collect();
        Self { entries, ends, shape: [m, d] }
    }

    /// Outputs and inputs.
    pub(super) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The share of weights that a cut-off keeps.
    #[expect(clippy::cast_precision_loss, reason = "a share for a choice")]
    pub(super) fn density(&self, cut: usize) -> f64 {
        let [m, d] = self.shape;
        let kept: usize = (0..m).map(|row| self.range(row, Stretch { cut, after: None }).len()).sum();
        kept as f64 / (m * d).max(1) as f64
    }

    #[inline(always)]
    fn range(&self, row: usize, stretch: Stretch) -> Range<usize> {
        let [m, d] = self.shape;
        let end = |cut: usize| self.ends[cut * m + row] as usize;
        stretch.after.map_or(row * d, end)..end(stretch.cut)
    }

    /// Writes `out = max(W x + b, floor)` for a tile of samples, both `[feature][TILE]`.
    ///
    /// With a state, `[output][TILE]`, the products are added to it, or begin it where nothing comes before.
    pub(super) fn product(
        &self,
        stretch: Stretch,
        x: &[f32],
        state: Option<&mut [f32]>,
        finish: Finish<'_>,
        out: &mut [f32],
    ) {
        arch().dispatch(Product { nested: self, stretch, x, state, finish, out });
    }
}

/// Sorts the entries of a row that starts at `start` by the number of cut-offs that keep them.
fn fill(entries: &mut [Entry], ends: &mut [u32], weights: &[f32], lives: &[usize], start: u32) {
    for life in lives {
        ends[..*life].iter_mut().for_each(|end| *end += 1);
    }
    // An entry kept by cut-offs 0 .. life stands behind those that cut-off `life` keeps as well.
    let mut next: Vec<u32> = ends.to_vec();
    next.push(0);
    for ((column, weight), life) in (0..).zip(weights).zip(lives) {
        if *life > 0 {
            let place = &mut next[*life];
            entries[*place as usize] = Entry { column, weight: *weight };
            *place += 1;
        }
    }
    ends.iter_mut().for_each(|end| *end += start);
}

/// An index into a layer whose size was checked.
fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

struct Product<'a> {
    nested: &'a Nested,
    stretch: Stretch,
    x: &'a [f32],
    state: Option<&'a mut [f32]>,
    finish: Finish<'a>,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 6>(simd),
            _ => self.run::<S, 12>(simd),
        }
    }
}

impl Product<'_> {
    /// `V` vectors of sums at a time, as many as a tile has or as registers hold.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) {
        let begins = self.stretch.after.is_none();
        for row in 0..self.nested.shape[0] {
            let entries = &self.nested.entries[self.nested.range(row, self.stretch)];
            let bias = simd.splat_f32s(self.finish.bias[row]);
            let floor = simd.splat_f32s(self.finish.floor);
            for part in (0..TILE).step_by(V * S::F32_LANES) {
                let place = row * TILE + part..row * TILE + part + V * S::F32_LANES;
                let mut sums = [simd.splat_f32s(0.0); V];
                if let (Some(state), false) = (&self.state, begins) {
                    let (state, _) = S::as_simd_f32s(&state[place.clone()]);
                    sums.copy_from_slice(&state[..V]);
                }
                for entry in entries {
                    let weight = simd.splat_f32s(entry.weight);
                    let (x, _) = S::as_simd_f32s(&self.x[entry.column as usize * TILE + part..][..V * S::F32_LANES]);
                    for v in 0..V {
                        sums[v] = simd.mul_add_e_f32s(weight, x[v], sums[v]);
                    }
                }
                if let Some(state) = &mut self.state {
                    let (state, _) = S::as_mut_simd_f32s(&mut state[place.clone()]);
                    state[..V].copy_from_slice(&sums);
                }
                let (out, _) = S::as_mut_simd_f32s(&mut self.out[place]);
                for v in 0..V {
                    out[v] = simd.max_f32s(simd.add_f32s(sums[v], bias), floor);
                }
            }
        }
    }
}
