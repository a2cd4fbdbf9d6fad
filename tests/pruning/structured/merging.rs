//! `TropNNC` and its predecessors (properties 2, 3, 4, 7 and 8 of the method's theory), and k-means.

use ndarray::{Array2, Axis, array, concatenate};
use tropix::backend::{Cpu, Gpu, GpuOptions, Reference};
use tropix::network::{Network, Pair, StepKind, UnitPlan, UnitStep, apply_units, sites};
use tropix::prune::structured::{KMeansOptions, UnitMethod, UnitOptions, kmeans, reduce_units};

use super::plans::reduce;
use crate::networks::{distance, inputs, logits, network, random, weight};

fn bias(network: &Network, layer: usize) -> Vec<f32> {
    tropix::network::Head::of(network).unwrap().layers[layer].bias.as_ref().unwrap().to_vec()
}

/// A network whose hidden units are `copies` multiples of each unit of a smaller one.
fn with_copies(net: &Network, copies: usize) -> Network {
    let (a, c, b, beta) = (weight(net, 0), weight(net, 1), bias(net, 0), bias(net, 1));
    let n = a.nrows();
    let scale = |at: usize| [1.0_f32, 2.0, 0.5, 3.0][at / n % 4];
    let rows = Array2::from_shape_fn((n * copies, a.ncols()), |(i, j)| a[[i % n, j]] * scale(i));
    let share = 1.0 / copies as f32;
    let next = Array2::from_shape_fn((c.nrows(), n * copies), |(j, i)| c[[j, i % n]] * share / scale(i));
    let biases = (0..n * copies).map(|i| b[i % n] * scale(i)).collect();
    network(vec![(rows, Some(biases)), (next, Some(beta))])
}

fn raw(method: UnitMethod, keep: f64) -> UnitOptions {
    UnitOptions { lossless: false, ..UnitOptions::new(method, keep) }
}

#[test]
fn multiples_of_a_unit_are_merged_exactly_and_by_means_they_are_not() {
    let small = random(&[5, 6, 3], true, 21);
    let large = with_copies(&small, 4);
    let x = inputs(50, 5, 21);
    let want = logits(&small, &x);
    for method in [
        UnitMethod::Tropnnc,
        UnitMethod::TropnncNet,
        UnitMethod::TropnncNetOuter,
        UnitMethod::TropnncSplit,
        UnitMethod::TropnncSplitOuter,
        UnitMethod::TropnncThreshold,
        UnitMethod::TropnncAverage,
    ] {
        let walked = reduce(&large, &raw(method, 0.25));
        assert_eq!(walked.layers[0].after, 6);
        assert!(distance(&logits(&walked.network, &x), &want) < 1e-4, "{}", method.name());
    }
    let walked = reduce(&large, &raw(UnitMethod::MisiakosPath, 0.25));
    assert!(distance(&logits(&walked.network, &x), &want) > 0.1, "N copies become one and not N");
}

#[test]
fn sums_of_one_sign_stay_below_and_differ_evenly() {
    // All outgoing weights positive, one output: one zonotope.
    let net = random(&[4, 20, 1], true, 22);
    let positive = weight(&net, 1).mapv(f32::abs);
    let net = network(vec![(weight(&net, 0), Some(bias(&net, 0))), (positive, Some(vec![0.5]))]);
    let walked = reduce(&net, &raw(UnitMethod::Tropnnc, 0.3));
    assert_eq!(walked.layers[0].after, 6);
    let x = inputs(300, 4, 22);
    let gap = logits(&net, &x) - logits(&walked.network, &x);
    assert!(gap.iter().all(|gap| *gap >= -1e-5), "the sum of a cluster lies below");
    assert!(gap.iter().any(|gap| *gap > 1e-2), "and the comparison can fail");
    // The sum of c_i w_i is kept, so that f - f~ takes the same value at an augmented point and its opposite.
    let sum = |net: &Network| {
        let (a, b, c) = (weight(net, 0).mapv(f64::from), bias(net, 0), weight(net, 1).mapv(f64::from));
        let b = Array2::from_shape_fn((b.len(), 1), |(i, _)| f64::from(b[i]));
        c.dot(&concatenate(Axis(1), &[a.view(), b.view()]).unwrap())
    };
    assert!(distance(&sum(&net), &sum(&walked.network)) < 1e-5);
}

