//! Hausdorff distances: `d(P, Q) = max(h(P, Q), h(Q, P))` with `h(P, Q) = max_(x in P) min_(y in Q) |x - y|`.
//!
//! Of point samples and of convex polygons exactly, of zonotopes and hulls of zonotopes in any dimension between two
//! bounds. For convex bodies `d(P, Q) = max_(|u| = 1) |h_P(u) - h_Q(u)|` with their support functions.

mod ascent;
mod bodies;
mod exact;
mod margin;
mod matching;
mod narrow;
mod order;
mod points;
mod polygons;
mod search;
mod tree;

pub use bodies::{HausdorffInterval, IntervalOptions, UpperBound, hull_interval, zonotope_interval};
pub use points::{
    Coordinate, DirectedHausdorff, PointHausdorff, PointMethod, PointPair, directed_hausdorff, hausdorff,
};
pub use polygons::{PolygonHausdorff, polygon_hausdorff};
