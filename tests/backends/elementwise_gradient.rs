//! `elementwise_gradient`: what functions of one number pass back.

use ndarray::Array2;
use tropix::backend::{Backend, Function};

use crate::elementwise::{ALL, allowed};
use crate::harness::{against_the_reference, down, for_shapes, random, reference, rows, wide};
use crate::tolerance::assert_close;

against_the_reference!(slopes_agree, large_slopes_stay_finite);

fn slopes_agree<B: Backend>(backend: &B) {
    for_shapes([0, 0], |([n, m], seed)| {
        let (x, slopes) = (random([n, m], seed, "x") * 12.0, random([n, m], seed, "slopes"));
        let (device, back) = (backend.upload(&x).unwrap(), backend.upload(&slopes).unwrap());
        for function in ALL {
            let ones = Array2::ones(x.dim());
            let own = reference().elementwise_gradient(&wide(&x), &ones, function).unwrap();
            let want = reference().elementwise_gradient(&wide(&x), &wide(&slopes), function).unwrap();
            let got = down(backend, &backend.elementwise_gradient(&device, &back, function).unwrap());
            let allowed = allowed(&x, &own) * wide(&slopes).mapv(f64::abs);
            assert_close(function.name(), &got, &want, &allowed);
        }
    });
}

fn large_slopes_stay_finite<B: Backend>(backend: &B) {
    let x = rows(&[[-3e38, -1e10, -90.0, 0.0, 1e-30, 80.0, 1e10, 3e38]]);
    let (device, ones) = (backend.upload(&x).unwrap(), backend.upload(&(&x * 0.0 + 1.0)).unwrap());
    for function in ALL.into_iter().filter(|function| *function != Function::Exp) {
        let got = down(backend, &backend.elementwise_gradient(&device, &ones, function).unwrap());
        assert!(got.iter().all(|value| value.is_finite()), "{function:?}: {got}");
        let want = reference().elementwise_gradient(&wide(&x), &Array2::ones(x.dim()), function).unwrap();
        let near = |(got, want): (&f64, &f64)| (got - want).abs() <= 1e-3 * (1.0 + want.abs());
        assert!(got.iter().zip(&want).all(near), "{function:?}: {got} and {want}");
    }
}

#[test]
fn slopes_are_limits_of_differences() {
    for function in ALL {
        // Off the kinks, which lie at multiples of a half.
        for x in (-60..=60).map(|step| f64::from(step) / 10.0 + 0.03) {
            let by = 1e-6;
            let want = (function.at(x + by) - function.at(x - by)) / (2.0 * by);
            let slope = function.slope(x);
            assert!((slope - want).abs() <= 1e-7 * (1.0 + want.abs()), "{function:?} at {x}: {slope}, {want}");
        }
    }
}
