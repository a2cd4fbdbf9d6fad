//! Convex hulls of points in small dimensions.
//!
//! Which points lie outside which simplex is decided exactly (`predicate`), so that coplanar, collinear and repeated
//! points are no trouble; what counts as one facet is decided with a tolerance, since the points themselves are
//! rounded.

mod facets;
mod predicate;
mod simplicial;

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};

use super::frame::{AffineFrame, dot};
pub(crate) use predicate::orientation;
use simplicial::Rows;
pub(crate) use simplicial::{Orientation, Simplex, Simplicial};

/// A facet of a hull: `<normal, x> <= offset` for all points, with equality at its vertices.
#[derive(Debug, Clone)]
pub struct Facet {
    /// Outer unit normal, in the coordinates of the frame.
    pub normal: Vec<f64>,
    /// Value of the support function at the normal.
    pub offset: f64,
    /// Vertices of the hull in this facet, ascending.
    pub vertices: Vec<usize>,
}

/// The convex hull of points.
#[derive(Debug, Clone)]
pub struct Hull {
    /// The affine hull of the points; facets are in its coordinates.
    pub frame: AffineFrame,
    /// Coordinates of all points in the frame.
    pub coordinates: Array2<f64>,
    /// Rows of the points that are vertices, ascending. Of equal points one is taken.
    pub vertices: Vec<usize>,
    /// Facets, none for a single point.
    pub facets: Vec<Facet>,
    tolerance: f64,
}

/// Relative length below which a part of a normal counts as the others' combination.
const NORMALS: f64 = 1e-7;

impl Hull {
    /// The tolerance that belongs to f64 and points of moderate dimension.
    pub const TOLERANCE: f64 = 1e-9;

    /// The hull of the rows of `points`, all finite.
    ///
    /// `tolerance` is relative to the diameter: the affine hull leaves out directions in which no point is farther, and
    /// neighbouring simplices whose vertices lie within it belong to one facet. A point that is extreme by less is no
    /// vertex. Time is that of Quickhull: `n log n` for `d <= 3`, the number of simplices (`n^(d/2)`) beyond.
    #[must_use]
    pub fn new(points: &Array2<f64>, tolerance: f64) -> Self {
        let frame = AffineFrame::of(points, tolerance);
        let coordinates = frame.coordinates(points).as_standard_layout().into_owned();
        let rank = frame.rank();
        let mut hull = Self { frame, coordinates, vertices: Vec::new(), facets: Vec::new(), tolerance };
        match rank {
            0 => hull.vertices = hull.frame.support.clone(),
            1 => hull.interval(),
            _ => hull.full_dimensional(),
        }
        hull
    }

    /// Dimension of the hull.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.frame.rank()
    }

    fn interval(&mut self) {
        let column = self.coordinates.column(0);
        let ends = [-1.0, 1.0].map(|sign: f64| {
            let key = |i: &usize| sign * column[*i];
            let end = (0..column.len()).reduce(|a, b| if key(&b) > key(&a) { b } else { a }).unwrap_or(0);
            Facet { normal: vec![sign], offset: key(&end), vertices: vec![end] }
        });
        self.vertices = ends.iter().map(|facet| facet.vertices[0]).collect();
        self.vertices.sort_unstable();
        self.facets = ends.to_vec();
    }

    fn full_dimensional(&mut self) {
        let rank = self.rank();
        let Some(values) = self.coordinates.as_slice() else { return };
        let row = |i: usize| values[i * rank..(i + 1) * rank].to_vec();
        let simplices =
            Simplicial::new(Rows { dimension: rank, points: values }, values.len() / rank, rank, &self.frame.support)
                .finish();
        #[expect(clippy::cast_precision_loss, reason = "a dimension is small")]
        let share = 1.0 / (rank + 1) as f64;
        let mut inner = vec![0.0; rank];
        for i in &self.frame.support {
            inner.iter_mut().zip(row(*i)).for_each(|(x, y)| *x += share * y);
        }
        let spread = |j: usize| {
            let column = self.coordinates.column(j);
            column.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b))
                - column.iter().fold(f64::INFINITY, |a, b| a.min(*b))
        };
        let diameter = (0..rank).map(spread).fold(0.0, f64::max);
        let mut facets = facets::facets(&simplices, row, &inner, self.tolerance * diameter);
        // The normals at a vertex span the space; those at a point inside a face do not.
        let mut incident: Vec<Vec<usize>> = vec![Vec::new(); self.coordinates.nrows()];
        for (number, facet) in facets.iter().enumerate() {
            facet.vertices.iter().for_each(|v| incident[*v].push(number));
        }
        let spans = |around: &Vec<usize>| {
            // Up to three dimensions, a point inside a facet is in one facet, and a point inside an edge is in two.
            around.len() >= rank && (rank <= 3 || normal_rank(&facets, around) == rank)
        };
        let extreme: Vec<bool> = incident.iter().map(spans).collect();
        facets.iter_mut().for_each(|facet| facet.vertices.retain(|v| extreme[*v]));
        facets.retain(|facet| facet.vertices.len() >= rank);
        self.vertices = facets.iter().flat_map(|facet| facet.vertices.iter().copied()).collect();
        self.vertices.sort_unstable();
        self.vertices.dedup();
        facets.sort_by(|a, b| a.vertices.cmp(&b.vertices));
        self.facets = facets;
    }

    /// The edges of the hull: pairs of vertices, lower row first, ascending.
    #[must_use]
    pub fn edges(&self) -> BTreeSet<[usize; 2]> {
        match self.rank() {
            0 => BTreeSet::new(),
            1 => BTreeSet::from([[self.vertices[0], self.vertices[1]]]),
            2 => self.facets.iter().filter_map(|facet| facet.vertices.as_slice().try_into().ok()).collect(),
            _ => self.facets.iter().flat_map(|facet| self.face_edges(&facet.vertices)).collect(),
        }
    }

    fn face_edges(&self, vertices: &[usize]) -> Vec<[usize; 2]> {
        let face = Self::new(&self.coordinates.select(Axis(0), vertices), self.tolerance);
        face.edges().into_iter().map(|pair| pair.map(|i| vertices[i])).collect()
    }

    /// How far a point lies outside: the largest distance beyond a facet, negative inside; the distance from the affine
    /// hull for a point that is not in it.
    #[must_use]
    pub fn excess(&self, point: &[f64]) -> f64 {
        let relative: Vec<f64> = point.iter().zip(&self.frame.origin).map(|(x, o)| x - o).collect();
        let inside: Vec<f64> = self.frame.basis.iter().map(|b| dot(b, &relative)).collect();
        let back = self.frame.lift_direction(&inside);
        let off = relative.iter().zip(&back).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt();
        let over = self.facets.iter().map(|facet| dot(&facet.normal, &inside) - facet.offset);
        match over.reduce(f64::max) {
            Some(over) if off <= self.tolerance * dot(&relative, &relative).sqrt() => over,
            _ => off,
        }
    }
}

