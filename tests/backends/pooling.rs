//! `pooling`: the entries of each window folded.

use tropix::backend::{Backend, Pooling, Window};

use crate::harness::{against_the_reference, down, on_every_backend, random, reference, rows, sizes, wide};
use crate::images::for_windows;
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(windows_by_hand, windows_in_the_padding_are_refused, a_window_as_large_as_the_image_is_global);
against_the_reference!(any_window_agrees);

fn windows_by_hand<B: Backend>(backend: &B) {
    // Two channels of 2 x 2, the second below zero: padding is no maximum.
    let image = backend.upload(&rows(&[[1.0, 2.0, 3.0, 6.0, -1.0, -2.0, -3.0, -6.0]])).unwrap();
    let window = Window { padding: [1, 1, 1, 1], stride: [2, 2], ..Window::new([2, 2, 2], [2, 2]) };
    let pool = |pooling| down(backend, &backend.pooling(&image, &window, pooling).unwrap());
    let same = [1.0, 2.0, 3.0, 6.0, -1.0, -2.0, -3.0, -6.0];
    assert_same("max", &pool(Pooling::Max), &wide(&rows(&[same])));
    assert_same("average", &pool(Pooling::Average), &wide(&rows(&[same])));
    assert_same("padded", &pool(Pooling::AveragePadded), &wide(&rows(&[same.map(|value| value / 4.0)])));
}

fn windows_in_the_padding_are_refused<B: Backend>(backend: &B) {
    let image = backend.upload(&random([1, 16], 0, "")).unwrap();
    let base = Window::new([1, 4, 4], [2, 2]);
    for padding in [[2, 0, 0, 0], [0, 0, 0, 2]] {
        let refusal = backend.pooling(&image, &Window { padding, ..base }, Pooling::Max).err().expect("a refusal");
        assert!(refusal.to_string().contains("lie in the padding alone"), "{refusal}");
    }
}

fn a_window_as_large_as_the_image_is_global<B: Backend>(backend: &B) {
    let image = backend.upload(&rows(&[[1.0, 2.0, 3.0, 4.0, 8.0, 8.0], [0.0, 3.0, 0.0, 1.0, 1.0, 1.0]])).unwrap();
    let mean = backend.pooling(&image, &Window::new([2, 1, 3], [1, 3]), Pooling::Average).unwrap();
    let want = rows(&[[2.0, 20.0 / 3.0], [1.0, 1.0]]);
    assert_close("means", &down(backend, &mean), &wide(&want), &bound(4, &wide(&want)));
}

fn any_window_agrees<B: Backend>(backend: &B) {
    for_windows(|window, n, seed| {
        let images = random([n, window.length()], seed, "images");
        let up = backend.upload(&images).unwrap();
        for pooling in [Pooling::Max, Pooling::Average, Pooling::AveragePadded] {
            let (got, want) =
                (backend.pooling(&up, &window, pooling), reference().pooling(&wide(&images), &window, pooling));
            let (got, want) = match (got, want) {
                (Ok(got), Ok(want)) => (got, want),
                // Windows in the padding are refused by all.
                (got, want) => return assert_eq!(got.is_err(), want.is_err()),
            };
            let size = reference().pooling(&sizes(&images), &window, pooling).unwrap();
            let roundings = if pooling == Pooling::Max { 0 } else { window.entries() + 3 };
            assert_close("pooling", &down(backend, &got), &want, &bound(roundings, &size));
        }
    });
}
