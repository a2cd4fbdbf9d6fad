//! Least squares under a mask, all rows together.

use ndarray::{Array1, Array2, Axis, Zip};

use crate::network::Mask;

/// Steps at most: what is left after these lies in directions that hardly vary.
const STEPS: usize = 200;

/// The share of a row's first squared residual at which it is solved.
const SOLVED: f64 = 1e-12;

/// `argmin_V 1/2 tr V (G + shift I) V^T - tr V T^T` over all `V` that are zero where `mask` is.
///
/// Each row is a positive definite system in the weights that it keeps. All of them take the steps of conjugate gradients
/// with the diagonal as preconditioner together, so that a step is one product with `G`, whatever the mask is; the error
/// falls from that of `start` in every step (Hestenes and Stiefel, 1952).
///
/// `covariance` (G): `n x n`, `cross` (T): `m x n`, `start`: `m x n`; `times` multiplies matrices.
pub(super) fn masked_least_squares(
    covariance: &Array2<f64>,
    cross: &Array2<f64>,
    mask: &Mask,
    start: Array2<f64>,
    shift: f64,
    times: impl Fn(&Array2<f64>, &Array2<f64>) -> Array2<f64>,
) -> Array2<f64> {
    let keeps = |mut values: Array2<f64>| {
        values.indexed_iter_mut().filter(|((i, j), _)| !mask.keeps(*i, *j)).for_each(|(_, value)| *value = 0.0);
        values
    };
    // Columns that never vary have nothing to give.
    let scale = covariance.diag().mapv(|own| if own + shift > 0.0 { 1.0 / (own + shift) } else { 0.0 });
    let apply = |v: &Array2<f64>| keeps(times(v, covariance) + &(v * shift));
    let dots = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum_axis(Axis(1));
    let mut solution = keeps(start);
    let mut residual = keeps(cross.clone()) - apply(&solution);
    let mut direction = &residual * &scale;
    let mut size = dots(&residual, &direction);
    let first = size.clone();
    for _ in 0..STEPS {
        let moved = apply(&direction);
        let curvature = dots(&direction, &moved);
        let step = ratios(&size, &curvature, |row| size[row] > SOLVED * first[row]);
        if step.iter().all(|step| *step == 0.0) {
            break;
        }
        let column = step.view().insert_axis(Axis(1));
        solution += &(&direction * &column);
        residual -= &(&moved * &column);
        let conditioned = &residual * &scale;
        let next = dots(&residual, &conditioned);
        let turn = ratios(&next, &size, |row| step[row] != 0.0);
        direction = conditioned + &direction * &turn.view().insert_axis(Axis(1));
        size = next;
    }
    solution
}

/// `a / b` in the rows that are asked for, where there is something to divide by.
fn ratios(a: &Array1<f64>, b: &Array1<f64>, asked: impl Fn(usize) -> bool) -> Array1<f64> {
    let mut found = Array1::zeros(a.len());
    Zip::indexed(&mut found).and(a).and(b).for_each(|row, found, a, b| {
        *found = if *b > 0.0 && asked(row) { a / b } else { 0.0 };
    });
    found
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, DVector};
    use rand::RngExt;

    use super::*;

    /// The normal equations of each row by themselves.
    #[test]
    fn rows_are_those_of_their_own_normal_equations() {
        let (m, n, shift) = (7, 30, 1e-3);
        let random = &mut crate::rng::stream(4, "masked");
        let half = Array2::from_shape_simple_fn((n, 4 * n), || random.random_range(-1.0..1.0));
        let covariance: Array2<f64> = half.dot(&half.t());
        let cross = Array2::from_shape_simple_fn((m, n), || random.random_range(-1.0..1.0));
        let mut mask = Mask::full(m, n);
        mask.remove_row(3);
        for (i, j) in (0..m * n).map(|at| (at / n, at % n)) {
            if random.random_bool(0.5) {
                mask.remove(i, j);
            }
        }
        let start = Array2::from_shape_simple_fn((m, n), || random.random_range(-1.0..1.0));
        let found = masked_least_squares(&covariance, &cross, &mask, start, shift, |a, b| a.dot(b));
        for i in 0..m {
            let kept: Vec<usize> = (0..n).filter(|j| mask.keeps(i, *j)).collect();
            if kept.is_empty() {
                assert!(found.row(i).iter().all(|value| *value == 0.0));
                continue;
            }
            let own = |a: usize, b: usize| covariance[[kept[a], kept[b]]] + if a == b { shift } else { 0.0 };
            let matrix = DMatrix::from_fn(kept.len(), kept.len(), own);
            let wanted = matrix.lu().solve(&DVector::from_fn(kept.len(), |a, _| cross[[i, kept[a]]]));
            let wanted = wanted.map_or_else(Vec::new, |wanted| wanted.as_slice().to_vec());
            let size = wanted.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            for j in 0..n {
                let want = kept.iter().position(|kept| *kept == j).map_or(0.0, |at| wanted[at]);
                // The root of what is left of a squared residual, times the condition of these systems.
                assert!(
                    (found[[i, j]] - want).abs() <= 1e-6 * 100.0 * size,
                    "({i}, {j}): {} and {want}",
                    found[[i, j]]
                );
            }
        }
    }

    #[test]
    fn columns_that_never_vary_keep_what_they_have() {
        let covariance = ndarray::array![[1.0, 0.0], [0.0, 0.0]];
        let cross = ndarray::array![[2.0, 0.0]];
        let start = ndarray::array![[0.0, 5.0]];
        let found = masked_least_squares(&covariance, &cross, &Mask::full(1, 2), start, 0.0, |a, b| a.dot(b));
        assert_eq!(found, ndarray::array![[2.0, 5.0]]);
    }
}
