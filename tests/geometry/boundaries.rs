//! Networks as tropical maps, and their decision boundaries: identities, the corrected theorem 2 on every backend, and
//! the boundary against the classifier itself.

use std::path::Path;

use ndarray::{Array1, Array2, array};
use tropix::backend::Backend;
use tropix::geometry::Zonotope;
use tropix::network::boundary::{
    BoundaryPolytope, EdgeKind, Membership, Precision, boundary_points, idle_neurons, membership, patterns_of,
    test_boundary,
};
use tropix::network::{BoundaryMap, Form, Head, ShallowNetwork, format, rational_maps};
use tropix::tropical::Shape;

use crate::harness::{assert_near, on_every_backend, random, random_vector};

pub(crate) const FORMS: [Form; 2] = [Form::Joint, Form::Minimal];

/// A random shallow network; without biases for odd seeds.
pub(crate) fn shallow(inputs: usize, neurons: usize, classes: usize, seed: u64) -> ShallowNetwork {
    let bias = if seed.is_multiple_of(2) { 1.0 } else { 0.0 };
    ShallowNetwork::new(
        random([neurons, inputs], seed, "rows"),
        random_vector(neurons, seed, "constants") * bias,
        random([classes, neurons], seed, "coefficients"),
        random_vector(classes, seed, "biases") * bias * 0.5,
    )
    .unwrap()
}

fn trained() -> ShallowNetwork {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/toy-moons-bias-2-40-2.safetensors");
    ShallowNetwork::of(&Head::of(&format::load(&path, None).unwrap().network).unwrap()).unwrap()
}

pub(crate) fn polytope(shallow: &ShallowNetwork, form: Form) -> BoundaryPolytope {
    let map = BoundaryMap::of(shallow, form);
    BoundaryPolytope::new(&map, &patterns_of(&map).unwrap()).unwrap()
}

/// The counter-example to theorem 2 as printed: both logits vanish on the cone `A x <= 0`.
fn dead_cone() -> ShallowNetwork {
    ShallowNetwork::new(
        array![[1.0, 0.0], [1.0, 1.0]],
        Array1::zeros(2),
        array![[1.0, -2.0], [-1.0, 1.0]],
        Array1::zeros(2),
    )
    .unwrap()
}

#[test]
fn logits_are_differences_of_tropical_polynomials() {
    for seed in 0..20 {
        let mut shallow = shallow(3, 6, 3, seed);
        // A neuron without inputs and one without outputs.
        shallow.rows.row_mut(1).fill(0.0);
        shallow.coefficients.column_mut(2).fill(0.0);
        let maps = rational_maps(&shallow).unwrap();
        for x in random([30, 3], seed, "points").rows() {
            let x = x.mapv(|x| 3.0 * x).to_vec();
            for (map, logit) in maps.iter().zip(shallow.logits(&x)) {
                assert_near(map.evaluate(&x), logit, 1e-12);
            }
        }
    }
}

#[test]
fn class_weights_are_not_negative_and_the_minimal_ones_touch_zero() {
    for seed in 0..30 {
        let shallow = shallow(2, 9, 4, seed);
        let mut moved = shallow.clone();
        let row = random_vector(9, seed, "common row");
        moved.coefficients.rows_mut().into_iter().for_each(|mut b| b += &row);
        let [joint, minimal, shifted] = [(&shallow, Form::Joint), (&shallow, Form::Minimal), (&moved, Form::Minimal)]
            .map(|(b, f)| BoundaryMap::of(b, f));
        assert!(joint.weights.iter().chain(&minimal.weights).all(|w| *w >= 0.0));
        for j in 0..9 {
            assert!(minimal.weights.column(j).iter().any(|w| *w == 0.0));
        }
        assert!((&minimal.weights - &shifted.weights).iter().all(|w| w.abs() < 1e-12));
    }
}

on_every_backend!(differences_of_the_map_are_those_of_the_logits, boundary_points_lie_in_the_hypersurface);

