//! Hausdorff distances against all pairs, against vertices, and against each other: math-boundaries section 8,
//! properties 18 and 19.

use ndarray::{Array1, Array2, array};
use tropix::backend::Backend;
use tropix::geometry::hausdorff::{
    IntervalOptions, PointMethod, directed_hausdorff, hausdorff, hull_interval, polygon_hausdorff, zonotope_interval,
};
use tropix::geometry::{ConvexPolygon, Interval, Zonotope, directions, zonotope_polygon};

use crate::harness::{assert_near, cpu, narrow, on_every_backend, random, random_vector, random_zonotope};

on_every_backend!(
    samples_agree_with_all_pairs,
    near_copies_agree_with_all_pairs,
    samples_of_other_sizes_are_scaled,
    the_interval_holds_the_exact_distance,
    known_bodies_in_space_have_their_distance,
    climbing_goes_beyond_sampling,
);

/// `max_i min_j` over all pairs in f64.
fn all_pairs(x: &Array2<f32>, y: &Array2<f32>) -> f64 {
    let square = |i: usize, j: usize| -> f64 {
        x.row(i).iter().zip(y.row(j)).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    };
    let nearest = |i: usize| (0..y.nrows()).map(|j| square(i, j)).fold(f64::INFINITY, f64::min);
    (0..x.nrows()).map(nearest).fold(0.0, f64::max).sqrt()
}

#[track_caller]
fn assert_attained<B: Backend>(backend: &B, x: &Array2<f32>, y: &Array2<f32>, seed: u64) -> PointMethod {
    let found = directed_hausdorff(backend, x.view(), y.view(), seed).unwrap();
    assert_near(found.pair.distance, all_pairs(x, y), 1e-14);
    let gap = x.row(found.pair.from).mapv(f64::from) - y.row(found.pair.to).mapv(f64::from);
    assert_near(gap.dot(&gap).sqrt(), found.pair.distance, 1e-14);
    found.method
}

fn samples_agree_with_all_pairs<B: Backend>(backend: &B) {
    for (n, m, d) in [
        (1, 1, 1),
        (3, 1, 2),
        (1, 900, 3),
        (700, 900, 3),
        (900, 300, 16),
        (400, 700, 40),
        (600, 600, 1),
        (500, 900, 256),
    ] {
        let normal = |rows: usize, name: &str| {
            // A direction times a length of its own: some points lie far out.
            let lengths = random([rows, 1], 2, name);
            narrow(&(directions(rows, d, 5, name, 0).mapv(f64::from) * &lengths.mapv(|l| (3.0 * l).round() / 2.0)))
        };
        assert_attained(backend, &normal(n, "x"), &normal(m, "y"), 1);
        // On a lattice there are many ties, and equal points.
        let lattice = |rows: usize, seed: u64| narrow(&random([rows, d], seed, "lattice").mapv(|v| (2.0 * v).round()));
        assert_attained(backend, &lattice(n, 3), &lattice(m, 4), 2);
    }
    // A few far points among many: the answer is one of them.
    let mut x = narrow(&random([1000, 5], 7, "x"));
    x[[517, 2]] = 40.0;
    let y = narrow(&random([1000, 5], 8, "y"));
    let found = hausdorff(backend, x.view(), y.view(), 0).unwrap();
    assert_eq!((found.forward.pair.from, found.distance), (517, found.forward.pair.distance));
    assert_near(found.backward.pair.distance, all_pairs(&y, &x), 1e-14);
    assert!(found.forward.work < 0.5, "{found:?}");
}

/// In many dimensions the points near the centre are near to nearly all others: starting there leaves little to do.
#[test]
fn samples_in_many_dimensions_meet_few_points() {
    let [x, y] = ["x", "y"].map(|name| {
        let sum = (0..12).map(|k| random([3000, 64], k, name)).reduce(|sum, next| sum + next);
        narrow(&sum.unwrap())
    });
    let found = directed_hausdorff(cpu(), x.view(), y.view(), 0).unwrap();
    assert_near(found.pair.distance, all_pairs(&x, &y), 1e-14);
    assert!(found.method == PointMethod::Parts && found.work < 0.02, "{found:?}");
}

