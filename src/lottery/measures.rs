//! How far a network's decision boundary is from another's.

use std::f64::consts::PI;

use ndarray::Array2;
use serde::Serialize;

use crate::backend::Backend;
use crate::error::Result;
use crate::geometry::ConvexPolygon;
use crate::geometry::clip::{Bounds, Point};
use crate::geometry::orientation::{circular_wasserstein, normalised_hausdorff, orientation_distance};
use crate::network::boundary::{BoundaryAnalysis, BoundaryOptions, EdgeKind, analyse};
use crate::network::slice::{PlanarNetwork, Plane};
use crate::network::{Form, Head, Network};

/// Edges whose normals are no farther apart count as the same, in radians: 5 degrees.
const SAME: f64 = 5.0 * PI / 180.0;

/// A network with two inputs and one hidden layer, and what is measured of it.
#[derive(Debug)]
pub struct Picture {
    /// Its regions and its polytope.
    pub found: BoundaryAnalysis,
    /// The hull of its nodes: the decision-boundary polytope.
    pub polygon: ConvexPolygon,
    /// Direction and share of length of each edge that is dual to the boundary, from the lower class to the other.
    mixed: Vec<(f64, f64)>,
    /// Classes on a grid over the window.
    classes: Vec<usize>,
}

/// Distances of a network from the original one; those of polytopes are absent where one of them is a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measures {
    /// M1: the Wasserstein-1 distance of the edge normals of both polytopes, weighted by length, on the circle, in radians; see
    /// [`orientation_distance`].
    pub orientation: Option<f64>,
    /// M2: the Hausdorff distance of the polytopes at mean width 1 with their Steiner points at the origin.
    pub hausdorff: Option<f64>,
    /// M3: as M1, of the edges that are dual to the decision boundary alone: of the boundary itself.
    pub boundary: Option<f64>,
    /// M4: the share of a grid over the window that both classify differently.
    pub disagreement: f64,
    /// M5: the share of the perimeter whose edges have a normal within 5 degrees of an edge of the original.
    pub kept_edges: Option<f64>,
}

impl Picture {
    /// Looks at a network in a window.
    pub(super) fn of<B: Backend>(backend: &B, network: &Network, window: Bounds, grid: usize) -> Result<Self> {
        let planar = PlanarNetwork::restrict(&Head::of(network)?, &Plane::whole())?;
        let options =
            BoundaryOptions { form: Form::Joint, window: Some(window), samples: 0, most_cells: 1, grid: None, seed: 0 };
        let found = analyse(backend, &planar, &options)?;
        let (mut nodes, mut mixed) = (Vec::new(), Vec::new());
        if let Some(shallow) = &found.shallow {
            let polytope = &shallow.polytope;
            let at = |i: usize| -> Point { std::array::from_fn(|k| polytope.polynomial.exponents()[[i, k]]) };
            nodes.extend(polytope.subdivision.vertices.iter().map(|vertex| at(*vertex)));
            for (edge, _) in
                polytope.subdivision.edges.iter().zip(&polytope.kinds).filter(|(_, kind)| **kind == EdgeKind::Mixed)
            {
                let mut ends = edge.ends;
                ends.sort_by(|a, b| polytope.classes[*a].cmp(&polytope.classes[*b]));
                let [from, to] = ends.map(at);
                let [x, y] = [to[0] - from[0], to[1] - from[1]];
                mixed.push((y.atan2(x).rem_euclid(2.0 * PI), x.hypot(y)));
            }
        }
        let length: f64 = mixed.iter().map(|(_, length)| length).sum();
        mixed.iter_mut().for_each(|(_, part)| *part /= length.max(f64::MIN_POSITIVE));
        let classes = places(window, grid).into_iter().map(|point| planar.class(point)).collect();
        Ok(Self { found, polygon: ConvexPolygon::hull(&nodes), mixed, classes })
    }