fn differences_of_the_map_are_those_of_the_logits<B: Backend>(backend: &B) {
    for seed in 0..12 {
        for form in FORMS {
            let shallow = shallow(3, 8, 4, seed);
            let map = BoundaryMap::of(&shallow, form);
            let points = random([25, 3], seed, "points");
            let values = map.device_values(backend, &points).unwrap();
            for (i, x) in points.rows().into_iter().enumerate() {
                let logits = shallow.logits(&x.to_vec());
                for class in 1..4 {
                    let difference = values[[i, class]] - values[[i, 0]];
                    // Sums of 8 terms of size at most 2 * 4 * (3 + 1) in f32.
                    let tolerance = 30.0 * 8.0 * 32.0 * 2.0_f64.powi(-24);
                    assert!((difference - (logits[class] - logits[0])).abs() < tolerance, "{form:?} {seed}");
                }
            }
        }
    }
}

/// The corrected theorem 2, for hundreds of random networks and a trained one.
fn boundary_points_lie_in_the_hypersurface<B: Backend>(backend: &B) {
    let (mut points, mut kinks) = (0, 0);
    let mut check = |shallow: &ShallowNetwork, centre: &[f64], seed: u64, count: usize| {
        let found = boundary_points(shallow, count, centre, 2.0, seed);
        for form in FORMS {
            let test = test_boundary(backend, &BoundaryMap::of(shallow, form), &found).unwrap();
            assert_eq!((test.off, test.dead), (0, 0), "seed {seed}, {form:?}: {test:?}");
            assert!(test.largest_gap <= 1.0);
            points += test.points;
            kinks += test.kink;
        }
    };
    for seed in 0..200 {
        let [n, p, k] = [[2, 6, 2], [3, 8, 4], [2, 12, 3], [5, 10, 2], [1, 5, 3]][usize::try_from(seed % 5).unwrap()];
        check(&shallow(n, p, k, seed), &vec![0.0; n], seed, 20);
    }
    check(&trained(), &[0.5, 0.25], 1, 300);
    assert!(points > 5000, "{points}");
    assert!(kinks * 20 < points, "{kinks} of {points}");
}

#[test]
fn a_point_beside_the_boundary_is_seen_to_fail() {
    let shallow = shallow(2, 6, 2, 4);
    let map = BoundaryMap::of(&shallow, Form::Joint);
    let mut points = boundary_points(&shallow, 10, &[0.0, 0.0], 2.0, 1);
    assert!(points.nrows() > 0);
    points.mapv_inplace(|x| x + 0.01);
    let test = test_boundary(crate::harness::reference(), &map, &points).unwrap();
    assert!(test.off > 0, "{test:?}");
}

#[test]
fn the_dead_cone_is_found_and_not_passed() {
    let same_rows = ShallowNetwork::new(
        array![[1.0, 0.5], [0.25, -1.0]],
        array![0.5, 0.25],
        array![[1.0, -1.0], [1.0, -1.0]],
        Array1::zeros(2),
    )
    .unwrap();
    for (shallow, x) in [(dead_cone(), [-3.0, -1.0]), (same_rows, [0.75, 0.5])] {
        assert_eq!(shallow.logits(&x)[0], shallow.logits(&x)[1]);
        for form in FORMS {
            let map = BoundaryMap::of(&shallow, form);
            let (values, z) = (map.values(&x), map.preactivations(&x));
            for precision in [Precision::Double, Precision::Single] {
                let (place, _) = membership(&map, &x, &values, |j| z[j] > 0.0, precision);
                assert_eq!(place, Membership::Dead);
            }
            let polytope = polytope(&shallow, form);
            let dead = polytope.dead_regions();
            let (_, top) = polytope.polynomial.evaluate(&x);
            assert!(dead.contains(&top), "{form:?}: {dead:?}, {top}");
        }
    }
    let borders = polytope(&dead_cone(), Form::Joint);
    assert!(borders.count(EdgeKind::DeadBorder) > 0);
    assert!(polytope(&shallow(2, 8, 3, 2), Form::Joint).dead_regions().is_empty());
}

