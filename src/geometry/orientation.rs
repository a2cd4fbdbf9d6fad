//! How differently two polygons are oriented: distances of their edge normals and of their normalised shapes.

use std::f64::consts::{PI, TAU};

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

/// The Hausdorff distance of two polygons of mean width 1 with their Steiner points at the origin.
///
/// # Errors
///
/// [`Error::Argument`] for a point or the empty set.
pub fn normalised_hausdorff(first: &ConvexPolygon, second: &ConvexPolygon) -> Result<f64> {
    let normalised = |polygon: &ConvexPolygon| {
        let width = polygon.mean_width();
        let point = polygon.steiner_point().filter(|_| width > 0.0).ok_or_else(|| Error::Argument {
            argument: "polygon",
            problem: "a point has no width by which it could be scaled".to_owned(),
        })?;
        Ok(polygon.translated([-point[0], -point[1]]).scaled(1.0 / width))
    };
    Ok(polygon_hausdorff(&normalised(first)?, &normalised(second)?)?.distance)
}
