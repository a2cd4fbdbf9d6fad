//! `lloyd`: on the host with bounds, elsewhere operation by operation.

use ndarray::Array2;
use tropix::backend::{Backend, Lloyd, Reference};

use crate::harness::{against_the_reference, cpu, down, on_every_backend, random, reference, rows, wide};
use crate::tolerance::assert_same;

on_every_backend!(two_clusters_by_hand, centres_and_iterations_are_needed);
against_the_reference!(separate_clusters_are_those_of_the_reference);

fn two_clusters_by_hand<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[0.0], [1.0], [4.0], [5.0], [6.0]])).unwrap();
    let centres = backend.upload(&rows(&[[0.0], [2.0], [100.0]])).unwrap();
    let found = backend.lloyd(&x, &centres, 5).unwrap();
    // 1 lies as far from 0 as from 2 and goes to the lower one; the third centre has no point and stays.
    assert_eq!(backend.download_indices(&found.labels).unwrap(), [0, 0, 1, 1, 1]);
    assert_eq!(backend.download_indices(&found.counts).unwrap(), [2, 3, 0]);
    assert_same("centres", &down(backend, &found.centres), &wide(&rows(&[[0.5], [5.0], [100.0]])));
    assert_same("moved", &down(backend, &found.moved[0]), &wide(&rows(&[[0.25, 9.0, 0.0]])));
    assert_same("moved", &down(backend, &found.moved[1]), &wide(&rows(&[[0.0, 0.0, 0.0]])));
}

fn centres_and_iterations_are_needed<B: Backend>(backend: &B) {
    let x = backend.upload(&random([3, 2], 0, "x")).unwrap();
    let centres = |count: usize| backend.upload(&random([count, 2], 0, "c")).unwrap();
    assert!(backend.lloyd(&x, &centres(0), 1).is_err());
    assert!(backend.lloyd(&x, &centres(2), 0).is_err());
}

/// `n` points around `groups` far corners, and `k` of them as centres.
fn clustered([n, d, k]: [usize; 3], groups: usize, noise: f32, seed: u64) -> (Array2<f32>, Array2<f32>) {
    let (corners, near) = (random([groups, d], seed, "corners"), random([n, d], seed, "near"));
    let x = Array2::from_shape_fn((n, d), |(i, j)| corners[[i % groups, j]] + noise * near[[i, j]]);
    let centres = Array2::from_shape_fn((k, d), |(c, j)| x[[(7 * c) % n, j]]);
    (x, centres)
}

fn separate_clusters_are_those_of_the_reference<B: Backend>(backend: &B) {
    for [n, d, k] in [[60, 3, 6], [90, 40, 9], [80, 200, 4]] {
        let (x, centres) = clustered([n, d, k], k, 0.01, 3);
        let run = backend.lloyd(&backend.upload(&x).unwrap(), &backend.upload(&centres).unwrap(), 6).unwrap();
        let want = reference().lloyd(&wide(&x), &wide(&centres), 6).unwrap();
        assert_eq!(backend.download_indices(&run.labels).unwrap(), want.labels, "{n} x {d}");
        assert_eq!(backend.download_indices(&run.counts).unwrap(), want.counts);
    }
}

/// The plain method on the host: assignment and means as two operations.
fn plain(x: &Array2<f32>, centres: &Array2<f32>, iterations: usize) -> (Vec<u32>, Array2<f64>, usize) {
    let host = cpu();
    let (x, centres) = (host.upload(x).unwrap(), host.upload(centres).unwrap());
    let each: Vec<u32> = (0..).take(host.shape(&centres)[0]).collect();
    let mut means = host.cluster_means(&centres, &each, &centres).unwrap();
    let mut labels = Vec::new();
    for done in 0..iterations {
        labels = host.tropical_eval(&x, &means.centres, &means.offsets).unwrap().arguments;
        means = host.cluster_means(&x, &labels, &means.centres).unwrap();
        if host.download(&means.moved).unwrap().iter().all(|moved| *moved == 0.0) {
            return (labels, host.download(&means.centres).unwrap(), done + 1);
        }
    }
    (labels, host.download(&means.centres).unwrap(), iterations)
}

