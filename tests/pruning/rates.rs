//! Any rate is met exactly, and what should not change the order of removal does not.

use proptest::prelude::*;
use tropix::backend::{Backend, Cpu, Reference};
use tropix::network::{DeviceHead, Head, Network, Plan};
use tropix::prune::{AlternatingOptions, Method, Ranking, Target, compare_masks};

use crate::networks::{network, random, weight};

fn plan<B: Backend>(
    backend: &B,
    network: &Network,
    method: Method,
    target: Target,
    options: AlternatingOptions,
) -> Plan {
    let head = Head::of(network).unwrap();
    let device = DeviceHead::upload(backend, &head).unwrap();
    let ranking = Ranking::new(backend, &head, &device, method, 3, options).unwrap();
    let planned = ranking.plan_all(&[target]).unwrap().remove(0);
    ranking.plan(planned).unwrap().0
}

fn at_rate(network: &Network, method: Method, rate: f64) -> Plan {
    plan(&Cpu::new(), network, method, Target::Rate(rate), AlternatingOptions::default())
}

#[test]
fn every_method_meets_any_rate_to_the_weight_or_to_its_unit() {
    let net = random(&[13, 17, 11, 5], true, 1);
    let total = 13.0 * 17.0 + 17.0 * 11.0 + 11.0 * 5.0;
    for method in Method::ALL {
        // The same rate per layer or row is met to the nearest weight of each.
        let slack = match method {
            Method::ClassBlindLayer | Method::ClassDistribution | Method::Random => 1.5 / total,
            Method::ClassUniform => 0.5 * 33.0 / total,
            _ => 0.5 / total,
        };
        for rate in [0.0, 0.013, 0.25, 0.5, 0.77, 0.9, 0.98] {
            let reached = at_rate(&net, method, rate).rate();
            assert!((reached - rate).abs() <= slack + 1e-12, "{}: {reached} for {rate}", method.name());
        }
        let all = at_rate(&net, method, 1.0).rate();
        assert_eq!(all, 1.0, "{}", method.name());
    }
}

#[test]
fn class_uniform_removes_the_same_count_in_every_row() {
    let net = random(&[20, 9, 4], true, 2);
    for layer in at_rate(&net, Method::ClassUniform, 0.35).layers {
        let columns = layer.keep.shape()[1];
        // 20 - round(7) and 9 - round(3.15).
        let kept = if columns == 20 { 13 } else { 6 };
        for row in 0..layer.keep.shape()[0] {
            assert_eq!(layer.keep.kept_in_row(row), kept, "`{}` row {row}", layer.name);
        }
    }
}

#[test]
fn class_distribution_with_equal_deviations_is_class_blind_per_layer() {
    // Rows that are permutations of each other have one deviation.
    let row = [0.1_f32, -0.7, 0.3, 1.1, -0.2];
    let matrix = |rows: usize| {
        ndarray::Array2::from_shape_fn((rows, 5), |(i, j)| row[(i + j) % 5] * if i % 2 == 0 { 1.0 } else { -1.0 })
    };
    let net = network(vec![(matrix(5), None), (matrix(4), None)]);
    for rate in [0.2, 0.5, 0.8] {
        let (a, b) = (at_rate(&net, Method::ClassDistribution, rate), at_rate(&net, Method::ClassBlindLayer, rate));
        for (a, b) in a.layers.iter().zip(&b.layers) {
            assert_eq!(a.keep, b.keep);
        }
    }
    // With unequal deviations they differ: the comparison can fail.
    let net = random(&[5, 8, 4], false, 3);
    let (a, b) = (at_rate(&net, Method::ClassDistribution, 0.5), at_rate(&net, Method::ClassBlindLayer, 0.5));
    assert!(a.layers.iter().zip(&b.layers).any(|(a, b)| a.keep != b.keep));
}

/// Multiplies row `i` and bias of a hidden layer by a power of two and the column of the next layer by its inverse.
fn rescaled(net: &Network, seed: u64) -> Network {
    let head = Head::of(net).unwrap();
    let mut layers: Vec<_> = (0..head.layers.len())
        .map(|layer| (weight(net, layer), head.layers[layer].bias.as_ref().map(|bias| bias.to_vec())))
        .collect();
    for hidden in 0..layers.len() - 1 {
        for i in 0..layers[hidden].0.nrows() {
            let factor = 2.0_f32.powi(((i as u64 * 7 + seed * 3 + hidden as u64) % 7) as i32 - 3);
            layers[hidden].0.row_mut(i).mapv_inplace(|v| v * factor);
            if let Some(bias) = &mut layers[hidden].1 {
                bias[i] *= factor;
            }
            layers[hidden + 1].0.column_mut(i).mapv_inplace(|v| v / factor);
        }
    }
    network(layers)
}

fn same_masks(a: &Plan, b: &Plan) -> bool {
    a.layers.iter().zip(&b.layers).all(|(a, b)| a.keep == b.keep)
}

