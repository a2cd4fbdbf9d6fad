//! Scores of single elements, filled row by row from the weights so that no layer is stored twice.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::backend::{RowSource, vectorised};
use crate::error::Result;
use crate::network::Tensor;
use crate::rng;

/// `score_ij = |w_ij| u_i v_j`; class-blind (`u = v = 1`), class-distribution (`u_i = 1 / sigma_i`) and path scores.
#[derive(Debug)]
pub(crate) struct ProductScores {
    weight: Tensor,
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl ProductScores {
    #[expect(clippy::cast_possible_truncation, reason = "scores are ordered in f32; one that overflows is refused")]
    pub(crate) fn new(weight: Tensor, rows: Vec<f64>, columns: Vec<f64>) -> Self {
        let narrow = |factors: Vec<f64>| factors.into_iter().map(|factor| factor as f32).collect();
        Self { weight, rows: narrow(rows), columns: narrow(columns) }
    }

    /// `|w_ij|`: class-blind pruning (See, Luong, Manning, 2016).
    pub(crate) fn magnitude(weight: Tensor) -> Self {
        let [rows, columns] = weight.matrix_shape();
        Self::new(weight, vec![1.0; rows], vec![1.0; columns])
    }

    /// `|w_ij| / sigma_i` with the standard deviation of the weights of row `i`: a threshold `lambda sigma_i` per class.
    pub(crate) fn distribution(weight: Tensor) -> Result<Self> {
        let [rows, columns] = weight.matrix_shape();
        let mut buffer = vec![0.0; columns];
        let mut deviations = Vec::with_capacity(rows);
        for i in 0..rows {
            weight.read_rows(i, &mut buffer)?;
            deviations.push(deviation(&buffer));
        }
        // A row of equal weights has no spread: its threshold is 0 and it goes last.
        let spread = deviations.iter().copied().filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
        let floor = if spread.is_finite() { spread * 1e-6 } else { 1.0 };
        let factors = deviations.iter().map(|d| 1.0 / d.max(floor)).collect();
        Ok(Self::new(weight, factors, vec![1.0; columns]))
    }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a row is far below 2^53")]
fn deviation(row: &[f32]) -> f64 {
    let n = row.len().max(1) as f64;
    let mean = row.iter().map(|w| f64::from(*w)).sum::<f64>() / n;
    let square: f64 = row.iter().map(|w| (f64::from(*w) - mean).powi(2)).sum();
    (square / n).sqrt()
}

impl RowSource for ProductScores {
    fn shape(&self) -> [usize; 2] {
        self.weight.matrix_shape()
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.weight.read_rows(first, out)?;
        vectorised(
            #[inline(always)]
            || {
                for (row, factor) in out.chunks_exact_mut(self.columns.len().max(1)).zip(&self.rows[first..]) {
                    for (value, column) in row.iter_mut().zip(&self.columns) {
                        *value = value.abs() * factor * column;
                    }
                }
            },
        );
        Ok(())
    }
}

/// The number of weights in the same row that go before this one: class-uniform pruning removes the same count per row.
#[derive(Debug)]
pub(crate) struct UniformScores(pub(crate) Tensor);

impl RowSource for UniformScores {
    fn shape(&self) -> [usize; 2] {
        self.0.matrix_shape()
    }

    #[expect(clippy::cast_precision_loss, reason = "a row has at most 2^24 weights, checked at load")]
    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.0.read_rows(first, out)?;
        let columns = self.shape()[1].max(1);
        let mut order: Vec<usize> = Vec::with_capacity(columns);
        for row in out.chunks_exact_mut(columns) {
            order.clear();
            order.extend(0..columns);
            order.sort_by(|a, b| row[*a].abs().total_cmp(&row[*b].abs()).then(a.cmp(b)));
            for (rank, j) in order.iter().enumerate() {
                row[*j] = rank as f32;
            }
        }
        Ok(())
    }
}

/// `score_u = w_u^2 / sum of w_v^2 over |w_v| >= |w_u|` in the same layer (Lee et al., *Layer-adaptive sparsity for the
/// magnitude-based pruning*, 2021); `w` may be other sizes of elements than the weights themselves.
pub(crate) struct LampScores {
    sizes: Box<dyn RowSource + Send>,
    /// Magnitudes, ascending.
    sorted: Vec<f32>,
    /// `tails[b]`: the sum of squares of `sorted[b * LampScores::STRIDE..]`.
    tails: Vec<f64>,
}

impl LampScores {
    /// Tail sums are stored once per this many weights, so that a large layer costs one f32 a weight.
    const STRIDE: usize = 64;