fn near_copies_agree_with_all_pairs<B: Backend>(backend: &B) {
    for (n, d) in [(1500, 1), (2000, 3), (1200, 16), (1100, 256)] {
        let y = random([n, d], 1, "y");
        let noise = random([n, d], 2, "noise");
        let x = narrow(&Array2::from_shape_fn((n, d), |(i, k)| y[[(7 * i + 3) % n, k]] + 0.003 * noise[[i, k]]));
        let y = narrow(&y);
        assert_eq!(assert_attained(backend, &x, &y, 3), PointMethod::Tree, "{n} points of dimension {d}");
        // A translated copy: all distances agree but for rounding. And a copy: all are zero.
        let moved = y.mapv(|value| value + 0.001);
        assert_attained(backend, &moved, &y, 4);
        assert_eq!(directed_hausdorff(backend, y.view(), y.view(), 5).unwrap().pair.distance, 0.0);
    }
    // Many copies of one point beside others.
    let mut y = narrow(&random([800, 3], 1, "y"));
    y.slice_mut(ndarray::s![..400, ..]).fill(0.25);
    let x = y.mapv(|value| value + 1e-4);
    assert_attained(backend, &x, &y, 6);
}

fn samples_of_other_sizes_are_scaled<B: Backend>(backend: &B) {
    for factor in [2.0_f32.powi(70), 2.0_f32.powi(-70)] {
        let (x, y) = (narrow(&random([400, 6], 1, "x")), narrow(&random([500, 6], 2, "y")));
        let unit = directed_hausdorff(backend, x.view(), y.view(), 0).unwrap();
        let scaled = directed_hausdorff(backend, (&x * factor).view(), (&y * factor).view(), 0).unwrap();
        assert_eq!((scaled.pair.from, scaled.pair.to), (unit.pair.from, unit.pair.to));
        assert_near(scaled.pair.distance / f64::from(factor), unit.pair.distance, 1e-14);
    }
}

