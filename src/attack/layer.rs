//! Perturbations of the whole first layer, one for each sample of a batch: `n p x d`, the rows of a sample one behind the
//! other.

use ndarray::Array2;

use super::region::{narrow, scale_rows, sum};
use crate::backend::{Activation, Backend, Combination, Function};
use crate::error::Result;

/// Arithmetic of such perturbations.
pub(super) struct Layers<'a, B: Backend> {
    backend: &'a B,
    /// The samples, `n x d` and `n d x 1`.
    samples: [&'a B::Matrix; 2],
    /// `|x|^2`, on the host.
    squares: &'a [f64],
    rows: usize,
}

impl<'a, B: Backend> Layers<'a, B> {
    pub(super) fn new(backend: &'a B, samples: [&'a B::Matrix; 2], squares: &'a [f64], rows: usize) -> Self {
        Self { backend, samples, squares, rows }
    }

    /// `Xi x` of each sample, `n x p`.
    pub(super) fn times_sample(&self, xi: &B::Matrix) -> Result<B::Matrix> {
        let products = self.backend.batched_matmul(xi, self.samples[1], self.squares.len())?;
        self.backend.reshape(products, self.rows)
    }

    /// `q x^T` of each sample, from `q`, `n x p`, which is given away.
    pub(super) fn outer(&self, q: B::Matrix) -> Result<B::Matrix> {
        self.backend.batched_matmul(&self.backend.reshape(q, 1)?, self.samples[0], self.squares.len())
    }

    /// `(beta I + mu x x^T)^-1` on each row from the right, after Sherman and Morrison:
    /// `(N - mu (N x) x^T / (beta + mu |x|^2)) / beta`.
    pub(super) fn solve(&self, n: &B::Matrix, beta: f64, mu: f64) -> Result<B::Matrix> {
        let backend = self.backend;
        let factors = self.squares.iter().map(|square| mu / (beta * (beta + mu * square)));
        let factors = super::region::column(backend, factors)?;
        let correction = self.outer(scale_rows(backend, &self.times_sample(n)?, &factors)?)?;
        sum(backend, n, &correction, [narrow(1.0 / beta), -1.0])
    }

    /// Each row times the number of its neuron.
    pub(super) fn scale_neurons(&self, xi: &B::Matrix, numbers: &[f64]) -> Result<B::Matrix> {
        let count = self.squares.len() * self.rows;
        let tiled = Array2::from_shape_fn((count, 1), |(at, _)| narrow(numbers[at % self.rows]));
        scale_rows(self.backend, xi, &self.backend.upload(&tiled)?)
    }

    /// Every entry within a bound.
    pub(super) fn clip(&self, xi: &B::Matrix, bound: f64) -> Result<B::Matrix> {
        self.backend.elementwise(xi, Function::Clip { low: narrow(-bound), high: narrow(bound) })
    }

    /// No perturbation.
    pub(super) fn zero(&self, inputs: usize) -> Result<B::Matrix> {
        self.backend.upload(&Array2::<f32>::zeros((self.squares.len() * self.rows, inputs)))
    }
}

/// The square of the largest singular value of a matrix, about: thirty steps of the power method, and a tenth more.
pub(super) fn spectral_square<B: Backend>(backend: &B, matrix: &B::Matrix) -> Result<f64> {
    use crate::backend::Transpose;
    let columns = backend.shape(matrix)[1];
    let mut vector = backend.upload(&Array2::<f32>::ones((1, columns)))?;
    let mut square = 0.0;
    for _ in 0..30 {
        let image = backend.matmul(&vector, Transpose::No, matrix, Transpose::Yes)?;
        let back = backend.matmul(&image, Transpose::No, matrix, Transpose::No)?;
        let rate = super::region::over_norms(backend, &back, 1.0)?;
        square = 1.0 / super::region::numbers(backend, &rate)?.first().copied().unwrap_or(1.0).max(1e-30);
        vector = backend.combine(&back, &rate, Combination::Multiply, columns)?;
        vector = backend.weighted_sum(&vector, None, [1.0, 0.0], Activation::Identity)?;
    }
    Ok(1.1 * square)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ndarray::{Array1, array, s};

    use super::*;
    use crate::backend::Reference;

    #[test]
    fn the_step_is_that_of_a_dense_solve() {
        let backend = Reference::new();
        let samples = array![[0.5, -1.0, 2.0], [0.0, 0.25, 1.5]];
        let flat = samples.to_shape((6, 1)).unwrap().to_owned();
        let squares: Vec<f64> = samples.rows().into_iter().map(|row| row.dot(&row)).collect();
        let layers = Layers::new(&backend, [&samples, &flat], &squares, 4);
        let n =
            Array2::from_shape_fn((8, 3), |(i, j)| (i as f64 - 3.0) * 0.7 + (j as f64) * 1.3 - 0.5 * (i * j) as f64);
        let (beta, mu) = (1.75, 0.6);
        let found = layers.solve(&n, beta, mu).unwrap();
        for (sample, x) in samples.rows().into_iter().enumerate() {
            let dense = nalgebra::DMatrix::from_fn(3, 3, |i, j| f64::from(u8::from(i == j)) * beta + mu * x[i] * x[j]);
            let lu = dense.lu();
            for row in 4 * sample..4 * sample + 4 {
                let right = nalgebra::DVector::from_iterator(3, n.row(row).iter().copied());
                let exact: Array1<f64> = lu.solve(&right).unwrap().iter().copied().collect();
                // Factors pass through f32.
                let off = (&found.row(row) - &exact).mapv(f64::abs).sum();
                assert!(off < 2e-6, "{row}: {off}");
            }
        }
        // Seen to fail: another coupling gives another step.
        let other = layers.solve(&n, beta, 0.5).unwrap();
        assert!((&other - &found).mapv(f64::abs).sum() > 1e-2);
        assert_eq!(layers.times_sample(&n).unwrap()[[1, 2]], n.row(6).dot(&samples.row(1)));
        assert_eq!(
            layers.outer(array![[1.0, 0.0, 0.0, 2.0], [0.0; 4]]).unwrap().slice(s![3, ..]),
            samples.row(0).mapv(|x| 2.0 * x)
        );
    }

    #[test]
    fn the_largest_singular_value_is_found() {
        let found = spectral_square(&Reference::new(), &array![[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]]).unwrap();
        assert!((found - 9.9).abs() < 1e-4, "{found}");
    }
}
