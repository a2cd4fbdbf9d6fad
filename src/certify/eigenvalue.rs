//! An upper bound of the largest eigenvalue of a symmetric matrix that holds in spite of rounding.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, s};
use rand::RngExt;

use super::radial::UNIT;
use crate::rng;

/// Steps of the Lanczos iteration that guesses the eigenvalue.
const STEPS: usize = 48;
/// How far above the guess the bound is tried, in shares of the guess.
const GAPS: [f64; 7] = [1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];
/// Columns of one block of the factorisation.
const BLOCK: usize = 48;

/// A number that is at least the largest eigenvalue of the symmetric matrix `m`, whose lower half is read.
///
/// A guess `t` from below (Lanczos) is tried at `t (1 + gap)` for growing gaps: where the Cholesky factorisation of
/// `t I - M` runs to its end in f64, `t I - M` is positive semi-definite up to `gamma_(n+1) / (1 - gamma_(n+1))` times its
/// trace (Rump, *Verification of positive definiteness*, 2006), which is added to `t` together with the rounding of the
/// diagonal. Where no gap works the bound is the largest absolute row sum (Gershgorin), or infinity if the matrix is
/// not finite.
#[must_use]
pub fn largest_eigenvalue_bound(m: &Array2<f64>) -> f64 {
    let n = m.nrows();
    let Some(rows) = row_sum_bound(m) else { return f64::INFINITY };
    if n == 0 {
        return f64::NEG_INFINITY;
    }
    if rows == 0.0 {
        return 0.0;
    }
    let guess = lanczos(m);
    // Of the four: gamma of the factorisation, twice the rounding of `t - M_ii`, and the rest for these sums themselves.
    let gamma = 4.0 * (n as f64 + 4.0) * UNIT;
    for gap in GAPS {
        let trial = guess + gap * guess.abs().max(rows * 1e-12);
        if trial >= rows {
            break;
        }
        let mut shifted = m.mapv(|value| -value);
        shifted.diag_mut().mapv_inplace(|value| value + trial);
        let trace: f64 = m.diag().iter().map(|value| trial.abs() + value.abs()).sum();
        if factorises(&mut shifted) {
            return trial + gamma * trace;
        }
    }
    rows
}

/// The largest absolute row sum, rounded up; `None` if it is not finite.
fn row_sum_bound(m: &Array2<f64>) -> Option<f64> {
    let mut sums = Array1::<f64>::zeros(m.nrows());
    for ((i, k), value) in m.indexed_iter().filter(|((i, k), _)| k <= i) {
        sums[i] += value.abs();
        if k < i {
            sums[k] += value.abs();
        }
    }
    let largest = sums.iter().fold(0.0_f64, |most, sum| if *sum > most || sum.is_nan() { *sum } else { most });
    largest.is_finite().then(|| largest * (1.0 + 4.0 * (m.nrows() as f64 + 4.0) * UNIT))
}

/// The largest Ritz value after some steps with full reorthogonalisation.
fn lanczos(m: &Array2<f64>) -> f64 {
    let n = m.nrows();
    let mut generator = rng::stream(0, "largest eigenvalue");
    let mut basis: Vec<Array1<f64>> = Vec::new();
    let mut next: Array1<f64> = Array1::from_shape_simple_fn(n, || generator.random_range(-1.0..1.0));
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..STEPS.min(n) {
        let norm = next.dot(&next).sqrt();
        if norm.is_nan() || norm <= f64::MIN_POSITIVE {
            break;
        }
        let q = next / norm;
        let mut product = symmetric_product(m, &q);
        let size = product.dot(&product).sqrt();
        diagonal.push(q.dot(&product));
        basis.push(q);
        // Twice is enough to keep the basis orthogonal.
        for _ in 0..2 {
            for q in &basis {
                let along = q.dot(&product);
                product.scaled_add(-along, q);
            }
        }
        beside.push(product.dot(&product).sqrt());
        if beside.last().is_none_or(|rest| *rest <= 1e-12 * size) {
            break;
        }
        next = product;
    }
    let k = diagonal.len();
    let reduced = nalgebra::DMatrix::from_fn(k, k, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    });
    reduced.symmetric_eigenvalues().iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// `M q` from the lower half of `M`.
