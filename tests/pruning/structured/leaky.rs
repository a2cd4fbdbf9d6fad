//! Leaky ReLU: units merge as those of ReLU do, and nothing counts on units that are off.

use ndarray::{Array2, array};
use tropix::backend::Cpu;
use tropix::network::{Network, Op, Runtime};
use tropix::prune::structured::{Refit, UnitMethod, UnitOptions, reduce_units};

use crate::networks::{inputs, network};

/// Five hidden units: the second twice the first and read half as much, the fourth without weights and with a negative bias.
fn leaky() -> Network {
    let first = array![[1.0_f32, -2.0, 0.5], [2.0, -4.0, 1.0], [0.25, 1.0, -1.0], [0.0, 0.0, 0.0], [-1.0, 0.5, 2.0]];
    let last = array![[1.0_f32, 0.5, -1.0, 2.0, 0.75], [-0.5, -0.25, 0.25, -1.0, 1.5]];
    let mut found = network(vec![(first, Some(vec![0.5, 1.0, -0.25, -2.0, 0.125])), (last, Some(vec![0.1, -0.2]))]);
    found.nodes[1].op = Op::LeakyRelu { slope: 0.125 };
    found
}

fn outputs(network: &Network, samples: &Array2<f32>) -> Vec<f32> {
    Runtime::new(network, None).unwrap().outputs(samples).unwrap().0
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn nothing_goes_for_free_that_only_relu_switches_off_and_copies_merge_exactly() {
    let (network, samples) = (leaky(), inputs(50, 3, 0));
    let before = outputs(&network, &samples);
    let reduce = |keep, method, refit| {
        let options = UnitOptions { refit, ..UnitOptions::new(method, keep) };
        reduce_units(&Cpu::new(), &network, None, &options, &())
    };
    // The fourth unit is -0.25 everywhere: without it the outputs would move by half.
    let whole = reduce(1.0, UnitMethod::PathL2, Refit::None).unwrap();
    assert_eq!((whole.layers[0].lossless.total(), whole.layers[0].after), (0, 5));
    assert_eq!(outputs(&whole.network, &samples), before);
    let merged = reduce(0.8, UnitMethod::Tropnnc, Refit::None).unwrap();
    assert_eq!(merged.layers[0].after, 4);
    let difference = farthest(&outputs(&merged.network, &samples), &before);
    assert!(difference < 1e-5, "{difference}");
    let cut = reduce(0.6, UnitMethod::Tropnnc, Refit::None).unwrap();
    assert!(farthest(&outputs(&cut.network, &samples), &before) > 1e-3, "the comparison sees a unit go");
}

#[test]
fn moments_of_relu_are_not_taken_for_it() {
    let network = leaky();
    let options = UnitOptions { refit: Refit::Gaussian, ..UnitOptions::new(UnitMethod::GreedyGaussian, 0.6) };
    let error = reduce_units(&Cpu::new(), &network, None, &options, &()).unwrap_err().to_string();
    assert!(error.contains("`fc0` has a leaky ReLU"), "{error}");
}
