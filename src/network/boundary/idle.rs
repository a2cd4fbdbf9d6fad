//! Neurons that can go without changing the polytope (2002.08838, figure 4).

use serde::Serialize;

use super::polytope::{BoundaryPolytope, patterns_of};
use crate::error::Result;
use crate::geometry::Patterns;
use crate::network::shallow::ShallowNetwork;
use crate::network::tropicalize::{BoundaryMap, Form};

/// A neuron whose removal leaves the decision-boundary polytope as it is, up to a translation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdleNeuron {
    /// Its number.
    pub neuron: usize,
    /// Whether its generators are zero in every class, so that it has no part in the polytope at all.
    pub without_generators: bool,
    /// By how much the polytope moves, in the exponents and then the height; zero unless the neuron is active on all of
    /// it.
    pub translation: Vec<f64>,
}

/// Finds the neurons of a shallow network with two inputs that can go one at a time without changing `delta(R)`, and
/// with it the hypersurface and the decisions.
///
/// A neuron qualifies if it moves all vertices of the polytope by the same vector; that no other vertex comes up is
/// verified by building the polytope without it. In the joint form that is the observation of the paper's figure 4: the
/// vertices that the neuron gives lie inside the hull.
///
/// # Errors
///
/// What [`BoundaryPolytope::new`] returns.
pub fn idle_neurons(
    shallow: &ShallowNetwork,
    form: Form,
    polytope: &BoundaryPolytope,
    patterns: &Patterns,
) -> Result<Vec<IdleNeuron>> {
    let map = BoundaryMap::of(shallow, form);
    let generators = &map.generators;
    let size = polytope.polynomial.exponents().iter().chain(polytope.polynomial.coefficients());
    let tolerance = 1e-9 * size.fold(0.0_f64, |most, x| most.max(x.abs()));
    let mut found = Vec::new();
    for neuron in 0..shallow.neurons() {
        let moved = |class: usize, pattern: usize| -> Vec<f64> {
            let weight = if patterns.is_active(pattern, neuron) { map.weights[[class, neuron]] } else { 0.0 };
            generators.row(neuron).iter().map(|g| weight * g).collect()
        };
        let mut moves = polytope.subdivision.vertices.iter().flat_map(|v| {
            polytope.classes[*v].iter().zip(&polytope.patterns[*v]).map(|(class, pattern)| moved(*class, *pattern))
        });
        let Some(first) = moves.next() else { continue };
        if !moves.all(|next| next.iter().zip(&first).all(|(x, y)| (x - y).abs() <= tolerance)) {
            continue;
        }
        let without_generators = (0..shallow.classes())
            .all(|class| generators.row(neuron).iter().all(|g| (map.weights[[class, neuron]] * g).abs() <= tolerance));
        let rest = BoundaryMap::of(&shallow.without(neuron), form);
        let smaller = BoundaryPolytope::new(&rest, &patterns_of(&rest)?)?;
        // The shift belongs to all classes and is no part of the shape.
        let mut translation = first.clone();
        translation.iter_mut().zip(map.shift.iter().zip(&rest.shift)).for_each(|(x, (old, new))| *x += old - new);
        if same_vertices(polytope, &smaller, &translation, tolerance) {
            found.push(IdleNeuron { neuron, without_generators, translation: first });
        }
    }
    Ok(found)
}

/// Whether the vertices of `left` are those of `right` moved by `by`, with the same classes.
fn same_vertices(left: &BoundaryPolytope, right: &BoundaryPolytope, by: &[f64], tolerance: f64) -> bool {
    let vertices = |polytope: &BoundaryPolytope, sign: f64| -> Vec<(Vec<f64>, Vec<usize>)> {
        let vertex = |v: &usize| {
            let exponent = polytope.polynomial.exponents().row(*v).to_vec();
            let lifted = exponent.into_iter().chain([polytope.polynomial.coefficients()[*v]]);
            (lifted.zip(by).map(|(x, y)| x - sign * y).collect(), polytope.classes[*v].clone())
        };
        polytope.subdivision.vertices.iter().map(vertex).collect()
    };
    let (left, mut right) = (vertices(left, 1.0), vertices(right, 0.0));
    if left.len() != right.len() {
        return false;
    }
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance);
    left.iter().all(|(point, classes)| {
        let place = right.iter().position(|(other, theirs)| near(point, other) && theirs == classes);
        place.map(|place| right.swap_remove(place)).is_some()
    })
}
