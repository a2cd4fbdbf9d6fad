//! The dual subdivision of a polynomial whose numbers are rounded.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::size::check_size;
use super::{Cell, DualSubdivision, Edge};
use crate::error::Result;
use crate::geometry::hull::{cycle, simplex_normal};
use crate::geometry::{AffineFrame, Hull};
use crate::tropical::polynomial::Polynomial;

impl DualSubdivision {
    /// The subdivision of a polynomial whose coefficients and exponents are sums with rounding, with the tolerance
    /// [`Hull::TOLERANCE`]: coefficients are scaled by a power of two so that they spread as far as the exponents, and a
    /// monomial below the upper hull by less than the tolerance times that spread counts as on it, so that faces which
    /// rounding has broken are whole.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) if the hull may be larger than [`Self::MOST_SIMPLICES`].
    pub fn of_rounded(polynomial: &Polynomial) -> Result<Self> {
        let exponents = polynomial.exponents();
        let frame = AffineFrame::of(exponents, Hull::TOLERANCE);
        let rank = frame.rank();
        if rank == 0 {
            return Ok(Self { rank, vertices: vec![0], cells: Vec::new(), edges: Vec::new(), flat: true, ties: None });
        }
        check_size(polynomial.monomials(), rank + 1)?;
        // About the first coefficient: what all have in common would take their digits.
        let heights: Vec<f64> = polynomial.coefficients().iter().map(|c| c - polynomial.coefficients()[0]).collect();
        let places = frame.coordinates(exponents);
        let scale = height_scale(&places, &heights);
        let lifted = Array2::from_shape_fn((places.nrows(), rank + 1), |(i, j)| {
            if j < rank { places[[i, j]] } else { scale * heights[i] }
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
        // What is left of a sliver has too few vertices.
        cells.retain(|cell: &Cell| cell.vertices.len() > rank);
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
        Ok(Self { rank, vertices, cells, edges, flat, ties: None })
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
