//! `classify`: class and rank of the label.

use tropix::backend::Backend;

use crate::harness::{against_the_reference, for_shapes, on_every_backend, random, reference, rows, wide};

on_every_backend!(ties_go_to_the_lowest_class, without_labels_all_ranks_are_zero);
against_the_reference!(any_shape_agrees);

fn ties_go_to_the_lowest_class<B: Backend>(backend: &B) {
    let logits = backend.upload(&rows(&[[1.0, 3.0, 2.0], [2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [0.0, 0.0, 0.0]])).unwrap();
    let labels = backend.upload_indices(&[0, 1, 0, 2]).unwrap();
    let classified = backend.classify(&logits, Some(&labels)).unwrap();
    assert_eq!(backend.download_indices(&classified.class).unwrap(), [1, 0, 0, 0]);
    assert_eq!(backend.download_indices(&classified.rank).unwrap(), [2, 1, 0, 2]);
}

fn without_labels_all_ranks_are_zero<B: Backend>(backend: &B) {
    let logits = backend.upload(&rows(&[[1.0, 3.0], [2.0, 1.0]])).unwrap();
    let classified = backend.classify(&logits, None).unwrap();
    assert_eq!(backend.download_indices(&classified.class).unwrap(), [1, 0]);
    assert_eq!(backend.download_indices(&classified.rank).unwrap(), [0, 0]);
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[n, k]: [usize; 2], seed: u64| {
        let logits = random([n, k], seed, "logits").mapv(|logit| (logit * 6.0).round());
        let labels: Vec<u32> = (0..n).map(|i| u32::try_from((i * 7 + 3) % k).unwrap()).collect();
        let up = backend.upload_indices(&labels).unwrap();
        let got = backend.classify(&backend.upload(&logits).unwrap(), Some(&up)).unwrap();
        let want = reference().classify(&wide(&logits), Some(&labels)).unwrap();
        let (class, rank) =
            (backend.download_indices(&got.class).unwrap(), backend.download_indices(&got.rank).unwrap());
        assert_eq!((&class, &rank), (&want.class, &want.rank));
        // Seen to fail: a label one further changes some rank unless there is one class only.
        if n > 0 && k > 1 {
            let other: Vec<u32> = labels.iter().map(|label| (label + 1) % u32::try_from(k).unwrap()).collect();
            let up = backend.upload_indices(&other).unwrap();
            let got = backend.classify(&backend.upload(&logits).unwrap(), Some(&up)).unwrap();
            assert_ne!(backend.download_indices(&got.rank).unwrap(), want.rank);
        }
    };
    for_shapes([0, 1], |(shape, seed)| run(shape, seed));
    run([3000, 10], 1);
}
