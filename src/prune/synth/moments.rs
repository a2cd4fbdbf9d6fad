//! What selection and refit of one layer need: covariances of what the next layer reads, summed on the device.

use ndarray::{Array2, Axis};

use crate::backend::{Activation, Backend, Transpose, Window};
use crate::error::{Error, Result};

/// How the next layer reads a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    /// Each column is a position of a unit: linear layers, behind a flatten or not.
    Columns,
    /// A convolution.
    Windows(Window),
}

/// Sums over rows, on the device.
pub(super) struct Sums<B: Backend> {
    sums: Option<Parts<B>>,
    rows: usize,
}

struct Parts<B: Backend> {
    /// `sum p p^T`, `sum z p^T`, `sum p`, `sum z`, `1/2 sum z^2`.
    matrices: [B::Matrix; 5],
}

/// Means and covariances over `rows` rows of `p`, what the next layer reads in the network that shrinks, and of `z = C p`
/// of the original network, its target.
#[derive(Debug)]
pub(crate) struct Moments {
    /// `E (p - E p)(p - E p)^T`.
    pub(crate) gram: Array2<f64>,
    /// `E (z - E z)(p - E p)^T`.
    pub(crate) target: Array2<f64>,
    /// `E p`.
    pub(crate) mean: Vec<f64>,
    /// `E z`.
    pub(crate) target_mean: Vec<f64>,
    /// `E (z_j - E z_j)^2` of each value.
    pub(crate) variances: Vec<f64>,
}

impl Moments {
    /// `E |z - E z|^2`.
    pub(crate) fn variance(&self) -> f64 {
        self.variances.iter().sum()
    }
}

impl<B: Backend> Sums<B> {
    pub(super) fn new() -> Self {
        Self { sums: None, rows: 0 }
    }

    /// Adds a batch: `current` and `original` are what the next layer reads in the two networks, `weights` the original
    /// `C`, and `positions` the windows of the batch to take; all if absent.
    pub(super) fn add(
        &mut self,
        backend: &B,
        [current, original]: [(&B::Matrix, Reader); 2],
        weights: &B::Matrix,
        positions: Option<&B::Indices>,
    ) -> Result<()> {
        let rows = |(value, reader): (&B::Matrix, Reader)| match reader {
            Reader::Columns => Ok(None),
            Reader::Windows(window) => backend.unfold(value, &window, positions).map(Some),
        };
        let z = {
            let unfolded = rows(original)?;
            backend.affine(unfolded.as_ref().unwrap_or(original.0), weights, None, Activation::Identity)?
        };
        let unfolded = rows(current)?;
        let p = unfolded.as_ref().unwrap_or(current.0);
        let count = backend.shape(p)[0];
        let ones = backend.upload(&Array2::<f32>::ones((1, count)))?;
        let product = |a, b| backend.matmul(a, Transpose::Yes, b, Transpose::No);
        let sum = |matrix| backend.matmul(&ones, Transpose::No, matrix, Transpose::No);
        let parts = Parts {
            matrices: [
                product(p, p)?,
                product(&z, p)?,
                sum(p)?,
                sum(&z)?,
                backend.path_norms(&z, &ones, None, Transpose::Yes)?,
            ],
        };
        self.rows += count;
        self.sums = Some(match self.sums.take() {
            None => parts,
            Some(sums) => sums.plus(backend, &parts)?,
        });
        Ok(())
    }

    /// The moments of all batches.
    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
    pub(super) fn moments(self, backend: &B) -> Result<Moments> {
        let sums = self.sums.filter(|_| self.rows > 0);
        let sums = sums.ok_or_else(|| Error::Data { problem: "no inputs to refit on".to_owned() })?;
        let rows = self.rows as f64;
        // Each goes as soon as it is on the host.
        let [gram, target, mean, target_mean, halves] = sums.matrices.map(|part| backend.download(&part));
        let (mut gram, mut target) = (gram? / rows, target? / rows);
        let (mean, target_mean) = ((mean? / rows).into_raw_vec_and_offset().0, target_mean? / rows);
        let target_mean = target_mean.into_raw_vec_and_offset().0;
        for (mut row, a) in gram.axis_iter_mut(Axis(0)).zip(&mean) {
            row.iter_mut().zip(&mean).for_each(|(value, b)| *value -= a * b);
        }
        for (mut row, a) in target.axis_iter_mut(Axis(0)).zip(&target_mean) {
            row.iter_mut().zip(&mean).for_each(|(value, b)| *value -= a * b);
        }
        let squares = halves? * (2.0 / rows);
        let variances =
            squares.iter().zip(&target_mean).map(|(square, mean)| (square - mean * mean).max(0.0)).collect();
        Ok(Moments { gram, target, mean, target_mean, variances })
    }
}

impl<B: Backend> Parts<B> {
    fn plus(self, backend: &B, other: &Self) -> Result<Self> {
        let mut sums = Vec::with_capacity(5);
        for (a, b) in self.matrices.iter().zip(&other.matrices) {
            sums.push(backend.weighted_sum(a, Some(b), [1.0, 1.0], Activation::Identity)?);
        }
        let matrices = sums.try_into().map_err(|_| Error::Internal { what: "five sums".to_owned() })?;
        Ok(Self { matrices })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use rand::RngExt;

    use super::*;
    use crate::backend::{Cpu, Reference};

    fn random(rows: usize, columns: usize, name: &str) -> Array2<f32> {
        let mut generator = crate::rng::stream(1, name);
        Array2::from_shape_simple_fn((rows, columns), || generator.random_range(-1.0..3.0))
    }

    fn moments<B: Backend>(backend: &B, batches: &[Array2<f32>], weights: &Array2<f32>, reader: Reader) -> Moments {
        let weights = backend.upload(weights).unwrap();
        let mut sums = Sums::new();
        for batch in batches {
            let value = backend.upload(batch).unwrap();
            sums.add(backend, [(&value, reader); 2], &weights, None).unwrap();
        }
        sums.moments(backend).unwrap()
    }

    #[test]
    fn the_target_of_the_same_network_is_its_map_of_the_covariance() {
        let window = Window { padding: [1; 4], ..Window::new([2, 4, 3], [3, 2]) };
        for (reader, columns) in [(Reader::Columns, 24), (Reader::Windows(window), 12)] {
            let batches = [random(40, 24, "a"), random(25, 24, "b")];
            let weights = random(5, columns, "c");
            let exact = moments(&Reference::new(), &batches, &weights, reader);
            let mapped = weights.mapv(f64::from).dot(&exact.gram);
            let distance = |a: &Array2<f64>, b: &Array2<f64>| (a - b).iter().fold(0.0_f64, |d, v| d.max(v.abs()));
            assert!(distance(&exact.target, &mapped) < 1e-10);
            let variance = (mapped.dot(&weights.mapv(f64::from).t())).diag().sum();
            assert!((exact.variance() - variance).abs() < 1e-9 * variance);
            // In f32 the sums lose seven digits of the squares, not of the covariances.
            let fast = moments(&Cpu::new(), &batches, &weights, reader);
            assert!(distance(&fast.gram, &exact.gram) < 1e-4 && distance(&fast.gram, &exact.gram) > 0.0);
            assert!(distance(&fast.target, &exact.target) < 1e-3);
        }
    }
}
