//! `path_norms`: one step of squared path norms, forward and backward.

use ndarray::Array2;
use tropix::backend::{Backend, Transpose};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(a_step_by_hand, there_is_no_bias_going_backward);
against_the_reference!(any_shape_agrees);

fn a_step_by_hand<B: Backend>(backend: &B) {
    let w = backend.upload(&rows(&[[1.0, -2.0, 0.0], [3.0, 0.0, 1.0]])).unwrap();
    let (q, b) = (backend.upload(&rows(&[[2.0, 1.0, 4.0]])).unwrap(), backend.upload(&rows(&[[2.0, -4.0]])).unwrap());
    let forward = backend.path_norms(&w, &q, Some(&b), Transpose::No).unwrap();
    assert_same("forward", &down(backend, &forward), &wide(&rows(&[[5.0, 19.0]])));
    let q = backend.upload(&rows(&[[2.0, 4.0]])).unwrap();
    let backward = backend.path_norms(&w, &q, None, Transpose::Yes).unwrap();
    assert_same("backward", &down(backend, &backward), &wide(&rows(&[[19.0, 4.0, 2.0]])));
}

fn there_is_no_bias_going_backward<B: Backend>(backend: &B) {
    let (w, q) = (backend.upload(&rows(&[[1.0]])).unwrap(), backend.upload(&rows(&[[1.0]])).unwrap());
    assert!(backend.path_norms(&w, &q, Some(&q), Transpose::Yes).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[p, n]: [usize; 2], seed: u64| {
        let (w, b) = (random([p, n], seed, "w"), random([1, p], seed, "b"));
        let squares = |length| random([1, length], seed, "squares").mapv(|value| value * value);
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for (bias, direction) in [(None, Transpose::No), (Some(&b), Transpose::No), (None, Transpose::Yes)] {
            let q = squares(if direction == Transpose::No { n } else { p });
            let got = backend.path_norms(&upload(&w), &upload(&q), bias.map(upload).as_ref(), direction).unwrap();
            let want = reference().path_norms(&wide(&w), &wide(&q), bias.map(wide).as_ref(), direction).unwrap();
            assert_close("path norms", &down(backend, &got), &want, &bound(n.max(p) + 3, &want));
        }
    };
    for_shapes([0, 0], |(shape, seed)| run(shape, seed));
    run([3, 1000], 1);
    run([1000, 3], 2);
}
