//! `product`: factors of entries, or of their neighbours together.

use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(gates_by_hand, shapes_are_checked);
against_the_reference!(any_shape_agrees);

fn gates_by_hand<B: Backend>(backend: &B) {
    // Two channels of three places.
    let a = backend.upload(&rows(&[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]])).unwrap();
    let b = backend.upload(&rows(&[[2.0, -1.0], [0.0, 0.5]])).unwrap();
    let want = rows(&[[2.0, 4.0, 6.0, -4.0, -5.0, -6.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]);
    assert_same("gates", &down(backend, &backend.product(&a, &b).unwrap()), &wide(&want));
    let squares = wide(&rows(&[[1.0, 4.0, 9.0, 16.0, 25.0, 36.0], [1.0, 1.0, 1.0, 4.0, 4.0, 4.0]]));
    assert_same("squares", &down(backend, &backend.product(&a, &a).unwrap()), &squares);
}

fn shapes_are_checked<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([2, 6], 0, "")).unwrap(), backend.upload(&random([2, 4], 0, "")).unwrap());
    let refusal = backend.product(&a, &b).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`product`: `b` has shape [2, 4], expected 2 x a divisor of 6");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1, 1], |([n, c, p], seed)| {
        let p = p % 9 + 1;
        let (a, b) = (random([n, c * p], seed, "a"), random([n, c], seed, "b"));
        let got = backend.product(&backend.upload(&a).unwrap(), &backend.upload(&b).unwrap()).unwrap();
        let want = reference().product(&wide(&a), &wide(&b)).unwrap();
        assert_close("product", &down(backend, &got), &want, &bound(1, &want.mapv(f64::abs)));
    });
}
