//! Zonotopes as shift and generators.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate};

use super::vertices::{subset_volumes, zonotope_polygon};
use crate::error::{Error, Result};

/// Subsets of generators that a volume may add up.
const SUBSETS: u128 = 200_000_000;

/// The zonotope `Z = shift + sum_i [0, g_i]` in `R^d`, in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Zonotope {
    pub(super) shift: Array1<f64>,
    pub(super) generators: Array2<f64>,
}

/// The symmetric form of a zonotope, `centre + sum_i [-1, 1] h_i` with `h_i = g_i / 2`.
#[derive(Debug, Clone, PartialEq)]
pub struct CentredZonotope {
    /// `shift + sum_i g_i / 2`, the point about which the zonotope is symmetric.
    pub centre: Array1<f64>,
    /// `p x d`: the halved generators.
    pub half_generators: Array2<f64>,
}

pub(super) fn dot(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn norm(a: ArrayView1<'_, f64>) -> f64 {
    // The largest entry scales, so that no square overflows or vanishes.
    let largest = a.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let squares: f64 = a.iter().map(|value| (value / largest) * (value / largest)).sum();
    largest * squares.sqrt()
}

pub(super) fn dimension_problem(what: &'static str, got: usize, expected: usize) -> Error {
    Error::Argument { argument: what, problem: format!("has {got} entries; the zonotope lies in dimension {expected}") }
}

impl Zonotope {
    /// A zonotope from its generators, `p x d`, and its shift, the origin if absent.
    ///
    /// No generators are legal: the zonotope is a point. So is dimension 1.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for dimension 0, a shift of another length, or entries that are not finite.
    pub fn new(generators: Array2<f64>, shift: Option<Array1<f64>>) -> Result<Self> {
        let dimension = generators.ncols();
        if dimension == 0 {
            let problem = "a zonotope needs at least one dimension".to_owned();
            return Err(Error::Argument { argument: "generators", problem });
        }
        let shift = shift.unwrap_or_else(|| Array1::zeros(dimension));
        if shift.len() != dimension {
            return Err(dimension_problem("shift", shift.len(), dimension));
        }
        if let Some((at, value)) = generators.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let problem = format!("entry {} of generator {} is {value}", at.1, at.0);
            return Err(Error::Argument { argument: "generators", problem });
        }
        if let Some((at, value)) = shift.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(Error::Argument { argument: "shift", problem: format!("entry {at} is {value}") });
        }
        Ok(Self { shift, generators })
    }

    /// The dimension `d` of the space.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.shift.len()
    }

    /// The generators, `p x d`.
    #[must_use]
    pub fn generators(&self) -> &Array2<f64> {
        &self.generators
    }

    /// The shift, `d`.
    #[must_use]
    pub fn shift(&self) -> &Array1<f64> {
        &self.shift
    }

    /// The order `p / d`: generators over dimension.
    #[must_use]
    pub fn order(&self) -> f64 {
        self.generators.nrows() as f64 / self.dimension() as f64
    }

    /// The point `shift + sum_i g_i / 2` of symmetry: `v` is a vertex iff `2 centre - v` is one.
    #[must_use]
    pub fn centre(&self) -> Array1<f64> {
        &self.shift + &(self.generators.sum_axis(Axis(0)) / 2.0)
    }

    /// Radius of a ball about the centre that holds the zonotope, `sum_i ||g_i|| / 2`.
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.generators.rows().into_iter().map(norm).sum::<f64>() / 2.0
    }

    /// The symmetric form.
    #[must_use]
    pub fn to_centred(&self) -> CentredZonotope {
        CentredZonotope { centre: self.centre(), half_generators: &self.generators / 2.0 }
    }

    /// The Minkowski sum `{x + y}`: generators stacked, shifts added; support functions add.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for another dimension.
    pub fn minkowski_sum(&self, other: &Self) -> Result<Self> {
        if other.dimension() != self.dimension() {
            return Err(dimension_problem("other", other.dimension(), self.dimension()));
        }
        let generators = concatenate(Axis(0), &[self.generators.view(), other.generators.view()])
            .map_err(|error| Error::Internal { what: error.to_string() })?;
        Ok(Self { shift: &self.shift + &other.shift, generators })
    }

    /// The image under `x -> M x` of an `m x d` matrix, a zonotope in `R^m`; `h(u)` becomes `h(M^T u)`.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if the matrix does not have `d` columns, has no row, or makes entries that are not finite.
    pub fn linear_map(&self, map: ArrayView2<'_, f64>) -> Result<Self> {
        if map.ncols() != self.dimension() {
            return Err(dimension_problem("map", map.ncols(), self.dimension()));
        }
        Self::new(self.generators.dot(&map.t()), Some(map.dot(&self.shift)))
    }

    /// The zonotope moved by a vector.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for another dimension.
    pub fn translated(&self, by: ArrayView1<'_, f64>) -> Result<Self> {
        if by.len() != self.dimension() {
            return Err(dimension_problem("by", by.len(), self.dimension()));
        }
        Ok(Self { shift: &self.shift + &by, generators: self.generators.clone() })
    }

    /// Support function `h(u) = <shift, u> + sum_i max(<g_i, u>, 0)`.
    ///
    /// # Panics
    ///
    /// If `u` has another dimension.
    #[must_use]
    pub fn support(&self, u: ArrayView1<'_, f64>) -> f64 {
        let rectified: f64 = self.generators.rows().into_iter().map(|g| dot(g, u).max(0.0)).sum();
        dot(self.shift.view(), u) + rectified
    }

    /// The point `shift + sum_(i: <g_i, u> > 0) g_i` that attains the support function: a vertex, unless some `<g_i, u>`
    /// is zero.
    ///
    /// # Panics
    ///
    /// If `u` has another dimension.
    #[must_use]
    pub fn support_vertex(&self, u: ArrayView1<'_, f64>) -> Array1<f64> {
        let mut vertex = self.shift.clone();
        for generator in self.generators.rows() {
            if dot(generator, u) > 0.0 {
                vertex += &generator;
            }
        }
        vertex
    }

    /// The volume `sum_S |det G_S|` over all `d`-subsets of generators (Shephard 1974): length in dimension 1, area in
    /// dimension 2 (of many generators by the polygon). Exact but for rounding.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for more than 200 million subsets.
    pub fn volume(&self) -> Result<f64> {
        let simplified = self.simplified().zonotope;
        let [p, d] = [simplified.generators.nrows(), self.dimension()];
        match d {
            1 => Ok(self.generators.iter().map(|length| length.abs()).sum()),
            // The polygon takes what is thin beside the rest for flat.
            2 if self.generators.nrows() <= FEW => Ok(parallelograms(&self.generators)),
            2 => Ok(zonotope_polygon(self)?.area()),
            _ => {
                let subsets = super::vertices::binomial(p, d);
                if subsets > SUBSETS {
                    let problem = format!(
                        "the volume of {p} generators in dimension {d} adds up {subsets} determinants; at most {SUBSETS} are computed"
                    );
                    return Err(Error::Argument { argument: "volume", problem });
                }
                Ok(subset_volumes(&simplified.generators))
            }
        }
    }
}

