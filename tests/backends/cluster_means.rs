//! `cluster_means`: `c_k = sum over labels_i = k of x_i / n_k`.

use ndarray::Array2;
use rand::RngExt;
use tropix::backend::Backend;

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(means_by_hand, labels_of_no_cluster_are_left_out, one_label_for_each_point);
against_the_reference!(any_shape_agrees);

fn means_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, 0.0], [-1.0, 8.0]])).unwrap();
    let previous = backend.upload(&rows(&[[2.0, 3.0], [7.0, 1.0], [0.0, 4.0]])).unwrap();
    let labels = backend.upload_indices(&[0, 0, 2, 2]).unwrap();
    let means = backend.cluster_means(&x, &labels, &previous).unwrap();
    // The second cluster has no point and keeps its centre.
    let want = rows(&[[2.0, 3.0], [7.0, 1.0], [2.0, 4.0]]);
    assert_same("centres", &down(backend, &means.centres), &wide(&want));
    assert_eq!(backend.download_indices(&means.counts).unwrap(), [2, 0, 2]);
    assert_same("moved", &down(backend, &means.moved), &wide(&rows(&[[0.0, 0.0, 4.0]])));
    assert_same("offsets", &down(backend, &means.offsets), &wide(&rows(&[[-6.5, -25.0, -10.0]])));
}

fn labels_of_no_cluster_are_left_out<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1.0], [2.0], [4.0]])).unwrap();
    let previous = backend.upload(&rows(&[[0.0], [9.0]])).unwrap();
    let means = backend.cluster_means(&x, &backend.upload_indices(&[2, 0, u32::MAX]).unwrap(), &previous).unwrap();
    assert_same("centres", &down(backend, &means.centres), &wide(&rows(&[[2.0], [9.0]])));
    assert_eq!(backend.download_indices(&means.counts).unwrap(), [1, 0]);
}

fn one_label_for_each_point<B: Backend>(backend: &B) {
    let (x, previous) =
        (backend.upload(&random([3, 2], 0, "x")).unwrap(), backend.upload(&random([2, 2], 0, "c")).unwrap());
    assert!(backend.cluster_means(&x, &backend.upload_indices(&[0, 1]).unwrap(), &previous).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[n, k, d]: [usize; 3], seed: u64| {
        let (x, previous) = (random([n, d], seed, "x"), random([k, d], seed, "c"));
        let mut generator = tropix::rng::stream(seed, "labels");
        // One number is no cluster's.
        let labels: Vec<u32> = (0..n).map(|_| generator.random_range(0..=u32::try_from(k).unwrap())).collect();
        let marks = backend.upload_indices(&labels).unwrap();
        let got =
            backend.cluster_means(&backend.upload(&x).unwrap(), &marks, &backend.upload(&previous).unwrap()).unwrap();
        let want = reference().cluster_means(&wide(&x), &labels, &wide(&previous)).unwrap();
        assert_eq!(backend.download_indices(&got.counts).unwrap(), want.counts);
        // Means of absolute values; a centre that stays is exact.
        let means = reference().cluster_means(&sizes(&x), &labels, &sizes(&previous)).unwrap().centres;
        let largest = want.counts.iter().max().copied().unwrap_or(0) as usize;
        let errors = bound(largest + 4, &means);
        assert_close("centres", &down(backend, &got.centres), &want.centres, &errors);
        let row = |entry: &dyn Fn(usize) -> f64| Array2::from_shape_fn((1, k), |(_, cluster)| entry(cluster));
        // Of |c - p|^2: what its own sum rounds, and what c - p is off by.
        let moved = row(&|cluster| {
            let terms = (0..d).map(|j| {
                let (error, p) = (errors[[cluster, j]], f64::from(previous[[cluster, j]]));
                let change = (want.centres[[cluster, j]] - p).abs();
                let rounded = error + f64::from(f32::EPSILON) * (change + error);
                2.0 * change * rounded + rounded * rounded
            });
            let sum = bound(d + 8, &row(&|cluster| want.moved[[0, cluster]]))[[0, cluster]];
            2.0 * terms.sum::<f64>() + sum
        });
        assert_close("moved", &down(backend, &got.moved), &want.moved, &moved);
        let offsets = row(&|cluster| {
            let terms =
                (0..d).map(|j| errors[[cluster, j]] * (want.centres[[cluster, j]].abs() + errors[[cluster, j]]));
            2.0 * terms.sum::<f64>() + bound(d + 8, &row(&|cluster| -want.offsets[[0, cluster]]))[[0, cluster]]
        });
        assert_close("offsets", &down(backend, &got.offsets), &want.offsets, &offsets);
    };
    for_shapes([0, 1, 0], |(shape, seed)| run(shape, seed));
    run([900, 3, 5], 1);
    run([600, 70, 300], 2);
}
