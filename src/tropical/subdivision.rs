//! The dual subdivision of a tropical polynomial.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::polynomial::Polynomial;
use crate::error::{Error, Result};
use crate::geometry::hull::{cycle, simplex_normal};
use crate::geometry::{AffineFrame, Hull};

/// A maximal cell of a dual subdivision.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Monomials at the vertices: counterclockwise where the subdivision is two-dimensional, otherwise ascending.
    pub vertices: Vec<usize>,
    /// The point where all these monomials attain the maximum: a vertex of the hypersurface, or, where the Newton
    /// polytope has less than full dimension, the point of that lineality space that is orthogonal to it.
    pub dual: Vec<f64>,
}

/// An edge of a dual subdivision, dual to a cell of the hypersurface of codimension one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Its monomials, lower first.
    pub ends: [usize; 2],
    /// The maximal cells around it.
    pub cells: Vec<usize>,
}

/// The dual subdivision `delta(f)`: the upper faces of `P(f) = conv {(a_i, c_i)}`, projected along the coefficients
/// (2002.08838, section 2). Vertices belong to the linear regions of `f`, edges to the cells of the hypersurface of
/// codimension one, which are orthogonal to them, maximal cells to its vertices.
#[derive(Debug, Clone)]
pub struct DualSubdivision {
    /// The affine hull of the exponents; its rank is the dimension of the Newton polytope.
    pub frame: AffineFrame,
    /// Monomials that have a region of their own, ascending.
    pub vertices: Vec<usize>,
    /// Maximal cells; none for a single monomial, whose hypersurface is empty.
    pub cells: Vec<Cell>,
    /// Edges, ascending by ends.
    pub edges: Vec<Edge>,
    /// Whether the coefficients are an affine function of the exponents, so that the subdivision is the Newton polytope
    /// itself; so it is without biases.
    pub flat: bool,
}

impl DualSubdivision {
    /// Boundary simplices that a lifted hull may have by the upper bound theorem.
    pub const MOST_SIMPLICES: f64 = 1e7;

    /// The subdivision of a polynomial, with the tolerance [`Hull::TOLERANCE`]: coefficients are scaled by a power of
    /// two so that they spread as far as the exponents, and a monomial below the upper hull by less than the tolerance
    /// times that spread counts as on it.
    ///
    /// Monomials below the upper hull, or on it but no vertex, are in no list; facets that stand upright are left out;
    /// a Newton polytope of lower dimension is treated within its affine hull.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the hull may be larger than [`Self::MOST_SIMPLICES`].
    pub fn of(polynomial: &Polynomial) -> Result<Self> {
        let exponents = polynomial.exponents();
        let frame = AffineFrame::of(exponents, Hull::TOLERANCE);
        let rank = frame.rank();
        if rank == 0 {
            return Ok(Self { frame, vertices: vec![0], cells: Vec::new(), edges: Vec::new(), flat: true });
        }
        check_size(polynomial.monomials(), rank + 1)?;
        let places = frame.coordinates(exponents);
        let scale = height_scale(&places, polynomial.coefficients());
        let lifted = Array2::from_shape_fn((places.nrows(), rank + 1), |(i, j)| {
            if j < rank { places[[i, j]] } else { scale * polynomial.coefficients()[i] }
        });
        let hull = Hull::new(&lifted, Hull::TOLERANCE);
        // A normal (n', n_last) of the scaled points is the point n' / n_last, back in the scale of the coefficients.
        let dual = |normal: &[f64]| -> Vec<f64> {
            frame.lift_direction(&normal[..rank].iter().map(|n| n / (normal[rank] * scale)).collect::<Vec<_>>())
        };
        let flat = hull.rank() == rank;
        let mut cells = Vec::new();
        if flat {
            let support: Vec<Vec<f64>> = hull.frame.support.iter().map(|i| lifted.row(*i).to_vec()).collect();
            let normal = simplex_normal(&support.iter().map(Vec::as_slice).collect::<Vec<_>>());
            cells.push(Cell { vertices: hull.vertices.clone(), dual: dual(&normal) });
        } else {
            let upper = hull.facets.iter().filter(|facet| facet.normal[rank] > Hull::TOLERANCE);
            cells.extend(upper.map(|facet| Cell { vertices: facet.vertices.clone(), dual: dual(&facet.normal) }));
        }
        let mut around: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
        for (number, cell) in cells.iter_mut().enumerate() {
            if rank == 2 {
                cell.vertices = cycle(&cell.vertices, |v| [places[[v, 0]], places[[v, 1]]]);
            }
            for ends in edges(&cell.vertices, &places) {
                around.entry(ends).or_default().push(number);
            }
        }
        let mut vertices: Vec<usize> = cells.iter().flat_map(|cell| cell.vertices.iter().copied()).collect();
        vertices.sort_unstable();
        vertices.dedup();
        let edges = around.into_iter().map(|(ends, cells)| Edge { ends, cells }).collect();
        Ok(Self { frame, vertices, cells, edges, flat })
    }

    /// Number of linear regions of the polynomial.
    #[must_use]
    pub fn regions(&self) -> usize {
        self.vertices.len()
    }

    /// Dimension of the Newton polytope.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.frame.rank()
    }
}

fn edges(vertices: &[usize], places: &Array2<f64>) -> Vec<[usize; 2]> {
    let sorted = |a: usize, b: usize| if a < b { [a, b] } else { [b, a] };
    match places.ncols() {
        2 => (0..vertices.len()).map(|i| sorted(vertices[i], vertices[(i + 1) % vertices.len()])).collect(),
        _ => {
            let cell = Hull::new(&places.select(Axis(0), vertices), Hull::TOLERANCE);
            cell.edges().into_iter().map(|[a, b]| sorted(vertices[a], vertices[b])).collect()
        }
    }
}

/// A power of two that makes the coefficients spread about as far as the exponents; exact, so that no point moves.
fn height_scale(places: &Array2<f64>, coefficients: &[f64]) -> f64 {
    let spread = |values: &mut dyn Iterator<Item = f64>| {
        let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], v| [l.min(v), h.max(v)]);
        high - low
    };
    let wide = places.columns().into_iter().map(|c| spread(&mut c.iter().copied())).fold(0.0, f64::max);
    let high = spread(&mut coefficients.iter().copied());
    if high > 0.0 && wide > 0.0 { (wide / high).log2().round().clamp(-900.0, 900.0).exp2() } else { 1.0 }
}

/// The most facets that a hull of `n` points of `R^d` can have (the upper bound theorem of `McMullen`).
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn most_facets(n: usize, d: usize) -> f64 {
    let choose = |n: usize, k: usize| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
    if n <= d {
        return 0.0;
    }
    choose(n - d.div_ceil(2), d / 2) + choose(n - 1 - (d + 1).div_ceil(2), (d - 1) / 2)
}

fn check_size(monomials: usize, dimension: usize) -> Result<()> {
    let simplices = most_facets(monomials, dimension);
    if simplices <= DualSubdivision::MOST_SIMPLICES {
        return Ok(());
    }
    // A simplex holds its vertices and neighbours, and lists.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let gigabytes = simplices * (96 + 16 * dimension) as f64 / 1e9;
    let problem = format!(
        "the dual subdivision of {monomials} monomials in {} variables may take {simplices:.1e} simplices, about \
         {gigabytes:.0} GB; the limit is {:.0e}: take out monomials that are never attained, or evaluate at points only",
        dimension - 1,
        DualSubdivision::MOST_SIMPLICES
    );
    Err(Error::Unsupported { problem })
}