#[test]
fn rescaling_neurons_changes_no_tropical_mask_but_class_blind_ones() {
    for seed in 0..4 {
        // Path scores see the whole head; the row protocol sees one block, so it is invariant with one hidden layer.
        let deep = random(&[12, 16, 10, 6], true, seed);
        let block = random(&[12, 16, 6], true, seed);
        for rate in [0.3, 0.6, 0.9] {
            for (method, net) in
                [(Method::TropicalPath, &deep), (Method::TropicalPath, &block), (Method::Tropical, &block)]
            {
                let (a, b) = (at_rate(net, method, rate), at_rate(&rescaled(net, seed), method, rate));
                assert!(same_masks(&a, &b), "{} at {rate}", method.name());
            }
            let (a, b) =
                (at_rate(&deep, Method::ClassBlind, rate), at_rate(&rescaled(&deep, seed), Method::ClassBlind, rate));
            assert!(!same_masks(&a, &b));
        }
    }
}

#[test]
fn a_penalty_of_zero_keeps_all_and_one_above_every_generator_removes_all_but_one_neuron() {
    let net = random(&[6, 9, 3], true, 5);
    let options = AlternatingOptions::default();
    let cpu = Cpu::new();
    let none = plan(&cpu, &net, Method::Tropical, Target::Lambda(0.0), options);
    assert_eq!(none.rate(), 0.0);
    let all = plan(&cpu, &net, Method::Tropical, Target::Lambda(1e6), options);
    assert_eq!(all.weights(), [81, 6]);
    assert_eq!(all.layers[0].removed_rows.len(), 8);
}

#[test]
fn masks_are_nested_in_the_penalty() {
    let net = random(&[10, 14, 8, 5], true, 6);
    let options = AlternatingOptions::default();
    let plans: Vec<Plan> = [0.05, 0.1, 0.2, 0.4, 0.8]
        .iter()
        .map(|lambda| plan(&Cpu::new(), &net, Method::Tropical, Target::Lambda(*lambda), options))
        .collect();
    // Blocks beyond the first start from a pruned layer, whose generators are shorter; within the first, masks nest.
    for pair in plans.windows(2) {
        let (less, more) = (&pair[0].layers[0].keep, &pair[1].layers[0].keep);
        for (i, j) in (0..14).flat_map(|i| (0..10).map(move |j| (i, j))) {
            assert!(less.keeps(i, j) || !more.keeps(i, j));
        }
        assert!(more.kept() <= less.kept());
    }
}

#[test]
fn the_seed_changes_random_masks_and_no_others() {
    let net = random(&[8, 8, 4], true, 7);
    let head = Head::of(&net).unwrap();
    let cpu = Cpu::new();
    let device = DeviceHead::upload(&cpu, &head).unwrap();
    for method in Method::ALL {
        let masks: Vec<Plan> = [1, 2]
            .map(|seed| {
                let ranking = Ranking::new(&cpu, &head, &device, method, seed, AlternatingOptions::default()).unwrap();
                let planned = ranking.plan_all(&[Target::Rate(0.5)]).unwrap().remove(0);
                ranking.plan(planned).unwrap().0
            })
            .into();
        let same = masks[0].layers.iter().zip(&masks[1].layers).all(|(a, b)| a.keep == b.keep);
        assert_eq!(same, !method.is_random(), "{}", method.name());
    }
}

#[test]
fn a_mask_that_differs_away_from_the_cut_is_not_explained() {
    let net = random(&[9, 12, 7, 4], true, 13);
    let cpu = Cpu::new();
    let head = Head::of(&net).unwrap();
    let device = DeviceHead::upload(&cpu, &head).unwrap();
    for method in [Method::TropicalPath, Method::Tropical, Method::Lamp] {
        let ranking = Ranking::new(&cpu, &head, &device, method, 0, AlternatingOptions::default()).unwrap();
        let planned = ranking.plan_all(&[Target::Rate(0.5)]).unwrap().remove(0);
        let (mut plan, _) = ranking.plan(planned.clone()).unwrap();
        assert_eq!(compare_masks(&ranking, &planned, &plan).unwrap().differing, 0);
        // The element whose score is farthest above the cut.
        let places =
            (0..4).flat_map(|i| (0..7).map(move |j| (i, j))).filter(|(i, j)| plan.layers[2].keep.keeps(*i, *j));
        let score = |place: &(usize, usize)| ranking.nearest_cut(&planned, 2, place.0, place.1).unwrap().0;
        let (i, j) = places.max_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
        assert!(plan.layers[2].keep.remove(i, j));
        let comparison = compare_masks(&ranking, &planned, &plan).unwrap();
        assert_eq!(comparison.differing, 1);
        assert!(!comparison.explained(), "{}: {comparison:?}", method.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn host_and_reference_make_the_same_masks(
        widths in proptest::collection::vec(1_usize..24, 3..5),
        seed in 0_u64..1000,
        rate in 0.0_f64..1.0,
    ) {
        let net = random(&widths, seed % 2 == 0, seed);
        for method in Method::ALL {
            let options = AlternatingOptions::default();
            let fast = plan(&Cpu::new(), &net, method, Target::Rate(rate), options);
            let (reference, head) = (Reference::new(), Head::of(&net).unwrap());
            let device = DeviceHead::upload(&reference, &head).unwrap();
            let oracle = Ranking::new(&reference, &head, &device, method, 3, options).unwrap();
            let planned = oracle.plan_all(&[Target::Rate(rate)]).unwrap().remove(0);
            let comparison = compare_masks(&oracle, &planned, &fast).unwrap();
            prop_assert!(comparison.explained(), "{} at {rate}: {comparison:?}", method.name());
            prop_assert_eq!(planned.removed, fast.weights()[0] - fast.weights()[1]);
        }
    }
}
