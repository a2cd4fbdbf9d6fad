//! `relu_covariance`: moments of rectified normal values.

use std::f64::consts::PI;

use ndarray::Array2;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::assert_close;

on_every_backend!(values_by_hand, the_closed_form_of_scipy, covariances_are_positive_semi_definite);
against_the_reference!(any_shape_agrees);

/// `5e-6 s_i s_j`, the contract.
fn tolerance(covariance: &Array2<f32>) -> Array2<f64> {
    let deviation = |i: usize| f64::from(covariance[[i, i]]).max(0.0).sqrt();
    Array2::from_shape_fn(covariance.dim(), |(i, j)| 5e-6 * deviation(i) * deviation(j) + 1e-30)
}

fn run<B: Backend>(backend: &B, mean: &Array2<f32>, covariance: &Array2<f32>) -> [Array2<f64>; 2] {
    let moments =
        backend.relu_covariance(&backend.upload(mean).unwrap(), &backend.upload(covariance).unwrap()).unwrap();
    [down(backend, &moments.mean), down(backend, &moments.covariance)]
}

fn values_by_hand<B: Backend>(backend: &B) {
    // Centred: the arc-cosine kernel sin(theta) + (pi - theta) cos(theta), over 2 pi, less the means 1 / sqrt(2 pi).
    let correlations = [1.0_f32, 0.5, 0.0, -0.5, -1.0];
    for rho in correlations {
        let s = rows(&[[1.0, 2.0 * rho], [2.0 * rho, 4.0]]);
        let [mean, covariance] = run(backend, &Array2::zeros((1, 2)), &s);
        let theta = f64::from(rho).acos();
        let off = 2.0 * ((theta.sin() + (PI - theta) * theta.cos() - 1.0) / (2.0 * PI));
        let own = 0.5 - 1.0 / (2.0 * PI);
        let want = Array2::from_shape_vec((2, 2), vec![own, off, off, 4.0 * own]).unwrap();
        assert_close("covariance", &covariance, &want, &tolerance(&s));
        let root = 1.0 / (2.0 * PI).sqrt();
        let want = Array2::from_shape_vec((1, 2), vec![root, 2.0 * root]).unwrap();
        assert_close("mean", &mean, &want, &want.mapv(|v| v * 1e-6));
    }
    // Far above zero nothing is rectified, far below everything; without variance a constant is left.
    let s = rows(&[[1.0, 0.3, 0.0, 0.2], [0.3, 1.0, 0.0, 0.1], [0.0, 0.0, 0.0, 0.0], [0.2, 0.1, 0.0, 1.0]]);
    let [mean, covariance] = run(backend, &rows(&[[9.0, 8.0, 3.0, -30.0]]), &s);
    let mut want = wide(&s);
    want.row_mut(3).fill(0.0);
    want.column_mut(3).fill(0.0);
    assert_close("linear", &covariance, &want, &tolerance(&s));
    let want = wide(&rows(&[[9.0, 8.0, 3.0, 0.0]]));
    assert_close("constants", &mean, &want, &want.mapv(|v| v * 1e-6 + 1e-9));
}

/// `assets/golden/relu_covariance.json`: the closed form with scipy's bivariate normal distribution.
#[expect(clippy::cast_possible_truncation, reason = "the values are exact in f32")]
fn the_closed_form_of_scipy<B: Backend>(backend: &B) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/golden/relu_covariance.json");
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let number = |name: &str| case[name].as_f64().unwrap();
        let (h, k, rho) = (number("h") as f32, number("k") as f32, number("rho") as f32);
        let s = rows(&[[1.0, rho], [rho, 1.0]]);
        let [mean, covariance] = run(backend, &rows(&[[h, k]]), &s);
        let want = Array2::from_elem((1, 1), number("covariance"));
        let got = Array2::from_elem((1, 1), covariance[[0, 1]]);
        assert_close(&format!("{h} {k} {rho}"), &got, &want, &Array2::from_elem((1, 1), 1e-6));
        let want = Array2::from_elem((1, 1), number("mean"));
        let got = Array2::from_elem((1, 1), mean[[0, 0]]);
        assert_close(&format!("mean {h}"), &got, &want, &Array2::from_elem((1, 1), 1e-6));
    }
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1], |([n, d], seed)| {
        let (mean, factor) = (random([1, n], seed, "mean"), random([n, d], seed, "factor"));
        let covariance = factor.dot(&factor.t());
        let got = run(backend, &mean, &covariance);
        let want = reference().relu_covariance(&wide(&mean), &wide(&covariance)).unwrap();
        assert_close("covariance", &got[1], &want.covariance, &tolerance(&covariance));
        let bound = Array2::from_shape_fn((1, n), |(_, i)| {
            5e-6 * (f64::from(mean[[0, i]]).abs() + f64::from(covariance[[i, i]]).sqrt())
        });
        assert_close("mean", &got[0], &want.mean, &bound);
    });
}

/// Property 13: the smallest eigenvalue is at least `-1e-5` of the mean variance, for covariances of any rank.
fn covariances_are_positive_semi_definite<B: Backend>(backend: &B) {
    for (seed, (n, rank)) in (0..).zip([(1, 1), (24, 3), (24, 24), (40, 60), (65, 8)]) {
        let (mean, factor) = (random([1, n], seed, "mean"), random([n, rank], seed, "factor"));
        let [_, found] = run(backend, &mean, &factor.dot(&factor.t()));
        let matrix = nalgebra::DMatrix::from_fn(n, n, |i, j| 0.5 * (found[[i, j]] + found[[j, i]]));
        let (smallest, mean) = (matrix.symmetric_eigenvalues().min(), matrix.trace() / n as f64);
        assert!(mean > 0.0 && smallest >= -1e-5 * mean, "{n} of rank {rank}: {smallest} beside {mean}");
    }
}
