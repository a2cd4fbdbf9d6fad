//! `elementwise`: functions of one number.

use ndarray::Array2;
use tropix::backend::{Backend, Function};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, bound};

on_every_backend!(values_are_those_of_tables, parameters_are_checked);
against_the_reference!(any_shape_agrees, large_arguments_stay_finite);

pub(crate) const ALL: [Function; 24] = [
    Function::Clip { low: 0.0, high: 6.0 },
    Function::Leaky { slope: -0.3 },
    Function::Sigmoid,
    Function::HardSigmoid { alpha: 0.2, beta: 0.5 },
    Function::HardSwish,
    Function::Silu,
    Function::Gelu,
    Function::GeluTanh,
    Function::Tanh,
    Function::Elu { alpha: 1.3 },
    Function::Selu { alpha: 1.673_263_2, gamma: 1.050_701 },
    Function::Celu { alpha: -0.7 },
    Function::Celu { alpha: 2.5 },
    Function::Softplus,
    Function::Softsign,
    Function::Mish,
    Function::Erf,
    Function::Exp,
    Function::Abs,
    Function::Sqrt,
    Function::Log,
    Function::Reciprocal,
    Function::Power { exponent: 0.75 },
    Function::Power { exponent: -1.5 },
];

/// A few units in the last place of what takes part.
pub(crate) fn allowed(x: &Array2<f32>, want: &Array2<f64>) -> Array2<f64> {
    let sizes = Array2::from_shape_fn(want.dim(), |at| 1.0 + 2.0 * f64::from(x[at].abs()) + 2.0 * want[at].abs());
    // An exponential doubles the rounding of its argument again and again.
    let growth = Array2::from_shape_fn(want.dim(), |at| want[at].abs() * f64::from(x[at].abs()));
    bound(16, &(sizes + growth))
}

fn values_are_those_of_tables<B: Backend>(backend: &B) {
    let x = rows(&[[-2.0, -0.5, 0.0, 0.5, 2.0]]);
    let device = backend.upload(&x).unwrap();
    // Values of scipy.special and of the definitions in decimals.
    for (function, want) in [
        (Function::Sigmoid, [0.119_202_922, 0.377_540_669, 0.5, 0.622_459_331, 0.880_797_078]),
        (Function::Gelu, [-0.045_500_264, -0.154_268_769, 0.0, 0.345_731_231, 1.954_499_736]),
        (Function::GeluTanh, [-0.045_402_306, -0.154_285_99, 0.0, 0.345_714_01, 1.954_597_694]),
        (Function::Erf, [-0.995_322_265, -0.520_499_878, 0.0, 0.520_499_878, 0.995_322_265]),
        (Function::Mish, [-0.252_501_483, -0.220_743_775, 0.0, 0.375_245_211, 1.943_958_96]),
        (Function::Softplus, [0.126_928_011, 0.474_076_984, std::f64::consts::LN_2, 0.974_076_984, 2.126_928_011]),
        (Function::HardSwish, [-0.333_333_333, -0.208_333_333, 0.0, 0.291_666_667, 1.666_666_667]),
        (Function::Celu { alpha: 0.5 }, [-0.490_842_181, -0.316_060_279, 0.0, 0.5, 2.0]),
        (Function::Reciprocal, [-0.5, -2.0, f64::from(f32::MAX), 2.0, 0.5]),
        (Function::Clip { low: -1.0, high: 1.0 }, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ] {
        let want = Array2::from_shape_vec((1, 5), want.to_vec()).unwrap();
        let got = down(backend, &backend.elementwise(&device, function).unwrap());
        assert_close(function.name(), &got, &want, &(allowed(&x, &want) + 5e-10));
    }
}

fn parameters_are_checked<B: Backend>(backend: &B) {
    let x = backend.upload(&random([2, 3], 0, "")).unwrap();
    let refused = |function| backend.elementwise(&x, function).err().expect("a refusal").to_string();
    assert_eq!(refused(Function::Elu { alpha: f32::NAN }), "`function`: NaN is not finite in `elu`");
    assert_eq!(refused(Function::Clip { low: 2.0, high: 1.0 }), "`function`: `clip` from 2 to 1");
    assert_eq!(refused(Function::Celu { alpha: 0.0 }), "`function`: `celu` with an alpha of 0");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0], |([n, m], seed)| {
        let x = random([n, m], seed, "x") * 12.0;
        let device = backend.upload(&x).unwrap();
        for function in ALL {
            let want = reference().elementwise(&wide(&x), function).unwrap();
            let got = down(backend, &backend.elementwise(&device, function).unwrap());
            assert_close(function.name(), &got, &want, &allowed(&x, &want));
        }
    });
}

fn large_arguments_stay_finite<B: Backend>(backend: &B) {
    let x = rows(&[[-3e38, -1e10, -90.0, 0.0, 1e-30, 80.0, 1e10, 3e38]]);
    let device = backend.upload(&x).unwrap();
    for function in ALL.into_iter().filter(|function| *function != Function::Exp) {
        let got = down(backend, &backend.elementwise(&device, function).unwrap());
        assert!(got.iter().all(|value| value.is_finite()), "{function:?}: {got}");
    }
}