/// Generators in the plane whose pairs are all taken.
const FEW: usize = 1000;

/// `sum_(i < j) |det(g_i, g_j)|`, each determinant to a unit in the last place (Kahan's with one fused rounding).
fn parallelograms(generators: &Array2<f64>) -> f64 {
    let mut area = 0.0;
    for (i, a) in generators.rows().into_iter().enumerate() {
        for b in generators.rows().into_iter().skip(i + 1) {
            let product = a[1] * b[0];
            let rounded = (-a[1]).mul_add(b[0], product);
            area += (a[0].mul_add(b[1], -product) + rounded).abs();
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::geometry::simplified::Simplified;

    fn cube() -> Zonotope {
        Zonotope { shift: array![1.0, 0.0, 0.0], generators: Array2::eye(3) }
    }

    #[test]
    fn the_cube_has_its_support_centre_volume_and_points() -> Result<()> {
        let cube = cube();
        let u = array![1.0, -2.0, 3.0];
        assert_eq!(cube.support(u.view()), 5.0);
        assert_eq!(cube.support_vertex(u.view()), array![2.0, 0.0, 1.0]);
        assert_eq!(cube.centre(), array![1.5, 0.5, 0.5]);
        assert!((cube.volume()? - 1.0).abs() < 1e-15);
        assert!(cube.membership(array![1.5, 0.2, 1.0].view())?.inside);
        let outside = cube.membership(array![1.5, 0.2, 1.25].view())?;
        assert!(!outside.inside && (outside.distance - 0.25).abs() < 1e-7);
        Ok(())
    }

    #[test]
    fn thin_zonotopes_have_an_area_and_segments_none() -> Result<()> {
        let of = |generators| Zonotope { shift: array![0.0, 0.0], generators }.volume();
        assert_eq!(of(array![[1.0, 0.0], [0.0, 1e-14]])?, 1e-14);
        assert_eq!(of(array![[0.1, 0.3], [0.2, 0.6], [-0.4, -1.2]])?, 0.0);
        assert_eq!(of(array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])?, 3.0);
        Ok(())
    }

    #[test]
    fn zero_and_parallel_generators_merge_and_opposite_ones_move_the_shift() {
        let generators = array![[0.0, 0.0], [-1.0, -2.0], [3.0, 0.0], [2.0, 4.0], [-1.0, 0.0]];
        let zonotope = Zonotope { shift: array![0.5, 0.0], generators };
        let Simplified { zonotope: simple, part_of } = zonotope.simplified();
        assert_eq!(simple.generators, array![[-3.0, -6.0], [4.0, 0.0]]);
        assert_eq!(simple.shift, array![0.5 + 2.0 - 1.0, 4.0]);
        assert_eq!(part_of, [None, Some((0, false)), Some((1, false)), Some((0, true)), Some((1, true))]);
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(Zonotope::new(Array2::zeros((3, 0)), None).is_err());
        assert!(Zonotope::new(array![[1.0, f64::NAN]], None).is_err());
        assert!(Zonotope::new(array![[1.0, 2.0]], Some(array![1.0])).is_err());
        assert!(Zonotope::new(array![[1.0, 2.0]], Some(array![1.0, f64::INFINITY])).is_err());
        assert!(cube().minkowski_sum(&Zonotope { shift: array![0.0], generators: array![[1.0]] }).is_err());
        assert!(cube().membership(array![1.0].view()).is_err());
    }

    #[test]
    fn a_point_and_an_interval_are_zonotopes() -> Result<()> {
        let point = Zonotope::new(Array2::zeros((0, 2)), Some(array![3.0, 4.0]))?;
        assert_eq!(point.support(array![1.0, 1.0].view()), 7.0);
        assert!(point.membership(array![3.0, 4.0].view())?.inside);
        assert!(!point.membership(array![3.0, 4.5].view())?.inside);
        let interval = Zonotope::new(array![[2.0], [-3.0]], None)?;
        assert_eq!(interval.volume()?, 5.0);
        assert_eq!(interval.simplified().zonotope, Zonotope { shift: array![-3.0], generators: array![[5.0]] });
        Ok(())
    }
}
