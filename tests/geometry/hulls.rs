//! Convex hulls against qhull, and what qhull leaves to its user: flat and repeated points.

use ndarray::{Array2, Axis, concatenate};
use serde::Deserialize;
use tropix::geometry::Hull;

use crate::harness::{golden, integers, random};

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    points: Vec<Vec<f64>>,
    vertices: Vec<usize>,
    facets: usize,
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[test]
fn vertices_and_facets_are_those_of_qhull() {
    let golden: Golden = golden("hull.json");
    assert!(golden.cases.len() >= 9);
    for case in golden.cases {
        let hull = Hull::new(&matrix(&case.points), Hull::TOLERANCE);
        assert_eq!(hull.vertices, case.vertices, "{}", case.name);
        assert_eq!(hull.facets.len(), case.facets, "{}", case.name);
    }
}

/// Every point lies below every facet, and facets are tight at their vertices.
#[test]
fn facets_bound_all_points() {
    for seed in 0..60 {
        for dimension in 2..=5 {
            // Small integers repeat points and put many on common hyperplanes.
            let points = integers([30, dimension], 0, 2, seed, "points");
            let hull = Hull::new(&points, Hull::TOLERANCE);
            for facet in &hull.facets {
                for (i, row) in hull.coordinates.rows().into_iter().enumerate() {
                    let value: f64 = row.iter().zip(&facet.normal).map(|(x, n)| x * n).sum();
                    assert!(value <= facet.offset + 1e-12);
                    assert!(!facet.vertices.contains(&i) || (value - facet.offset).abs() < 1e-12);
                }
            }
            // Euler and Poincare in three dimensions.
            if hull.rank() == 3 {
                assert_eq!(hull.vertices.len() + hull.facets.len(), hull.edges().len() + 2);
            }
        }
    }
}

#[test]
fn adding_inner_and_repeated_points_changes_nothing() {
    for dimension in 2..=4 {
        let points = random([25, dimension], 3, "points");
        let hull = Hull::new(&points, Hull::TOLERANCE);
        let middle =
            Array2::from_shape_fn((25, dimension), |(i, j)| 0.5 * (points[[i, j]] + points[[(i + 7) % 25, j]]));
        let more = concatenate(Axis(0), &[points.view(), middle.view(), points.view()]).unwrap();
        let again = Hull::new(&more, Hull::TOLERANCE);
        assert_eq!(again.vertices.len(), hull.vertices.len());
        assert!(again.vertices.iter().all(|v| hull.vertices.contains(&(v % 50))));
    }
}
