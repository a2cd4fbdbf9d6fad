//! Problem (2): the alternation against its closed form.

use ndarray::{Array2, array};
use tropix::backend::{Backend, Cpu, HalfStep, Reference};
use tropix::network::{DeviceHead, Head};
use tropix::prune::{AlternatingOptions, KeptWeights, Method, Objective, Ranking, Target};

use crate::networks::{inputs, logits, normal, random, weight};

fn example(p: usize, k: usize, seed: u64) -> (Array2<f32>, Array2<f32>) {
    let mut generator = tropix::rng::stream(seed, "alternation");
    let norms = Array2::from_shape_fn((1, p), |_| normal(&mut generator).abs() + 0.1);
    let targets = Array2::from_shape_fn((k, p), |_| normal(&mut generator).abs());
    (norms, targets)
}

fn run<B: Backend>(
    backend: &B,
    norms: &Array2<f32>,
    targets: &Array2<f32>,
    lambda: f32,
    first: HalfStep,
    steps: usize,
) -> (Array2<f64>, Array2<f64>, Array2<f64>) {
    let norms = backend.upload(norms).unwrap();
    let targets = backend.upload(targets).unwrap();
    let update = backend.row_update(&norms, &targets, lambda, first, steps).unwrap();
    let down = |matrix| backend.download(matrix).unwrap();
    (down(&update.scale), down(&update.elements), down(&update.objective))
}

#[test]
fn elements_first_reaches_the_soft_threshold_of_every_generator_in_one_half_step() {
    let (norms, targets) = example(40, 6, 1);
    let lambda = 0.6_f32;
    let (scale, elements, objective) = run(&Reference::new(), &norms, &targets, lambda, HalfStep::Elements, 4);
    for ((j, i), element) in elements.indexed_iter() {
        let norm = f64::from(norms[[0, i]]);
        let expected = (f64::from(targets[[j, i]]) * norm - f64::from(lambda)).max(0.0);
        assert!((element * scale[[0, i]] * norm - expected).abs() < 1e-12);
    }
    let totals: Vec<f64> = objective.rows().into_iter().map(|row| row.sum()).collect();
    assert!(totals[1] < totals[0]);
    assert!(totals[2..].iter().all(|total| (total - totals[1]).abs() < 1e-9 * totals[1]), "{totals:?}");
}

#[test]
fn the_objective_never_rises_and_rows_first_ends_above_elements_first_by_the_neurons_it_kills() {
    let (norms, targets) = example(60, 5, 2);
    let lambda = 0.8_f32;
    let (_, _, best) = run(&Reference::new(), &norms, &targets, lambda, HalfStep::Elements, 6);
    let (scale, _, rows) = run(&Reference::new(), &norms, &targets, lambda, HalfStep::Rows, 6);
    for objective in [&best, &rows] {
        for neuron in objective.columns() {
            for pair in neuron.to_vec().windows(2) {
                assert!(pair[1] <= pair[0] * (1.0 + 1e-12) + 1e-12, "{pair:?}");
            }
        }
    }
    let mut killed = 0;
    for i in 0..norms.ncols() {
        let longest = targets.column(i).iter().fold(0.0_f32, |a, b| a.max(*b)) * norms[[0, i]];
        let gap = rows[[6, i]] - best[[6, i]];
        if scale[[0, i]] == 0.0 && longest > lambda {
            killed += 1;
            assert!(gap > 0.0, "a killed neuron is a stationary point above the minimum");
        } else {
            assert!(gap.abs() < 1e-9, "neuron {i}: {gap}");
        }
    }
    assert!(killed > 0, "the example has to show the difference");
}

#[test]
fn cpu_agrees_with_the_reference_along_the_alternation() {
    let (norms, targets) = example(33, 7, 3);
    for first in [HalfStep::Rows, HalfStep::Elements] {
        let (_, _, exact) = run(&Reference::new(), &norms, &targets, 0.5, first, 5);
        let (_, _, fast) = run(&Cpu::new(), &norms, &targets, 0.5, first, 5);
        for (a, b) in exact.iter().zip(&fast) {
            assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0), "{a} {b}");
        }
    }
}

