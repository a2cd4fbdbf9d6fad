//! `adam_step`: one step of Adam.

use ndarray::{Array2, Zip};
use tropix::backend::{Adam, Backend};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, bound};

const ADAM: Adam = Adam { rate: 0.5, decays: [0.5, 0.75], epsilon: 1e-3, step: 1 };

on_every_backend!(first_steps_by_hand, settings_are_checked);
against_the_reference!(any_shape_agrees);

fn first_steps_by_hand<B: Backend>(backend: &B) {
    let upload = |values: [f32; 3]| backend.upload(&rows(&[values])).unwrap();
    let (w, g, zero) = (upload([1.0, 0.0, -2.0]), upload([4.0, 0.0, -2.0]), upload([0.0; 3]));
    // In the first step the corrected means are g and g^2: every weight moves by nearly the rate against its slope.
    let state = backend.adam_step(&w, &g, [&zero, &zero], ADAM).unwrap();
    let close = |what: &str, matrix, want: [f64; 3]| {
        let want = Array2::from_shape_vec((1, 3), want.to_vec()).unwrap();
        assert_close(what, &down(backend, matrix), &want, &bound(24, &want.mapv(|value| value.abs() + 1.0)));
    };
    close("weights", &state.weights, [1.0 - 0.5 * 4.0 / 4.001, 0.0, -2.0 + 0.5 * 2.0 / 2.001]);
    close("mean", &state.mean, [2.0, 0.0, -1.0]);
    close("square", &state.square, [4.0, 0.0, 1.0]);
    assert_eq!(down(backend, &state.weights)[[0, 1]], 0.0, "a weight without a slope stays");
}

fn settings_are_checked<B: Backend>(backend: &B) {
    let w = backend.upload(&rows(&[[1.0]])).unwrap();
    for wrong in [
        Adam { rate: f32::NAN, ..ADAM },
        Adam { decays: [1.0, 0.5], ..ADAM },
        Adam { epsilon: 0.0, ..ADAM },
        Adam { step: 0, ..ADAM },
    ] {
        assert!(backend.adam_step(&w, &w, [&w, &w], wrong).is_err(), "{wrong:?}");
    }
    let two = backend.upload(&rows(&[[1.0, 2.0]])).unwrap();
    assert!(backend.adam_step(&w, &w, [&w, &two], ADAM).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0], |([n, m], seed)| {
        let [w, g, mean] = ["w", "g", "mean"].map(|name| random([n, m], seed, name));
        let square = random([n, m], seed, "square").mapv(f32::abs);
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        let adam = Adam { rate: 0.01, decays: [0.9, 0.999], epsilon: 1e-3, step: 7 };
        let got = backend.adam_step(&upload(&w), &upload(&g), [&upload(&mean), &upload(&square)], adam).unwrap();
        let want = reference().adam_step(&wide(&w), &wide(&g), [&wide(&mean), &wide(&square)], adam).unwrap();
        let size = |weights: &Array2<f64>| weights.mapv(f64::abs);
        let mean_size = size(&wide(&mean)) * 0.9 + size(&wide(&g)) * 0.1;
        assert_close("mean", &down(backend, &got.mean), &want.mean, &bound(4, &mean_size));
        assert_close("square", &down(backend, &got.square), &want.square, &bound(6, &want.square));
        // The step carries the rounding of the mean, and of a root and quotients, which WGSL computes to a few units.
        let [c1, c2] = adam.decays.map(|decay| 1.0 - f64::from(decay).powi(7));
        let mut step = size(&wide(&w));
        Zip::from(&mut step).and(&mean_size).and(&want.square).for_each(|step, mean, square| {
            *step += 0.01 * (mean / c1) / ((square / c2).sqrt() + 1e-3);
        });
        assert_close("weights", &down(backend, &got.weights), &want.weights, &bound(24, &step));
    });
}
