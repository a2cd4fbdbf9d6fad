//! What selection and refit of one layer need: covariances of what the next layer reads, summed on the device.

use ndarray::{Array2, Axis};

use crate::backend::{Activation, Backend, Transpose, Window};
use crate::error::{Error, Result};

/// How the next layer reads a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader {
    /// Each column is a position of a unit: linear layers, behind a flatten or not.
    Columns,
    /// A convolution.
    Windows(Window),
}

/// Sums over rows, on the device.
///
/// Squares are summed about a centre, the mean of the first batch: f32 sums of `p^2` would leave of a column that hardly
/// varies nothing but their rounding.
pub(crate) struct Sums<B: Backend> {
    sums: Option<Parts<B>>,
    centre: Option<Centre<B>>,
    rows: usize,
}

/// What is subtracted from each row of `p` and of `z`, on the device as `1 x n` and `1 x m`, and the same numbers.
struct Centre<B: Backend> {
    rows: [B::Matrix; 2],
    values: [Array2<f32>; 2],
}

struct Parts<B: Backend> {
    /// `sum p p^T`, `sum z p^T`, `sum p`, `sum z`, `1/2 sum z^2`, of values less their centre.
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
    /// The same about zero in place of the means, for targets that are met without a shift.
    pub(crate) fn raw(mut self) -> Self {
        for (mut row, a) in self.gram.axis_iter_mut(Axis(0)).zip(&self.mean) {
            row.iter_mut().zip(&self.mean).for_each(|(value, b)| *value += a * b);
        }
        for (mut row, a) in self.target.axis_iter_mut(Axis(0)).zip(&self.target_mean) {
            row.iter_mut().zip(&self.mean).for_each(|(value, b)| *value += a * b);
        }
        self.variances.iter_mut().zip(&self.target_mean).for_each(|(variance, mean)| *variance += mean * mean);
        self.mean.iter_mut().chain(&mut self.target_mean).for_each(|mean| *mean = 0.0);
        self
    }

    /// `E |z - E z|^2`.
    pub(crate) fn variance(&self) -> f64 {
        self.variances.iter().sum()
    }
}

impl<B: Backend> Sums<B> {
    pub(crate) fn new() -> Self {
        Self { sums: None, centre: None, rows: 0 }
    }