/// Property 4: sums of clusters keep `sum_i c_i w_i`, and `relu(z) - relu(-z) = z`, so that `f - f~` takes one value at an
/// augmented point and at its opposite. A network without biases, the last input its constant, has augmented points for
/// inputs.
#[test]
fn what_sums_of_clusters_change_is_even() {
    let net = random(&[5, 20, 1], false, 27);
    let x = inputs(300, 5, 27);
    let gap = |method: UnitMethod, x: &Array2<f32>| {
        let walked = reduce(&net, &raw(method, 0.3));
        assert_eq!(walked.layers[0].after, 6);
        logits(&net, x) - logits(&walked.network, x)
    };
    let opposite = x.mapv(|value| -value);
    let largest = gap(UnitMethod::Tropnnc, &x).iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
    assert!(largest > 0.05, "something has changed");
    assert!(distance(&gap(UnitMethod::Tropnnc, &x), &gap(UnitMethod::Tropnnc, &opposite)) < 1e-5 * largest.max(1.0));
    let means = UnitMethod::MisiakosZonotope;
    assert!(distance(&gap(means, &x), &gap(means, &opposite)) > 0.1, "means do not keep the sum");
}

#[test]
fn scaling_units_changes_no_cluster_of_the_balanced_gauge() {
    let net = random(&[6, 30, 4], true, 23);
    let (found, _) = sites(&net).unwrap();
    let mut pair = Pair::read(&net, &found[0]).unwrap();
    for i in 0..30 {
        let factor = [0.0625, 0.5, 1.0, 4.0, 16.0][i % 5];
        pair.rows.row_mut(i).mapv_inplace(|a| a * factor);
        pair.bias[i] *= factor;
        pair.next.column_mut(i).mapv_inplace(|c| c / factor);
    }
    let all: Vec<usize> = (0..30).collect();
    let step = UnitStep { site: found[0].clone(), kind: StepKind::Lossless, reduced: pair.select(&all) };
    let scaled = apply_units(&net, &UnitPlan { steps: vec![step] }).unwrap();
    let x = inputs(40, 6, 23);
    let clusters = |net: &Network, method| {
        let walked = reduce(net, &raw(method, 0.3));
        (walked.plan.steps[0].reduced.assignment.clone(), logits(&walked.network, &x))
    };
    for method in [
        UnitMethod::Tropnnc,
        UnitMethod::TropnncNet,
        UnitMethod::TropnncNetOuter,
        UnitMethod::TropnncSplit,
        UnitMethod::TropnncSplitOuter,
    ] {
        let (a, b) = (clusters(&net, method), clusters(&scaled, method));
        assert_eq!(a.0, b.0, "{}", method.name());
        assert!(distance(&a.1, &b.1) < 1e-3, "{}", method.name());
    }
    for method in [UnitMethod::TropnncRaw, UnitMethod::TropnncNetRaw, UnitMethod::TropnncSplitRaw] {
        let differs = clusters(&net, method).0 != clusters(&scaled, method).0;
        assert!(differs, "the raw gauge does change: {}", method.name());
    }
}

#[test]
fn the_order_of_units_does_not_matter() {
    let net = random(&[5, 24, 3], true, 24);
    let order: Vec<usize> = (0..24).map(|i| i * 7 % 24).collect();
    let b = bias(&net, 0);
    let turned = network(vec![
        (weight(&net, 0).select(Axis(0), &order), Some(order.iter().map(|i| b[*i]).collect())),
        (weight(&net, 1).select(Axis(1), &order), Some(bias(&net, 1))),
    ]);
    let x = inputs(40, 5, 24);
    for method in
        [UnitMethod::Tropnnc, UnitMethod::TropnncSplit, UnitMethod::TropnncThreshold, UnitMethod::GreedyGaussian]
    {
        let run = |net: &Network| logits(&reduce(net, &raw(method, 0.3)).network, &x);
        assert!(distance(&run(&net), &run(&turned)) < 1e-4, "{}", method.name());
    }
}

