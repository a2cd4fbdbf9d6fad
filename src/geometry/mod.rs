//! Polytopes on the host, in f64: zonotopes, convex polygons, convex hulls, the enumeration of vertices and activation patterns.
//!
//! A zonotope is `shift + sum_i [0, g_i]`, the form in which ReLU networks give it. Its vertices belong to the cells of
//! the arrangement of the hyperplanes `<g_i, u> = 0`: an *activation pattern* `s` is the vertex `shift + sum_i s_i g_i`.

pub mod clip;
pub mod compare;
mod directions;
pub mod frame;
pub mod hausdorff;
pub mod hull;
mod interval;
mod membership;
pub mod orientation;
mod patterns;
mod polygon;
pub(crate) mod scale;
mod shadow;
mod simplified;
pub mod text;
mod vertices;
mod zonotope;

pub use directions::directions;
pub use frame::AffineFrame;
pub use hull::{Facet, Hull};
pub use interval::Interval;
pub use membership::Membership;
pub use patterns::Patterns;
pub use polygon::{ConvexPolygon, Edge, PolygonSupport};
pub use shadow::principal_plane;
pub use simplified::Simplified;
pub use vertices::{
    SampleOptions, SampledPatterns, Sampling, Stop, VertexEstimate, VertexList, VertexRequest, cell_bound,
    list_vertices, plane_patterns, sample_patterns, vertex_bound, zonotope_patterns, zonotope_polygon,
};
pub use zonotope::{CentredZonotope, Zonotope};
