//! `cross_entropy`: losses of the softmax and their gradient.

use ndarray::Array2;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, bound};

on_every_backend!(losses_by_hand, large_logits_do_not_overflow, what_does_not_fit_is_refused);
against_the_reference!(any_shape_agrees);

fn losses_by_hand<B: Backend>(backend: &B) {
    let logits = backend.upload(&rows(&[[0.0, 0.0], [3.0_f32.ln(), 0.0]])).unwrap();
    let labels = backend.upload_indices(&[1, 0]).unwrap();
    let found = backend.cross_entropy(&logits, &labels).unwrap();
    let close = |what: &str, matrix, want: Array2<f64>| {
        assert_close(what, &down(backend, matrix), &want, &bound(34, &Array2::from_elem(want.raw_dim(), 2.1)));
    };
    close("losses", &found.losses, Array2::from_shape_vec((2, 1), vec![2.0_f64.ln(), (4.0_f64 / 3.0).ln()]).unwrap());
    let want = Array2::from_shape_vec((2, 2), vec![0.25, -0.25, -0.125, 0.125]).unwrap();
    close("gradient", &found.gradient, want);
}

fn large_logits_do_not_overflow<B: Backend>(backend: &B) {
    let logits = backend.upload(&rows(&[[1000.0, -1000.0]])).unwrap();
    let labels = backend.upload_indices(&[1]).unwrap();
    let found = backend.cross_entropy(&logits, &labels).unwrap();
    assert_eq!(down(backend, &found.losses)[[0, 0]], 2000.0);
    assert_eq!(down(backend, &found.gradient).into_raw_vec_and_offset().0, [1.0, -1.0]);
}

fn what_does_not_fit_is_refused<B: Backend>(backend: &B) {
    let logits = backend.upload(&random([3, 2], 0, "z")).unwrap();
    let labels = backend.upload_indices(&[1, 0]).unwrap();
    let refusal = backend.cross_entropy(&logits, &labels).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`cross_entropy`: `labels` has shape [2, 1], expected 3 x 1");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1], |([n, k], seed)| {
        let logits = random([n, k], seed, "logits").mapv(|logit| logit * 8.0);
        let labels: Vec<u32> = (0..n).map(|i| u32::try_from((i * 7 + 3) % k).unwrap()).collect();
        let up = backend.upload_indices(&labels).unwrap();
        let got = backend.cross_entropy(&backend.upload(&logits).unwrap(), &up).unwrap();
        let want = reference().cross_entropy(&wide(&logits), &labels).unwrap();
        // 1 + max |z|, of one sample and of the mean over all.
        let largest = |i: usize| 1.0 + logits.row(i).iter().fold(0.0_f64, |most, z| most.max(f64::from(z.abs())));
        let size = Array2::from_shape_fn((n, 1), |(i, _)| largest(i));
        assert_close("losses", &down(backend, &got.losses), &want.losses, &bound(k + 32, &size));
        let size = Array2::from_shape_fn((n, k), |(i, _)| largest(i) / n as f64);
        assert_close("gradient", &down(backend, &got.gradient), &want.gradient, &bound(k + 32, &size));
    });
}
