//! Convex polygons in the plane, points and segments included.

use std::f64::consts::{PI, TAU};

use robust::{Coord, orient2d};

/// A convex polygon: its vertices counter-clockwise, no three on a line, starting with the lowest (of these the leftmost).
///
/// One vertex is a point, two are a segment, none is the empty set.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvexPolygon {
    vertices: Vec<[f64; 2]>,
}

/// An edge of a polygon and what the normal fan says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The end points, counter-clockwise.
    pub ends: [[f64; 2]; 2],
    /// Angle of the outward normal in `[0, 2 pi)`.
    pub normal: f64,
    /// Length.
    pub length: f64,
}

/// The support function of a polygon in a direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolygonSupport {
    /// `max_v <v, u>`.
    pub value: f64,
    /// The vertex that attains it, the lowest index on ties.
    pub vertex: usize,
}

pub(super) fn cross(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

pub(super) fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

pub(super) fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// The angle of a vector in `[0, 2 pi)`.
pub(super) fn angle(v: [f64; 2]) -> f64 {
    let angle = v[1].atan2(v[0]);
    // A tiny negative angle plus a full turn rounds to the full turn.
    if angle < 0.0 { (angle + TAU) % TAU } else { angle }
}

/// Above zero iff `c` lies left of the line from `a` to `b`; the sign is exact (Shewchuk's predicate).
fn orientation(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    let coordinate = |p: [f64; 2]| Coord { x: p[0], y: p[1] };
    orient2d(coordinate(a), coordinate(b), coordinate(c))
}

impl ConvexPolygon {
    /// The convex hull of finite points, by the monotone chain with exact orientations (Andrew 1979).
    ///
    /// Duplicates, inner points and points on edges are left out.
    #[must_use]
    pub fn hull(points: &[[f64; 2]]) -> Self {
        let mut sorted = points.to_vec();
        sorted.sort_unstable_by(|a, b| a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0])));
        sorted.dedup();
        if sorted.len() < 3 {
            return Self { vertices: sorted };
        }
        let mut chain: Vec<[f64; 2]> = Vec::with_capacity(sorted.len() + 1);
        let mut extend = |points: &mut dyn Iterator<Item = [f64; 2]>| {
            let floor = chain.len();
            for point in points {
                while chain.len() >= floor + 2
                    && orientation(chain[chain.len() - 2], chain[chain.len() - 1], point) <= 0.0
                {
                    chain.pop();
                }
                chain.push(point);
            }
            // The last point begins the other half.
            chain.pop();
        };
        extend(&mut sorted.iter().copied());
        extend(&mut sorted.iter().rev().copied());
        Self { vertices: chain }
    }

    /// Vertices that are known to be in order: counter-clockwise from the lowest, leftmost one, no three on a line.
    pub(super) fn from_ordered(vertices: Vec<[f64; 2]>) -> Self {
        Self { vertices }
    }

    /// The vertices.
    #[must_use]
    pub fn vertices(&self) -> &[[f64; 2]] {
        &self.vertices
    }

    /// Number of vertices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vertices.len()
    }

    /// Whether it is the empty set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }

    /// The edges counter-clockwise, those of a segment once for each of its two sides, none of a point.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        if self.vertices.len() < 2 {
            return Vec::new();
        }
        let next = self.vertices.iter().cycle().skip(1);
        let edge = |(a, b): (&[f64; 2], &[f64; 2])| {
            let [x, y] = minus(*b, *a);
            Edge { ends: [*a, *b], normal: angle([y, -x]), length: x.hypot(y) }
        };
        self.vertices.iter().zip(next).map(edge).collect()
    }

    /// Area, by the shoelace formula about the first vertex.
    #[must_use]
    pub fn area(&self) -> f64 {
        let Some(origin) = self.vertices.first() else { return 0.0 };
        let twice: f64 =
            self.vertices.windows(2).map(|pair| cross(minus(pair[0], *origin), minus(pair[1], *origin))).sum();
        twice / 2.0
    }

    /// Length of the boundary; for a segment twice its length, the limit of thin polygons.
    #[must_use]
    pub fn perimeter(&self) -> f64 {
        // A sum of nothing is -0.
        self.edges().iter().map(|edge| edge.length).sum::<f64>() + 0.0
    }

    /// Mean width over all directions, `perimeter / pi` (Cauchy).
    #[must_use]
    pub fn mean_width(&self) -> f64 {
        self.perimeter() / PI
    }

    /// The Steiner point `(1 / pi) int h(u) u du` over the unit circle: the vertices weighted by their exterior angles
    /// over a full turn. `None` for the empty set.
    ///
    /// It moves with the polygon under rigid motions and scales, and adds under Minkowski sums.
    #[must_use]
    pub fn steiner_point(&self) -> Option<[f64; 2]> {
        let first = *self.vertices.first()?;
        let edges = self.edges();
        let Some(last) = edges.last() else { return Some(first) };
        let mut before = last.normal;
        let mut point = [0.0; 2];
        for edge in &edges {
            let exterior = (edge.normal - before).rem_euclid(TAU);
            let from_first = minus(edge.ends[0], first);
            point = [0, 1].map(|k| point[k] + exterior / TAU * from_first[k]);
            before = edge.normal;
        }
        Some([0, 1].map(|k| first[k] + point[k]))
    }

    /// `max_v <v, u>` and the vertex that attains it. `None` for the empty set.
    #[must_use]
    pub fn support(&self, direction: [f64; 2]) -> Option<PolygonSupport> {
        let values = self.vertices.iter().map(|vertex| dot(*vertex, direction)).enumerate();
        let best = values.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(vertex, value)| PolygonSupport { value, vertex })
    }

    /// Whether a point lies inside or on the boundary; exact.
    #[must_use]
    pub fn contains(&self, point: [f64; 2]) -> bool {
        match *self.vertices.as_slice() {
            [] => false,
            [only] => only == point,
            [a, b] => {
                let within = |k: usize| a[k].min(b[k]) <= point[k] && point[k] <= a[k].max(b[k]);
                orientation(a, b, point) == 0.0 && within(0) && within(1)
            }
            _ => {
                let next = self.vertices.iter().cycle().skip(1);
                self.vertices.iter().zip(next).all(|(a, b)| orientation(*a, *b, point) >= 0.0)
            }
        }
    }

    /// The distance of a point, 0 inside. `None` for the empty set.
    #[must_use]
    pub fn distance_to(&self, point: [f64; 2]) -> Option<f64> {
        self.nearest_to(point).map(|nearest| {
            let [x, y] = minus(nearest, point);
            x.hypot(y)
        })
    }

    /// The nearest point of the polygon. `None` for the empty set.
    #[must_use]
    pub fn nearest_to(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        let first = *self.vertices.first()?;
        if self.contains(point) {
            return Some(point);
        }
        let feet = self.edges().into_iter().map(|Edge { ends: [a, b], .. }| {
            let along = minus(b, a);
            let share = (dot(minus(point, a), along) / dot(along, along)).clamp(0.0, 1.0);
            [0, 1].map(|k| a[k] + share * along[k])
        });
        let square = |q: &[f64; 2]| dot(minus(*q, point), minus(*q, point));
        feet.min_by(|a, b| square(a).total_cmp(&square(b))).or(Some(first))
    }

    /// The polygon moved by a vector.
    #[must_use]
    pub fn translated(&self, by: [f64; 2]) -> Self {
        Self { vertices: self.vertices.iter().map(|v| [v[0] + by[0], v[1] + by[1]]).collect() }
    }

    /// The polygon scaled about the origin; the factor is above zero.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { vertices: self.vertices.iter().map(|v| [v[0] * factor, v[1] * factor]).collect() }
    }

    /// The polygon turned about the origin.
    #[must_use]
    pub fn rotated(&self, by: f64) -> Self {
        let (sin, cos) = by.sin_cos();
        let turned: Vec<[f64; 2]> = self.vertices.iter().map(|[x, y]| [cos * x - sin * y, sin * x + cos * y]).collect();
        Self::hull(&turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> ConvexPolygon {
        ConvexPolygon::hull(&[[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    }

    #[test]
    fn a_hull_leaves_out_duplicates_inner_points_and_points_on_edges() {
        assert_eq!(square().vertices(), [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]);
        assert_eq!(ConvexPolygon::hull(&[[1.0, 3.0]; 3]).vertices(), [[1.0, 3.0]]);
        let segment = ConvexPolygon::hull(&[[0.0, 0.0], [1.0, 1.0], [3.0, 3.0], [2.0, 2.0]]);
        assert_eq!(segment.vertices(), [[0.0, 0.0], [3.0, 3.0]]);
        assert!(ConvexPolygon::hull(&[]).is_empty());
    }

    #[test]
    fn measures_of_a_square_a_segment_and_a_point() {
        let square = square();
        assert_eq!((square.area(), square.perimeter(), square.steiner_point()), (4.0, 8.0, Some([1.0, 1.0])));
        let normals: Vec<f64> = square.edges().iter().map(|edge| edge.normal / PI).collect();
        assert_eq!(normals, [1.5, 0.0, 0.5, 1.0]);
        let segment = ConvexPolygon::hull(&[[0.0, 0.0], [3.0, 4.0]]);
        assert_eq!((segment.area(), segment.perimeter(), segment.steiner_point()), (0.0, 10.0, Some([1.5, 2.0])));
        let point = ConvexPolygon::hull(&[[3.0, 4.0]]);
        assert_eq!((point.area(), point.perimeter(), point.steiner_point()), (0.0, 0.0, Some([3.0, 4.0])));
    }

    /// `(1 / pi) int h(u) u du` by the trapezoidal rule, which is exact for a smooth periodic function and good for this.
    #[test]
    fn the_steiner_point_is_the_integral_of_the_support_function() {
        let triangle = ConvexPolygon::hull(&[[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]]);
        let steps = 100_000_u32;
        let mut integral = [0.0; 2];
        for step in 0..steps {
            let (sin, cos) = (TAU * f64::from(step) / f64::from(steps)).sin_cos();
            let value = triangle.support([cos, sin]).map_or(0.0, |support| support.value);
            integral = [integral[0] + value * cos, integral[1] + value * sin];
        }
        let found = triangle.steiner_point().unwrap_or_default();
        for k in [0, 1] {
            assert!((integral[k] * 2.0 / f64::from(steps) - found[k]).abs() < 1e-7, "{integral:?} {found:?}");
        }
    }

    #[test]
    fn distances_to_the_inside_an_edge_and_a_corner() {
        let square = square();
        assert_eq!(square.distance_to([1.0, 1.5]), Some(0.0));
        assert_eq!(square.distance_to([1.0, 3.0]), Some(1.0));
        assert_eq!(square.distance_to([5.0, 6.0]), Some(5.0));
        assert!(square.contains([2.0, 1.0]) && !square.contains([2.1, 1.0]));
    }
}