#[test]
fn a_random_perturbation_never_lowers_the_objective_at_the_minimum() {
    let (norms, targets) = example(8, 3, 4);
    let lambda = 0.4;
    let cost = |products: &Array2<f64>| -> f64 {
        products
            .indexed_iter()
            .map(|((j, i), tau)| {
                let target = f64::from(targets[[j, i]]) * f64::from(norms[[0, i]]);
                0.5 * (tau - target).powi(2) + lambda * tau
            })
            .sum()
    };
    let (scale, elements, _) = run(&Reference::new(), &norms, &targets, 0.4, HalfStep::Elements, 1);
    let best =
        Array2::from_shape_fn(elements.raw_dim(), |(j, i)| elements[[j, i]] * scale[[0, i]] * f64::from(norms[[0, i]]));
    let mut generator = tropix::rng::stream(5, "perturb");
    for _ in 0..500 {
        let moved = best.mapv(|tau| (tau + 0.05 * f64::from(normal(&mut generator))).max(0.0));
        assert!(cost(&moved) >= cost(&best) - 1e-9);
    }
}

#[test]
fn the_order_of_steps_decides_which_rows_go() {
    // One strong and many weak outgoing weights: the weighted mean r_i lies far below the longest generator.
    let a = array![[1.0_f32, 0.0], [0.0, 1.0]];
    let mut b = Array2::from_elem((10, 2), 0.05_f32);
    b[[0, 0]] = 1.0;
    b.column_mut(1).fill(0.75);
    let net = crate::networks::network(vec![(a, None), (b, None)]);
    let head = Head::of(&net).unwrap();
    let cpu = Cpu::new();
    let device = DeviceHead::upload(&cpu, &head).unwrap();
    // r_0 = (1 + 9 * 0.0025) / 1.45 = 0.705 <= lambda < 1 = the longest generator of neuron 0.
    let rows = |first| {
        let options = AlternatingOptions { first, ..AlternatingOptions::default() };
        let ranking = Ranking::new(&cpu, &head, &device, Method::Tropical, 0, options).unwrap();
        let planned = ranking.plan_all(&[Target::Lambda(0.72)]).unwrap().remove(0);
        let (plan, trace) = ranking.plan(planned).unwrap();
        (plan.layers[0].removed_rows.clone(), trace[0].killed_early)
    };
    assert_eq!(rows(HalfStep::Rows), (vec![0], 1));
    assert_eq!(rows(HalfStep::Elements), (vec![], 0));
}

#[test]
fn shrunk_weights_are_the_minimisers_and_bound_the_change_of_every_logit() {
    let net = random(&[7, 12, 4], true, 8);
    let head = Head::of(&net).unwrap();
    let cpu = Cpu::new();
    let device = DeviceHead::upload(&cpu, &head).unwrap();
    let options =
        AlternatingOptions { kept: KeptWeights::Shrunk, first: HalfStep::Elements, ..AlternatingOptions::default() };
    let lambda = 0.3;
    let ranking = Ranking::new(&cpu, &head, &device, Method::Tropical, 0, options).unwrap();
    let planned = ranking.plan_all(&[Target::Lambda(lambda)]).unwrap().remove(0);
    let (plan, _) = ranking.plan(planned).unwrap();
    let small =
        tropix::network::apply(&net, &head, &plan, tropix::network::ApplyOptions { compact: false, min_keep: 1 })
            .unwrap();
    let (a, b) = (weight(&net, 0), weight(&net, 1));
    let c = head.layers[0].bias.as_ref().unwrap().to_vec();
    let (new_a, new_b) = (weight(&small.network, 0), weight(&small.network, 1));
    // Every generator (j, i) moves by min(lambda, its length) along itself; sum over i bounds the logit per unit of (x, 1).
    let mut moved = [0.0_f64; 4];
    for (j, total) in moved.iter_mut().enumerate() {
        for i in 0..12 {
            let norm = (a.row(i).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() + f64::from(c[i]).powi(2)).sqrt();
            let length = f64::from(b[[j, i]].abs()) * norm;
            *total += length.min(lambda);
            let scale = if a[[i, 0]] == 0.0 { 1.0 } else { f64::from(new_a[[i, 0]] / a[[i, 0]]) };
            let new_length = f64::from(new_b[[j, i]].abs()) * norm * scale;
            assert!((new_length - (length - lambda).max(0.0)).abs() < 1e-5, "{new_length} {length}");
        }
    }
    let x = inputs(200, 7, 9);
    let (before, after) = (logits(&net, &x), logits(&small.network, &x));
    for (sample, row) in x.rows().into_iter().enumerate() {
        let size = (row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() + 1.0).sqrt();
        for j in 0..4 {
            assert!((before[[sample, j]] - after[[sample, j]]).abs() <= size * moved[j] * (1.0 + 1e-5));
        }
    }
}

