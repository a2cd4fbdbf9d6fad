//! `row_scores`: norms of the generators and scores of the rows.

use ndarray::Array2;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(scores_by_hand);
against_the_reference!(any_shape_agrees);

/// Norms 5, 13 and 0; the scores weigh |b| by itself, and a neuron without outputs scores 0.
fn scores_by_hand<B: Backend>(backend: &B) {
    let a = backend.upload(&rows(&[[3.0, 4.0], [0.0, 5.0], [0.0, 0.0], [1.0, 0.0]])).unwrap();
    let c = backend.upload(&rows(&[[0.0, 12.0, 0.0, 0.0]])).unwrap();
    let b = backend.upload(&rows(&[[1.0, -2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0]])).unwrap();
    let scores = backend.row_scores(&a, Some(&c), &b).unwrap();
    assert_same("norms", &down(backend, &scores.norms), &wide(&rows(&[[5.0, 13.0, 0.0, 1.0]])));
    assert_same("scores", &down(backend, &scores.rows), &wide(&rows(&[[12.5, 26.0, 0.0, 0.0]])));
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[p, n, k]: [usize; 3], seed: u64| {
        let (a, c, b) = (random([p, n], seed, "a"), random([1, p], seed, "c"), random([k, p], seed, "b"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for constants in [None, Some(&c)] {
            let got = backend.row_scores(&upload(&a), constants.map(upload).as_ref(), &upload(&b)).unwrap();
            let want = reference().row_scores(&wide(&a), constants.map(wide).as_ref(), &wide(&b)).unwrap();
            // All terms are positive, so that the results are their own sizes; square root and quotient are accurate
            // to a few units of WGSL's rounding.
            assert_close("norms", &down(backend, &got.norms), &want.norms, &bound(n + 8, &want.norms));
            assert_close("rows", &down(backend, &got.rows), &want.rows, &bound(n + 2 * k + 16, &want.rows));
        }
    };
    for_shapes([0, 0, 0], |(shape, seed)| run(shape, seed));
    run([3, 1000, 2], 1);
}