    /// # Errors
    ///
    /// What reading `sizes` returns.
    pub(crate) fn new(sizes: Box<dyn RowSource + Send>) -> Result<Self> {
        let mut sorted = vec![0.0; sizes.shape().iter().product()];
        sizes.read_rows(0, &mut sorted)?;
        sorted.iter_mut().for_each(|w| *w = w.abs());
        rayon::slice::ParallelSliceMut::par_sort_unstable_by(sorted.as_mut_slice(), f32::total_cmp);
        let mut tails: Vec<f64> = sorted.chunks(Self::STRIDE).map(|chunk| chunk.iter().map(square).sum()).collect();
        for block in (1..tails.len()).rev() {
            tails[block - 1] += tails[block];
        }
        Ok(Self { sizes, sorted, tails })
    }

    /// The sum of squares of all weights of at least this magnitude.
    fn tail(&self, magnitude: f32) -> f64 {
        let start = self.sorted.partition_point(|w| *w < magnitude);
        let block = start.div_ceil(Self::STRIDE);
        let end = (block * Self::STRIDE).min(self.sorted.len());
        self.sorted[start..end].iter().map(square).sum::<f64>() + self.tails.get(block).copied().unwrap_or(0.0)
    }
}

fn square(w: &f32) -> f64 {
    f64::from(*w) * f64::from(*w)
}

impl RowSource for LampScores {
    fn shape(&self) -> [usize; 2] {
        self.sizes.shape()
    }

    #[expect(clippy::cast_possible_truncation, reason = "a score lies between 0 and 1")]
    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.sizes.read_rows(first, out)?;
        for value in out.iter_mut() {
            let tail = self.tail(value.abs());
            *value = if tail > 0.0 { (square(value) / tail) as f32 } else { 0.0 };
        }
        Ok(())
    }
}

/// A uniformly random order, from the stream `random/<layer>` of the seed.
#[derive(Debug)]
pub(crate) struct RandomScores {
    shape: [usize; 2],
    generator: ChaCha8Rng,
}

impl RandomScores {
    pub(crate) fn new(shape: [usize; 2], seed: u64, layer: usize) -> Self {
        Self { shape, generator: rng::stream(seed, &format!("random/{layer}")) }
    }
}

impl RowSource for RandomScores {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let mut generator = self.generator.clone();
        generator.set_word_pos(u128::from(first as u64) * u128::from(self.shape[1] as u64));
        for value in out.iter_mut() {
            // 30 random bits as the pattern of a float below 2: uniform in the order of scores.
            *value = f32::from_bits(generator.next_u32() >> 2);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Element;

    fn tensor(rows: usize, columns: usize, values: &[f32]) -> Result<Tensor> {
        Tensor::owned("w", Element::F32, vec![rows, columns], values.to_vec())
    }

    fn all(scores: &dyn RowSource) -> Result<Vec<f32>> {
        let [rows, columns] = scores.shape();
        let mut out = vec![0.0; rows * columns];
        scores.read_rows(0, &mut out)?;
        Ok(out)
    }

    #[test]
    fn lamp_divides_by_the_squares_that_are_at_least_as_large() -> Result<()> {
        let scores = all(&LampScores::new(Box::new(tensor(2, 2, &[-1.0, 2.0, 2.0, 0.0])?))?)?;
        assert_eq!(scores, [1.0 / 9.0, 0.5, 0.5, 0.0]);
        Ok(())
    }

    #[test]
    fn lamp_tail_sums_agree_with_plain_sums_beyond_one_stride() -> Result<()> {
        let values: Vec<f32> = (0..500).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
        let lamp = LampScores::new(Box::new(tensor(5, 100, &values)?))?;
        for w in &values {
            let plain: f64 = values.iter().filter(|v| v.abs() >= w.abs()).map(square).sum();
            assert_eq!(lamp.tail(w.abs()), plain);
        }
        Ok(())
    }

    #[test]
    fn uniform_scores_are_ranks_within_the_row() -> Result<()> {
        let scores = all(&UniformScores(tensor(2, 3, &[3.0, -1.0, 2.0, 0.0, 0.0, -5.0])?))?;
        assert_eq!(scores, [2.0, 0.0, 1.0, 0.0, 1.0, 2.0]);
        Ok(())
    }

    #[test]
    fn random_rows_do_not_depend_on_where_reading_starts() -> Result<()> {
        let scores = RandomScores::new([6, 5], 7, 1);
        let whole = all(&scores)?;
        let mut tail = vec![0.0; 15];
        scores.read_rows(3, &mut tail)?;
        assert_eq!(tail, whole[15..]);
        assert_ne!(whole, all(&RandomScores::new([6, 5], 8, 1))?);
        Ok(())
    }
}
