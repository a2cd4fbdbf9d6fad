//! The dual subdivision of a tropical polynomial.

mod dual;
mod exact;
mod faces;
mod lattice;
mod size;
mod within;

pub use exact::newton_vertices;

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
    /// Dimension of the Newton polytope, that of the affine hull of the exponents.
    rank: usize,
    /// Monomials that have a region of their own, ascending.
    pub vertices: Vec<usize>,
    /// Maximal cells; none for a single monomial, whose hypersurface is empty.
    pub cells: Vec<Cell>,
    /// Edges, ascending by ends.
    pub edges: Vec<Edge>,
    /// Whether the coefficients are an affine function of the exponents, so that the subdivision is the Newton polytope
    /// itself; so it is without biases.
    pub flat: bool,
    /// Monomials on the upper hull that are no vertices; unknown where numbers are rounded.
    pub(super) ties: Option<Vec<usize>>,
}

impl DualSubdivision {
    /// Boundary simplices that a lifted hull may have by the upper bound theorem.
    pub const MOST_SIMPLICES: f64 = 1e7;

    /// Number of linear regions of the polynomial.
    #[must_use]
    pub fn regions(&self) -> usize {
        self.vertices.len()
    }

    /// Dimension of the Newton polytope.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }
}
