//! The report of `hausdorff`.

use serde::Serialize;

use super::{Heading, Memory, rows_table};
use crate::backend::Backend;
use crate::error::Result;
use crate::geometry::Interval;
use crate::geometry::compare::{Bodies, CompareOptions, Compared, HausdorffDetail, compare_bodies};
use crate::geometry::hausdorff::PointMethod;
use crate::number::{fixed, shortest};
use crate::prune::Timing;

/// The report of `hausdorff`.
#[derive(Debug, Clone, Serialize)]
pub struct HausdorffReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Where the two sides come from.
    pub sources: [String; 2],
    /// The distance.
    #[serde(flatten)]
    pub compared: Compared,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// Compares two sides; see [`compare_bodies`].
///
/// # Errors
///
/// As [`compare_bodies`].
pub fn hausdorff_report<B: Backend>(
    backend: &B,
    sources: [String; 2],
    sides: [&Bodies; 2],
    options: CompareOptions,
    timing: &mut Timing,
) -> Result<HausdorffReport> {
    let compared = timing.phase("distance", || compare_bodies(backend, sides, options))?;
    Ok(HausdorffReport {
        heading: Heading::new("hausdorff", options.interval.seed, backend.device()),
        sources,
        compared,
        memory: Memory::now(),
        timing: timing.clone(),
    })
}

/// A table for people.
#[must_use]
pub fn hausdorff_table(report: &HausdorffReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let Compared { dimension, interval: Interval { lower, upper }, detail } = &report.compared;
    let mut rows = vec![row("dimension", dimension.to_string())];
    match detail {
        HausdorffDetail::Points { first, second, forward, backward } => {
            rows.push(row("points", format!("{first} and {second}")));
            rows.push(row("distance, exact", fixed(*upper, 9)));
            for (name, found) in [("from A to B", Some(forward)), ("from B to A", backward.as_ref())] {
                let Some(found) = found else { continue };
                let [a, b] = if name.starts_with("from A") { ["A", "B"] } else { ["B", "A"] };
                rows.push(row(name, fixed(found.pair.distance, 9)));
                rows.push(row("  attained by", format!("{a}[{}], {b}[{}]", found.pair.from, found.pair.to)));
                let method = match found.method {
                    PointMethod::All => "all pairs",
                    PointMethod::Parts => "growing parts",
                    PointMethod::Tree => "k-d tree",
                };
                rows.push(row("  method, pairs looked at", format!("{method}, {:.2} %", 100.0 * found.work)));
            }
        }
        HausdorffDetail::Polygons { found, orientation, normalised, rotated } => {
            rows.push(row("distance, exact", fixed(*upper, 9)));
            let side = |second: bool| if second { "B" } else { "A" };
            let place = |p: [f64; 2]| format!("({}, {})", shortest(p[0]), shortest(p[1]));
            let second = found.second_reaches_farther;
            rows.push(row(&format!("from a vertex of {}", side(second)), place(found.from)));
            rows.push(row(&format!("to the nearest of {}", side(!second)), place(found.to)));
            rows.extend(orientation.map(|value| row("orientation (W1), rad", fixed(value, 6))));
            rows.extend(normalised.map(|value| row("distance at mean width 1", fixed(value, 6))));
            if let Some(found) = rotated {
                rows.push(row("  least over rotations of B", fixed(found.distance, 6)));
                rows.push(row("  at the rotation, rad", fixed(found.angle, 6)));
            }
        }
        HausdorffDetail::Bounds(found) => {
            rows.push(row("distance, at least", fixed(*lower, 9)));
            rows.push(row("distance, at most", fixed(*upper, 9)));
            rows.push(row("best of the random directions", fixed(found.sampled, 9)));
            rows.push(row("directions drawn", found.directions.to_string()));
        }
    }
    rows_table(&["Hausdorff", ""], rows.into_iter())
}
