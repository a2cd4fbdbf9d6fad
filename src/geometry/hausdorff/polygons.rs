//! The exact Hausdorff distance of convex polygons, by merging their normal fans.

use std::f64::consts::TAU;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::geometry::polygon::{ConvexPolygon, angle, dot, minus};

/// The Hausdorff distance of two convex polygons and where it is attained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PolygonHausdorff {
    /// `max_u |h_P(u) - h_Q(u)|`.
    pub distance: f64,
    /// The unit direction that attains it.
    pub direction: [f64; 2],
    /// A vertex of the polygon that reaches farther.
    pub from: [f64; 2],
    /// The nearest point of the other one.
    pub to: [f64; 2],
    /// Whether `from` belongs to the second polygon.
    pub second_reaches_farther: bool,
}

/// The Hausdorff distance of two convex polygons, points and segments included: exact but for rounding, `O(m log m)` in the
/// number of edges.
///
/// Between two consecutive angles of edge normals of either polygon, both support functions have one vertex each, so that
/// `h_P(u) - h_Q(u) = <v_P - v_Q, u>`: on this arc it is largest in size at an end or in the direction of
/// `v_P - v_Q` or its opposite.
///
/// # Errors
///
/// [`Error::Argument`] for an empty polygon.
pub fn polygon_hausdorff(p: &ConvexPolygon, q: &ConvexPolygon) -> Result<PolygonHausdorff> {
    for (argument, polygon) in [("first polygon", p), ("second polygon", q)] {
        if polygon.is_empty() {
            return Err(Error::Argument { argument, problem: "is empty".to_owned() });
        }
    }
    let (fan_p, fan_q) = (Fan::of(p), Fan::of(q));
    let mut angles: Vec<f64> = fan_p.starts.iter().chain(&fan_q.starts).map(|start| start.0).collect();
    angles.sort_unstable_by(f64::total_cmp);
    if angles.is_empty() {
        angles.push(0.0);
    }
    let mut best = (f64::NEG_INFINITY, 0.0, [0.0; 2], [0.0; 2]);
    let (mut in_p, mut in_q) = (Walk::new(&fan_p), Walk::new(&fan_q));
    for (at, start) in angles.iter().enumerate() {
        let end = angles.get(at + 1).copied().unwrap_or(angles[0] + TAU);
        let (v, w) = (in_p.vertex(*start), in_q.vertex(*start));
        let gap = minus(v, w);
        let ends = [*start, end].into_iter();
        let within = [angle(gap), angle([-gap[0], -gap[1]])];
        let within = within.into_iter().flat_map(|angle| [angle, angle + TAU]);
        for direction in ends.chain(within.filter(|angle| (*start..=end).contains(angle))) {
            let size = dot(gap, [direction.cos(), direction.sin()]).abs();
            if size > best.0 {
                best = (size, direction, v, w);
            }
        }
    }
    let (distance, direction, v, w) = best;
    let direction = [direction.cos(), direction.sin()];
    let second = dot(minus(v, w), direction) < 0.0;
    let (from, other) = if second { (w, p) } else { (v, q) };
    let to = other.nearest_to(from).unwrap_or(from);
    Ok(PolygonHausdorff { distance, direction, from, to, second_reaches_farther: second })
}

/// The angles at which vertices begin to be the farthest, ascending.
struct Fan {
    starts: Vec<(f64, [f64; 2])>,
    /// The vertex of a point.
    only: [f64; 2],
}

impl Fan {
    fn of(polygon: &ConvexPolygon) -> Self {
        // An edge ends at the vertex that is farthest from its normal on.
        let mut starts: Vec<(f64, [f64; 2])> = polygon.edges().iter().map(|edge| (edge.normal, edge.ends[1])).collect();
        starts.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { starts, only: polygon.vertices()[0] }
    }
}

/// The vertex at angles that ascend.
struct Walk<'a> {
    fan: &'a Fan,
    next: usize,
}

impl<'a> Walk<'a> {
    fn new(fan: &'a Fan) -> Self {
        Self { fan, next: 0 }
    }

    fn vertex(&mut self, angle: f64) -> [f64; 2] {
        let starts = &self.fan.starts;
        while starts.get(self.next).is_some_and(|start| start.0 <= angle) {
            self.next += 1;
        }
        // Before the first start, the last vertex of the turn before.
        let last = self.next.checked_sub(1).and_then(|at| starts.get(at)).or(starts.last());
        last.map_or(self.fan.only, |start| start.1)
    }
}
