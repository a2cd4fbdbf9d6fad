//! Rewrites: taking neurons out of the shapes changes no output.

use ndarray::{Array2, array};
use tropix::backend::Cpu;
use tropix::network::{ApplyOptions, Head, LayerPlan, Mask, Network, Plan, apply};
use tropix::prune::{AlternatingOptions, Method, PruneOptions, Target, Timing, prune};

use crate::networks::{distance, inputs, logits, network, random};

fn full_plan(network: &Network) -> Plan {
    let layers = Head::of(network).unwrap().layers;
    let layer = |layer: tropix::network::HeadLayer| {
        let [rows, columns] = layer.weight.matrix_shape();
        LayerPlan { name: layer.name, keep: Mask::full(rows, columns), removed_rows: Vec::new(), rewrites: Vec::new() }
    };
    Plan { layers: layers.into_iter().map(layer).collect() }
}

fn both(network: &Network, plan: &Plan) -> (Network, tropix::network::Applied) {
    let head = Head::of(network).unwrap();
    let masked = apply(network, &head, plan, ApplyOptions { compact: false, min_keep: 1 }).unwrap().network;
    (masked, apply(network, &head, plan, ApplyOptions::default()).unwrap())
}

#[test]
fn a_plan_that_keeps_all_returns_the_network() {
    let net = random(&[5, 7, 3], true, 1);
    let (_, applied) = both(&net, &full_plan(&net));
    let x = inputs(20, 5, 1);
    assert_eq!(distance(&logits(&net, &x), &logits(&applied.network, &x)), 0.0);
}

#[test]
fn a_neuron_without_weights_leaves_its_constant_in_the_next_bias() {
    let a = array![[1.0_f32, -1.0], [0.0, 0.0], [0.0, 0.0]];
    let b = array![[1.0_f32, 2.0, 4.0], [0.5, -1.0, 3.0]];
    let net = network(vec![(a, Some(vec![0.1, 3.0, -5.0])), (b, Some(vec![0.0, 1.0]))]);
    let (_, applied) = both(&net, &full_plan(&net));
    let head = Head::of(&applied.network).unwrap();
    assert_eq!(head.layers[0].weight.matrix_shape(), [1, 2]);
    // relu(3) = 3 through (2, -1); relu(-5) = 0.
    assert_eq!(head.layers[1].bias.as_ref().unwrap().to_vec(), [6.0, -2.0]);
    assert_eq!(applied.layers[0].constant, 2);
    let x = inputs(20, 2, 2);
    assert!(distance(&logits(&net, &x), &logits(&applied.network, &x)) < 1e-6);
}

#[test]
fn a_bias_is_made_where_a_constant_needs_one() {
    let net = network(vec![(array![[0.0_f32], [1.0]], Some(vec![2.0, 0.0])), (array![[1.5_f32, 1.0]], None)]);
    let (_, applied) = both(&net, &full_plan(&net));
    let last = Head::of(&applied.network).unwrap().layers.remove(1);
    let bias = last.bias.unwrap();
    assert_eq!((bias.name(), bias.to_vec()), ("fc1.bias", vec![3.0]));
}

#[test]
fn one_neuron_stays_where_all_would_go() {
    let net = random(&[4, 6, 3], true, 3);
    let mut plan = full_plan(&net);
    for row in 0..6 {
        plan.layers[0].keep.remove_row(row);
    }
    let (masked, applied) = both(&net, &plan);
    assert_eq!(applied.layers[0].neurons.len(), 1);
    assert!(applied.layers[0].held_back);
    let x = inputs(10, 4, 3);
    assert!(distance(&logits(&masked, &x), &logits(&applied.network, &x)) < 1e-5);
}

#[test]
fn compaction_changes_no_logit_at_any_rate_of_any_method() {
    for (seed, widths) in [(1, vec![10, 30, 20, 5]), (2, vec![6, 40, 3]), (3, vec![8, 16, 16, 16, 4])] {
        let net = random(&widths, seed != 2, seed);
        let x = inputs(50, widths[0], seed);
        for method in Method::ALL {
            for rate in [0.5, 0.9, 0.97, 1.0] {
                let run = |compact| {
                    let options = PruneOptions {
                        method,
                        seed,
                        target: Target::Rate(rate),
                        alternating: AlternatingOptions::default(),
                        apply: ApplyOptions { compact, min_keep: 1 },
                        verify: false,
                    };
                    prune(&Cpu::new(), &net, None, &options, None, &mut Timing::default()).unwrap()
                };
                let (masked, small) = (run(false), run(true));
                let (a, b) = (logits(&masked.applied.network, &x), logits(&small.applied.network, &x));
                let scale = a.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                assert!(distance(&a, &b) <= 1e-5 * scale, "{} at {rate}: {}", method.name(), distance(&a, &b));
                let size = |network: &Network| -> usize { network.tensors().map(|t| t.len()).sum() };
                assert!(size(&small.applied.network) <= size(&masked.applied.network) + 5);
            }
        }
    }
}

#[test]
fn values_that_stay_are_the_old_values() {
    let net = random(&[9, 12, 4], true, 4);
    let options = PruneOptions {
        method: Method::TropicalPath,
        seed: 0,
        target: Target::Rate(0.6),
        alternating: AlternatingOptions::default(),
        apply: ApplyOptions { compact: false, min_keep: 1 },
        verify: false,
    };
    let pruned = prune(&Cpu::new(), &net, None, &options, None, &mut Timing::default()).unwrap();
    let mut zeros = 0;
    for layer in 0..2 {
        let (old, new): (Array2<f32>, Array2<f32>) =
            (crate::networks::weight(&net, layer), crate::networks::weight(&pruned.applied.network, layer));
        for (old, new) in old.iter().zip(&new) {
            assert!(*new == 0.0 || old.to_bits() == new.to_bits());
            zeros += usize::from(*new == 0.0);
        }
    }
    assert_eq!(zeros, 94, "0.6 * 156 = 93.6");
}