#[test]
fn the_map_is_the_support_function_of_the_lifted_zonotopes_and_of_their_hull() {
    for seed in 0..16 {
        for form in FORMS {
            let shallow = shallow(2, 7, 3, seed);
            let map = BoundaryMap::of(&shallow, form);
            let polytope = polytope(&shallow, form);
            for x in random([20, 2], seed, "points").rows() {
                let x = x.mapv(|x| 4.0 * x).to_vec();
                let values = map.values(&x);
                let u = array![x[0], x[1], 1.0];
                for (class, value) in values.iter().enumerate() {
                    let scaled =
                        Array2::from_shape_fn((7, 3), |(j, t)| map.weights[[class, j]] * map.generators[[j, t]]);
                    let shift = array![map.shift[0], map.shift[1], map.biases[class]];
                    let zonotope = Zonotope::new(scaled, Some(shift)).unwrap();
                    assert_near(zonotope.support(u.view()), *value, 1e-12);
                }
                let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let (hull, monomial) = polytope.polynomial.evaluate(&x);
                assert_near(hull, largest, 1e-12);
                // The classes of the largest monomial are those of the classifier.
                assert!(polytope.classes[monomial].contains(&shallow.class(&x)));
                assert!(polytope.subdivision.vertices.contains(&monomial));
                if seed % 2 == 1 {
                    let twice: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
                    assert_near(polytope.polynomial.evaluate(&twice).0, 2.0 * hull, 1e-12);
                    assert!(polytope.subdivision.flat);
                }
            }
        }
    }
}

#[test]
fn a_lifted_zonotope_in_general_position_has_the_vertices_of_the_formula() {
    for (neurons, vertices) in [(7, 29), (12, 79)] {
        let shallow = shallow(2, neurons, 1, 2);
        let mut map = BoundaryMap::of(&shallow, Form::Joint);
        map.weights.fill(1.0);
        let polytope = BoundaryPolytope::new(&map, &patterns_of(&map).unwrap()).unwrap();
        assert_eq!(polytope.subdivision.regions(), vertices);
    }
}

/// Mixed edges are dual to the boundary: on them two classes are equal and largest, across them the class changes,
/// across the others it does not; and every boundary point lies on one of them.
#[test]
fn mixed_edges_are_the_decision_boundary() {
    let mut counts = [0; 2];
    let networks =
        (0..40_u8).map(|seed| shallow(2, 4 + usize::from(seed % 9), 2 + usize::from(seed % 3), u64::from(seed)));
    for (number, shallow) in networks.chain([trained()]).enumerate() {
        let pieces = polytope(&shallow, Form::Joint).pieces();
        for piece in &pieces {
            let t = if let Shape::Segment { .. } = piece.piece.shape { 0.41 } else { 0.7 };
            let (x, [p, q]) = (piece.piece.shape.at(t), [piece.piece.shape.at(0.0), piece.piece.shape.at(1.0)]);
            let length = (q[0] - p[0]).hypot(q[1] - p[1]);
            if piece.edge == EdgeKind::DeadBorder || length < 1e-4 {
                continue;
            }
            let across = [(p[1] - q[1]) / length, (q[0] - p[0]) / length];
            let side = |step: f64| shallow.class(&[x[0] + step * across[0], x[1] + step * across[1]]);
            let sides = [side(1e-6), side(-1e-6)];
            counts[usize::from(piece.edge == EdgeKind::Mixed)] += 1;
            assert_eq!(sides[0] != sides[1], piece.edge == EdgeKind::Mixed, "network {number}: {piece:?}");
            assert!(sides.iter().all(|class| piece.classes.iter().any(|classes| classes.contains(class))));
        }
        for x in boundary_points(&shallow, 30, &[0.0, 0.0], 2.0, number as u64).rows() {
            let distance = |shape: &Shape| {
                let (p, q) = (shape.at(0.0), shape.at(1.0));
                let (d, r) = ([q[0] - p[0], q[1] - p[1]], [x[0] - p[0], x[1] - p[1]]);
                let t = (r[0] * d[0] + r[1] * d[1]) / (d[0] * d[0] + d[1] * d[1]);
                let t = match shape {
                    Shape::Segment { .. } => t.clamp(0.0, 1.0),
                    Shape::Ray { .. } => t.max(0.0),
                    Shape::Line { .. } => t,
                };
                (r[0] - t * d[0]).hypot(r[1] - t * d[1])
            };
            let boundary = pieces.iter().filter(|piece| piece.edge != EdgeKind::Surplus);
            let nearest = boundary.map(|piece| distance(&piece.piece.shape)).fold(f64::INFINITY, f64::min);
            assert!(nearest < 1e-7, "network {number}: {x} is {nearest} away");
        }
    }
    assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
}

