//! `support_function`: `<shift, u> + sum_i max(<g_i, u>, 0)`.

use ndarray::Array2;
use tropix::backend::{Activation, Backend};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(the_unit_square, a_point_is_its_shift);
against_the_reference!(any_shape_agrees);

/// The square [0, 1]^2, and the same moved by (1, -1).
fn the_unit_square<B: Backend>(backend: &B) {
    let g = backend.upload(&rows(&[[1.0, 0.0], [0.0, 1.0]])).unwrap();
    let u = backend.upload(&rows(&[[1.0, 1.0], [-1.0, -1.0], [2.0, -3.0]])).unwrap();
    let h = backend.support_function(&g, None, &u).unwrap();
    assert_same("square", &down(backend, &h), &wide(&rows(&[[2.0], [0.0], [2.0]])));
    let shift = backend.upload(&rows(&[[1.0, -1.0]])).unwrap();
    let h = backend.support_function(&g, Some(&shift), &u).unwrap();
    assert_same("moved", &down(backend, &h), &wide(&rows(&[[2.0], [0.0], [7.0]])));
}

fn a_point_is_its_shift<B: Backend>(backend: &B) {
    let g = backend.upload(&random([0, 2], 0, "")).unwrap();
    let (shift, u) = (backend.upload(&rows(&[[1.0, 2.0]])).unwrap(), backend.upload(&rows(&[[3.0, -1.0]])).unwrap());
    let h = backend.support_function(&g, Some(&shift), &u).unwrap();
    assert_same("point", &down(backend, &h), &wide(&rows(&[[1.0]])));
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[p, d, n]: [usize; 3], seed: u64| {
        let (g, shift, u) = (random([p, d], seed, "g"), random([1, d], seed, "shift"), random([n, d], seed, "u"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        let products = reference().affine(&sizes(&u), &sizes(&g), None, Activation::Identity).unwrap();
        for shift in [None, Some(&shift)] {
            let got = backend.support_function(&upload(&g), shift.map(upload).as_ref(), &upload(&u)).unwrap();
            let want = reference().support_function(&wide(&g), shift.map(wide).as_ref(), &wide(&u)).unwrap();
            let size = Array2::from_shape_fn((n, 1), |(i, _)| {
                let shift = shift.map_or(0.0, |shift| sizes(shift).row(0).dot(&sizes(&u).row(i)));
                products.row(i).sum() + shift
            });
            assert_close("support function", &down(backend, &got), &want, &bound(d + p + 2, &size));
        }
    };
    for_shapes([0, 0, 0], |(shape, seed)| run(shape, seed));
    run([300, 64, 21], 1);
}
