//! Tropical algebra and the geometry of polytopes: laws, identities, the values of independent programs, on every
//! backend where they apply.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test stops at the first error, and its numbers are small"
)]

mod harness;

mod algebra;
mod boundaries;
mod exact_points;
mod exact_polynomials;
mod expressions;
mod hausdorff;
mod hulls;
mod maps;
mod orientation;
mod patterns;
mod slices;
mod subdivisions;
mod zonotopes;
