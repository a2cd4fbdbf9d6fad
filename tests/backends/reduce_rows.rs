//! `reduce_rows`: one number of each row.

use ndarray::Array2;
use tropix::backend::{Backend, Reduction};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(numbers_by_hand, rows_of_nothing_are_refused);
against_the_reference!(any_shape_agrees);

const ALL: [Reduction; 5] = [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Squares];

fn numbers_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[-1.0, -2.0, -3.0, -6.0], [1.0, 2.0, 4.0, 1.0]])).unwrap();
    for (reduction, want) in ALL.into_iter().zip([[-12.0, 8.0], [-3.0, 2.0], [-1.0, 4.0], [-6.0, 1.0], [50.0, 22.0]]) {
        let want = Array2::from_shape_vec((2, 1), want.to_vec()).unwrap();
        assert_same(&format!("{reduction:?}"), &down(backend, &backend.reduce_rows(&x, reduction).unwrap()), &want);
    }
}

fn rows_of_nothing_are_refused<B: Backend>(backend: &B) {
    let x = backend.upload(&random([2, 0], 0, "")).unwrap();
    let refusal = backend.reduce_rows(&x, Reduction::Sum).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`reduce_rows`: `x` has shape [2, 0], expected 2 x at least 1");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1], |([n, m], seed)| {
        let x = random([n, m], seed, "x");
        let device = backend.upload(&x).unwrap();
        let sizes = Array2::from_shape_fn((n, 1), |(i, _)| wide(&x).row(i).mapv(f64::abs).sum());
        for reduction in ALL {
            let want = reference().reduce_rows(&wide(&x), reduction).unwrap();
            let got = down(backend, &backend.reduce_rows(&device, reduction).unwrap());
            assert_close(&format!("{reduction:?}"), &got, &want, &bound(m + 2, &sizes));
        }
    });
}
