//! `affine`: `phi(X W^T + 1 b^T)`.

use ndarray::Array2;
use tropix::backend::{Activation, Backend};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(a_layer_by_hand, a_layer_without_inputs_is_its_bias, shapes_that_do_not_fit_are_refused);
against_the_reference!(any_shape_agrees, long_sums_agree);

fn a_layer_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]])).unwrap();
    let w = backend.upload(&rows(&[[1.0, 1.0], [2.0, -1.0]])).unwrap();
    let b = backend.upload(&rows(&[[0.5, -1.0]])).unwrap();
    let plain = backend.affine(&x, &w, None, Activation::Identity).unwrap();
    assert_same("x w^t", &down(backend, &plain), &wide(&rows(&[[3.0, 0.0], [2.0, 7.0], [0.0, 0.0]])));
    let layer = backend.affine(&x, &w, Some(&b), Activation::Relu).unwrap();
    assert_same("relu", &down(backend, &layer), &wide(&rows(&[[3.5, 0.0], [2.5, 6.0], [0.5, 0.0]])));
}

fn a_layer_without_inputs_is_its_bias<B: Backend>(backend: &B) {
    let (x, w) = (backend.upload(&random([3, 0], 0, "")).unwrap(), backend.upload(&random([2, 0], 0, "")).unwrap());
    let b = backend.upload(&rows(&[[4.0, -4.0]])).unwrap();
    let layer = backend.affine(&x, &w, Some(&b), Activation::Relu).unwrap();
    assert_same("bias", &down(backend, &layer), &wide(&rows(&[[4.0, 0.0]; 3])));
}

fn shapes_that_do_not_fit_are_refused<B: Backend>(backend: &B) {
    let (x, w) = (backend.upload(&random([3, 4], 0, "")).unwrap(), backend.upload(&random([2, 5], 0, "")).unwrap());
    let refusal = backend.affine(&x, &w, None, Activation::Identity).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`affine`: `weights` has shape [2, 5], expected 2 x 4");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0, 0], |([n, m, d], seed)| agree(backend, [n, m, d], seed));
}

fn long_sums_agree<B: Backend>(backend: &B) {
    agree(backend, [3, 5, 1021], 1);
    agree(backend, [2, 70, 1020], 2);
    agree(backend, [18, 33, 1024], 2);
}

fn agree<B: Backend>(backend: &B, [n, m, d]: [usize; 3], seed: u64) {
    let (x, w, b) = (random([n, d], seed, "x"), random([m, d], seed, "w"), random([1, m], seed, "b"));
    let exact = reference();
    let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    for (bias, activation) in [(None, Activation::Identity), (Some(&b), Activation::Relu)] {
        let got = backend.affine(&upload(&x), &upload(&w), bias.map(upload).as_ref(), activation).unwrap();
        let want = exact.affine(&wide(&x), &wide(&w), bias.map(wide).as_ref(), activation).unwrap();
        let size = exact.affine(&sizes(&x), &sizes(&w), bias.map(sizes).as_ref(), Activation::Identity).unwrap();
        assert_close("affine", &down(backend, &got), &want, &bound(d + 2, &size));
    }
}
