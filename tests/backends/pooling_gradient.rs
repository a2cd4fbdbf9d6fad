//! `pooling_gradient`: what folded windows pass back.

use tropix::backend::{Backend, Pooling, Window};

use crate::harness::{against_the_reference, down, on_every_backend, random, reference, rows, sizes, wide};
use crate::images::for_windows;
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(slopes_by_hand);
against_the_reference!(slopes_of_any_window_agree);

fn slopes_by_hand<B: Backend>(backend: &B) {
    // Windows overlap, and the second one has its maximum twice: the first of the two takes all.
    let image = backend.upload(&rows(&[[1.0, 5.0, 5.0, 2.0]])).unwrap();
    let slopes = backend.upload(&rows(&[[10.0, 20.0, 40.0]])).unwrap();
    let window = Window::new([1, 1, 4], [1, 2]);
    let back = |pooling| {
        let pooled = backend.pooling(&image, &window, pooling).unwrap();
        down(backend, &backend.pooling_gradient(&image, &pooled, &slopes, &window, pooling).unwrap())
    };
    assert_same("max", &back(Pooling::Max), &wide(&rows(&[[0.0, 30.0, 40.0, 0.0]])));
    assert_same("average", &back(Pooling::Average), &wide(&rows(&[[5.0, 15.0, 30.0, 20.0]])));
    let refusal = backend.pooling_gradient(&image, &image, &slopes, &window, Pooling::Max).err().expect("a refusal");
    assert!(refusal.to_string().contains("pooled"), "{refusal}");
}

fn slopes_of_any_window_agree<B: Backend>(backend: &B) {
    for_windows(|window, n, seed| {
        // Few different values, so that maxima come up several times.
        let images = random([n, window.length()], seed, "images").mapv(|value| (3.0 * value).round());
        let up = backend.upload(&images).unwrap();
        for pooling in [Pooling::Max, Pooling::Average, Pooling::AveragePadded] {
            let Ok(pooled) = backend.pooling(&up, &window, pooling) else { return };
            let seen = down(backend, &pooled);
            let slopes = random([n, seen.ncols()], seed, "slopes");
            let got = backend.pooling_gradient(&up, &pooled, &backend.upload(&slopes).unwrap(), &window, pooling);
            let back = |slopes| reference().pooling_gradient(&wide(&images), &seen, &slopes, &window, pooling).unwrap();
            let allowed = bound(2 * window.entries() + 3, &back(sizes(&slopes)));
            assert_close("slopes", &down(backend, &got.unwrap()), &back(wide(&slopes)), &allowed);
        }
    });
}
