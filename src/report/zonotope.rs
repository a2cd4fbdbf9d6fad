//! The report of `zonotope`.

use serde::Serialize;

use super::{Heading, Memory, rows_table};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::scale::{coordinates, measure, to_unit};
use crate::geometry::{VertexEstimate, VertexList, VertexRequest, Zonotope, list_vertices, zonotope_polygon};
use crate::number::fixed;
use crate::prune::Timing;

/// Subsets of generators that a report adds up for a volume.
const SUBSETS: f64 = 1e6;

/// The support function in a direction.
#[derive(Debug, Clone, Serialize)]
pub struct SupportReport {
    /// The direction.
    pub direction: Vec<f64>,
    /// `h(u)`.
    pub value: f64,
    /// A point that attains it.
    pub vertex: Vec<f64>,
}

/// Whether a point is inside.
#[derive(Debug, Clone, Serialize)]
pub struct MembershipReport {
    /// The point.
    pub point: Vec<f64>,
    /// Whether it is in the zonotope, within 1e-7 times its size.
    pub inside: bool,
    /// Its distance in the maximum norm.
    pub distance: f64,
}

/// The report of `zonotope`.
#[derive(Debug, Clone, Serialize)]
pub struct ZonotopeReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// Where the generators come from.
    pub source: String,
    /// Dimension of the space.
    pub dimension: usize,
    /// Generators.
    pub generators: usize,
    /// Generators that are neither zero nor parallel to another one.
    pub directions: usize,
    /// Dimension of the span.
    pub rank: usize,
    /// Generators over dimension.
    pub order: f64,
    /// The point of symmetry.
    pub centre: Vec<f64>,
    /// Radius of a ball about the centre that holds the zonotope.
    pub radius: f64,
    /// Length, area or volume; absent where too many determinants would add up.
    pub volume: Option<f64>,
    /// Length of the boundary, in the plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perimeter: Option<f64>,
    /// The vertices, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertices: Option<VertexList>,
    /// Support functions, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supports: Vec<SupportReport>,
    /// Points, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<MembershipReport>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

/// Describes a zonotope; see [`ZonotopeReport`].
///
/// # Errors
///
/// [`Error::TooManyVertices`](crate::Error::TooManyVertices); [`Error::OutOfRange`](crate::Error::OutOfRange) for a measure
/// that f64 does not hold; what the backend returns.
pub fn zonotope_report<B: Backend>(
    backend: &B,
    zonotope: &Zonotope,
    source: String,
    seed: u64,
    request: VertexRequest,
    timing: &mut Timing,
) -> Result<ZonotopeReport> {
    let given = zonotope;
    let power = to_unit(std::iter::once(given));
    let zonotope = &given.times_power_of_two(power);
    let estimate = timing.phase("estimate", || VertexEstimate::of(zonotope));
    let d = zonotope.dimension();
    let polygon = if d == 2 { Some(timing.phase("polygon", || zonotope_polygon(zonotope))?) } else { None };
    let subsets: f64 = (0..d.min(64)).map(|i| (estimate.directions as f64 - i as f64) / (i as f64 + 1.0)).product();
    let flat = estimate.rank < d;
    let small = d <= 2 || subsets <= SUBSETS;
    let volume = match flat {
        // In the plane thin is told from flat.
        true if d != 2 => Some(0.0),
        _ => small.then(|| timing.phase("volume", || zonotope.volume())).transpose()?,
    };
    let mut vertices = timing.phase("vertices", || list_vertices(backend, zonotope, request))?;
    for vertex in vertices.iter_mut().flat_map(|list| &mut list.vertices) {
        coordinates("a coordinate of a vertex", vertex, -power)?;
    }
    let mut centre = zonotope.centre().to_vec();
    coordinates("a coordinate of the centre", &mut centre, -power)?;
    let times = i32::try_from(d).unwrap_or(i32::MAX);
    let volume = volume.map(|value| measure(measure_name(d), value, power.saturating_mul(-times))).transpose()?;
    if !flat && volume == Some(0.0) {
        return Err(Error::OutOfRange { what: measure_name(d).to_owned() });
    }
    let perimeter = polygon.map(|polygon| measure("the perimeter", polygon.perimeter(), -power)).transpose()?;
    Ok(ZonotopeReport {
        heading: Heading::new("zonotope", seed, backend.device()),
        source,
        dimension: d,
        generators: zonotope.generators().nrows(),
        directions: estimate.directions,
        rank: estimate.rank,
        order: zonotope.order(),
        centre,
        radius: measure("the radius", zonotope.radius(), -power)?,
        volume,
        perimeter,
        vertices,
        supports: Vec::new(),
        memberships: Vec::new(),
        memory: Memory::now(),
        timing: timing.clone(),
    })
}

fn measure_name(dimension: usize) -> &'static str {
    match dimension {
        1 => "the length",
        2 => "the area",
        _ => "the volume",
    }
}

fn bound(vertices: u128) -> String {
    if vertices == u128::MAX { "more than 10^38".to_owned() } else { vertices.to_string() }
}

fn point(entries: &[f64]) -> String {
    let shown: Vec<String> = entries.iter().take(6).map(|entry| fixed(*entry, 6)).collect();
    let more = if entries.len() > 6 { ", ..." } else { "" };
    format!("({}{more})", shown.join(", "))
}

/// A table for people, with the first vertices.
#[must_use]
pub fn zonotope_table(report: &ZonotopeReport) -> String {
    const SHOWN: usize = 12;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("dimension", report.dimension.to_string()),
        row("generators", report.generators.to_string()),
        row("directions that differ", report.directions.to_string()),
        row("dimension of their span", report.rank.to_string()),
        row("order", format!("{:.3}", report.order)),
        row("centre", point(&report.centre)),
        row("radius about it, at most", fixed(report.radius, 6)),
    ];
    let volume = ["volume", "length", "area"][if report.dimension < 3 { report.dimension } else { 0 }];
    rows.extend(report.volume.map(|value| row(volume, fixed(value, 6))));
    rows.extend(report.perimeter.map(|value| row("perimeter", fixed(value, 6))));
    if let Some(vertices) = &report.vertices {
        rows.push(row("vertices", vertices.count.to_string()));
        rows.push(row("at most", bound(vertices.bound)));
        if let Some(sampling) = &vertices.sampling {
            let missing = if vertices.complete {
                "none".to_owned()
            } else {
                format!("{:.2e} of all directions, estimated", sampling.missing_mass)
            };
            rows.push(row("missing", missing));
            rows.push(row("directions drawn", sampling.directions.to_string()));
        }
    }
    for support in &report.supports {
        rows.push(row(&format!("support {}", point(&support.direction)), fixed(support.value, 6)));
    }
    for member in &report.memberships {
        let place = if member.inside { "inside".to_owned() } else { format!("{} outside", fixed(member.distance, 6)) };
        rows.push(row(&format!("point {}", point(&member.point)), place));
    }
    let mut text = rows_table(&["zonotope", ""], rows.into_iter());
    if let Some(vertices) = &report.vertices {
        let shown = vertices.vertices.iter().take(SHOWN).map(|vertex| format!("\n {}", point(vertex)));
        text.extend(shown);
        if vertices.count > SHOWN {
            text.push_str(&format!("\n and {} more, with --json", vertices.count - SHOWN));
        }
    }
    text
}
