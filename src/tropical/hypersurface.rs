//! Tropical hypersurfaces in two variables: segments, rays and lines.

use super::polynomial::Polynomial;
use super::subdivision::{DualSubdivision, Edge};
use crate::geometry::clip::{self, Bounds, Point};

/// A piece of a hypersurface in the plane.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Shape {
    /// Between two vertices of the hypersurface.
    Segment {
        /// One end.
        from: Point,
        /// The other end.
        to: Point,
    },
    /// From a vertex to infinity.
    Ray {
        /// The vertex.
        from: Point,
        /// Unit direction.
        direction: Point,
    },
    /// A whole line, where all exponents lie on a line.
    Line {
        /// A point of it.
        through: Point,
        /// Unit direction.
        direction: Point,
    },
}

impl Shape {
    /// The part in a rectangle.
    #[must_use]
    pub fn clipped(&self, bounds: &Bounds) -> Option<[Point; 2]> {
        match *self {
            Self::Segment { from, to } => clip::line(from, [to[0] - from[0], to[1] - from[1]], [0.0, 1.0], bounds),
            Self::Ray { from, direction } => clip::line(from, direction, [0.0, f64::INFINITY], bounds),
            Self::Line { through, direction } => {
                clip::line(through, direction, [f64::NEG_INFINITY, f64::INFINITY], bounds)
            }
        }
    }

    /// The point at `t`: between 0 and 1 along a segment, a distance along rays and lines.
    #[must_use]
    pub fn at(&self, t: f64) -> Point {
        let along = |p: Point, d: Point| [p[0] + t * d[0], p[1] + t * d[1]];
        match *self {
            Self::Segment { from, to } => along(from, [to[0] - from[0], to[1] - from[1]]),
            Self::Ray { from, direction } => along(from, direction),
            Self::Line { through, direction } => along(through, direction),
        }
    }
}

/// A piece of a hypersurface with the two monomials that attain the maximum on it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Piece {
    /// The monomials, the ends of the dual edge.
    pub monomials: [usize; 2],
    /// Where it lies.
    #[serde(flatten)]
    pub shape: Shape,
    /// Lattice length of the dual edge, where the exponents differ by integers.
    pub multiplicity: Option<u64>,
    /// Euclidean length of the dual edge.
    pub length: f64,
}

/// The hypersurface of a polynomial in two variables, one piece for each edge of its subdivision, in that order; empty
/// for another number of variables.
#[must_use]
pub fn hypersurface(polynomial: &Polynomial, subdivision: &DualSubdivision) -> Vec<Piece> {
    if polynomial.dimension() != 2 {
        return Vec::new();
    }
    subdivision.edges.iter().map(|edge| piece(polynomial, subdivision, edge)).collect()
}

fn exponent(polynomial: &Polynomial, i: usize) -> Point {
    [polynomial.exponents()[[i, 0]], polynomial.exponents()[[i, 1]]]
}

fn piece(polynomial: &Polynomial, subdivision: &DualSubdivision, edge: &Edge) -> Piece {
    let [a, b] = edge.ends.map(|i| exponent(polynomial, i));
    let difference = [b[0] - a[0], b[1] - a[1]];
    let length = difference[0].hypot(difference[1]);
    let across = [-difference[1] / length, difference[0] / length];
    let dual = |cell: usize| [subdivision.cells[cell].dual[0], subdivision.cells[cell].dual[1]];
    let shape = match *edge.cells.as_slice() {
        [one, other, ..] => Shape::Segment { from: dual(one), to: dual(other) },
        [cell] if subdivision.rank() == 2 => {
            // Outwards: away from the other vertices of the only cell.
            let side: f64 = subdivision.cells[cell]
                .vertices
                .iter()
                .map(|v| exponent(polynomial, *v))
                .map(|p| across[0] * (p[0] - a[0]) + across[1] * (p[1] - a[1]))
                .sum();
            let direction = if side > 0.0 { across.map(|x| -x) } else { across };
            Shape::Ray { from: dual(cell), direction: direction.map(|x| x + 0.0) }
        }
        _ => {
            let through = edge.cells.first().map_or([0.0; 2], |cell| dual(*cell));
            Shape::Line { through, direction: across }
        }
    };
    Piece { monomials: edge.ends, shape, multiplicity: lattice_length(difference), length }
}

/// The number of lattice steps along a vector of integers.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "integers below 2^53")]
fn lattice_length(difference: Point) -> Option<u64> {
    let integral = |x: f64| (x.fract() == 0.0 && x.abs() < 9e15).then(|| x.abs() as u64);
    let (mut a, mut b) = (integral(difference[0])?, integral(difference[1])?);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Some(a)
}

/// The region of monomial `vertex` within a rectangle: a convex polygon, counterclockwise, empty where it lies outside.
#[must_use]
pub fn region(polynomial: &Polynomial, subdivision: &DualSubdivision, vertex: usize, bounds: &Bounds) -> Vec<Point> {
    let edges = subdivision.edges.iter().filter(|edge| edge.ends.contains(&vertex));
    let neighbours = edges.map(|edge| edge.ends[usize::from(edge.ends[0] == vertex)]);
    leading(polynomial, vertex, neighbours, bounds)
}

/// The regions that meet a rectangle, as pairs of monomial and polygon, in the order of the monomials.
#[must_use]
pub fn regions(polynomial: &Polynomial, subdivision: &DualSubdivision, bounds: &Bounds) -> Vec<(usize, Vec<Point>)> {
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); polynomial.monomials()];
    for [a, b] in subdivision.edges.iter().map(|edge| edge.ends) {
        neighbours[a].push(b);
        neighbours[b].push(a);
    }
    let region = |v: &usize| (*v, leading(polynomial, *v, neighbours[*v].iter().copied(), bounds));
    subdivision.vertices.iter().map(region).filter(|(_, polygon)| !polygon.is_empty()).collect()
}

/// Where one monomial is at least as large as some others.
fn leading(polynomial: &Polynomial, vertex: usize, others: impl Iterator<Item = usize>, bounds: &Bounds) -> Vec<Point> {
    let own = exponent(polynomial, vertex);
    others.fold(bounds.corners(), |polygon, other| {
        let [x, y] = exponent(polynomial, other);
        let offset = polynomial.coefficients()[vertex] - polynomial.coefficients()[other];
        clip::half_plane(&polygon, [own[0] - x, own[1] - y], offset)
    })
}

/// A square that shows all vertices of a hypersurface with room for its rays.
#[must_use]
pub fn window(subdivision: &DualSubdivision) -> Bounds {
    let duals = subdivision.cells.iter().filter_map(|cell| cell.dual.as_slice().try_into().ok());
    let around = Bounds::around(duals, 0.0).unwrap_or(Bounds { low: [0.0; 2], high: [0.0; 2] });
    let centre = std::array::from_fn(|k| 0.5 * (around.low[k] + around.high[k]));
    let half = (0..2).map(|k| 0.5 * (around.high[k] - around.low[k])).fold(0.0, f64::max);
    // Without extent any scale serves; a vertex far from the origin needs one that f64 can tell.
    let least = around.low.iter().chain(&around.high).fold(1.0_f64, |most, x| most.max(x.abs() * 1e-3));
    Bounds::square(centre, if half > 1e-9 * least { 1.6 * half } else { 2.0 * least })
}
