//! `tropical_eval`: `max_i c_i + <a_i, x>`.

use ndarray::Array2;
use tropix::backend::{Activation, Backend};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_arguments, assert_close, assert_same, bound};

on_every_backend!(a_polynomial_by_hand, ties_go_to_the_lowest_monomial, a_polynomial_needs_a_monomial);
against_the_reference!(any_shape_agrees);

/// `max(x, y, 1)` and its arguments.
fn a_polynomial_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[3.0, 2.0], [0.0, 5.0], [-1.0, -7.0], [0.5, 0.75]])).unwrap();
    let a = backend.upload(&rows(&[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])).unwrap();
    let c = backend.upload(&rows(&[[0.0, 0.0, 1.0]])).unwrap();
    let maxima = backend.tropical_eval(&x, &a, &c).unwrap();
    assert_same("values", &down(backend, &maxima.values), &wide(&rows(&[[3.0], [5.0], [1.0], [1.0]])));
    assert_eq!(backend.download_indices(&maxima.arguments).unwrap(), [0, 1, 2, 2]);
}

fn ties_go_to_the_lowest_monomial<B: Backend>(backend: &B) {
    // Adapters give hundreds of points of so few coordinates to a kernel of their own.
    for (points, monomials) in [(5, 1), (5, 2), (5, 31), (5, 300), (9000, 1), (600, 2), (5000, 31)] {
        let x = backend.upload(&random([points, 3], 0, "x")).unwrap();
        let a = backend.upload(&Array2::<f32>::ones((monomials, 3))).unwrap();
        // The first monomial lies below all others, which are the same.
        let c = Array2::from_shape_fn((1, monomials), |(_, i)| if i == 0 { -100.0_f32 } else { -50.0 });
        let maxima = backend.tropical_eval(&x, &a, &backend.upload(&c).unwrap()).unwrap();
        let lowest = u32::from(monomials > 1);
        let arguments = backend.download_indices(&maxima.arguments).unwrap();
        assert_eq!(arguments, vec![lowest; points], "{points} points, {monomials} monomials");
    }
}

fn a_polynomial_needs_a_monomial<B: Backend>(backend: &B) {
    let (x, a) = (backend.upload(&random([2, 3], 0, "")).unwrap(), backend.upload(&random([0, 3], 0, "")).unwrap());
    let c = backend.upload(&random([1, 0], 0, "")).unwrap();
    assert!(backend.tropical_eval(&x, &a, &c).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[n, m, d]: [usize; 3], seed: u64| {
        let (x, a, c) = (random([n, d], seed, "x"), random([m, d], seed, "a"), random([1, m], seed, "c"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        let got = backend.tropical_eval(&upload(&x), &upload(&a), &upload(&c)).unwrap();
        let plain = |x, a, c| reference().affine(&x, &a, Some(&c), Activation::Identity).unwrap();
        let terms = plain(wide(&x), wide(&a), wide(&c));
        let largest = plain(sizes(&x), sizes(&a), sizes(&c));
        // The maximum of values that are each within their bound is within the largest bound.
        let largest = Array2::from_shape_fn((n, 1), |(i, _)| largest.row(i).iter().copied().fold(0.0, f64::max));
        let bound = bound(d + 1, &largest);
        let want = reference().tropical_eval(&wide(&x), &wide(&a), &wide(&c)).unwrap();
        assert_close("values", &down(backend, &got.values), &want.values, &bound);
        assert_arguments("arguments", &backend.download_indices(&got.arguments).unwrap(), &terms, &bound);
    };
    for_shapes([0, 1, 0], |(shape, seed)| run(shape, seed));
    run([3, 700, 250], 1);
    // Up to four coordinates: different numbers of points in a lane; five: the contraction.
    for (seed, shape) in
        [[4100, 1, 1], [9001, 9, 2], [2050, 13, 3], [1030, 40, 4], [600, 17, 2], [9001, 3, 5]].iter().enumerate()
    {
        run(*shape, seed as u64);
    }
    // More exponents than one small binding holds.
    run([4200, 600, 2], 2);
}
