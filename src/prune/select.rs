//! Finds the cut-offs that remove exactly so many elements, lowest scores first.
//!
//! Non-negative f32 order like their bit patterns, so two histogram passes (the high and the low 16 bits) find the exact
//! score at any rank in time linear in the number of elements, without sorting or storing scores. A third pass over the
//! elements that equal the score is taken only where it divides a tie. All rates of a curve share the passes.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::backend::{Cutoff, RowSource};
use crate::error::{Error, Result};

/// Elements read at a time.
const CHUNK: usize = 1 << 16;
const BINS: usize = 1 << 16;

/// A run of whole rows of one layer.
#[derive(Clone, Copy)]
struct Chunk {
    layer: usize,
    first_row: usize,
    rows: usize,
}

struct Layers<'a> {
    sources: &'a [&'a dyn RowSource],
    chunks: Vec<Chunk>,
}

impl<'a> Layers<'a> {
    fn new(sources: &'a [&'a dyn RowSource]) -> Self {
        let mut chunks = Vec::new();
        for (layer, source) in sources.iter().enumerate() {
            let [rows, columns] = source.shape();
            if columns == 0 {
                continue;
            }
            let step = (CHUNK / columns).max(1);
            for first_row in (0..rows).step_by(step) {
                chunks.push(Chunk { layer, first_row, rows: step.min(rows - first_row) });
            }
        }
        Self { sources, chunks }
    }

    /// The bit patterns of the scores of a chunk.
    fn read<'b>(&self, chunk: Chunk, buffer: &'b mut Vec<f32>) -> Result<&'b [u32]> {
        let source = self.sources[chunk.layer];
        buffer.resize(chunk.rows * source.shape()[1], 0.0);
        source.read_rows(chunk.first_row, buffer)?;
        Ok(bytemuck::cast_slice(buffer))
    }

    /// Counts elements: `bin` names the counter of a bit pattern, if it has one.
    fn histogram(&self, counters: usize, bin: impl Fn(u32) -> Option<usize> + Sync) -> Result<Vec<u64>> {
        let counted = self.chunks.par_iter().try_fold(
            || (vec![0_u64; counters], Vec::new()),
            |(mut counts, mut buffer), chunk| {
                for bits in self.read(*chunk, &mut buffer)? {
                    if *bits > f32::MAX.to_bits() {
                        let what = "score";
                        return Err(Error::Overflow { what, layer: format!("number {}", chunk.layer) });
                    }
                    if let Some(bin) = bin(*bits) {
                        counts[bin] += 1;
                    }
                }
                Ok((counts, buffer))
            },
        );
        let sum = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        counted.map(|counted| counted.map(|(counts, _)| counts)).try_reduce(|| vec![0; counters], |a, b| Ok(sum(a, b)))
    }

    /// The place of the element with pattern `bits` that has `before` such elements before it: layer and index.
    fn locate(&self, bits: u32, before: u64) -> Result<(usize, usize)> {
        let counts: Vec<u64> = self
            .chunks
            .par_iter()
            .map_init(Vec::new, |buffer, chunk| {
                Ok(self.read(*chunk, buffer)?.iter().filter(|value| **value == bits).count() as u64)
            })
            .collect::<Result<_>>()?;
        let mut left = before;
        for (chunk, count) in self.chunks.iter().zip(counts) {
            if left < count {
                let mut buffer = Vec::new();
                let equal = self.read(*chunk, &mut buffer)?.iter().enumerate().filter(|(_, value)| **value == bits);
                let offset = equal.map(|(offset, _)| offset).nth(usize::try_from(left).unwrap_or(usize::MAX));
                let start = chunk.first_row * self.sources[chunk.layer].shape()[1];
                return Ok((chunk.layer, start + offset.unwrap_or(0)));
            }
            left -= count;
        }
        Err(Error::Internal { what: "a rank beyond the number of equal scores".to_owned() })
    }
}

/// The bin in which the element of `rank` lies, and how many elements come before that bin.
fn bin_of(counts: &[u64], rank: u64) -> (usize, u64) {
    let mut before = 0;
    for (bin, count) in counts.iter().enumerate() {
        if rank < before + count {
            return (bin, before);
        }
        before += count;
    }
    (counts.len() - 1, before)
}

