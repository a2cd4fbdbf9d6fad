//! `batched_matmul`: products of matrices that lie behind each other.

use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(two_products_by_hand, an_empty_sum_is_zero, shapes_are_checked);
against_the_reference!(any_shape_agrees);

fn two_products_by_hand<B: Backend>(backend: &B) {
    let a = backend.upload(&rows(&[[1.0, 2.0], [3.0, 4.0]])).unwrap();
    let b = backend.upload(&rows(&[[1.0, 0.0, -1.0], [0.0, 1.0, 1.0], [2.0, 2.0, 2.0], [1.0, 0.0, 1.0]])).unwrap();
    let got = down(backend, &backend.batched_matmul(&a, &b, 2).unwrap());
    assert_same("products", &got, &wide(&rows(&[[1.0, 2.0, 1.0], [10.0, 6.0, 10.0]])));
}

fn an_empty_sum_is_zero<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([4, 0], 0, "")).unwrap(), backend.upload(&random([0, 3], 0, "")).unwrap());
    let got = down(backend, &backend.batched_matmul(&a, &b, 2).unwrap());
    assert_same("zero", &got, &ndarray::Array2::zeros((4, 3)));
}

fn shapes_are_checked<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([4, 3], 0, "")).unwrap(), backend.upload(&random([5, 2], 0, "")).unwrap());
    let refusal = |groups| backend.batched_matmul(&a, &b, groups).err().expect("a refusal").to_string();
    assert_eq!(refusal(2), "`batched_matmul`: `b` has shape [5, 2], expected 6 x 2");
    assert_eq!(refusal(3), "`groups`: 3 matrices in 4 rows");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([1, 1, 1], |([m, k, l], seed)| {
        // A product lies within one block: small ones where bindings are small.
        let (m, k, l) = (m % 40 + 1, k % 23 + 1, l % 35 + 1);
        let groups = 1 + usize::try_from(seed % 5).unwrap();
        let (a, b) = (random([groups * m, k], seed, "a"), random([groups * k, l], seed, "b"));
        let got = backend.batched_matmul(&backend.upload(&a).unwrap(), &backend.upload(&b).unwrap(), groups).unwrap();
        let want = reference().batched_matmul(&wide(&a), &wide(&b), groups).unwrap();
        let sizes = reference().batched_matmul(&wide(&a).mapv(f64::abs), &wide(&b).mapv(f64::abs), groups).unwrap();
        assert_close("batched_matmul", &down(backend, &got), &want, &bound(k + 1, &sizes));
    });
}