#[test]
fn bad_samples_are_refused() {
    let x = narrow(&random([4, 2], 0, "x"));
    let none = Array2::zeros((0, 2));
    let other = Array2::zeros((4, 3));
    let mut nan = x.clone();
    nan[[2, 1]] = f32::NAN;
    for (a, b, part) in [
        (&x, &none, "no points"),
        (&none, &x, "no points"),
        (&x, &other, "dimension 3"),
        (&nan, &x, "entry 1 of point 2"),
    ] {
        let error = directed_hausdorff(cpu(), a.view(), b.view(), 0).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

/// The seed chooses what is looked at, not what is found; equal seeds give equal results.
#[test]
fn the_seed_does_not_change_the_distance() {
    let (x, y) = (narrow(&random([1500, 8], 1, "x")), narrow(&random([1500, 8], 2, "y")));
    let first = directed_hausdorff(cpu(), x.view(), y.view(), 0).unwrap();
    for seed in 0..5 {
        let found = directed_hausdorff(cpu(), x.view(), y.view(), seed).unwrap();
        assert_eq!(found.pair, first.pair);
        assert_eq!(found, directed_hausdorff(cpu(), x.view(), y.view(), seed).unwrap());
    }
}

fn random_polygon(points: usize, seed: u64) -> ConvexPolygon {
    let points: Vec<[f64; 2]> = random([points, 2], seed, "polygon").rows().into_iter().map(|p| [p[0], p[1]]).collect();
    ConvexPolygon::hull(&points)
}

/// The distance of convex bodies is the largest distance of a vertex of one to the other.
fn by_vertices(p: &ConvexPolygon, q: &ConvexPolygon) -> f64 {
    let directed = |a: &ConvexPolygon, b: &ConvexPolygon| {
        a.vertices().iter().map(|vertex| b.distance_to(*vertex).unwrap()).fold(0.0, f64::max)
    };
    directed(p, q).max(directed(q, p))
}

#[test]
fn polygons_have_the_distance_of_their_vertices() {
    for seed in 0..300 {
        // Points, segments and polygons, near and far.
        let p = random_polygon(1 + (seed % 12) as usize, 2 * seed);
        let q = random_polygon(1 + (seed / 12 % 12) as usize, 2 * seed + 1).translated([(seed % 5) as f64 - 2.0, 0.1]);
        let found = polygon_hausdorff(&p, &q).unwrap();
        assert_near(found.distance, by_vertices(&p, &q), 1e-12);
        let [x, y] = [found.from[0] - found.to[0], found.from[1] - found.to[1]];
        assert_near(x.hypot(y), found.distance, 1e-12);
        let (near, far) = if found.second_reaches_farther { (&p, &q) } else { (&q, &p) };
        assert!(far.vertices().contains(&found.from) && near.distance_to(found.to).unwrap() < 1e-12);
    }
}

#[test]
fn the_distance_of_polygons_is_a_metric() {
    for seed in 0..100 {
        let [a, b, c] = [1, 2, 3].map(|k| random_polygon(8, 10 * seed + k));
        let d = |p: &ConvexPolygon, q: &ConvexPolygon| polygon_hausdorff(p, q).unwrap().distance;
        assert_eq!(d(&a, &a), 0.0);
        assert!(d(&a, &b) > 0.0);
        assert_near(d(&a, &b), d(&b, &a), 1e-14);
        assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c) + 1e-14);
        assert_near(d(&a, &a.translated([0.3, -0.4])), 0.5, 1e-14);
        assert_near(d(&a.scaled(3.0), &b.scaled(3.0)), 3.0 * d(&a, &b), 1e-14);
    }
    assert!(polygon_hausdorff(&random_polygon(3, 0), &ConvexPolygon::hull(&[])).is_err());
}

fn the_interval_holds_the_exact_distance<B: Backend>(backend: &B) {
    let options = IntervalOptions { directions: 2000, ..IntervalOptions::default() };
    for (seed, count) in (0..12).zip(3..) {
        let p = random_zonotope(count, 2, seed);
        let q = random_zonotope(4, 2, 100 + seed);
        let exact = polygon_hausdorff(&zonotope_polygon(&p).unwrap(), &zonotope_polygon(&q).unwrap()).unwrap().distance;
        let found = zonotope_interval(backend, &p, &q, options).unwrap().interval;
        assert!(found.lower <= exact && exact <= found.upper, "{found:?} {exact}");
        // Climbing finds the maximum in the plane.
        assert!(found.lower >= exact * (1.0 - 1e-6), "{found:?} {exact}");
        let hull = [&p, &q].map(|zonotope| zonotope_polygon(zonotope).unwrap().vertices().to_vec()).concat();
        let pair = [p.clone(), q.clone()];
        let moved = [p.translated(array![0.1, 0.0].view()).unwrap(), q.translated(array![0.0, 0.2].view()).unwrap()];
        let other = moved.each_ref().map(|zonotope| zonotope_polygon(zonotope).unwrap().vertices().to_vec()).concat();
        let exact = polygon_hausdorff(&ConvexPolygon::hull(&hull), &ConvexPolygon::hull(&other)).unwrap().distance;
        let found = hull_interval(backend, &pair, &moved, options).unwrap().interval;
        assert!(found.lower <= exact + 1e-14 && exact <= found.upper, "{found:?} {exact}");
        assert!(found.lower >= exact * (1.0 - 1e-4) && found.upper < 0.2 + 1e-9, "{found:?} {exact}");
    }
}

