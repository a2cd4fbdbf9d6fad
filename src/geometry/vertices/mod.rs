//! Vertices of zonotopes and cells of the hyperplane arrangements that they are dual to.

mod angles;
mod complement;
mod exact;
mod list;
mod plane;
mod polygon;
mod rays;
mod sampled;
mod volume;

pub use exact::{VertexEstimate, zonotope_patterns};
pub use list::{Sampling, VertexList, VertexRequest, list_vertices};
pub use plane::plane_patterns;
pub use polygon::zonotope_polygon;
pub use sampled::{SampleOptions, SampledPatterns, Stop, sample_patterns};
pub(super) use volume::subset_volumes;

/// `n` choose `k`, or the largest number where that overflows.
pub(super) fn binomial(n: usize, k: usize) -> u128 {
    if k > n {
        return 0;
    }
    let mut product: u128 = 1;
    for i in 0..k.min(n - k) {
        product = match product.checked_mul((n - i) as u128) {
            Some(product) => product / (i as u128 + 1),
            None => return u128::MAX,
        };
    }
    product
}

/// The largest number of vertices of a zonotope, `2 sum_(i < d) C(p - 1, i)`, attained in general position; 1 without
/// generators.
///
/// `generators`: `p`, neither zero nor parallel; `dimension`: `d`, of their span at most (2002.08838, section 2).
#[must_use]
pub fn vertex_bound(generators: usize, dimension: usize) -> u128 {
    let Some(others) = generators.checked_sub(1) else { return 1 };
    if dimension == 0 {
        return 1;
    }
    let sum = (0..dimension.min(generators)).fold(0_u128, |sum, i| sum.saturating_add(binomial(others, i)));
    sum.saturating_mul(2)
}

/// The largest number of cells of `p` affine hyperplanes in `R^n`, `sum_(i <= n) C(p, i)`, attained in general position:
/// the number of upper vertices of a zonotope in `R^(n + 1)` with `p` generators.
#[must_use]
pub fn cell_bound(hyperplanes: usize, dimension: usize) -> u128 {
    (0..=dimension.min(hyperplanes)).fold(0_u128, |sum, i| sum.saturating_add(binomial(hyperplanes, i)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_formulas() {
        assert_eq!([vertex_bound(7, 2), vertex_bound(7, 3), vertex_bound(7, 7)], [14, 44, 128]);
        assert_eq!([vertex_bound(0, 3), vertex_bound(1, 3), vertex_bound(2, 9)], [1, 2, 4]);
        assert_eq!([cell_bound(7, 2), cell_bound(0, 2), cell_bound(3, 5)], [29, 1, 8]);
        assert_eq!(binomial(1000, 500), u128::MAX);
        assert_eq!([binomial(16, 3), binomial(10, 5), binomial(3, 4)], [560, 252, 0]);
    }
}