/// Without biases the hypersurface is a fan: rays from the origin along the outer normals of the polygon.
#[test]
fn without_biases_the_boundary_is_the_normals_of_the_mixed_edges() {
    let mut mixed = 0;
    for seed in (1..80).step_by(2) {
        let shallow = shallow(2, 8, 2, seed);
        let polytope = polytope(&shallow, Form::Joint);
        let exponent = |i: usize| polytope.polynomial.exponents().row(i).to_vec();
        for piece in polytope.pieces() {
            let Shape::Ray { from, direction } = piece.piece.shape else { panic!("{piece:?}") };
            assert!(from.iter().all(|x| x.abs() < 1e-9));
            let [a, b] = piece.piece.monomials.map(exponent);
            let along = (b[0] - a[0]) * direction[0] + (b[1] - a[1]) * direction[1];
            assert!(along.abs() < 1e-9 * piece.piece.length.max(1.0));
            mixed += usize::from(piece.edge == EdgeKind::Mixed);
        }
        // The boundary of the minimal form is the same set of rays.
        let rays = |form: Form| {
            let pieces = self::polytope(&shallow, form).pieces();
            let mut angles: Vec<f64> = pieces
                .iter()
                .filter(|piece| piece.edge == EdgeKind::Mixed)
                .map(|piece| {
                    let [x, y] = piece.piece.shape.at(1.0);
                    y.atan2(x)
                })
                .collect();
            angles.sort_by(f64::total_cmp);
            angles
        };
        let (joint, minimal) = (rays(Form::Joint), rays(Form::Minimal));
        assert_eq!(joint.len(), minimal.len());
        assert!(joint.iter().zip(&minimal).all(|(a, b)| (a - b).abs() < 1e-9));
    }
    assert!(mixed >= 40, "{mixed}");
}

#[test]
fn scaling_a_neuron_changes_neither_function_nor_polytope() {
    for seed in 0..10 {
        let shallow = shallow(2, 6, 3, seed);
        let mut scaled = shallow.clone();
        for (j, factor) in [4.0, 0.5, 2.0, 0.125, 8.0, 1.0].into_iter().enumerate() {
            scaled.rows.row_mut(j).mapv_inplace(|a| factor * a);
            scaled.constants[j] *= factor;
            scaled.coefficients.column_mut(j).mapv_inplace(|b| b / factor);
        }
        for form in FORMS {
            let [left, right] = [&shallow, &scaled].map(|shallow| BoundaryMap::of(shallow, form));
            let generators = |map: &BoundaryMap| {
                Array2::from_shape_fn((18, 3), |(i, t)| map.weights[[i / 6, i % 6]] * map.generators[[i % 6, t]])
            };
            // Powers of two scale exactly.
            assert_eq!(generators(&left), generators(&right));
            assert_eq!(left.values(&[0.3, -0.7]), right.values(&[0.3, -0.7]));
            assert_eq!(polytope(&shallow, form).polynomial, polytope(&scaled, form).polynomial);
        }
    }
}

