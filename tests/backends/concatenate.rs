//! `concatenate`: matrices side by side.

use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::assert_same;

on_every_backend!(parts_by_hand, rows_that_differ_are_refused);
against_the_reference!(any_shape_agrees);

fn parts_by_hand<B: Backend>(backend: &B) {
    let a = backend.upload(&rows(&[[1.0, 2.0], [3.0, 4.0]])).unwrap();
    let b = backend.upload(&rows(&[[5.0], [6.0]])).unwrap();
    let joined = backend.concatenate(&[&b, &a, &b]).unwrap();
    assert_same("b a b", &down(backend, &joined), &wide(&rows(&[[5.0, 1.0, 2.0, 5.0], [6.0, 3.0, 4.0, 6.0]])));
}

fn rows_that_differ_are_refused<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([2, 3], 0, "")).unwrap(), backend.upload(&random([3, 2], 0, "")).unwrap());
    let refusal = backend.concatenate(&[&a, &b]).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`concatenate`: `parts` has shape [3, 2], expected 2 x 2");
    assert_eq!(backend.concatenate(&[]).err().expect("a refusal").to_string(), "`parts`: there is none");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0, 0, 0], |([n, a, b, c], seed)| {
        let parts = [a, b, c].map(|columns| random([n, columns], seed, &columns.to_string()));
        let up = parts.each_ref().map(|part| backend.upload(part).unwrap());
        let exact = parts.each_ref().map(wide);
        let joined = backend.concatenate(&up.each_ref()).unwrap();
        assert_same("joined", &down(backend, &joined), &reference().concatenate(&exact.each_ref()).unwrap());
    });
}
