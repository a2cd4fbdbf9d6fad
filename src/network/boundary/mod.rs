//! The decision boundary of a shallow network as a polytope: the convex hull of the class zonotopes, whose edges
//! between different classes are dual to the boundary itself.

mod analysis;
mod idle;
mod membership;
mod polytope;

pub use analysis::{BoundaryAnalysis, BoundaryOptions, Exactness, ShallowAnalysis, analyse};
pub use idle::{IdleNeuron, idle_neurons};
pub use membership::{BoundaryTest, Membership, Precision, boundary_points, membership, test_boundary};
pub use polytope::{BoundaryPiece, BoundaryPolytope, EdgeKind, patterns_of};
