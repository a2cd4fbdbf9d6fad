//! `reshape`: the same entries in rows of another length.

use tropix::backend::{Backend, Reduction};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(rows_by_hand, lengths_are_checked);
against_the_reference!(there_and_back_changes_nothing);

fn rows_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])).unwrap();
    let apart = backend.reshape(x, 2).unwrap();
    assert_same("pairs", &down(backend, &apart), &wide(&rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])));
    assert_eq!(backend.shape(&apart), [4, 2]);
}

fn lengths_are_checked<B: Backend>(backend: &B) {
    let x = backend.upload(&random([2, 3], 0, "")).unwrap();
    assert_eq!(backend.reshape(x, 4).err().expect("a refusal").to_string(), "`columns`: 4 for 2 x 3");
}

fn there_and_back_changes_nothing<B: Backend>(backend: &B) {
    for_shapes([0, 1, 1], |([n, p, d], seed)| {
        let (p, d) = (p % 12 + 1, d % 60 + 1);
        let x = random([n, p * d], seed, "x");
        let apart = backend.reshape(backend.upload(&x).unwrap(), d).unwrap();
        let want = reference().reshape(wide(&x), d).unwrap();
        assert_same("apart", &down(backend, &apart), &want);
        // What is computed from the new rows is that of the new rows.
        let means = down(backend, &backend.reduce_rows(&apart, Reduction::Mean).unwrap());
        assert_close(
            "means",
            &means,
            &reference().reduce_rows(&want, Reduction::Mean).unwrap(),
            &bound(d + 2, &ndarray::Array2::ones((n * p, 1))),
        );
        let back = backend.reshape(backend.reshape(apart, p).unwrap(), p * d).unwrap();
        assert_same("back", &down(backend, &back), &wide(&x));
    });
}
