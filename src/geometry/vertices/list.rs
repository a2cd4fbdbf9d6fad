//! The vertices of a zonotope by whatever way suits its dimension and what was asked for.

use ndarray::Array2;
use serde::Serialize;

use super::{SampleOptions, Stop, VertexEstimate, sample_patterns, zonotope_patterns, zonotope_polygon};
use crate::backend::Backend;
use crate::error::Result;
use crate::geometry::zonotope::Zonotope;

/// How vertices are enumerated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum VertexRequest {
    /// Not at all.
    None,
    /// All of them, if they fit into so many bytes.
    Exact(u64),
    /// At random.
    Sampled(SampleOptions),
}

/// The vertices of a zonotope and what is known of those that are not listed.
#[derive(Debug, Clone, Serialize)]
pub struct VertexList {
    /// Vertices found.
    pub count: usize,
    /// The largest number that a zonotope of so many generators may have.
    pub bound: u128,
    /// Whether these are all.
    pub complete: bool,
    /// What sampling says, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// The vertices: in the plane counter-clockwise, otherwise in the order in which they were found.
    pub vertices: Vec<Vec<f64>>,
}

/// What sampling says of vertices that are missing.
#[derive(Debug, Clone, Serialize)]
pub struct Sampling {
    /// Why it stopped.
    pub stop: Stop,
    /// Directions drawn.
    pub directions: u64,
    /// Directions left out as they lie on a hyperplane within rounding.
    pub discarded: u64,
    /// Estimated share of directions whose vertex is missing (Good and Turing).
    pub missing_mass: f64,
    /// Directions since the last new vertex.
    pub misses: u64,
    /// With 99 % confidence the share of such directions is at most this, had it been checked only once.
    pub missing_bound: f64,
}

/// Lists the vertices of a zonotope: in the plane always all of them, otherwise as the request says.
///
/// # Errors
///
/// [`Error::TooManyVertices`](crate::Error::TooManyVertices); what the backend returns.
pub fn list_vertices<B: Backend>(
    backend: &B,
    zonotope: &Zonotope,
    request: VertexRequest,
) -> Result<Option<VertexList>> {
    let bound = VertexEstimate::of(zonotope).vertices;
    let all =
        |vertices: Vec<Vec<f64>>| VertexList { count: vertices.len(), bound, complete: true, sampling: None, vertices };
    let shift = zonotope.shift().to_vec();
    Ok(match request {
        VertexRequest::None => None,
        _ if zonotope.dimension() == 2 => {
            let polygon = zonotope_polygon(zonotope)?;
            Some(all(polygon.vertices().iter().map(|vertex| vertex.to_vec()).collect()))
        }
        VertexRequest::Exact(memory) => {
            let patterns = zonotope_patterns(zonotope, memory)?;
            Some(all(rows(&patterns.vertices(zonotope.generators(), &shift))))
        }
        VertexRequest::Sampled(options) => {
            let found = sample_patterns(backend, zonotope, options)?;
            let points = found.patterns.vertices(zonotope.generators(), &shift);
            Some(VertexList {
                count: found.patterns.len(),
                bound: found.bound,
                complete: found.stop == Stop::Complete,
                sampling: Some(Sampling {
                    stop: found.stop,
                    directions: found.directions,
                    discarded: found.discarded,
                    missing_mass: found.missing_mass,
                    misses: found.misses,
                    missing_bound: found.missing_bound,
                }),
                vertices: rows(&points),
            })
        }
    })
}

fn rows(points: &Array2<f64>) -> Vec<Vec<f64>> {
    points.rows().into_iter().map(|row| row.to_vec()).collect()
}