#[test]
fn bounds_change_no_label_and_no_bit_of_a_centre() {
    for (shape, groups, noise) in [
        ([400, 20, 30], 8, 0.3),
        ([400, 64, 100], 5, 1.0),
        ([700, 33, 257], 700, 0.0),
        // Copies of a few points: nearly all distances are ties.
        ([300, 16, 50], 7, 0.0),
        ([500, 600, 40], 10, 0.5),
        ([300, 9, 17], 3, 2.0),
        ([90, 5, 10], 3, 0.5),
        // No structure at all, half of the points as centres; all of them; two.
        ([300, 70, 150], 300, 0.0),
        ([200, 40, 200], 200, 0.0),
        ([200, 40, 2], 9, 0.3),
    ] {
        for seed in 0..4 {
            let (x, centres) = clustered(shape, groups, noise, seed);
            for iterations in [1, 2, 3, 25] {
                let found: Lloyd<_, _> =
                    cpu().lloyd(&cpu().upload(&x).unwrap(), &cpu().upload(&centres).unwrap(), iterations).unwrap();
                let (labels, want, done) = plain(&x, &centres, iterations);
                assert_eq!(found.labels, labels, "{shape:?} seed {seed}, {iterations} iterations");
                assert_eq!(down(cpu(), &found.centres), want, "{shape:?} seed {seed}, {iterations} iterations");
                // Short rows go without bounds, and without a look at the end.
                assert!(found.moved.len() == done || shape[1] <= 8, "{shape:?}: {} of {done}", found.moved.len());
            }
        }
    }
}

/// Both methods on the same data.
fn assert_plain(case: &str, x: &Array2<f32>, centres: &Array2<f32>) {
    for iterations in [1, 2, 4] {
        let host = cpu();
        let found = host.lloyd(&host.upload(x).unwrap(), &host.upload(centres).unwrap(), iterations).unwrap();
        let (labels, want, _) = plain(x, centres, iterations);
        assert_eq!(found.labels, labels, "{case}, {iterations} iterations");
        assert_eq!(down(host, &found.centres), want, "{case}, {iterations} iterations");
    }
}

#[test]
fn seeds_keep_the_labels_that_rounding_gives_them() {
    let x = random([200, 48], 5, "x");
    let half = x.select(ndarray::Axis(0), &(0..100).map(|k| (3 * k) % 200).collect::<Vec<_>>());
    // Some centres are points, others lie between them.
    let mut mixed = half.clone();
    mixed.rows_mut().into_iter().step_by(3).for_each(|mut row| row *= 0.9);
    assert_plain("mixed", &x, &mixed);
    // Neighbours that differ in one last bit, far from the origin: their values are ties or the wrong way round.
    let far = &x * 1e-6 + 50.0;
    assert_plain("far from the origin", &far, &far.select(ndarray::Axis(0), &(0..60).collect::<Vec<_>>()));
    let mut close = half.clone();
    for k in (1..100).step_by(2) {
        let mut row = half.row(k - 1).to_owned();
        row[k % 48] = row[k % 48].next_up();
        close.row_mut(k).assign(&row);
    }
    assert_plain("last bits", &x, &close);
    // Products below the least number are zeros, and all values ties.
    assert_plain("underflow", &(&x * 1e-24), &(&half * 1e-24));
    // Sums that overflow.
    assert_plain("overflow", &(&x * 1e19), &(&half * 1e19));
}

#[test]
fn the_inertia_never_rises() {
    let (x, centres) = clustered([200, 6, 12], 20, 0.6, 1);
    let inertia = |iterations: usize| {
        let oracle = Reference::new();
        let found = oracle.lloyd(&wide(&x), &wide(&centres), iterations).unwrap();
        let rows = wide(&x);
        let of = |(i, label): (usize, &u32)| {
            let gap = &rows.row(i) - &found.centres.row(*label as usize);
            gap.dot(&gap)
        };
        found.labels.iter().enumerate().map(of).sum::<f64>()
    };
    let values: Vec<f64> = (1..8).map(inertia).collect();
    assert!(values.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9), "{values:?}");
}