fn symmetric_product(m: &Array2<f64>, q: &Array1<f64>) -> Array1<f64> {
    let mut product = Array1::zeros(q.len());
    for (i, row) in m.rows().into_iter().enumerate() {
        let below = row.slice(s![..i]);
        product[i] += below.dot(&q.slice(s![..i])) + row[i] * q[i];
        product.slice_mut(s![..i]).scaled_add(q[i], &below);
    }
    product
}

/// Runs the Cholesky factorisation on the lower half of `a`, block column by block column; whether every pivot is
/// positive.
fn factorises(a: &mut Array2<f64>) -> bool {
    let n = a.nrows();
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        // The block column less what the columns to its left take away.
        let (left, mut column) = a.view_mut().split_at(ndarray::Axis(1), start);
        let below = left.slice(s![start.., ..]);
        let across = left.slice(s![start..end, ..]);
        general_mat_mul(-1.0, &below, &across.t(), 1.0, &mut column.slice_mut(s![start.., ..end - start]));
        for k in 0..end - start {
            let done = column.slice(s![start + k, ..k]).to_owned();
            for i in start + k..n {
                let taken = column.slice(s![i, ..k]).dot(&done);
                column[[i, k]] -= taken;
            }
            let pivot = column[[start + k, k]];
            if pivot.is_nan() || pivot <= 0.0 {
                return false;
            }
            let root = pivot.sqrt();
            column.slice_mut(s![start + k.., k]).mapv_inplace(|value| value / root);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symmetric matrix `Q diag(values) Q'` up to rounding, with a random rotation `Q`.
    fn with_eigenvalues(values: &[f64], seed: u64) -> Array2<f64> {
        let n = values.len();
        let mut generator = rng::stream(seed, "test eigenvalues");
        let random = nalgebra::DMatrix::from_fn(n, n, |_, _| generator.random_range(-1.0..1.0));
        let q = random.qr().q();
        let m = &q * nalgebra::DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(values)) * q.transpose();
        Array2::from_shape_fn((n, n), |(i, j)| (m[(i, j)] + m[(j, i)]) / 2.0)
    }

    #[test]
    fn the_bound_lies_above_the_largest_eigenvalue_and_close_to_it() {
        for seed in 0..40 {
            let n = 1 + usize::try_from(seed * 7 % 97).unwrap_or(0);
            let mut generator = rng::stream(seed, "test spectrum");
            let values: Vec<f64> = (0..n).map(|_| generator.random_range(-3.0..2.0)).collect();
            let m = with_eigenvalues(&values, seed);
            let exact = nalgebra::DMatrix::from_fn(n, n, |i, j| m[[i, j]]).symmetric_eigenvalues().max();
            let bound = largest_eigenvalue_bound(&m);
            assert!(bound >= exact, "n = {n}: {bound} < {exact}");
            assert!(bound <= exact + 1e-4 * exact.abs().max(0.1), "n = {n}: {bound} is far above {exact}");
        }
    }

    #[test]
    fn clustered_and_degenerate_spectra_are_bounded() {
        for values in [vec![1.0; 60], vec![0.0; 5], vec![-2.0; 70], [vec![1.0; 50], vec![1.0 - 1e-9; 50]].concat()] {
            let m = with_eigenvalues(&values, 1);
            let exact = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let bound = largest_eigenvalue_bound(&m);
            assert!(bound >= exact - 1e-15 && bound <= exact + 1e-4, "{bound} of {exact}");
        }
        assert!(largest_eigenvalue_bound(&Array2::from_elem((3, 3), f64::NAN)).is_infinite());
    }

    #[test]
    fn a_factorisation_ends_at_the_first_negative_pivot() {
        let m = with_eigenvalues(&(0..120).map(|i| 1.0 + f64::from(i)).collect::<Vec<_>>(), 3);
        assert!(factorises(&mut m.clone()));
        let mut shifted = m;
        shifted.diag_mut().mapv_inplace(|value| value - 1.0 - 1e-6);
        assert!(!factorises(&mut shifted), "the smallest eigenvalue is below zero by 1e-6");
    }
}
