//! How differently two polygons are oriented: distances of their edge normals and of their normalised shapes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::f64::consts::{PI, TAU};

use serde::Serialize;

use super::hausdorff::polygon_hausdorff;
use super::polygon::ConvexPolygon;
use crate::error::{Error, Result};

/// The edge-normal measure of a polygon: `(angle, mass)` with the angles of outward normals in `[0, 2 pi)` and masses
/// `length / perimeter`, ascending. A segment has two opposite atoms of mass 1/2.
///
/// By Minkowski's uniqueness theorem it determines a polygon up to translation and scale.
///
/// # Errors
///
/// [`Error::Argument`] for a point or the empty set, which have no edges.
pub fn edge_normal_measure(polygon: &ConvexPolygon) -> Result<Vec<(f64, f64)>> {
    let perimeter = polygon.perimeter();
    if perimeter <= 0.0 {
        let problem = "a point has no edges, so that it has no orientation".to_owned();
        return Err(Error::Argument { argument: "polygon", problem });
    }
    let mut atoms: Vec<(f64, f64)> =
        polygon.edges().iter().map(|edge| (edge.normal, edge.length / perimeter)).collect();
    atoms.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(atoms)
}

/// The Wasserstein-1 distance of two measures of equal mass on the circle, in radians: `min_c int |F(t) - c| dt` with the
/// difference `F` of the cumulative functions; the best `c` is a median of `F` weighted by arc length. `O(m log m)`.
///
/// Atoms are `(angle, mass)`, angles in `[0, 2 pi)`; 0 for no atoms.
#[must_use]
pub fn circular_wasserstein(first: &[(f64, f64)], second: &[(f64, f64)]) -> f64 {
    let signed = first.iter().copied().chain(second.iter().map(|(angle, mass)| (*angle, -mass)));
    let mut atoms: Vec<(f64, f64)> = signed.collect();
    atoms.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(start) = atoms.first().map(|atom| atom.0) else { return 0.0 };
    let ends = atoms.iter().skip(1).map(|atom| atom.0).chain([start + TAU]);
    let mut height = 0.0;
    let mut arcs: Vec<(f64, f64)> = atoms
        .iter()
        .zip(ends)
        .map(|((angle, mass), end)| {
            height += mass;
            (height, end - angle)
        })
        .collect();
    arcs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = 0.0;
    let median = arcs.iter().find(|(_, length)| {
        below += length;
        below >= PI
    });
    let median = median.map_or(0.0, |arc| arc.0);
    arcs.iter().map(|(height, length)| (height - median).abs() * length).sum()
}

/// The orientation distance of two polygons: [`circular_wasserstein`] of their edge-normal measures. Invariant under
/// translations and scales of either; a turn of one by `t` costs at most `t`.
///
/// # Errors
///
/// [`Error::Argument`] for a point or the empty set.
pub fn orientation_distance(first: &ConvexPolygon, second: &ConvexPolygon) -> Result<f64> {
    Ok(circular_wasserstein(&edge_normal_measure(first)?, &edge_normal_measure(second)?))
}

/// The polygon scaled to mean width 1, with its Steiner point at the origin.
fn normalised(polygon: &ConvexPolygon) -> Result<ConvexPolygon> {
    let width = polygon.mean_width();
    let point = polygon.steiner_point().filter(|_| width > 0.0).ok_or_else(|| Error::Argument {
        argument: "polygon",
        problem: "a point has no width by which it could be scaled".to_owned(),
    })?;
    Ok(polygon.translated([-point[0], -point[1]]).scaled(1.0 / width))
}

/// The Hausdorff distance of two polygons of mean width 1 with their Steiner points at the origin.
///
/// # Errors
///
/// [`Error::Argument`] for a point or the empty set.
pub fn normalised_hausdorff(first: &ConvexPolygon, second: &ConvexPolygon) -> Result<f64> {
    Ok(polygon_hausdorff(&normalised(first)?, &normalised(second)?)?.distance)
}

/// Distance to the minimum at which the search over rotations ends, in mean widths.
const ROTATION_TOLERANCE: f64 = 1e-6;

/// Rotations that are tried at most.
const ROTATIONS: usize = 1 << 14;

/// The least normalised distance over all rotations of one polygon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RotatedHausdorff {
    /// The distance at `angle`, an upper bound of the minimum.
    pub distance: f64,
    /// A lower bound of the minimum, 1e-6 below unless 16,384 rotations did not suffice.
    pub lower: f64,
    /// The rotation of the second polygon, in radians, in `[0, 2 pi)`.
    pub angle: f64,
}

/// The least [`normalised_hausdorff`] over all rotations of the second polygon, which leaves differences of shape alone.
///
/// A rotation by `t` moves no point of the second polygon farther than `R t`, `R` its radius about the Steiner point, so
/// that the distance is Lipschitz in the angle: intervals are split where the bound by their ends is lowest (Piyavskii
/// and Shubert), until it meets the best value within 1e-6.
///
/// # Errors
///
/// [`Error::Argument`] for a point or the empty set.
pub fn rotated_hausdorff(first: &ConvexPolygon, second: &ConvexPolygon) -> Result<RotatedHausdorff> {
    let (p, q) = (normalised(first)?, normalised(second)?);
    let slope = q.vertices().iter().map(|[x, y]| x.hypot(*y)).fold(0.0, f64::max);
    let at = |angle: f64| Ok(polygon_hausdorff(&p, &q.rotated(angle))?.distance);
    // The turn by 0 and by 2 pi are one; a third of the circle each, so that no bound begins below zero for long.
    let thirds = [0.0, TAU / 3.0, 2.0 * TAU / 3.0].map(|angle| at(angle).map(|value| (angle, value)));
    let mut ends = thirds.into_iter().collect::<Result<Vec<(f64, f64)>>>()?;
    let mut best = ends.iter().copied().fold(ends[0], |best, next| if next.1 < best.1 { next } else { best });
    ends.push((TAU, ends[0].1));
    let piece = |a: (f64, f64), b: (f64, f64)| Piece { lower: 0.5 * (a.1 + b.1 - slope * (b.0 - a.0)), ends: [a, b] };
    let mut pieces: BinaryHeap<Piece> = ends.windows(2).map(|pair| piece(pair[0], pair[1])).collect();
    let mut lower = 0.0;
    for _ in 0..ROTATIONS {
        let Some(Piece { lower: bound, ends: [a, b] }) = pieces.pop() else { break };
        lower = bound.clamp(0.0, best.1);
        if best.1 - lower <= ROTATION_TOLERANCE {
            break;
        }
        let angle = 0.5 * (a.0 + b.0 + (a.1 - b.1) / slope);
        let middle = (angle, at(angle)?);
        if middle.1 < best.1 {
            best = middle;
        }
        pieces.extend([piece(a, middle), piece(middle, b)]);
    }
    Ok(RotatedHausdorff { distance: best.1, lower, angle: best.0.rem_euclid(TAU) })
}

/// Angles between two values, and a lower bound between them.
struct Piece {
    lower: f64,
    ends: [(f64, f64); 2],
}

/// The piece with the lowest bound is the greatest, the first of a heap.
impl Ord for Piece {
    fn cmp(&self, other: &Self) -> Ordering {
        other.lower.total_cmp(&self.lower).then(other.ends[0].0.total_cmp(&self.ends[0].0))
    }
}

impl PartialOrd for Piece {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Piece {}