/// Dimension of the span of some facets' normals.
fn normal_rank(facets: &[Facet], around: &[usize]) -> usize {
    let dimension = facets[around[0]].normal.len();
    // With the origin among them, the affine hull of the normals is their span.
    let rows = Array2::from_shape_fn((around.len() + 1, dimension), |(i, j)| match i {
        0 => 0.0,
        _ => facets[around[i - 1]].normal[j],
    });
    AffineFrame::of(&rows, NORMALS).rank()
}

/// Unit normal of the hyperplane through `d` points of `R^d`; zero where they do not span one.
pub(crate) fn simplex_normal(rows: &[&[f64]]) -> Vec<f64> {
    facets::normal(rows).0
}

/// Places of points in the order of their angles around their centre, counterclockwise.
#[expect(clippy::cast_precision_loss, reason = "numbers of vertices are far below 2^53")]
pub(crate) fn cycle(vertices: &[usize], at: impl Fn(usize) -> [f64; 2]) -> Vec<usize> {
    let count = vertices.len() as f64;
    let centre = vertices.iter().fold([0.0; 2], |sum, v| {
        let [x, y] = at(*v);
        [sum[0] + x / count, sum[1] + y / count]
    });
    let angle = |v: usize| {
        let [x, y] = at(v);
        (y - centre[1]).atan2(x - centre[0])
    };
    let mut order: Vec<(f64, usize)> = vertices.iter().map(|v| (angle(*v), *v)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|entry| entry.1).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// A 3 x 3 x 3 grid: eight corners, and every other point lies in the middle of an edge, a face or the body.
    #[test]
    fn a_grid_has_the_corners_of_its_cube() {
        let grid = Array2::from_shape_fn((27, 3), |(i, j)| [0.0, 1.0, 2.0][i / [1, 3, 9][j] % 3]);
        let hull = Hull::new(&grid, Hull::TOLERANCE);
        assert_eq!(hull.vertices, [0, 2, 6, 8, 18, 20, 24, 26]);
        assert_eq!((hull.facets.len(), hull.edges().len()), (6, 12));
        assert!(hull.facets.iter().all(|facet| facet.vertices.len() == 4));
    }

    #[test]
    fn a_cube_in_four_dimensions_has_eight_facets_and_thirty_two_edges() {
        let cube = Array2::from_shape_fn((16, 4), |(i, j)| f64::from(u8::from(i >> j & 1 == 1)));
        let hull = Hull::new(&cube, Hull::TOLERANCE);
        assert_eq!((hull.vertices.len(), hull.facets.len(), hull.edges().len()), (16, 8, 32));
    }

    #[test]
    fn points_of_a_plane_in_space_give_a_polygon() {
        let points = array![
            [0.0, 0.0, 1.0],
            [1.0, 0.0, 2.0],
            [1.0, 1.0, 3.0],
            [0.0, 1.0, 2.0],
            [0.5, 0.5, 2.0],
            [0.5, 0.0, 1.5]
        ];
        let hull = Hull::new(&points, Hull::TOLERANCE);
        assert_eq!((hull.rank(), hull.vertices.as_slice()), (2, [0, 1, 2, 3].as_slice()));
        assert!(hull.excess(&[0.5, 0.5, 2.0]) < 0.0 && hull.excess(&[0.5, 0.5, 3.0]) > 0.5);
    }

    #[test]
    fn points_of_a_line_and_one_point_repeated() {
        let line = Hull::new(&array![[1.0, 1.0], [3.0, 3.0], [2.0, 2.0], [0.0, 0.0]], Hull::TOLERANCE);
        assert_eq!((line.rank(), line.vertices.as_slice()), (1, [1, 3].as_slice()));
        let point = Hull::new(&array![[1.0, 1.0], [1.0, 1.0]], Hull::TOLERANCE);
        assert_eq!((point.rank(), point.vertices.len(), point.facets.len()), (0, 1, 0));
    }
}
