//! `weighted_sum`: `phi(alpha A + beta B)`.

use ndarray::Array2;
use tropix::backend::{Activation, Backend};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(sums_by_hand, shapes_and_factors_are_checked);
against_the_reference!(any_shape_agrees);

fn sums_by_hand<B: Backend>(backend: &B) {
    let a = backend.upload(&rows(&[[1.0, -2.0, 3.0]])).unwrap();
    let b = backend.upload(&rows(&[[-4.0, 5.0, 0.5]])).unwrap();
    let sum = backend.weighted_sum(&a, Some(&b), [1.0, 2.0], Activation::Relu).unwrap();
    assert_same("a + 2 b", &down(backend, &sum), &wide(&rows(&[[0.0, 8.0, 4.0]])));
    let relu = backend.weighted_sum(&a, None, [1.0, 0.0], Activation::Relu).unwrap();
    assert_same("relu", &down(backend, &relu), &wide(&rows(&[[1.0, 0.0, 3.0]])));
    // Leaky ReLU with slope 1/4.
    let leaky = backend.weighted_sum(&a, Some(&relu), [0.25, 0.75], Activation::Identity).unwrap();
    assert_same("leaky", &down(backend, &leaky), &wide(&rows(&[[1.0, -0.5, 3.0]])));
}

fn shapes_and_factors_are_checked<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([2, 3], 0, "")).unwrap(), backend.upload(&random([3, 2], 0, "")).unwrap());
    let refused = |b, factors| {
        let refusal = backend.weighted_sum(&a, b, factors, Activation::Identity);
        refusal.err().expect("a refusal").to_string()
    };
    assert_eq!(refused(Some(&b), [1.0, 1.0]), "`weighted_sum`: `b` has shape [3, 2], expected 2 x 3");
    assert_eq!(refused(None, [f32::NAN, 0.0]), "`factors`: NaN is not finite");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0], |([n, m], seed)| {
        let (a, b) = (random([n, m], seed, "a"), random([n, m], seed, "b"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for (second, activation) in [(None, Activation::Identity), (Some(&b), Activation::Relu)] {
            let factors = [0.75, -1.3];
            let got = backend.weighted_sum(&upload(&a), second.map(upload).as_ref(), factors, activation).unwrap();
            let want = reference().weighted_sum(&wide(&a), second.map(wide).as_ref(), factors, activation).unwrap();
            let size = sizes(&a) * 0.75 + second.map_or(Array2::zeros((n, m)), |b| sizes(b) * 1.3);
            assert_close("weighted sum", &down(backend, &got), &want, &bound(3, &size));
        }
    });
}
