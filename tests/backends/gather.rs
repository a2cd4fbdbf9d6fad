//! `gather`: columns in another order.

use rand::RngExt;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::assert_same;

on_every_backend!(columns_by_hand, a_matrix_without_columns_is_refused);
against_the_reference!(any_shape_agrees);

fn columns_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).unwrap();
    let index = backend.upload_indices(&[2, u32::MAX, 0, 0]).unwrap();
    let want = wide(&rows(&[[3.0, 0.0, 1.0, 1.0], [6.0, 0.0, 4.0, 4.0]]));
    assert_same("columns", &down(backend, &backend.gather(&x, &index).unwrap()), &want);
}

fn a_matrix_without_columns_is_refused<B: Backend>(backend: &B) {
    let x = backend.upload(&random([2, 0], 0, "")).unwrap();
    let index = backend.upload_indices(&[0]).unwrap();
    let refusal = backend.gather(&x, &index).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`gather`: `x` has shape [2, 0], expected 2 x at least 1");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1, 0], |([n, m, k], seed)| {
        let x = random([n, m], seed, "x");
        let draw = &mut tropix::rng::stream(seed, "index");
        let index: Vec<u32> = (0..k).map(|_| draw.random_range(0..u32::try_from(m).unwrap() + 2)).collect();
        let device = backend.upload_indices(&index).unwrap();
        let got = backend.gather(&backend.upload(&x).unwrap(), &device).unwrap();
        assert_same("gather", &down(backend, &got), &reference().gather(&wide(&x), &index).unwrap());
    });
}
