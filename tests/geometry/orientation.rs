//! The orientation of polygons: math-boundaries section 4, property 20.

use std::f64::consts::{PI, TAU};

use tropix::geometry::orientation::{
    circular_wasserstein, edge_normal_measure, normalised_hausdorff, orientation_distance, rotated_hausdorff,
};
use tropix::geometry::{ConvexPolygon, zonotope_polygon};

use crate::harness::{assert_near, random, random_zonotope};

fn polygon(seed: u64) -> ConvexPolygon {
    zonotope_polygon(&random_zonotope(9, 2, seed)).unwrap()
}

#[test]
fn translations_and_scales_cost_nothing_and_a_turn_costs_its_angle() {
    for seed in 0..50 {
        let p = polygon(seed);
        let moved = p.translated([3.0, -2.0]).scaled(2.5);
        assert!(orientation_distance(&p, &moved).unwrap() < 1e-10);
        assert!(normalised_hausdorff(&p, &moved).unwrap() < 1e-10);
        assert_near(orientation_distance(&p, &p.rotated(0.05)).unwrap(), 0.05, 1e-9);
        let q = polygon(seed + 100);
        assert_near(orientation_distance(&p, &q).unwrap(), orientation_distance(&q, &p).unwrap(), 1e-12);
        let turned = orientation_distance(&p.rotated(1.0), &q.rotated(1.0)).unwrap();
        assert_near(turned, orientation_distance(&p, &q).unwrap(), 1e-9);
    }
}

/// A turned copy has the shape of the original; otherwise no rotation of a fine list is better.
#[test]
fn the_least_distance_over_rotations_finds_the_turn() {
    for seed in 0..12 {
        let p = polygon(seed);
        let turn = 0.3 + 0.4 * seed as f64;
        let copy = rotated_hausdorff(&p, &p.rotated(turn).scaled(3.0).translated([1.0, 2.0])).unwrap();
        assert!(copy.distance <= 1e-6, "{copy:?}");
        // A zonotope is its own image under a half turn.
        let off = (copy.angle + turn).rem_euclid(PI);
        assert!(off.min(PI - off) < 1e-4, "{copy:?} {turn}");
        let q = polygon(seed + 100);
        let found = rotated_hausdorff(&p, &q).unwrap();
        assert_near(normalised_hausdorff(&p, &q.rotated(found.angle)).unwrap(), found.distance, 1e-12);
        assert!(found.lower <= found.distance && found.distance - found.lower <= 1e-6, "{found:?}");
        assert!(found.distance <= normalised_hausdorff(&p, &q).unwrap());
        for step in 0..360 {
            let other = normalised_hausdorff(&p, &q.rotated(step as f64 * TAU / 360.0)).unwrap();
            assert!(other >= found.lower - 1e-12, "{found:?} {step} {other}");
        }
    }
    let point = ConvexPolygon::hull(&[[1.0, 1.0]]);
    assert!(rotated_hausdorff(&polygon(0), &point).is_err());
}

/// Against the definition: equal atoms move along a rotation of the sorted list, the best of which is optimal.
#[test]
fn equal_atoms_are_moved_by_the_best_rotation_of_the_list() {
    for seed in 0..50 {
        let n = 7;
        let atoms = |name: &str| {
            let mut angles: Vec<f64> = random([n, 1], seed, name).iter().map(|value| (value + 1.0) * PI).collect();
            angles.sort_by(f64::total_cmp);
            angles
        };
        let (a, b) = (atoms("a"), atoms("b"));
        let arc = |x: f64, y: f64| ((x - y).rem_euclid(TAU)).min((y - x).rem_euclid(TAU));
        let cost = |turn: usize| (0..n).map(|i| arc(a[i], b[(i + turn) % n])).sum::<f64>() / n as f64;
        let best = (0..n).map(cost).fold(f64::INFINITY, f64::min);
        let measure = |angles: &[f64]| angles.iter().map(|angle| (*angle, 1.0 / n as f64)).collect::<Vec<_>>();
        assert_near(circular_wasserstein(&measure(&a), &measure(&b)), best, 1e-12);
    }
}

#[test]
fn segments_have_two_atoms_and_points_none() {
    let segment = |x: f64, y: f64| ConvexPolygon::hull(&[[0.0, 0.0], [x, y]]);
    let atoms = edge_normal_measure(&segment(0.0, 2.0)).unwrap();
    assert_eq!(atoms, [(0.0, 0.5), (PI, 0.5)]);
    assert_near(orientation_distance(&segment(1.0, 0.0), &segment(0.0, 3.0)).unwrap(), PI / 2.0, 1e-12);
    assert!(orientation_distance(&segment(0.0, 0.0), &segment(0.0, 3.0)).is_err());
    assert!(normalised_hausdorff(&segment(0.0, 0.0), &segment(0.0, 3.0)).is_err());
}
