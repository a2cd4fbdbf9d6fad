//! `matmul`: `op(A) op(B)`.

use ndarray::Array2;
use tropix::backend::{Backend, Transpose};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(a_product_by_hand, an_empty_sum_is_zero);
against_the_reference!(any_shape_agrees, one_operand_serves_both_ways);

fn turned(matrix: Array2<f32>, transpose: Transpose) -> Array2<f32> {
    if transpose == Transpose::Yes { matrix.reversed_axes().as_standard_layout().into_owned() } else { matrix }
}

fn a_product_by_hand<B: Backend>(backend: &B) {
    let a = backend.upload(&rows(&[[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]])).unwrap();
    let b = backend.upload(&rows(&[[1.0, 0.0, 2.0], [1.0, 1.0, 1.0]])).unwrap();
    let product = backend.matmul(&a, Transpose::No, &b, Transpose::Yes).unwrap();
    assert_same("a b^t", &down(backend, &product), &wide(&rows(&[[7.0, 6.0], [2.0, 0.0]])));
    let product = backend.matmul(&a, Transpose::Yes, &b, Transpose::No).unwrap();
    assert_same("a^t b", &down(backend, &product), &wide(&rows(&[[1.0, 0.0, 2.0], [1.0, -1.0, 3.0], [4.0, 1.0, 7.0]])));
}

fn an_empty_sum_is_zero<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([2, 0], 0, "")).unwrap(), backend.upload(&random([0, 3], 0, "")).unwrap());
    let product = backend.matmul(&a, Transpose::No, &b, Transpose::No).unwrap();
    assert_same("zero", &down(backend, &product), &Array2::zeros((2, 3)));
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0, 0], |(shape, seed)| {
        for transpose_a in [Transpose::No, Transpose::Yes] {
            for transpose_b in [Transpose::No, Transpose::Yes] {
                agree(backend, shape, seed, transpose_a, transpose_b);
            }
        }
    });
    agree(backend, [5, 3, 1000], 1, Transpose::Yes, Transpose::No);
}

fn agree<B: Backend>(backend: &B, [n, m, d]: [usize; 3], seed: u64, transpose_a: Transpose, transpose_b: Transpose) {
    let a = turned(random([n, d], seed, "a"), transpose_a);
    let b = turned(random([d, m], seed, "b"), transpose_b);
    let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    let got = backend.matmul(&upload(&a), transpose_a, &upload(&b), transpose_b).unwrap();
    let want = reference().matmul(&wide(&a), transpose_a, &wide(&b), transpose_b).unwrap();
    let size = reference().matmul(&sizes(&a), transpose_a, &sizes(&b), transpose_b).unwrap();
    assert_close("matmul", &down(backend, &got), &want, &bound(d + 1, &size));
}

/// What a backend keeps beside an operand for one form of the product must not serve another form.
fn one_operand_serves_both_ways<B: Backend>(backend: &B) {
    let (a, b) = (random([40, 40], 3, "a"), random([40, 40], 3, "b"));
    let (up_a, up_b) = (backend.upload(&a).unwrap(), backend.upload(&b).unwrap());
    for transpose in [Transpose::Yes, Transpose::No, Transpose::Yes] {
        let got = backend.matmul(&up_a, Transpose::No, &up_b, transpose).unwrap();
        let want = reference().matmul(&wide(&a), Transpose::No, &wide(&b), transpose).unwrap();
        let size = reference().matmul(&sizes(&a), Transpose::No, &sizes(&b), transpose).unwrap();
        assert_close("matmul", &down(backend, &got), &want, &bound(41, &size));
    }
}