#[test]
fn one_threshold_meets_the_budget() {
    let net = random(&[6, 40, 30, 4], true, 25);
    for method in [UnitMethod::TropnncThreshold, UnitMethod::TropnncAverage] {
        let mut last = usize::MAX;
        for (keep, want) in [(0.9, 63), (0.6, 42), (0.3, 21), (0.1, 7)] {
            let walked = reduce(&net, &raw(method, keep));
            let units: usize = walked.layers.iter().map(|layer| layer.after).sum();
            assert!(units.abs_diff(want) <= 1_usize && units < last, "{units}, wanted {want}");
            last = units;
        }
    }
}

#[test]
fn zonotopes_of_several_outputs_are_refused_and_of_one_are_merged() {
    let error = reduce_units(
        &Cpu::new(),
        &random(&[4, 8, 3], true, 26),
        None,
        &UnitOptions::new(UnitMethod::MisiakosZonotope, 0.5),
        &(),
    );
    assert!(error.unwrap_err().to_string().contains("misiakos-path"));
    let walked = reduce(&random(&[4, 8, 1], true, 26), &UnitOptions::new(UnitMethod::MisiakosZonotope, 0.5));
    assert_eq!(walked.layers[0].after, 4);
}

#[test]
fn clusters_that_lie_apart_are_found_on_every_backend() {
    let centres = array![[0.0_f32, 0.0, 9.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [9.0, 9.0, 9.0]];
    let noise = inputs(80, 3, 27);
    let points = Array2::from_shape_fn((80, 3), |(i, j)| centres[[i % 4, j]] + 0.2 * noise[[i, j]]);
    let options = KMeansOptions::new(4, 5);
    let found = kmeans(&Reference::new(), &points, &options).unwrap();
    assert_eq!(found.assignment, (0..80).map(|i| i % 4).collect::<Vec<_>>());
    for cluster in 0..4 {
        let own: Vec<usize> = (0..80).filter(|i| i % 4 == cluster).collect();
        let mean = points.select(Axis(0), &own).mapv(f64::from).mean_axis(Axis(0)).unwrap();
        assert!((&found.centres.row(cluster) - &mean).iter().all(|gap| gap.abs() < 1e-9));
    }
    let cpu = kmeans(&Cpu::new(), &points, &options).unwrap();
    assert_eq!(cpu.assignment, found.assignment);
    assert_eq!(kmeans(&Cpu::new(), &points, &options).unwrap().centres, cpu.centres, "the same bytes again");
    if cfg!(not(no_adapter)) {
        let gpu = Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap();
        assert_eq!(kmeans(&gpu, &points, &options).unwrap().assignment, found.assignment);
    }
}

#[test]
fn as_many_clusters_as_points_cost_nothing_and_copies_fill_empty_clusters() {
    let points = inputs(12, 4, 28);
    let found = kmeans(&Cpu::new(), &points, &KMeansOptions::new(12, 0)).unwrap();
    assert_eq!((found.inertia, found.assignment), (0.0, (0..12).collect::<Vec<_>>()));
    let copies = Array2::from_shape_fn((10, 4), |(i, j)| points[[i % 2, j]]);
    let found = kmeans(&Cpu::new(), &copies, &KMeansOptions::new(5, 0)).unwrap();
    assert_eq!(found.inertia, 0.0);
    assert_eq!((0..5).filter(|k| found.assignment.contains(k)).count(), 5, "no cluster is empty");
}

/// As many points as there are kinds, and more clusters than kinds: some stay empty on the device, whatever the rounds.
#[test]
fn seeds_that_leave_clusters_empty_end_without_one() {
    let kinds = inputs(40, 30, 29);
    let points = Array2::from_shape_fn((120, 30), |(i, j)| kinds[[i % 40, j]]);
    for clusters in [39, 40, 45] {
        let found = kmeans(&Cpu::new(), &points, &KMeansOptions::new(clusters, 3)).unwrap();
        assert_eq!((0..clusters).filter(|k| found.assignment.contains(k)).count(), clusters);
        assert_eq!(found.inertia == 0.0, clusters >= 40, "{clusters}: {}", found.inertia);
    }
}
