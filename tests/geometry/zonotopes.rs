//! Identities of zonotopes: math-boundaries section 6, properties 2, 11 and 12.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use tropix::geometry::{ConvexPolygon, Zonotope, zonotope_polygon};

use crate::harness::{assert_near, random, random_vector, random_zonotope};

#[track_caller]
fn assert_same_polygon(a: &ConvexPolygon, b: &ConvexPolygon) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.vertices().iter().zip(b.vertices()) {
        assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 1e-10, "{a:?} {b:?}");
    }
}

#[test]
fn a_polygon_is_the_hull_of_all_subset_sums() {
    for p in 0..12 {
        let zonotope = random_zonotope(p, 2, p as u64);
        let sums: Vec<[f64; 2]> = (0..1_u32 << p)
            .map(|subset| {
                let chosen = (0..p).filter(|i| subset >> i & 1 == 1);
                let sum = chosen.fold(zonotope.shift().clone(), |sum, i| sum + zonotope.generators().row(i));
                [sum[0], sum[1]]
            })
            .collect();
        let polygon = zonotope_polygon(&zonotope).unwrap();
        assert_eq!(polygon.len(), (2 * p).max(1));
        assert_same_polygon(&polygon, &ConvexPolygon::hull(&sums));
    }
}

#[test]
fn lattice_generators_make_the_hull_of_all_subset_sums_too() {
    // Zero, parallel and opposite generators, and sums that coincide: all exact in f64.
    for seed in 0..200 {
        let generators = random([9, 2], seed, "lattice").mapv(|value| (2.5 * value).round());
        let zonotope = Zonotope::new(generators, None).unwrap();
        let sums: Vec<[f64; 2]> = (0..1_u32 << 9)
            .map(|subset| {
                let chosen = (0..9).filter(|i| subset >> i & 1 == 1);
                let sum = chosen.fold(Array1::zeros(2), |sum, i| sum + zonotope.generators().row(i));
                [sum[0], sum[1]]
            })
            .collect();
        assert_eq!(zonotope_polygon(&zonotope).unwrap(), ConvexPolygon::hull(&sums), "{zonotope:?}");
    }
}

#[test]
fn area_is_the_sum_of_determinants_and_perimeter_twice_the_lengths() {
    for p in [1, 2, 7, 40] {
        let zonotope = random_zonotope(p, 2, 3);
        let (polygon, g) = (zonotope_polygon(&zonotope).unwrap(), zonotope.generators());
        let determinant = |i: usize, j: usize| (g[[i, 0]] * g[[j, 1]] - g[[i, 1]] * g[[j, 0]]).abs();
        let area: f64 = (0..p).flat_map(|i| (0..i).map(move |j| determinant(i, j))).sum();
        let lengths: f64 = g.rows().into_iter().map(|g| g[0].hypot(g[1])).sum();
        assert_near(polygon.area(), area, 1e-12);
        assert_near(polygon.perimeter(), 2.0 * lengths, 1e-12);
        let (steiner, centre) = (polygon.steiner_point().unwrap(), zonotope.centre());
        assert!((steiner[0] - centre[0]).hypot(steiner[1] - centre[1]) < 1e-12);
    }
}

#[test]
fn a_zonotope_is_symmetric_about_its_centre() {
    let zonotope = random_zonotope(23, 2, 5);
    let (polygon, centre) = (zonotope_polygon(&zonotope).unwrap(), zonotope.centre());
    for [x, y] in polygon.vertices() {
        let opposite = [2.0 * centre[0] - x, 2.0 * centre[1] - y];
        assert!(polygon.vertices().iter().any(|v| (v[0] - opposite[0]).hypot(v[1] - opposite[1]) < 1e-12));
    }
}

