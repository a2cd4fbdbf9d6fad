//! Comparisons whose tolerances come from the data, and which are seen to fail.

use ndarray::Array2;

/// `gamma_n = n u / (1 - n u)` for f32 (Higham, section 3.1).
pub(crate) fn gamma(operations: usize) -> f64 {
    let nu = operations as f64 * f64::from(f32::EPSILON) / 2.0;
    nu / (1.0 - nu)
}

/// The rounding bound of sums of `operations` roundings over terms whose absolute values add up to `sizes`.
pub(crate) fn bound(operations: usize, sizes: &Array2<f64>) -> Array2<f64> {
    // Adapters may flush denormals: each operation may lose one.
    let denormal = operations as f64 * f64::from(f32::MIN_POSITIVE);
    sizes.mapv(|size| gamma(operations) * size + denormal)
}

fn compare(what: &str, got: &Array2<f64>, want: &Array2<f64>, bound: &Array2<f64>) -> Result<(), String> {
    if got.dim() != want.dim() || bound.dim() != want.dim() {
        return Err(format!("{what}: shape {:?}, expected {:?}", got.dim(), want.dim()));
    }
    for ((at, got), want) in got.indexed_iter().zip(want) {
        // Written so that NaN fails.
        let close = (got - want).abs() <= bound[at];
        if !close {
            return Err(format!("{what} at {at:?}: {got}, expected {want} +- {}", bound[at]));
        }
    }
    Ok(())
}

/// Fails unless every entry of `got` is within its bound, and unless the comparison notices an entry that is not.
pub(crate) fn assert_close(what: &str, got: &Array2<f64>, want: &Array2<f64>, bound: &Array2<f64>) {
    if let Err(difference) = compare(what, got, want, bound) {
        panic!("{difference}");
    }
    if !got.is_empty() {
        let last = (got.nrows() - 1, got.ncols() - 1);
        let mut wrong = got.clone();
        // Beyond the bound from either of its ends, and beyond the spacing of f64 where the bound is zero.
        wrong[last] += 2.5 * bound[last] + want[last].abs() * 1e-15 + f64::MIN_POSITIVE;
        assert!(compare(what, &wrong, want, bound).is_err(), "{what}: the comparison does not see a perturbed entry");
    }
}

/// Fails unless both are equal to the last bit, and unless the comparison notices a changed entry.
pub(crate) fn assert_same(what: &str, got: &Array2<f64>, want: &Array2<f64>) {
    assert_close(what, got, want, &Array2::zeros(want.dim()));
}

fn compare_arguments(what: &str, got: &[u32], scores: &Array2<f64>, bound: &Array2<f64>) -> Result<(), String> {
    if got.len() != scores.nrows() {
        return Err(format!("{what}: {} indices for {} rows", got.len(), scores.nrows()));
    }
    for (i, argument) in got.iter().enumerate() {
        let row = scores.row(i);
        let best = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = row.iter().position(|score| *score == best).unwrap_or(usize::MAX);
        let argument = *argument as usize;
        let tie = argument < row.len() && best - row[argument] <= 2.0 * bound[(i, 0)];
        if argument != lowest && !tie {
            return Err(format!("{what} at {i}: {argument}, expected {lowest}"));
        }
    }
    Ok(())
}

/// Fails unless each index is the lowest that attains the maximum of its row of scores, or ties with it within the bound.
pub(crate) fn assert_arguments(what: &str, got: &[u32], scores: &Array2<f64>, bound: &Array2<f64>) {
    if let Err(difference) = compare_arguments(what, got, scores, bound) {
        panic!("{difference}");
    }
    if !got.is_empty() {
        let mut wrong = got.to_vec();
        wrong[got.len() - 1] = u32::MAX;
        assert!(compare_arguments(what, &wrong, scores, bound).is_err(), "{what}: a changed index is not seen");
    }
}