    /// Adds a batch: `current` and `original` are what the next layer reads in the two networks, `weights` the original
    /// `C`, and `positions` the windows of the batch to take; all if absent. `missing` is added to the targets, row by row.
    pub(crate) fn add(
        &mut self,
        backend: &B,
        [current, original]: [(&B::Matrix, Reader); 2],
        weights: &B::Matrix,
        (positions, missing): (Option<&B::Indices>, Option<&B::Matrix>),
    ) -> Result<()> {
        let rows = |(value, reader): (&B::Matrix, Reader)| match reader {
            Reader::Columns => Ok(None),
            Reader::Windows(window) => backend.unfold(value, &window, positions).map(Some),
        };
        let z = {
            let unfolded = rows(original)?;
            backend.affine(unfolded.as_ref().unwrap_or(original.0), weights, None, Activation::Identity)?
        };
        let z = match missing {
            Some(missing) => backend.weighted_sum(&z, Some(missing), [1.0, 1.0], Activation::Identity)?,
            None => z,
        };
        let unfolded = rows(current)?;
        let p = unfolded.as_ref().unwrap_or(current.0);
        let count = backend.shape(p)[0];
        let ones = backend.upload(&Array2::<f32>::ones((1, count)))?;
        let product = |a: &B::Matrix, b: &B::Matrix| backend.matmul(a, Transpose::Yes, b, Transpose::No);
        let sum = |matrix| backend.matmul(&ones, Transpose::No, matrix, Transpose::No);
        let centre = match self.centre.take() {
            Some(centre) => centre,
            None => Centre::of(backend, count, [&sum(p)?, &sum(&z)?])?,
        };
        let [p_centre, z_centre] = &centre.rows;
        let less = |matrix: &B::Matrix, centre: &B::Matrix| {
            backend.weighted_sum(matrix, Some(&product(&ones, centre)?), [1.0, -1.0], Activation::Identity)
        };
        let (p, z) = (less(p, p_centre)?, less(&z, z_centre)?);
        self.centre = Some(centre);
        let parts = Parts {
            matrices: [
                product(&p, &p)?,
                product(&z, &p)?,
                sum(&p)?,
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
    pub(crate) fn moments(self, backend: &B) -> Result<Moments> {
        let sums = self.sums.filter(|_| self.rows > 0);
        let sums = sums.ok_or_else(|| Error::Data { problem: "no inputs to refit on".to_owned() })?;
        let centre = self.centre.ok_or_else(|| Error::Internal { what: "sums without a centre".to_owned() })?;
        let rows = self.rows as f64;
        // Each goes as soon as it is on the host.
        let [gram, target, mean, target_mean, halves] = sums.matrices.map(|part| backend.download(&part));
        let (mut gram, mut target) = (gram? / rows, target? / rows);
        let vector = |mean: Result<Array2<f64>>| Ok::<_, Error>((mean? / rows).into_raw_vec_and_offset().0);
        let (mut mean, mut target_mean) = (vector(mean)?, vector(target_mean)?);
        for (mut row, a) in gram.axis_iter_mut(Axis(0)).zip(&mean) {
            row.iter_mut().zip(&mean).for_each(|(value, b)| *value -= a * b);
        }
        for (mut row, a) in target.axis_iter_mut(Axis(0)).zip(&target_mean) {
            row.iter_mut().zip(&mean).for_each(|(value, b)| *value -= a * b);
        }
        let squares = halves? * (2.0 / rows);
        let mut variances: Vec<f64> =
            squares.iter().zip(&target_mean).map(|(square, mean)| (square - mean * mean).max(0.0)).collect();
        let [of_p, of_z] = &centre.values;
        mean.iter_mut().zip(of_p).for_each(|(mean, centre)| *mean += f64::from(*centre));
        target_mean.iter_mut().zip(of_z).for_each(|(mean, centre)| *mean += f64::from(*centre));
        for (at, mean) in mean.iter().enumerate() {
            if is_constant(gram[[at, at]], *mean) {
                gram.row_mut(at).fill(0.0);
                gram.column_mut(at).fill(0.0);
                target.column_mut(at).fill(0.0);
            }
        }
        for ((at, mean), variance) in target_mean.iter().enumerate().zip(&mut variances) {
            if is_constant(*variance, *mean) {
                target.row_mut(at).fill(0.0);
                *variance = 0.0;
            }
        }
        Ok(Moments { gram, target, mean, target_mean, variances })
    }
}

/// Whether a column varies less than its values are rounded: what is left of it is the rounding of its mean.
fn is_constant(variance: f64, mean: f64) -> bool {
    variance <= (f64::from(f32::EPSILON) * mean).powi(2)
}

impl<B: Backend> Centre<B> {
    /// The means of `count` rows with these sums.
    fn of(backend: &B, count: usize, sums: [&B::Matrix; 2]) -> Result<Self> {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a centre need not be exact")]
        let mean = |sum| Ok::<_, Error>((backend.download(sum)? / count.max(1) as f64).mapv(|value| value as f32));
        let values = [mean(sums[0])?, mean(sums[1])?];
        let rows = [backend.upload(&values[0])?, backend.upload(&values[1])?];
        Ok(Self { rows, values })
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
            sums.add(backend, [(&value, reader); 2], &weights, (None, None)).unwrap();
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
            let fast = moments(&Cpu::new(), &batches, &weights, reader);
            assert!(distance(&fast.gram, &exact.gram) < 1e-4 && distance(&fast.gram, &exact.gram) > 0.0);
            assert!(distance(&fast.target, &exact.target) < 1e-3);
        }
    }

    #[test]
    fn a_column_far_from_zero_has_the_variance_that_it_has_and_a_constant_one_none() {
        let value = |row: usize, column: usize| match column {
            0 => 0.7,
            1 => 1000.0 + [0.25, -0.25][row % 2],
            _ => [1.0, 2.0, 4.0][row % 3],
        };
        let batches = [0, 300].map(|first| Array2::from_shape_fn((300, 3), |(row, column)| value(first + row, column)));
        let weights = ndarray::array![[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]];
        let check = |found: Moments| {
            assert!(found.gram.row(0).iter().chain(found.target.row(0)).all(|value| *value == 0.0), "{found:?}");
            assert!((found.gram[[1, 1]] - 0.0625).abs() < 1e-6 && (found.mean[1] - 1000.0).abs() < 1e-6);
            assert!(found.variances[0] == 0.0 && (found.mean[0] - 0.7).abs() < 1e-6);
            assert!((found.target[[1, 1]] - 0.0625).abs() < 1e-4);
        };
        check(moments(&Reference::new(), &batches, &weights, Reader::Columns));
        check(moments(&Cpu::new(), &batches, &weights, Reader::Columns));
    }
}