#[test]
fn a_neuron_that_all_classes_weigh_alike_leaves_the_arg_max() {
    for seed in 0..20 {
        let mut shallow = shallow(2, 7, 2, seed);
        shallow.coefficients[[0, 3]] = shallow.coefficients[[1, 3]];
        let map = BoundaryMap::of(&shallow, Form::Minimal);
        assert!(map.weights.column(3).iter().all(|w| *w == 0.0));
        let less = shallow.without(3);
        let found =
            idle_neurons(&shallow, Form::Minimal, &polytope(&shallow, Form::Minimal), &patterns_of(&map).unwrap());
        assert!(found.unwrap().iter().any(|idle| idle.neuron == 3 && idle.without_generators));
        for x in random([200, 2], seed, "points").rows() {
            let x = x.mapv(|x| 3.0 * x).to_vec();
            let gap = shallow.logits(&x)[0] - shallow.logits(&x)[1];
            assert!(gap.abs() < 1e-12 || shallow.class(&x) == less.class(&x));
        }
    }
}

/// Figure 4: the vertices that neuron 3 adds to the second zonotope lie inside the hull.
#[test]
fn the_neuron_of_figure_4_can_go() {
    let rows = array![[4.0, 0.0], [0.0, 4.0], [-3.0, -1.0], [1.0, 1.0]];
    let coefficients = array![[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]];
    let shallow = ShallowNetwork::new(rows, Array1::zeros(4), coefficients, Array1::zeros(2)).unwrap();
    for form in FORMS {
        let map = BoundaryMap::of(&shallow, form);
        let polytope = polytope(&shallow, form);
        let idle = idle_neurons(&shallow, form, &polytope, &patterns_of(&map).unwrap()).unwrap();
        assert_eq!(idle.iter().map(|idle| idle.neuron).collect::<Vec<_>>(), [3]);
        assert!(!idle[0].without_generators);
        let less = shallow.without(3);
        for x in random([500, 2], 0, "points").rows() {
            assert_eq!(shallow.class(&x.to_vec()), less.class(&x.to_vec()));
        }
    }
}

/// Where random and trained networks have idle neurons, the classifier does not miss them.
#[test]
fn idle_neurons_are_not_missed() {
    let mut seen = 0;
    for (number, shallow) in (0..150).map(|seed| shallow(2, 5, 2, seed)).chain([trained()]).enumerate() {
        let map = BoundaryMap::of(&shallow, Form::Joint);
        let polytope = polytope(&shallow, Form::Joint);
        let idle = idle_neurons(&shallow, Form::Joint, &polytope, &patterns_of(&map).unwrap()).unwrap();
        for neuron in idle.iter().map(|idle| idle.neuron) {
            seen += 1;
            let less = shallow.without(neuron);
            for x in random([300, 2], number as u64, "points").rows() {
                let x = x.mapv(|x| 4.0 * x).to_vec();
                let (whole, part) = (shallow.logits(&x), less.logits(&x));
                let gap = whole[0] - whole[1];
                assert!(
                    gap.abs() < 1e-9 || (gap > 0.0) == (part[0] - part[1] > 0.0),
                    "network {number}, neuron {neuron}"
                );
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn what_has_no_polytope_is_refused() {
    let wide = BoundaryMap::of(&shallow(3, 4, 2, 0), Form::Joint);
    assert!(patterns_of(&wide).unwrap_err().to_string().contains("two inputs, not for 3"));
    let large = BoundaryMap::of(&shallow(2, 3000, 2, 0), Form::Joint);
    assert!(patterns_of(&large).unwrap_err().to_string().contains("GB"));
    let fail = ShallowNetwork::new(Array2::zeros((2, 2)), Array1::zeros(3), Array2::zeros((2, 2)), Array1::zeros(2));
    assert!(fail.is_err());
    let nan = ShallowNetwork::new(array![[f64::NAN]], Array1::zeros(1), array![[1.0]], Array1::zeros(1));
    assert!(nan.unwrap_err().to_string().contains("not finite"));
}
