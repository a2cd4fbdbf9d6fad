//! `ball_step`: one step of projected gradient ascent.

use ndarray::Array2;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, bound};

on_every_backend!(steps_by_hand, steps_that_are_no_steps_are_refused);
against_the_reference!(any_shape_agrees);

fn steps_by_hand<B: Backend>(backend: &B) {
    let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    // Inside the ball, back onto its surface, and without a direction from outside and inside.
    let x = upload(&rows(&[[0.0, -3.0], [3.0, 4.0], [0.0, 8.0], [1.0, 2.0]]));
    let g = upload(&rows(&[[0.0, 4.0], [6.0, 8.0], [0.0, 0.0], [0.0, 0.0]]));
    let y = backend.ball_step(&x, &g, 5.0, 5.0).unwrap();
    // A quotient of WGSL is accurate to a few units.
    let want = wide(&rows(&[[0.0, 2.0], [3.0, 4.0], [0.0, 5.0], [1.0, 2.0]]));
    assert_close("steps", &down(backend, &y), &want, &bound(8, &want.mapv(|value| value.abs() + 5.0)));
}

fn steps_that_are_no_steps_are_refused<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1.0, 2.0]])).unwrap();
    for (step, radius) in [(f32::NAN, 1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, f32::INFINITY)] {
        assert!(backend.ball_step(&x, &x, step, radius).is_err());
    }
    assert!(backend.ball_step(&x, &backend.upload(&rows(&[[1.0]])).unwrap(), 1.0, 1.0).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0], |([n, d], seed)| {
        let (x, g) = (random([n, d], seed, "x"), random([n, d], seed, "g"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for (step, radius) in [(0.5_f32, 1.0_f32), (0.25, 100.0), (0.0, 0.5)] {
            let got = backend.ball_step(&upload(&x), &upload(&g), step, radius).unwrap();
            let want = reference().ball_step(&wide(&x), &wide(&g), step, radius).unwrap();
            // An entry moves with its own rounding and with that of the two norms; a root and a quotient of WGSL are
            // accurate to a few units.
            let norm =
                |row: ndarray::ArrayView1<'_, f32>| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let size = Array2::from_shape_fn((n, d), |(i, _)| norm(x.row(i)) + f64::from(step));
            assert_close("steps", &down(backend, &got), &want, &bound(2 * d + 24, &size));
        }
    });
}
