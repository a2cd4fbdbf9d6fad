//! Shadows of sets in more than two dimensions.

use ndarray::{Array2, ArrayView2};

/// The plane of the first two principal axes of the generators, `2 x d`: the shadow on it is the widest.
#[must_use]
pub fn principal_plane(generators: ArrayView2<'_, f64>) -> Array2<f64> {
    let d = generators.ncols();
    let gram = generators.t().dot(&generators);
    let eigen = nalgebra::DMatrix::from_fn(d, d, |i, k| gram[[i, k]]).symmetric_eigen();
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]).then(a.cmp(b)));
    Array2::from_shape_fn((2, d), |(axis, k)| {
        let Some(at) = order.get(axis) else { return 0.0 };
        // The entry of the largest size is positive: an eigenvector has no sign of its own.
        let column = eigen.eigenvectors.column(*at);
        let largest = column.iter().fold(0.0_f64, |most, entry| if entry.abs() > most.abs() { *entry } else { most });
        column[k] * largest.signum()
    })
}
