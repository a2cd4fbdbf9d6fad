//! `nearest`: `min_j |x_i - y_j|^2`.

use ndarray::{Array2, Axis};
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_arguments, assert_close, assert_same, bound};

on_every_backend!(corners_by_hand, near_copies_keep_their_digits, ties_go_to_the_lowest, a_nearest_point_needs_points);
against_the_reference!(any_shape_agrees);

/// The corners of a square.
fn corners_by_hand<B: Backend>(backend: &B) {
    let y = backend.upload(&rows(&[[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])).unwrap();
    let x = backend.upload(&rows(&[[1.0, 1.0], [3.0, 0.5], [-1.0, 6.0], [4.0, 4.0]])).unwrap();
    let minima = backend.nearest(&x, &y).unwrap();
    assert_same("squares", &down(backend, &minima.values), &wide(&rows(&[[2.0], [1.25], [5.0], [0.0]])));
    assert_eq!(backend.download_indices(&minima.arguments).unwrap(), [0, 1, 2, 3]);
}

/// `|x|^2 + |y|^2 - 2 <x, y>` has no digit of these distances.
fn near_copies_keep_their_digits<B: Backend>(backend: &B) {
    for (n, d) in [(40, 2), (100, 2), (100, 7), (30, 40), (9, 200)] {
        let y = Array2::from_shape_fn((n, d), |(j, k)| if k == 0 { 1000.0 + j as f32 } else { 1000.0 });
        // 2^-7 away from its own copy, 1 from the next.
        let x = Array2::from_shape_fn((n, d), |(i, k)| y[[n - 1 - i, k]] + if k + 1 == d { 0.007_812_5 } else { 0.0 });
        let minima = backend.nearest(&backend.upload(&x).unwrap(), &backend.upload(&y).unwrap()).unwrap();
        let want = Array2::from_elem((n, 1), 0.007_812_5_f64.powi(2));
        assert_same("squares", &down(backend, &minima.values), &want);
        let want: Vec<u32> = (0..u32::try_from(n).unwrap()).rev().collect();
        assert_eq!(backend.download_indices(&minima.arguments).unwrap(), want, "{n} points of dimension {d}");
    }
}

fn ties_go_to_the_lowest<B: Backend>(backend: &B) {
    for (points, d) in [(1, 3), (2, 3), (31, 20), (300, 3)] {
        let x = backend.upload(&random([70, d], 0, "x")).unwrap();
        // The first one lies far away, all others are the same.
        let y = Array2::from_shape_fn((points, d), |(j, _)| if j == 0 { 50.0_f32 } else { 1.0 });
        let minima = backend.nearest(&x, &backend.upload(&y).unwrap()).unwrap();
        let lowest = u32::from(points > 1);
        assert_eq!(backend.download_indices(&minima.arguments).unwrap(), [lowest; 70], "{points} points");
    }
}

fn a_nearest_point_needs_points<B: Backend>(backend: &B) {
    let (x, y) = (backend.upload(&random([2, 3], 0, "")).unwrap(), backend.upload(&random([0, 3], 0, "")).unwrap());
    assert!(backend.nearest(&x, &y).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[n, m, d]: [usize; 3], seed: u64| {
        let (x, y) = (random([n, d], seed, "x"), random([m, d], seed, "y"));
        let got = backend.nearest(&backend.upload(&x).unwrap(), &backend.upload(&y).unwrap()).unwrap();
        let want = reference().nearest(&wide(&x), &wide(&y)).unwrap();
        // Each distance has a relative error: so has their minimum.
        let bound = bound(d + 4, &want.values);
        assert_close("squares", &down(backend, &got.values), &want.values, &bound);
        let (x, y) = (wide(&x), wide(&y));
        let distance = |i, j| -(&x.index_axis(Axis(0), i) - &y.index_axis(Axis(0), j)).mapv(|t| t * t).sum();
        let scores = Array2::from_shape_fn((n, m), |(i, j)| distance(i, j));
        assert_arguments("arguments", &backend.download_indices(&got.arguments).unwrap(), &scores, &bound);
    };
    for_shapes([0, 1, 0], |(shape, seed)| run(shape, seed));
    run([3, 700, 250], 1);
    run([2000, 9, 2], 2);
}
