//! `class_supports`: `sum_i w_mi max(<g_i, u_n>, 0)`.

use ndarray::Array2;
use tropix::backend::{Activation, Backend, Transpose};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(boxes_by_hand, no_generators_support_nothing);
against_the_reference!(any_shape_agrees);

/// The box [0, 1] x [0, 2], the segment from the origin to (3, 0), and a point.
fn boxes_by_hand<B: Backend>(backend: &B) {
    let g = backend.upload(&rows(&[[1.0, 0.0], [0.0, 1.0]])).unwrap();
    let w = backend.upload(&rows(&[[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]])).unwrap();
    let u = backend.upload(&rows(&[[1.0, 1.0], [-1.0, 0.5], [2.0, -3.0], [-1.0, -1.0]])).unwrap();
    let h = backend.class_supports(&w, &g, &u).unwrap();
    let want = rows(&[[3.0, 3.0, 0.0], [1.0, 0.0, 0.0], [2.0, 6.0, 0.0], [0.0, 0.0, 0.0]]);
    assert_same("boxes", &down(backend, &h), &wide(&want));
}

fn no_generators_support_nothing<B: Backend>(backend: &B) {
    let (g, w) = (backend.upload(&random([0, 2], 0, "")).unwrap(), backend.upload(&random([6, 0], 0, "")).unwrap());
    let h = backend.class_supports(&w, &g, &backend.upload(&random([3, 2], 0, "u")).unwrap()).unwrap();
    assert_same("points", &down(backend, &h), &Array2::zeros((3, 6)));
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[p, d, n, k]: [usize; 4], seed: u64| {
        let (g, u, w) = (random([p, d], seed, "g"), random([n, d], seed, "u"), random([k, p], seed, "w"));
        let w = w.mapv(f32::abs);
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        let got = backend.class_supports(&upload(&w), &upload(&g), &upload(&u)).unwrap();
        let want = reference().class_supports(&wide(&w), &wide(&g), &wide(&u)).unwrap();
        let products = reference().affine(&sizes(&u), &sizes(&g), None, Activation::Identity).unwrap();
        let size = reference().matmul(&products, Transpose::No, &sizes(&w), Transpose::Yes).unwrap();
        assert_close("class supports", &down(backend, &got), &want, &bound(d + p + 2, &size));
    };
    for_shapes([0, 0, 0, 0], |(shape, seed)| run(shape, seed));
    run([1000, 20, 130, 10], 1);
}
