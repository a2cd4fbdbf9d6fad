//! `max_plus_matmul`: `max_k a_ik + b_kj`.

use ndarray::Array2;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(longest_paths_by_hand, negative_sums_survive_the_padding, a_maximum_needs_a_term);
against_the_reference!(any_shape_agrees);

/// Longest paths over one middle node each.
fn longest_paths_by_hand<B: Backend>(backend: &B) {
    let a = backend.upload(&rows(&[[1.0, 5.0], [0.0, -2.0]])).unwrap();
    let b = backend.upload(&rows(&[[2.0, 0.0, -9.0], [-1.0, 3.0, -4.0]])).unwrap();
    let c = backend.max_plus_matmul(&a, &b).unwrap();
    // (1 + 2, 5 - 1) (1 + 0, 5 + 3) (1 - 9, 5 - 4) / (0 + 2, -2 - 1) (0 + 0, -2 + 3) (0 - 9, -2 - 4)
    assert_same("paths", &down(backend, &c), &wide(&rows(&[[4.0, 8.0, 1.0], [2.0, 1.0, -6.0]])));
}

fn negative_sums_survive_the_padding<B: Backend>(backend: &B) {
    for d in [1, 2, 3, 4, 5, 257] {
        let a = backend.upload(&Array2::from_elem((3, d), -1e30_f32)).unwrap();
        let b = backend.upload(&Array2::from_elem((d, 5), -2e30_f32)).unwrap();
        let c = down(backend, &backend.max_plus_matmul(&a, &b).unwrap());
        let want = f64::from(-1e30_f32) + f64::from(-2e30_f32);
        assert!(c.iter().all(|value| (value / want - 1.0).abs() < 1e-6), "inner length {d}: {c}");
    }
}

fn a_maximum_needs_a_term<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([2, 0], 0, "")).unwrap(), backend.upload(&random([0, 3], 0, "")).unwrap());
    assert!(backend.max_plus_matmul(&a, &b).is_err());
    let (a, b) = (backend.upload(&random([2, 3], 0, "")).unwrap(), backend.upload(&random([2, 3], 0, "")).unwrap());
    assert!(backend.max_plus_matmul(&a, &b).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[n, m, d]: [usize; 3], seed: u64| {
        let (a, b) = (random([n, d], seed, "a"), random([d, m], seed, "b"));
        let got = backend.max_plus_matmul(&backend.upload(&a).unwrap(), &backend.upload(&b).unwrap()).unwrap();
        let want = reference().max_plus_matmul(&wide(&a), &wide(&b)).unwrap();
        let size = reference().max_plus_matmul(&sizes(&a), &sizes(&b)).unwrap();
        assert_close("max-plus", &down(backend, &got), &want, &bound(1, &size));
    };
    for_shapes([0, 0, 1], |(shape, seed)| run(shape, seed));
    run([5, 3, 1001], 1);
    run([400, 70, 6], 2);
}
