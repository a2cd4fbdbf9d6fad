//! The report of `hausdorff`.

use ndarray::Array2;
use serde::Serialize;

use super::{Heading, Memory, rows_table};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::hausdorff::{
    DirectedHausdorff, HausdorffInterval, IntervalOptions, PolygonHausdorff, directed_hausdorff, hull_interval,
    polygon_hausdorff,
};
use crate::geometry::orientation::{normalised_hausdorff, orientation_distance};
use crate::geometry::{ConvexPolygon, Interval, Zonotope, zonotope_polygon};
use crate::prune::Timing;

/// What is compared.
#[derive(Debug, Clone)]
pub enum Bodies {
    /// A point sample, one row each.
    Points(Array2<f32>),
    /// The hull of zonotopes in one space.
    Zonotopes(Vec<Zonotope>),
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
    },
    /// Zonotopes or hulls of zonotopes in any dimension: two bounds.
    Bounds(HausdorffInterval),
}

/// The report of `hausdorff`.
#[derive(Debug, Clone, Serialize)]
pub struct HausdorffReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Where the two sides come from.
    pub sources: [String; 2],
    /// Dimension of the space.
    pub dimension: usize,
    /// The distance lies in this interval; both ends are the same where it is exact.
    pub interval: Interval,
    /// How it was found.
    pub detail: HausdorffDetail,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
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

/// Compares two sides; `directed` asks for the way from the first to the second only, which point samples have.
///
/// # Errors
///
/// [`Error::Argument`] for points beside zonotopes, different dimensions, or a directed distance of bodies; what the
/// backend returns.
pub fn hausdorff_report<B: Backend>(
    backend: &B,
    sources: [String; 2],
    sides: [&Bodies; 2],
    directed: bool,
    options: IntervalOptions,
    timing: &mut Timing,
) -> Result<HausdorffReport> {
    let refused = |problem: &str| Err(Error::Argument { argument: "B", problem: problem.to_owned() });
    let (dimension, interval, detail) = match sides {
        [Bodies::Points(x), Bodies::Points(y)] => {
            let seed = options.seed;
            let forward = timing.phase("forward", || directed_hausdorff(backend, x.view(), y.view(), seed))?;
            let backward = if directed {
                None
            } else {
                Some(timing.phase("backward", || directed_hausdorff(backend, y.view(), x.view(), seed))?)
            };
            let distance = backward.iter().fold(forward.pair.distance, |most, other| most.max(other.pair.distance));
            let detail = HausdorffDetail::Points { first: x.nrows(), second: y.nrows(), forward, backward };
            (x.ncols(), Interval { lower: distance, upper: distance }, detail)
        }
        [Bodies::Zonotopes(_), Bodies::Zonotopes(_)] if directed => {
            return refused("a directed distance is one of point samples");
        }
        [Bodies::Zonotopes(p), Bodies::Zonotopes(q)] => {
            let plane = p.iter().chain(q).all(|zonotope| zonotope.dimension() == 2);
            let dimension = p.first().map_or(0, Zonotope::dimension);
            if plane {
                let (p, q) = timing.phase("polygons", || Ok::<_, Error>((hull_polygon(p)?, hull_polygon(q)?)))?;
                let found = polygon_hausdorff(&p, &q)?;
                let orientation = orientation_distance(&p, &q).ok();
                let normalised = normalised_hausdorff(&p, &q).ok();
                let interval = Interval { lower: found.distance, upper: found.distance };
                (dimension, interval, HausdorffDetail::Polygons { found, orientation, normalised })
            } else {
                let found = timing.phase("bounds", || hull_interval(backend, p, q, options))?;
                (dimension, found.interval, HausdorffDetail::Bounds(found))
            }
        }
        _ => return refused("points beside a zonotope: `points:FILE` and `zonotope:FILE` say what a file holds"),
    };
    Ok(HausdorffReport {
        heading: Heading::new("hausdorff", options.seed, backend.device()),
        sources,
        dimension,
        interval,
        detail,
        memory: Memory::now(),
        timing: timing.clone(),
    })
}

/// A table for people.
#[must_use]
pub fn hausdorff_table(report: &HausdorffReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let Interval { lower, upper } = report.interval;
    let mut rows = vec![row("dimension", report.dimension.to_string())];
    match &report.detail {
        HausdorffDetail::Points { first, second, forward, backward } => {
            rows.push(row("points", format!("{first} and {second}")));
            rows.push(row("distance, exact", format!("{upper:.9}")));
            for (name, found) in [("from A to B", Some(forward)), ("from B to A", backward.as_ref())] {
                let Some(found) = found else { continue };
                let [a, b] = if name.starts_with("from A") { ["A", "B"] } else { ["B", "A"] };
                rows.push(row(name, format!("{:.9}", found.pair.distance)));
                rows.push(row("  attained by", format!("{a}[{}], {b}[{}]", found.pair.from, found.pair.to)));
                let method = match found.method {
                    crate::geometry::hausdorff::PointMethod::All => "all pairs",
                    crate::geometry::hausdorff::PointMethod::Parts => "growing parts",
                    crate::geometry::hausdorff::PointMethod::Tree => "k-d tree",
                };
                rows.push(row("  method, pairs looked at", format!("{method}, {:.2} %", 100.0 * found.work)));
            }
        }
        HausdorffDetail::Polygons { found, orientation, normalised } => {
            rows.push(row("distance, exact", format!("{upper:.9}")));
            let side = |second: bool| if second { "B" } else { "A" };
            let place = |p: [f64; 2]| format!("({:.6}, {:.6})", p[0] + 0.0, p[1] + 0.0);
            let second = found.second_reaches_farther;
            rows.push(row(&format!("from a vertex of {}", side(second)), place(found.from)));
            rows.push(row(&format!("to the nearest of {}", side(!second)), place(found.to)));
            rows.extend(orientation.map(|value| row("orientation (W1), rad", format!("{value:.6}"))));
            rows.extend(normalised.map(|value| row("distance at mean width 1", format!("{value:.6}"))));
        }
        HausdorffDetail::Bounds(found) => {
            rows.push(row("distance, at least", format!("{lower:.9}")));
            rows.push(row("distance, at most", format!("{upper:.9}")));
            rows.push(row("best of the random directions", format!("{:.9}", found.sampled)));
            rows.push(row("directions drawn", found.directions.to_string()));
        }
    }
    rows_table(&["Hausdorff", ""], rows.into_iter())
}
