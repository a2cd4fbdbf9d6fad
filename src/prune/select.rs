//! Finds the cut-offs that remove exactly so many elements, lowest scores first.
//!
//! Non-negative f32 order like their bit patterns. For a few ranks a sample of the elements tells two patterns between
//! which each of them lies almost surely: one pass counts what lies below and keeps what lies between, and where the
//! counts show that the sample misled, or for many ranks, two histogram passes (the high and the low 16 bits) find the
//! exact score at any rank without sorting or storing scores. A further pass over the elements that equal the score is taken
//! only where it divides a tie. All rates of a curve share the passes.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::backend::{Cutoff, RowSource, vectorised};
use crate::error::{Error, Result};

/// Elements read at a time.
const CHUNK: usize = 1 << 16;
const BINS: usize = 1 << 16;

/// Ranks up to this number are bracketed one by one.
const FEW: usize = 4;
/// Every so many chunks give their elements to the sample,
const SAMPLED: usize = 32;
/// of which these stand for it: their rank is known to within a fraction of a thousandth.
const STRIDE: usize = 4;
/// One over half the width of a bracket as a share of the elements: many times what the sample strays.
const MARGIN: u64 = 200;

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
        let patterns: &[u32] = bytemuck::cast_slice(buffer);
        // Without a branch for each element.
        if vectorised(
            #[inline(always)]
            || patterns.iter().fold(0, |largest: u32, bits| largest.max(*bits)),
        ) > f32::MAX.to_bits()
        {
            return Err(Error::Overflow { what: "score", layer: format!("number {}", chunk.layer) });
        }
        Ok(patterns)
    }

    /// Patterns between which the element of each rank lies almost surely, `low..=high`, from a sample of the elements.
    fn brackets(&self, ranks: &[u64], total: u64) -> Result<Vec<[u32; 2]>> {
        let chunks: Vec<Chunk> = self.chunks.iter().step_by(SAMPLED).copied().collect();
        let parts = chunks.par_iter().map_init(Vec::new, |buffer, chunk| -> Result<Vec<u32>> {
            Ok(self.read(*chunk, buffer)?.iter().step_by(STRIDE).copied().collect())
        });
        let mut sample = parts.collect::<Result<Vec<_>>>()?.concat();
        sample.par_sort_unstable();
        let last = sample.len().saturating_sub(1) as u128;
        // The element of the sample whose share of smaller ones is that of a rank.
        let at = |rank: u64| {
            let place = u128::from(rank) * last / u128::from(total.max(1));
            usize::try_from(place).ok().and_then(|place| sample.get(place)).copied().unwrap_or(0)
        };
        let margin = total / MARGIN;
        let bracket = |rank: &u64| {
            let low = if *rank <= margin { 0 } else { at(rank - margin) };
            let high = if rank + margin >= total { u32::MAX } else { at(rank + margin) };
            [low, high]
        };
        Ok(ranks.iter().map(bracket).collect())
    }

    /// The patterns at `ranks` and the number of smaller ones, in one pass; `None` if a bracket misses its rank.
    fn bracketed(&self, ranks: &[u64], total: u64) -> Result<Option<Vec<(u32, u64)>>> {
        let brackets = self.brackets(ranks, total)?;
        let splits = self.chunks.par_iter().map_init(Vec::new, |buffer, chunk| -> Result<Vec<Split>> {
            let patterns = self.read(*chunk, buffer)?;
            Ok(brackets
                .iter()
                .map(|bracket| {
                    vectorised(
                        #[inline(always)]
                        || Split::of(patterns, *bracket),
                    )
                })
                .collect())
        });
        let none = || brackets.iter().map(|_| Split::default()).collect();
        let join = |a: Vec<Split>, b: Vec<Split>| Ok(a.into_iter().zip(b).map(|(a, b)| a.join(b)).collect());
        let splits: Vec<Split> = splits.try_reduce(none, join)?;
        let found = splits.into_iter().zip(ranks).zip(&brackets);
        Ok(found.map(|((split, rank), bracket)| split.pattern(*rank, *bracket)).collect())
    }

    /// The same for many ranks, from histograms.
    fn counted(&self, ranks: &[u64]) -> Result<Vec<(u32, u64)>> {
        let high = self.histogram(BINS, |bits| Some((bits >> 16) as usize))?;
        // The counters of the low halves, for each high half that some rank falls into.
        let mut wanted = BTreeMap::new();
        for rank in ranks {
            let next = wanted.len();
            wanted.entry(bin_of(&high, *rank).0).or_insert(next);
        }
        const NONE: u16 = u16::MAX;
        let mut slot = vec![NONE; BINS];
        for (bin, number) in &wanted {
            slot[*bin] = u16::try_from(*number).unwrap_or(NONE);
        }
        let low = self.histogram(wanted.len() * BINS, |bits| {
            let number = slot[(bits >> 16) as usize];
            (number != NONE).then(|| usize::from(number) * BINS + (bits & 0xffff) as usize)
        })?;
        let pattern = |rank: &u64| {
            let (bin, before) = bin_of(&high, *rank);
            let number = wanted[&bin];
            let (low_bin, before_low) = bin_of(&low[number * BINS..(number + 1) * BINS], rank - before);
            (u32::try_from(bin << 16 | low_bin).unwrap_or(u32::MAX), before + before_low)
        };
        Ok(ranks.iter().map(pattern).collect())
    }

    /// Counts elements: `bin` names the counter of a bit pattern, if it has one.
    fn histogram(&self, counters: usize, bin: impl Fn(u32) -> Option<usize> + Sync) -> Result<Vec<u64>> {
        // As many sets of counters as threads: there may be megabytes of them.
        let part = self.chunks.len().div_ceil(rayon::current_num_threads()).max(1);
        let counted = self.chunks.par_chunks(part).map(|chunks| {
            let (mut counts, mut buffer) = (vec![0_u64; counters], Vec::new());
            for chunk in chunks {
                for bits in self.read(*chunk, &mut buffer)? {
                    if let Some(bin) = bin(*bits) {
                        counts[bin] += 1;
                    }
                }
            }
            Ok(counts)
        });
        let sum = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        Ok(counted.collect::<Result<Vec<_>>>()?.into_iter().reduce(sum).unwrap_or_else(|| vec![0; counters]))
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

/// Where the patterns of some elements lie beside a bracket. Those on its edges are counted and not kept: there may be as many
/// as elements.
#[derive(Default)]
struct Split {
    below: u64,
    on_low: u64,
    between: Vec<u32>,
    on_high: u64,
}

impl Split {
    #[inline(always)]
    fn of(patterns: &[u32], [low, high]: [u32; 2]) -> Self {
        let mut split = Self::default();
        // What lies between is rare: most blocks are done without a branch for each element.
        for block in patterns.chunks(32) {
            let count = |holds: fn(u32, u32) -> bool, edge: u32| {
                block.iter().map(|bits| u32::from(holds(*bits, edge))).sum::<u32>()
            };
            let (up_to_low, below_high) = (count(|bits, low| bits <= low, low), count(|bits, high| bits < high, high));
            let below = count(|bits, low| bits < low, low);
            split.below += u64::from(below);
            split.on_low += u64::from(up_to_low - below);
            if high > low {
                split.on_high += u64::from(count(|bits, high| bits == high, high));
                if below_high > up_to_low {
                    split.between.extend(block.iter().filter(|bits| low < **bits && **bits < high));
                }
            }
        }
        split
    }

    fn join(mut self, mut other: Self) -> Self {
        self.below += other.below;
        self.on_low += other.on_low;
        self.on_high += other.on_high;
        self.between.append(&mut other.between);
        self
    }

    /// The pattern of a rank and the number of smaller ones, if the bracket has it.
    fn pattern(mut self, rank: u64, [low, high]: [u32; 2]) -> Option<(u32, u64)> {
        let place = rank.checked_sub(self.below)?;
        if place < self.on_low {
            return Some((low, self.below));
        }
        let before = self.below + self.on_low;
        let inside = usize::try_from(place - self.on_low).ok()?;
        if inside < self.between.len() {
            let bits = *self.between.select_nth_unstable(inside).1;
            return Some((bits, before + self.between.iter().filter(|other| **other < bits).count() as u64));
        }
        let before = before + self.between.len() as u64;
        (rank < before + self.on_high).then_some((high, before))
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
    let ranks: Vec<u64> = removals.iter().copied().filter(|rank| *rank < total).collect();
    let bracketed = if ranks.len() <= FEW { layers.bracketed(&ranks, total)? } else { None };
    let patterns = bracketed.map_or_else(|| layers.counted(&ranks), Ok)?;

    let everything = Cutoff { score: f32::MAX, index: u32::MAX };
    let mut patterns = patterns.into_iter();
    removals
        .iter()
        .map(|rank| {
            let Some((bits, before)) = (*rank < total).then(|| patterns.next()).flatten() else {
                return Ok(vec![everything; sources.len()]);
            };
            let ties = rank - before;
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

    /// Ascending scores: a sample of every 32nd chunk still knows their ranks, and one of equal scores or of a jump does not.
    #[test]
    fn brackets_and_histograms_agree_and_a_miss_is_seen() -> Result<()> {
        let columns = 1000;
        let noise = |i: usize, j: usize| u32::try_from(i * columns + j).unwrap_or(0).wrapping_mul(2_654_435_761);
        let spread = Array2::from_shape_fn((6000, columns), |(i, j)| (noise(i, j) >> 8) as f32);
        let equal = Array2::from_elem((6000, columns), 1.0_f32);
        // Rows that the sample does not see lie elsewhere.
        let hidden = Array2::from_shape_fn((6000, columns), |(i, j)| {
            let chunk = i / (CHUNK / columns);
            (noise(i, j) >> 8) as f32 * if chunk.is_multiple_of(SAMPLED) { 1.0 } else { 1e6 }
        });
        for (matrix, hits) in [(&spread, true), (&equal, true), (&hidden, false)] {
            let sources: [&dyn RowSource; 1] = [matrix];
            let layers = Layers::new(&sources);
            let ranks = [0, 17, 3_000_000, 5_999_999];
            let counted = layers.counted(&ranks)?;
            let bracketed = layers.bracketed(&ranks, 6_000_000)?;
            assert_eq!(bracketed.is_some(), hits);
            assert!(bracketed.is_none_or(|bracketed| bracketed == counted));
            let mut flat: Vec<f32> = matrix.iter().copied().collect();
            flat.sort_by(f32::total_cmp);
            for (rank, (bits, before)) in ranks.iter().zip(counted) {
                let rank = usize::try_from(*rank).unwrap_or(usize::MAX);
                assert_eq!(flat[rank].to_bits(), bits);
                assert_eq!(flat.partition_point(|value| value.to_bits() < bits) as u64, before);
            }
        }
        Ok(())
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
