//! Contractions whose operands are stored in f16: within the bound of `GpuOptions::half`, and not by chance within that of f32.

use ndarray::Array2;
use tropix::backend::{Activation, Backend, Gpu, Transpose, Variant};

use crate::harness::{down, gpu_in_half, random, reference, sizes, wide};
use crate::tolerance::{assert_close, bound};

/// `2 u + u^2` with `u = 2^-10`.
const ROUNDING: f64 = 2.0 / 1024.0 + 1.0 / 1_048_576.0;

fn on_each_variant(check: impl Fn(&Gpu)) {
    for variant in [Variant::Workgroup, Variant::Direct, Variant::Broadcast] {
        check(&gpu_in_half(Some(variant), None));
        check(&gpu_in_half(Some(variant), Some(4096)));
    }
}

/// The rounding of the operands, and then that of f32.
fn half_bound(operations: usize, terms: &Array2<f64>) -> Array2<f64> {
    let rounded = bound(operations, &terms.mapv(|size| size * (1.0 + ROUNDING)));
    terms.mapv(|size| size * ROUNDING) + rounded
}

fn largest(got: &Array2<f64>, want: &Array2<f64>) -> f64 {
    got.iter().zip(want).fold(0.0, |largest: f64, (got, want)| largest.max((got - want).abs()))
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn products_keep_the_bound() {
    on_each_variant(|gpu| {
        for [n, d, m] in [[1, 1, 1], [37, 65, 29], [70, 8, 33], [3, 1000, 5]] {
            let (x, w) = (random([n, d], 1, "x"), random([m, d], 1, "w"));
            let up = |matrix: &Array2<f32>| gpu.upload(matrix).unwrap();
            let terms = sizes(&x).dot(&sizes(&w).t());
            let want = wide(&x).dot(&wide(&w).t());
            let plain = gpu.affine(&up(&x), &up(&w), None, Activation::Identity).unwrap();
            assert_close("affine", &down(gpu, &plain), &want, &half_bound(d + 2, &terms));
            let product = gpu.matmul(&up(&x), Transpose::No, &up(&w), Transpose::Yes).unwrap();
            assert_close("matmul", &down(gpu, &product), &want, &half_bound(d + 2, &terms));
            if n * d * m > 10_000 {
                // What f32 loses is far below: the operands were rounded.
                assert!(largest(&down(gpu, &plain), &want) > 1e-5);
            }
        }
    });
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn folds_keep_the_bound() {
    on_each_variant(|gpu| {
        let (n, d, m) = (45, 33, 70);
        let (x, w, c) = (random([n, d], 2, "x"), random([m, d], 2, "w"), random([1, m], 2, "c"));
        let up = |matrix: &Array2<f32>| gpu.upload(matrix).unwrap();
        let terms = sizes(&x).dot(&sizes(&w).t());
        let most =
            terms.map_axis(ndarray::Axis(1), |row| row.fold(0.0, |a: f64, b| a.max(*b))).insert_axis(ndarray::Axis(1));
        let values = gpu.tropical_eval(&up(&x), &up(&w), &up(&c)).unwrap().values;
        let want = reference().tropical_eval(&wide(&x), &wide(&w), &wide(&c)).unwrap().values;
        assert_close("tropical_eval", &down(gpu, &values), &want, &half_bound(d + 3, &most.mapv(|size| size + 1.0)));
        let all = terms.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1));
        let h = gpu.support_function(&up(&w), None, &up(&x)).unwrap();
        let want = reference().support_function(&wide(&w), None, &wide(&x)).unwrap();
        assert_close("support_function", &down(gpu, &h), &want, &half_bound(d + m, &all));
    });
}

/// There is no infinity on a device: what f16 cannot hold becomes the largest that it can.
#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn what_is_too_large_saturates() {
    let gpu = gpu_in_half(None, None);
    let (x, w) = (Array2::from_elem((1, 1), -1e6_f32), Array2::from_elem((1, 1), 2.0_f32));
    let z = gpu.affine(&gpu.upload(&x).unwrap(), &gpu.upload(&w).unwrap(), None, Activation::Identity).unwrap();
    assert_eq!(down(&gpu, &z)[(0, 0)], -131_008.0);
}
