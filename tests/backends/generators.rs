//! `generators`: `Diag(weights_m) [A | c]` for every class.

use ndarray::Array2;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(two_classes_by_hand);
against_the_reference!(any_shape_agrees);

fn two_classes_by_hand<B: Backend>(backend: &B) {
    let w = backend.upload(&rows(&[[1.0, 2.0], [-1.0, 0.0]])).unwrap();
    let a = backend.upload(&rows(&[[1.0, 2.0], [3.0, 4.0]])).unwrap();
    let c = backend.upload(&rows(&[[5.0, 6.0]])).unwrap();
    let g = backend.generators(&w, &a, Some(&c)).unwrap();
    let want = rows(&[[1.0, 2.0, 5.0], [6.0, 8.0, 12.0], [-1.0, -2.0, -5.0], [0.0, 0.0, 0.0]]);
    assert_same("with constants", &down(backend, &g), &wide(&want));
    let g = backend.generators(&w, &a, None).unwrap();
    let want = rows(&[[1.0, 2.0], [6.0, 8.0], [-1.0, -2.0], [0.0, 0.0]]);
    assert_same("without", &down(backend, &g), &wide(&want));
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0, 0], |([k, p, n], seed)| {
        let k = k.min(12);
        let (w, a, c) = (random([k, p], seed, "w"), random([p, n], seed, "a"), random([1, p], seed, "c"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for constants in [None, Some(&c)] {
            let got = backend.generators(&upload(&w), &upload(&a), constants.map(upload).as_ref()).unwrap();
            let want = reference().generators(&wide(&w), &wide(&a), constants.map(wide).as_ref()).unwrap();
            let size = want.mapv(f64::abs);
            assert_close("generators", &down(backend, &got), &want, &bound(1, &size));
        }
    });
}