    /// How far this network is from the original one.
    pub(super) fn beside(&self, original: &Self) -> Measures {
        let pair = [&original.polygon, &self.polygon];
        let edged = pair.iter().all(|polygon| polygon.perimeter() > 0.0);
        let both = || edged.then_some(pair);
        let apart = self.classes.iter().zip(&original.classes).filter(|(a, b)| a != b).count();
        #[expect(clippy::cast_precision_loss, reason = "points of a grid")]
        let disagreement = apart as f64 / self.classes.len().max(1) as f64;
        Measures {
            orientation: both().and_then(|[a, b]| orientation_distance(a, b).ok()),
            hausdorff: both().and_then(|[a, b]| normalised_hausdorff(a, b).ok()),
            boundary: (!self.mixed.is_empty() && !original.mixed.is_empty())
                .then(|| circular_wasserstein(&self.mixed, &original.mixed)),
            disagreement,
            kept_edges: both().map(|[original, own]| kept_edges(original, own)),
        }
    }
}

/// The share of the perimeter of `own` with normals near to one of `original`.
fn kept_edges(original: &ConvexPolygon, own: &ConvexPolygon) -> f64 {
    let normals: Vec<f64> = original.edges().iter().map(|edge| edge.normal).collect();
    let near = |normal: f64| {
        normals.iter().any(|other| {
            let turn = (normal - other).rem_euclid(2.0 * PI);
            turn.min(2.0 * PI - turn) <= SAME
        })
    };
    let kept: f64 = own.edges().iter().filter(|edge| near(edge.normal)).map(|edge| edge.length).sum();
    kept / own.perimeter()
}

/// The middles of the squares of a grid.
#[expect(clippy::cast_precision_loss, reason = "points along a side")]
fn places(window: Bounds, grid: usize) -> Vec<Point> {
    let along =
        |k: usize, at: usize| window.low[k] + (window.high[k] - window.low[k]) * (at as f64 + 0.5) / grid.max(1) as f64;
    Array2::from_shape_fn((grid, grid), |(y, x)| [along(0, x), along(1, y)]).into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::backend::Reference;
    use crate::network::{Op, Tensor, random_network};

    /// The network with one layer's numbers changed.
    fn changed(network: &Network, layer: usize, change: impl Fn(usize, f32) -> f32) -> Network {
        let mut network = network.clone();
        if let Op::Linear { weight, .. } = &mut network.nodes[layer].op {
            let values = weight.to_vec().into_iter().enumerate().map(|(at, value)| change(at, value)).collect();
            let shape = weight.dimensions().to_vec();
            *weight = Tensor::owned(weight.name(), weight.element(), shape, values).unwrap();
        }
        network
    }

    #[test]
    fn a_network_is_like_itself_and_a_turn_is_measured_as_its_angle() {
        let (backend, window) = (Reference::new(), Bounds::square([0.0; 2], 3.0));
        let network = random_network(&[2, 12, 2], 5).unwrap();
        let picture = |network: &Network| Picture::of(&backend, network, window, 32).unwrap();
        let original = picture(&network);
        let same = picture(&network).beside(&original);
        assert!(same.orientation.unwrap() < 1e-12 && same.hausdorff.unwrap() < 1e-12 && same.boundary.unwrap() < 1e-12);
        assert_eq!((same.disagreement, same.kept_edges), (0.0, Some(1.0)));
        // All coefficients twice as large: a polytope twice as large, and the same boundary but for biases.
        let twice = picture(&changed(&network, 2, |_, value| 2.0 * value)).beside(&original);
        assert!(twice.orientation.unwrap() < 1e-6 && twice.hausdorff.unwrap() < 1e-6);
        // Inputs turned by a right angle: rows (a, b) become (-b, a).
        let turned = changed(&network, 0, |at, _| {
            let Op::Linear { weight, .. } = &network.nodes[0].op else { return 0.0 };
            let values = weight.to_vec();
            if at % 2 == 0 { -values[at + 1] } else { values[at - 1] }
        });
        let turned = picture(&turned).beside(&original);
        assert!(turned.orientation.unwrap() > 0.1 && turned.orientation.unwrap() <= 0.5 * PI + 1e-9, "{turned:?}");
        assert!(turned.disagreement > 0.02 && turned.kept_edges.unwrap() < 1.0, "{turned:?}");
        // Without weights the polytope is a point: nothing is measured of it.
        let none = picture(&changed(&network, 2, |_, _| 0.0)).beside(&original);
        assert_eq!((none.orientation, none.hausdorff, none.boundary, none.kept_edges), (None, None, None, None));
    }
}