#[test]
fn binary_rows_go_where_the_two_class_formulas_say_with_and_without_biases() {
    for (seed, biases, in_generator) in [(20, true, true), (21, true, false), (22, false, true)] {
        let net = random(&[4, 30, 2], biases, seed);
        let head = Head::of(&net).unwrap();
        let (a, b) = (weight(&net, 0), weight(&net, 1));
        let c = head.layers[0].bias.as_ref().map_or_else(|| vec![0.0; 30], |bias| bias.to_vec());
        let cpu = Cpu::new();
        let device = DeviceHead::upload(&cpu, &head).unwrap();
        for (objective, lambda) in [(Objective::Coupled, 0.9_f64), (Objective::Decoupled, 0.5)] {
            let options =
                AlternatingOptions { objective, bias_in_generator: in_generator, ..AlternatingOptions::default() };
            let ranking = Ranking::new(&cpu, &head, &device, Method::Tropical, 0, options).unwrap();
            let planned = ranking.plan_all(&[Target::Lambda(lambda)]).unwrap().remove(0);
            let (plan, _) = ranking.plan(planned).unwrap();
            let expected: Vec<usize> = (0..30)
                .filter(|i| {
                    let constant = if in_generator { f64::from(c[*i]) } else { 0.0 };
                    let square: f64 = a.row(*i).iter().map(|v| f64::from(*v).powi(2)).sum();
                    let norm = (square + constant * constant).sqrt();
                    let (b1, b2) = (f64::from(b[[0, *i]]), f64::from(b[[1, *i]]));
                    // Corollary 1: w_1 = B_1+ + B_2-, w_2 = B_2+ + B_1-.
                    let (w1, w2) = match objective {
                        Objective::Coupled => (b1.max(0.0) + (-b2).max(0.0), b2.max(0.0) + (-b1).max(0.0)),
                        Objective::Decoupled => (b1.abs(), b2.abs()),
                    };
                    (w1 * w1 + w2 * w2) * norm <= lambda * (w1 + w2)
                })
                .collect();
            assert!(!expected.is_empty() && expected.len() < 30);
            assert_eq!(
                plan.layers[0].removed_rows, expected,
                "{objective:?}, biases {biases}, in generator {in_generator}"
            );
        }
    }
}

#[test]
fn coupled_weights_are_class_weights_and_refuse_to_shrink_inner_blocks() {
    let net = random(&[6, 10, 9, 4], true, 10);
    let head = Head::of(&net).unwrap();
    let cpu = Cpu::new();
    let device = DeviceHead::upload(&cpu, &head).unwrap();
    let coupled = AlternatingOptions { objective: Objective::Coupled, ..AlternatingOptions::default() };
    let ranking = Ranking::new(&cpu, &head, &device, Method::Tropical, 0, coupled).unwrap();
    let planned = ranking.plan_all(&[Target::Rate(0.4)]).unwrap().remove(0);
    assert!((ranking.rate(&planned) - 0.4).abs() < 0.5 / 186.0 + 1e-9);
    let shrunk = AlternatingOptions { kept: KeptWeights::Shrunk, ..coupled };
    assert!(Ranking::new(&cpu, &head, &device, Method::Tropical, 0, shrunk).is_err());
}
