//! What is known of a number that is not computed exactly.

use serde::Serialize;

/// A number between two bounds, such as a Hausdorff distance that samples bound from below and a matching from above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The number is at least this.
    pub lower: f64,
    /// The number is at most this.
    pub upper: f64,
}
