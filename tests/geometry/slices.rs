//! Networks on a plane: the restriction, and exact regions of deep networks against the network itself.

use std::path::Path;

use ndarray::Array2;
use tropix::backend::Backend;
use tropix::geometry::clip::{Bounds, doubled_area};
use tropix::network::boundary::{BoundaryOptions, Exactness, analyse};
use tropix::network::dataset::{self, DataOptions};
use tropix::network::slice::{PlanarNetwork, Plane, decision_regions};
use tropix::network::{Classifier, DeviceHead, Form, Head, format};

use crate::harness::{assert_near, on_every_backend, random, random_vector, reference};

fn asset(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

/// A random network with two inputs.
fn planar(widths: &[usize], seed: u64) -> PlanarNetwork {
    let layer = |(at, pair): (usize, &[usize])| {
        let name = format!("layer {at}");
        (random([pair[1], pair[0]], seed, &name), random_vector(pair[1], seed, &name) * 0.5)
    };
    PlanarNetwork { layers: widths.windows(2).enumerate().map(layer).collect() }
}

fn options(window: Bounds) -> BoundaryOptions {
    BoundaryOptions { form: Form::Joint, window: Some(window), samples: 50, most_cells: 100_000, grid: None, seed: 0 }
}

fn digits() -> (Head, Array2<f32>) {
    let model = format::load(&asset("models/mlp-digits.safetensors"), None).unwrap();
    let options = DataOptions { scale: Some(0.0625), ..DataOptions::default() };
    let data = dataset::load(&asset("data/digits/digits-test500.safetensors").display().to_string(), &options).unwrap();
    let mut rows = Array2::zeros((500, 64));
    tropix::backend::RowSource::read_rows(&data.inputs, 0, rows.as_slice_mut().unwrap()).unwrap();
    (Head::of(&model.network).unwrap(), rows)
}

#[test]
fn a_restricted_network_has_the_logits_of_the_whole_one() {
    let (head, samples) = digits();
    let wide = |i: usize| -> Vec<f64> { samples.row(i).iter().map(|x| f64::from(*x)).collect() };
    let plane = Plane::through([&wide(0), &wide(1), &wide(2)]).unwrap();
    let planar = PlanarNetwork::restrict(&head, &plane).unwrap();
    let device = DeviceHead::upload(reference(), &head).unwrap();
    let whole = device.logits(reference(), &samples.slice(ndarray::s![..3, ..]).mapv(f64::from)).unwrap();
    for i in 0..3 {
        let place = plane.coordinates(&wide(i));
        for (got, want) in planar.logits(place).iter().zip(whole.row(i)) {
            assert_near(*got, *want, 1e-9);
        }
    }
    assert!(plane.coordinates(&wide(0)).iter().all(|x| x.abs() < 1e-12));
    assert!(plane.coordinates(&wide(1))[1].abs() < 1e-12);
    assert!(Plane::through([&wide(0), &wide(0), &wide(2)]).is_err());
    assert!(Plane::through([&[0.0, 0.0], &[1.0, 1.0], &[2.0, 2.0]]).is_err());
}

/// Against the definition: no direction spreads more than the first axis, none orthogonal to it more than the second.
#[test]
fn principal_axes_spread_most() {
    let (_, samples) = digits();
    let plane = Plane::principal(&samples).unwrap();
    let wide = samples.mapv(f64::from);
    let centred = &wide - &wide.mean_axis(ndarray::Axis(0)).unwrap();
    let spread = |direction: &[f64]| {
        let along = centred.dot(&ndarray::ArrayView1::from(direction));
        along.dot(&along)
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let [first, second] = &plane.axes;
    assert!((dot(first, first) - 1.0).abs() < 1e-12 && dot(first, second).abs() < 1e-12);
    // An eigenvector of the covariance is where the spread is stationary.
    for (axis, value) in [(first, spread(first)), (second, spread(second))] {
        let image = centred.t().dot(&centred.dot(&ndarray::ArrayView1::from(axis)));
        let residual = &image - &(ndarray::ArrayView1::from(axis).to_owned() * value);
        assert!(residual.dot(&residual).sqrt() < 1e-5 * value);
    }
    for row in random([200, 64], 1, "directions").rows() {
        let norm = row.dot(&row).sqrt();
        assert!(spread(&row.mapv(|x| x / norm).to_vec()) <= spread(first));
    }
    assert!(spread(first) > spread(second));
    assert!(Plane::principal(&Array2::<f32>::ones((5, 3))).is_err());
}

#[test]
fn exact_regions_are_those_of_the_classifier() {
    let window = Bounds { low: [-2.0, -1.5], high: [1.5, 2.0] };
    for seed in 0..12 {
        let network =
            planar([&[2, 8, 3][..], &[2, 7, 6, 3], &[2, 6, 5, 5, 4]][usize::try_from(seed % 3).unwrap()], seed);
        let found = decision_regions(&network, &window, 100_000).unwrap();
        let whole = doubled_area(&window.corners());
        let total: f64 = found.cells.iter().map(|cell| doubled_area(&cell.polygon)).sum();
        assert!((total - whole).abs() < 1e-9 * whole, "seed {seed}");
        for cell in found.cells.iter().filter(|cell| doubled_area(&cell.polygon) > 1e-8) {
            let count = cell.polygon.len() as f64;
            let centre = cell.polygon.iter().fold([0.0; 2], |s, p| [s[0] + p[0] / count, s[1] + p[1] / count]);
            assert_eq!(network.class(centre), cell.class, "seed {seed}");
        }
        for segment in &found.boundary {
            let [p, q] = segment.ends;
            let logits = network.logits([0.5 * (p[0] + q[0]), 0.5 * (p[1] + q[1])]);
            let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(segment.classes.iter().all(|class| top - logits[*class] < 1e-9), "seed {seed}");
        }
        // Along lines through the window, classes change as often as the boundary is crossed.
        for i in 0..20 {
            let y = -1.5 + 3.5 * (f64::from(i) + 0.5) / 20.0;
            let steps = 4000;
            let class = |n: usize| network.class([-2.0 + 3.5 * n as f64 / steps as f64, y]);
            let changes = (0..steps).filter(|n| class(*n) != class(n + 1)).count();
            let crossings = found.boundary.iter().filter(|s| (s.ends[0][1] > y) != (s.ends[1][1] > y)).count();
            // Two crossings within one step are not seen.
            assert!(changes <= crossings && (crossings - changes) % 2 == 0, "seed {seed}: {changes} of {crossings}");
        }
    }
}

/// Two ways to the same boundary that share no code: subdivision of the window, and mixed edges of the polytope.
#[test]
fn subdivision_and_polytope_give_the_same_boundary() {
    let window = Bounds::square([0.0, 0.0], 2.0);
    for seed in 0..10 {
        let network = planar(&[2, 9, 3], seed);
        let polytope = analyse(reference(), &network, &options(window)).unwrap();
        assert_eq!(polytope.exactness, Exactness::Polytope);
        let cut = decision_regions(&network, &window, 100_000).unwrap();
        let length = |segments: &[tropix::network::slice::BoundarySegment], classes: [usize; 2]| -> f64 {
            let of = segments.iter().filter(|s| s.classes == classes);
            of.map(|s| (s.ends[0][0] - s.ends[1][0]).hypot(s.ends[0][1] - s.ends[1][1])).sum()
        };
        for classes in [[0, 1], [0, 2], [1, 2]] {
            let [left, right] = [&polytope.boundary, &cut.boundary].map(|s| length(s, classes));
            assert!((left - right).abs() < 1e-8, "seed {seed}, {classes:?}: {left} and {right}");
        }
    }
}

#[test]
fn too_many_cells_are_refused() {
    let error = decision_regions(&planar(&[2, 60, 2], 0), &Bounds::square([0.0; 2], 2.0), 100).unwrap_err();
    assert!(error.to_string().contains("more than 100 affine cells"), "{error}");
}

on_every_backend!(a_grid_shows_the_classes_of_its_points);

fn a_grid_shows_the_classes_of_its_points<B: Backend>(backend: &B) {
    let window = Bounds { low: [-1.0, -1.0], high: [1.0, 1.0] };
    let network = planar(&[2, 7, 6, 3], 3);
    let found = analyse(backend, &network, &BoundaryOptions { grid: Some(40), ..options(window) }).unwrap();
    assert_eq!(found.exactness, Exactness::Grid);
    let total: f64 = found.cells.iter().map(|cell| doubled_area(&cell.polygon)).sum();
    assert!((total - 8.0).abs() < 1e-9);
    let mut points = 0;
    for cell in &found.cells {
        let [x0, x1] = [cell.polygon[0][0], cell.polygon[1][0]];
        let y = 0.5 * (cell.polygon[0][1] + cell.polygon[2][1]);
        let count = ((x1 - x0) / 0.05).round();
        let mut x = x0 + 0.025;
        while x < x1 {
            points += 1;
            let logits = network.logits([x, y]);
            let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(top - logits[cell.class] < 1e-4, "{x}, {y}");
            x += 0.05;
        }
        assert!(count >= 1.0);
    }
    assert_eq!(points, 1600);
}