fn known_bodies_in_space_have_their_distance<B: Backend>(backend: &B) {
    let options = IntervalOptions { directions: 1000, ..IntervalOptions::default() };
    for d in [1, 3, 8, 64] {
        let cube = Zonotope::new(Array2::eye(d), None).unwrap();
        let scaled = Zonotope::new(Array2::eye(d) * 2.0, None).unwrap();
        let found = zonotope_interval(backend, &cube, &scaled, options).unwrap().interval;
        // The corner of ones times two lies the root of d from the corner of ones.
        let root = (d as f64).sqrt();
        assert!(found.lower <= root && root <= found.upper);
        assert_near(found.lower, root, 1e-9);
        // A translation: both bounds meet. Other orders and signs of the generators change nothing.
        let zonotope = random_zonotope(2 * d + 1, d, 9);
        let by = random_vector(d, 10, "by");
        let turned =
            Array2::from_shape_fn(zonotope.generators().dim(), |(i, k)| -zonotope.generators()[[2 * d - i, k]]);
        let shift = &(zonotope.shift() + &by) + &zonotope.generators().sum_axis(ndarray::Axis(0));
        let moved = Zonotope::new(turned, Some(shift)).unwrap();
        let found = zonotope_interval(backend, &zonotope, &moved, options).unwrap().interval;
        assert_near(found.lower, by.dot(&by).sqrt(), 1e-9);
        assert_near(found.upper, by.dot(&by).sqrt(), 1e-9);
    }
}

/// In sixteen dimensions random directions are far from the best one; climbing on the device closes most of the gap, for
/// zonotopes and for hulls, where the farthest zonotope changes on the way.
fn climbing_goes_beyond_sampling<B: Backend>(backend: &B) {
    let options = IntervalOptions { directions: 500, climbers: 8, ..IntervalOptions::default() };
    for seed in 0..3 {
        let bodies = |first: u64| [0, 1, 2].map(|k| random_zonotope(20, 16, 50 * seed + first + k));
        let (p, q) = (bodies(0), bodies(10));
        let one = zonotope_interval(backend, &p[0], &q[0], options).unwrap();
        let hull = hull_interval(backend, &p, &q, options).unwrap();
        for found in [one, hull] {
            let Interval { lower, upper } = found.interval;
            assert!(found.sampled * 1.2 < lower && lower <= upper, "{found:?}");
            // The bound is the difference of the supports in the direction that is given.
            let u = Array1::from(found.direction);
            assert_near(u.dot(&u), 1.0, 1e-12);
        }
    }
}

/// Shrunk generators: the bound of the pruning objective, `1/2 sum ||g - g'||` about common centres.
#[test]
fn the_upper_bound_is_at_most_that_of_the_generators() {
    for seed in 0..10 {
        let zonotope = random_zonotope(30, 5, seed);
        let noise = random([30, 5], seed + 100, "noise") * 0.05;
        let other = Zonotope::new(zonotope.generators() + &noise, None).unwrap();
        let centred = |z: &Zonotope| z.translated((Array1::zeros(5) - z.centre()).view()).unwrap();
        let found =
            zonotope_interval(cpu(), &centred(&zonotope), &centred(&other), IntervalOptions::default()).unwrap();
        let sum: f64 = noise.rows().into_iter().map(|row| row.dot(&row).sqrt()).sum();
        assert!(found.interval.upper <= sum / 2.0 * (1.0 + 1e-10));
        assert!(found.interval.lower > 0.0 && found.interval.lower <= found.interval.upper);
        assert!(found.interval.lower >= found.sampled * (1.0 - 1e-12));
    }
}

#[test]
fn bodies_that_do_not_fit_are_refused() {
    let (p, q) = (random_zonotope(3, 2, 0), random_zonotope(3, 3, 0));
    assert!(zonotope_interval(cpu(), &p, &q, IntervalOptions::default()).is_err());
    assert!(hull_interval(cpu(), &[p.clone(), p.clone()], &[p], IntervalOptions::default()).is_err());
    assert!(hull_interval(cpu(), &[], &[], IntervalOptions::default()).is_err());
}