/// Permuting, turning (with the shift) and splitting generators change nothing.
#[test]
fn the_same_set_from_other_generators() {
    for d in [1, 2, 3, 5] {
        let zonotope = random_zonotope(8, d, d as u64);
        let g = zonotope.generators();
        let turned = -&g.slice(s![0..2, ..]);
        let split = concatenate![Axis(0), &g.slice(s![2..3, ..]) * 0.25, &g.slice(s![2..3, ..]) * 0.75];
        let rest = g.slice(s![3..;-1, ..]);
        let generators = concatenate![Axis(0), rest, split, turned, Array2::zeros((1, d))];
        let shift = zonotope.shift() + &g.slice(s![0..2, ..]).sum_axis(Axis(0));
        let other = Zonotope::new(generators, Some(shift)).unwrap();
        for seed in 0..20 {
            let u = random_vector(d, seed, "direction");
            assert_near(other.support(u.view()), zonotope.support(u.view()), 1e-12);
            let simplified = other.simplified().zonotope;
            assert_eq!(simplified.generators().nrows(), if d == 1 { 1 } else { 8 });
            assert_near(simplified.support(u.view()), zonotope.support(u.view()), 1e-12);
        }
        assert_near(other.volume().unwrap(), zonotope.volume().unwrap(), 1e-12);
        if d == 2 {
            assert_same_polygon(&zonotope_polygon(&other).unwrap(), &zonotope_polygon(&zonotope).unwrap());
        }
    }
}

#[test]
fn supports_follow_sums_maps_and_translations() {
    for d in [1, 2, 4] {
        let (a, b) = (random_zonotope(5, d, 1), random_zonotope(7, d, 2));
        let map = random([3, d], 3, "map");
        let by = random_vector(d, 4, "by");
        for seed in 0..20 {
            let (u, w) = (random_vector(d, seed, "u"), random_vector(3, seed, "w"));
            let sum = a.minkowski_sum(&b).unwrap();
            assert_near(sum.support(u.view()), a.support(u.view()) + b.support(u.view()), 1e-13);
            let image = a.linear_map(map.view()).unwrap();
            assert_near(image.support(w.view()), a.support(map.t().dot(&w).view()), 1e-13);
            let moved = a.translated(by.view()).unwrap();
            assert_near(moved.support(u.view()), a.support(u.view()) + by.dot(&u), 1e-13);
            let vertex = a.support_vertex(u.view());
            assert_near(vertex.dot(&u), a.support(u.view()), 1e-13);
            assert!(a.membership(vertex.view()).unwrap().inside);
            let beyond = &vertex + &(&(&vertex - &a.centre()) * 0.01);
            assert!(!a.membership(beyond.view()).unwrap().inside);
        }
    }
}

/// A box, a prism over a hexagon, and a permutohedron, whose volume is the number of trees on its vertices (Cayley).
#[test]
fn volumes_of_known_bodies() {
    let sides = Zonotope::new(Array2::from_diag(&ndarray::array![2.0, 3.0, 0.5, 4.0]), None).unwrap();
    assert_near(sides.volume().unwrap(), 12.0, 1e-14);
    // In the lattice of its own space, spanned by e_i - e_5, the permutohedron of order 5 has volume 5^3.
    let pairs: Vec<(usize, usize)> = (0..5).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
    let generators = Array2::from_shape_fn((pairs.len(), 4), |(at, k)| {
        let (i, j) = pairs[at];
        f64::from(u8::from(i == k)) - f64::from(u8::from(j == k))
    });
    assert_near(Zonotope::new(generators, None).unwrap().volume().unwrap(), 125.0, 1e-12);
}

#[test]
fn a_million_generators_make_two_million_vertices() {
    let zonotope = random_zonotope(1_000_000, 2, 0);
    let polygon = zonotope_polygon(&zonotope).unwrap();
    // Generators in f32 repeat some directions; most differ.
    assert!(polygon.len() > 1_990_000 && polygon.len() <= 2_000_000);
    let lengths: f64 = zonotope.generators().rows().into_iter().map(|g| g[0].hypot(g[1])).sum();
    assert_near(polygon.perimeter(), 2.0 * lengths, 1e-11);
    let top = polygon.support([0.0, 1.0]).unwrap().value;
    assert_near(top, zonotope.support(ndarray::array![0.0, 1.0].view()), 1e-11);
}

#[test]
fn points_and_segments_are_polygons() {
    let point = Zonotope::new(Array2::zeros((3, 2)), Some(ndarray::array![1.0, 2.0])).unwrap();
    assert_eq!(zonotope_polygon(&point).unwrap().vertices(), [[1.0, 2.0]]);
    let segment = Zonotope::new(ndarray::array![[1.0, 2.0], [-2.0, -4.0]], None).unwrap();
    assert_eq!(zonotope_polygon(&segment).unwrap().vertices(), [[-2.0, -4.0], [1.0, 2.0]]);
    assert!(zonotope_polygon(&random_zonotope(3, 3, 0)).is_err());
}
