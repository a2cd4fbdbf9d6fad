//! tropix turns a trained ReLU classifier into the polytopes that make its decisions, and uses them to shrink it.
//!
//! An (Affine, ReLU, Affine) network `f(x) = B max(A x + c, 0) + b` is a difference of tropical polynomials. Its
//! decision boundary lies in the tropical hypersurface of one polynomial, whose dual subdivision is the convex hull of
//! zonotopes with generators `Diag(weights) [A | c]`. A generator that is short cannot move the boundary far: that is
//! the pruning criterion.
//!
//! # How the data flows
//!
//! ```text
//! model file -> network::format -> Network -> head of Linear/ReLU layers -> Backend::upload
//!   -> prune::<method>: scores per element or row -> cut-offs for a rate -> Plan
//!   -> network::apply -> pruned Network -> network::format -> pruned file
//!   -> evaluate: accuracy and agreement before and after -> report
//!   -> train: gradients by all weights on labelled data or another network's answers, pruned weights stay zero
//!
//! network::Blocks -> pairs of a layer and its reader -> prune::structured (clusters, selection, refit), prune::synth
//!   -> units to keep or merge, new weights -> smaller Network -> certify: bounds of the change, proved -> report
//!
//! job file - batch -> plan of jobs with ids -> run: many of the above, resumable, in shards -> merge: one table
//!
//! head, restricted to a plane (network::slice)
//!   -> one hidden layer: BoundaryMap -> patterns (geometry) -> BoundaryPolytope (tropical::DualSubdivision) -> report::svg
//!   -> deeper: decision_regions, cell by cell
//! ```
//!
//! # Conventions
//!
//! * Max-plus: `x (+) y = max(x, y)`, `x (.) y = x + y`.
//! * Matrices are row-major, f32 on [`backend::Cpu`] and [`backend::Gpu`], f64 in [`backend::Reference`] and wherever the
//!   host adds up. A weight matrix has shape `outputs x inputs`.
//! * A zonotope is `shift + sum of segments [0, g_i]`, the form in which ReLU networks give it.
//! * Ties go to the lowest index. Empty and one-element inputs are legal unless a contract says otherwise.
//! * No infinity and no NaN on a device: WGSL lets an implementation assume that there is none. Inputs are checked where
//!   they enter.
//! * Float sums run in a fixed order: the same adapter and seed give the same bytes.
//! * A pruning rate is the share of *weights* removed from the pruned layers; biases are not counted.
//!
//! # Sources
//!
//! * Alfarra et al., *On the Decision Boundaries of Neural Networks: A Tropical Geometry Perspective*, arXiv 2002.08838.
//! * Fotopoulos, Maragos, Misiakos, *TropNNC: Structured Neural Network Compression Using Tropical Geometry*,
//!   arXiv 2409.03945.

pub mod attack;
pub mod backend;
pub mod batch;
pub mod bench;
pub mod certify;
pub mod error;
pub mod geometry;
pub mod lottery;
mod nesting;
pub mod network;
pub mod number;
pub mod prune;
pub mod report;
pub mod rng;
pub mod statistics;
pub mod train;
pub mod tropical;

pub use error::{Error, Result};

/// The library example of the README, compiled and run as a doc test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
