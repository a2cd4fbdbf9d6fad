//! Two point samples or two hulls of zonotopes, compared by what is known for their kind and dimension.

use ndarray::Array2;
use serde::Serialize;

use super::hausdorff::{
    DirectedHausdorff, HausdorffInterval, IntervalOptions, PolygonHausdorff, directed_hausdorff, hull_interval,
    polygon_hausdorff,
};
use super::orientation::{RotatedHausdorff, normalised_hausdorff, orientation_distance, rotated_hausdorff};
use super::scale::{coordinates, measure, to_unit};
use super::{ConvexPolygon, Interval, Zonotope, zonotope_polygon};
use crate::backend::Backend;
use crate::error::{Error, Result};

/// What is compared.
#[derive(Debug, Clone)]
pub enum Bodies {
    /// A point sample, one row each.
    Points(Array2<f64>),
    /// The hull of zonotopes in one space.
    Zonotopes(Vec<Zonotope>),
}

/// What is asked of a comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct CompareOptions {
    /// Only the way from the first to the second, which point samples have.
    pub directed: bool,
    /// The least normalised distance over all rotations too, which polygons have.
    pub rotations: bool,
    /// How to look for the bounds of bodies beyond the plane; its seed also draws the parts of point samples.
    pub interval: IntervalOptions,
}

/// How a distance was found, and what is known beside it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum HausdorffDetail {
    /// Point samples: exact.
    Points {
        /// Points of the first sample.
        first: usize,
        /// Points of the second sample.
        second: usize,
        /// From the first to the second.
        forward: DirectedHausdorff,
        /// From the second to the first; absent if only one direction was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        backward: Option<DirectedHausdorff>,
    },
    /// Polygons in the plane: exact.
    Polygons {
        /// Where the distance is attained.
        #[serde(flatten)]
        found: PolygonHausdorff,
        /// Circular Wasserstein-1 distance of the edge normals, in radians; absent for points.
        orientation: Option<f64>,
        /// Distance of the polygons of mean width 1 about their Steiner points; absent for points.
        normalised: Option<f64>,
        /// The least of these over all rotations; absent for points and where it was not asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        rotated: Option<RotatedHausdorff>,
    },
    /// Zonotopes or hulls of zonotopes in any dimension: two bounds.
    Bounds(HausdorffInterval),
}

/// A distance of two sides.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Dimension of the space.
    pub dimension: usize,
    /// The distance lies in this interval; both ends are the same where it is exact.
    pub interval: Interval,
    /// How it was found.
    pub detail: HausdorffDetail,
}

/// The polygon of a hull of zonotopes in the plane.
///
/// # Errors
///
/// [`Error::Argument`] for another dimension.
pub fn hull_polygon(zonotopes: &[Zonotope]) -> Result<ConvexPolygon> {
    let polygons = zonotopes.iter().map(zonotope_polygon).collect::<Result<Vec<_>>>()?;
    let points: Vec<[f64; 2]> = polygons.iter().flat_map(|polygon| polygon.vertices()).copied().collect();
    Ok(match polygons.len() {
        1 => polygons.into_iter().next().unwrap_or_else(|| ConvexPolygon::hull(&[])),
        _ => ConvexPolygon::hull(&points),
    })
}

/// Compares two sides: point samples and polygons exactly, other bodies between two bounds.
///
/// # Errors
///
/// [`Error::Argument`] for points beside zonotopes, different dimensions, or a directed distance of bodies;
/// [`Error::OutOfRange`] for a distance that f64 does not hold; what the backend returns.
pub fn compare_bodies<B: Backend>(backend: &B, sides: [&Bodies; 2], options: CompareOptions) -> Result<Compared> {
    let refused = |problem: &str| Err(Error::Argument { argument: "B", problem: problem.to_owned() });
    let exact = |distance: f64| Interval { lower: distance, upper: distance };
    match sides {
        [Bodies::Points(x), Bodies::Points(y)] => {
            let seed = options.interval.seed;
            let forward = directed_hausdorff(backend, x.view(), y.view(), seed)?;
            let backward = match options.directed {
                true => None,
                false => Some(directed_hausdorff(backend, y.view(), x.view(), seed)?),
            };
            let distance = backward.iter().fold(forward.pair.distance, |most, other| most.max(other.pair.distance));
            let detail = HausdorffDetail::Points { first: x.nrows(), second: y.nrows(), forward, backward };
            Ok(Compared { dimension: x.ncols(), interval: exact(distance), detail })
        }
        [Bodies::Zonotopes(_), Bodies::Zonotopes(_)] if options.directed => {
            refused("a directed distance is one of point samples")
        }
        [Bodies::Zonotopes(p), Bodies::Zonotopes(q)] => {
            let power = to_unit(p.iter().chain(q));
            let unit = |side: &[Zonotope]| side.iter().map(|z| z.times_power_of_two(power)).collect::<Vec<_>>();
            let (p, q) = (&unit(p), &unit(q));
            let distance = |value: f64| measure("the distance", value, -power);
            let dimension = p.first().map_or(0, Zonotope::dimension);
            if p.iter().chain(q).any(|zonotope| zonotope.dimension() != 2) {
                if options.rotations {
                    return refused("rotations are compared in the plane");
                }
                let mut found = hull_interval(backend, p, q, options.interval)?;
                let Interval { lower, upper } = found.interval;
                found.interval = Interval { lower: distance(lower)?, upper: distance(upper)? };
                found.sampled = distance(found.sampled)?;
                return Ok(Compared { dimension, interval: found.interval, detail: HausdorffDetail::Bounds(found) });
            }
            let (p, q) = (hull_polygon(p)?, hull_polygon(q)?);
            let mut found = polygon_hausdorff(&p, &q)?;
            found.distance = distance(found.distance)?;
            coordinates("a coordinate of a vertex", &mut found.from, -power)?;
            coordinates("a coordinate of a vertex", &mut found.to, -power)?;
            let detail = HausdorffDetail::Polygons {
                found,
                orientation: orientation_distance(&p, &q).ok(),
                normalised: normalised_hausdorff(&p, &q).ok(),
                rotated: options.rotations.then(|| rotated_hausdorff(&p, &q).ok()).flatten(),
            };
            Ok(Compared { dimension, interval: exact(found.distance), detail })
        }
        _ => refused("points beside a zonotope: `points:FILE` and `zonotope:FILE` say what a file holds"),
    }
}
