//! What the map of a network does not depend on, and how many pieces it has: math-boundaries section 8, properties 7
//! and 10.

use std::collections::BTreeSet;

use ndarray::Array2;
use tropix::network::boundary::{BoundaryPolytope, EdgeKind, patterns_of};
use tropix::network::{BoundaryMap, Form};

use crate::boundaries::{FORMS, polytope, shallow};
use crate::harness::{assert_near, random, random_vector};

/// Translating the polytopes of all classes by one vector adds a linear function to all `R_i`.
#[test]
fn a_shift_common_to_all_classes_moves_neither_classes_nor_boundary() {
    for seed in 0..12 {
        for form in FORMS {
            let shallow = shallow(2, 7, 3, seed);
            let map = BoundaryMap::of(&shallow, form);
            let mut moved = map.clone();
            let by = random_vector(2, seed, "by") * 4.0;
            moved.shift += &by;
            let of = |map: &BoundaryMap| BoundaryPolytope::new(map, &patterns_of(map).unwrap()).unwrap();
            let (left, right) = (of(&map), of(&moved));
            for kind in [EdgeKind::Mixed, EdgeKind::Surplus] {
                assert_eq!(left.count(kind), right.count(kind), "{seed} {form:?}");
            }
            let top = |map: &BoundaryMap, x: &[f64]| {
                let values = map.values(x);
                (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap()
            };
            for x in random([100, 2], seed, "points").rows() {
                let x = x.mapv(|x| 3.0 * x).to_vec();
                assert_eq!(top(&map, &x), top(&moved, &x));
                let added = by[0] * x[0] + by[1] * x[1];
                assert_near(right.polynomial.evaluate(&x).0, left.polynomial.evaluate(&x).0 + added, 1e-12);
            }
        }
    }
}

/// The pieces of `R` that dense samples meet, told apart by the slope computed from the network itself, are at most the
/// upper vertices of its polytope, and all of them where none is small.
#[test]
fn dense_samples_meet_as_many_pieces_as_the_polytope_has_vertices() {
    let mut equal = 0;
    for seed in 0..20 {
        let shallow = shallow(2, 4, 2, seed);
        let map = BoundaryMap::of(&shallow, Form::Joint);
        let regions = polytope(&shallow, Form::Joint).subdivision.regions();
        let mut slopes = BTreeSet::new();
        let mut meet = |points: Array2<f64>, size: f64| {
            for x in points.rows() {
                let x = [size * x[0], size * x[1]];
                let (values, z) = (map.values(&x), map.preactivations(&x));
                let class = usize::from(values[1] > values[0]);
                let slope = [0, 1].map(|t| {
                    let on = (0..z.len()).filter(|j| z[*j] > 0.0);
                    let sum: f64 = on.map(|j| map.weights[[class, j]] * map.generators[[j, t]]).sum();
                    ((sum * 1e6).round() + 0.0).to_bits()
                });
                slopes.insert(slope);
            }
        };
        for (part, size) in [1.0, 4.0, 30.0, 1000.0].into_iter().enumerate() {
            meet(random([20_000, 2], seed, &format!("part {part}")), size);
        }
        assert!(slopes.len() <= regions, "{seed}: {} of {regions}", slopes.len());
        equal += usize::from(slopes.len() == regions);
    }
    assert!(equal >= 12, "{equal} of 20");
}