/// For each entry of `removals` one cut-off per layer, which together remove exactly that many elements: those with the
/// lowest scores, of equal scores those in the earlier layer and then at the lower index.
///
/// Scores are non-negative. A number of removals beyond the number of elements removes all.
///
/// # Errors
///
/// [`Error::Overflow`] if a score is negative or not finite; [`Error::TooLarge`] if a layer has more than 2^32 - 1
/// elements; what reading a source returns.
pub(super) fn cutoffs(sources: &[&dyn RowSource], removals: &[u64]) -> Result<Vec<Vec<Cutoff>>> {
    let sizes: Vec<u64> = sources.iter().map(|source| source.shape().iter().map(|n| *n as u64).product()).collect();
    let total: u64 = sizes.iter().sum();
    if let Some(size) = sizes.iter().find(|size| **size > u64::from(u32::MAX)) {
        return Err(Error::TooLarge { operation: "cutoffs", bytes: size * 4, limit: u64::from(u32::MAX) * 4 });
    }
    let layers = Layers::new(sources);
    let high = layers.histogram(BINS, |bits| Some((bits >> 16) as usize))?;

    // The counters of the low halves, for each high half that some rank falls into.
    let mut wanted = BTreeMap::new();
    for rank in removals.iter().filter(|rank| **rank < total) {
        let next = wanted.len();
        wanted.entry(bin_of(&high, *rank).0).or_insert(next);
    }
    const NONE: u16 = u16::MAX;
    let mut slot = vec![NONE; BINS];
    for (bin, number) in &wanted {
        slot[*bin] = u16::try_from(*number).unwrap_or(NONE);
    }
    let low = layers.histogram(wanted.len() * BINS, |bits| {
        let number = slot[(bits >> 16) as usize];
        (number != NONE).then(|| usize::from(number) * BINS + (bits & 0xffff) as usize)
    })?;

    let everything = Cutoff { score: f32::MAX, index: u32::MAX };
    removals
        .iter()
        .map(|rank| {
            if *rank >= total {
                return Ok(vec![everything; sources.len()]);
            }
            let (bin, before) = bin_of(&high, *rank);
            let number = wanted[&bin];
            let (low_bin, before_low) = bin_of(&low[number * BINS..(number + 1) * BINS], rank - before);
            let bits = u32::try_from(bin << 16 | low_bin).unwrap_or(u32::MAX);
            let ties = rank - before - before_low;
            let (layer, index) = if ties == 0 { (0, 0) } else { layers.locate(bits, ties)? };
            let score = f32::from_bits(bits);
            let index_in = |number: usize| match number.cmp(&layer) {
                std::cmp::Ordering::Less => u32::MAX,
                std::cmp::Ordering::Equal => u32::try_from(index).unwrap_or(u32::MAX),
                std::cmp::Ordering::Greater => 0,
            };
            Ok((0..sources.len()).map(|number| Cutoff { score, index: index_in(number) }).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::network::Mask;

    #[test]
    fn a_tie_is_divided_by_layer_and_then_by_index() -> Result<()> {
        let (a, b) = (array![[2.0_f32, 1.0], [1.0, 0.0]], array![[1.0_f32, 1.0, 3.0]]);
        let sources: [&dyn RowSource; 2] = [&a, &b];
        let kept = |cut: &[Cutoff]| -> Result<Vec<u64>> {
            sources.iter().zip(cut).map(|(source, cut)| Ok(Mask::from_scores(*source, *cut)?.kept())).collect()
        };
        let cuts = cutoffs(&sources, &[0, 2, 4, 7])?;
        assert_eq!(kept(&cuts[0])?, [4, 3]);
        assert_eq!(kept(&cuts[1])?, [2, 3]);
        assert_eq!(kept(&cuts[2])?, [1, 2]);
        assert_eq!(kept(&cuts[3])?, [0, 0]);
        Ok(())
    }

    #[test]
    fn scores_that_are_not_finite_are_refused() {
        let a = array![[1.0_f32, f32::NAN]];
        assert!(matches!(cutoffs(&[&a], &[1]), Err(Error::Overflow { .. })));
    }

    proptest! {
        #[test]
        fn every_rank_removes_exactly_the_lowest_scores(
            values in proptest::collection::vec(prop_oneof![0.0_f32..4.0, (0_u8..4).prop_map(f32::from)], 1..200),
            columns in 1_usize..9,
        ) {
            let rows = values.len().div_ceil(columns);
            let matrix = Array2::from_shape_fn((rows, columns), |(i, j)| values[(i * columns + j) % values.len()]);
            let total = (rows * columns) as u64;
            let removals: Vec<u64> = (0..=total).collect();
            let mut order: Vec<usize> = (0..rows * columns).collect();
            let flat: Vec<f32> = matrix.iter().copied().collect();
            order.sort_by(|a, b| flat[*a].total_cmp(&flat[*b]).then(a.cmp(b)));
            for (removed, cut) in cutoffs(&[&matrix], &removals)?.into_iter().enumerate() {
                let mask = Mask::from_scores(&matrix, cut[0])?;
                let gone = order.iter().filter(|e| !mask.keeps(**e / columns, **e % columns)).copied();
                prop_assert_eq!(gone.collect::<Vec<_>>(), order[..removed].to_vec());
            }
        }
    }
}
