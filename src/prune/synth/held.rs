//! Inputs that are kept from a fit, to judge it by.

use super::Prior;
use super::prior::SyntheticInputs;
use crate::backend::RowSource;
use crate::error::Result;
use crate::network::Network;

/// Inputs that a fit does not see, at most.
const MOST: usize = 512;

/// How many inputs are drawn from a distribution to judge a fit by.
pub(crate) const DRAWN: usize = MOST;

/// How many inputs judge a fit on `count` others, or on the rest of `count`.
fn judges(count: usize) -> usize {
    (count / 5).min(MOST)
}

/// Some rows of a source.
pub(crate) struct Rows<'a> {
    source: &'a dyn RowSource,
    rows: Vec<usize>,
}

impl RowSource for Rows<'_> {
    fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.source.shape()[1]]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let columns = self.shape()[1];
        if columns == 0 {
            return Ok(());
        }
        let rows = self.rows.iter().skip(first);
        rows.zip(out.chunks_exact_mut(columns)).try_for_each(|(row, out)| self.source.read_rows(*row, out))
    }
}

/// Samples in two parts: what a fit sees, and what judges it.
pub(crate) struct Parted<'a> {
    /// Four fifths or more.
    pub(crate) seen: Rows<'a>,
    /// Rows spread evenly, since samples are often sorted; all rows where there are fewer than five.
    pub(crate) held: Rows<'a>,
}

impl<'a> Parted<'a> {
    pub(crate) fn new(source: &'a dyn RowSource) -> Self {
        let [count, _] = source.shape();
        let held = judges(count);
        if held == 0 {
            let all = || Rows { source, rows: (0..count).collect() };
            return Self { seen: all(), held: all() };
        }
        // Row i is held where i * held / count steps to the next number.
        let is_held = |row: &usize| (row + 1) * held / count > row * held / count;
        let (held, seen) = (0..count).partition(is_held);
        Self { seen: Rows { source, rows: seen }, held: Rows { source, rows: held } }
    }
}

/// Synthetic inputs of a network behind the first `seen`, which judge a fit on those.
pub(crate) struct HeldSynthetic {
    inputs: SyntheticInputs,
    seen: usize,
}

impl HeldSynthetic {
    /// A fifth as many inputs as are seen, at least one, from the same streams.
    ///
    /// # Errors
    ///
    /// As [`SyntheticInputs::new`].
    pub(crate) fn new(network: &Network, prior: Option<Prior>, seen: usize, seed: u64) -> Result<Self> {
        let prior = prior.unwrap_or_else(|| Prior::of(network));
        let all = seen + judges(seen).max(1);
        Ok(Self { inputs: SyntheticInputs::new(network, prior, all, seed)?, seen })
    }
}

impl RowSource for HeldSynthetic {
    fn shape(&self) -> [usize; 2] {
        let [all, columns] = self.inputs.shape();
        [all - self.seen, columns]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.inputs.read_rows(self.seen + first, out)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ndarray::Array2;

    use super::*;

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn every_fifth_sample_is_held_and_none_is_seen_twice() {
        let source = Array2::from_shape_fn((23, 2), |(row, _)| row as f32);
        let read = |rows: &Rows<'_>| {
            let mut values = vec![0.0; 2 * rows.shape()[0]];
            rows.read_rows(0, &mut values).unwrap();
            values.into_iter().step_by(2).collect::<Vec<f32>>()
        };
        let parted = Parted::new(&source);
        let (mut seen, held) = (read(&parted.seen), read(&parted.held));
        assert_eq!(held, [5.0, 11.0, 17.0, 22.0]);
        seen.extend(&held);
        seen.sort_by(f32::total_cmp);
        assert_eq!(seen, (0..23).map(|row| row as f32).collect::<Vec<_>>());
        let mut last = vec![0.0; 2];
        parted.held.read_rows(3, &mut last).unwrap();
        assert_eq!(last, [22.0, 22.0]);
        let few = source.slice(ndarray::s![..4, ..]);
        let parted = Parted::new(&few);
        assert_eq!((read(&parted.seen).len(), read(&parted.held).len()), (4, 4), "too few to part");
    }
}
