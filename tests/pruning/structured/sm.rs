//! SM, the predecessor that looks at samples.

use ndarray::{Array2, Axis};
use tropix::backend::Cpu;
use tropix::network::Network;
use tropix::prune::structured::{UnitMethod, UnitOptions, Walked, reduce_units};

use crate::networks::{distance, inputs, logits, network, random, weight};

fn run(net: &Network, samples: &Array2<f32>, method: UnitMethod, keep: f64, seed: u64) -> Walked {
    let options = UnitOptions { lossless: false, seed, ..UnitOptions::new(method, keep) };
    reduce_units(&Cpu::new(), net, Some(samples), &options, &()).unwrap()
}

#[test]
fn units_that_are_always_on_become_one_for_each_class_and_sign() {
    // Every sample reaches the same vertex of each zonotope, so that their sums are the network.
    let net = random(&[4, 40, 3], false, 41);
    let always = vec![100.0; 40];
    let net = network(vec![(weight(&net, 0), Some(always)), (weight(&net, 1), Some(vec![0.1, 0.2, 0.3]))]);
    let x = inputs(30, 4, 41);
    for method in [UnitMethod::Sm, UnitMethod::SmStable] {
        let walked = run(&net, &x, method, 0.5, 0);
        assert_eq!(walked.layers[0].after, 6, "fewer than the 20 that were asked for");
        assert!(distance(&logits(&walked.network, &x), &logits(&net, &x)) < 1e-2, "{}", method.name());
    }
}

#[test]
fn means_over_the_samples_stay_and_classes_have_units_of_their_own() {
    let net = random(&[6, 60, 4], true, 42);
    let x = inputs(200, 6, 42);
    for method in [UnitMethod::Sm, UnitMethod::SmStable] {
        let walked = run(&net, &x, method, 0.5, 0);
        assert!(walked.layers[0].after <= 30);
        let mean = |net: &Network| logits(net, &x).mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
        assert!(distance(&mean(&walked.network), &mean(&net)) < 1e-4, "{}", method.name());
        assert!(distance(&logits(&walked.network, &x), &logits(&net, &x)) > 1e-2, "and the comparison can fail");
        let next = weight(&walked.network, 1);
        for column in next.columns() {
            let own: Vec<f32> = column.iter().copied().filter(|c| *c != 0.0).collect();
            assert!(own == [1.0] || own == [-1.0], "{own:?}");
        }
    }
}

#[test]
fn the_seed_changes_the_heuristic_version_alone() {
    let net = random(&[6, 60, 4], true, 43);
    let x = inputs(200, 6, 43);
    let answers = |method, seed| logits(&run(&net, &x, method, 0.5, seed).network, &x);
    assert_eq!(answers(UnitMethod::Sm, 1), answers(UnitMethod::Sm, 1));
    assert_ne!(answers(UnitMethod::Sm, 1), answers(UnitMethod::Sm, 2));
    assert_eq!(answers(UnitMethod::SmStable, 1), answers(UnitMethod::SmStable, 2));
}

#[test]
fn layers_before_the_last_hidden_one_stay() {
    let net = random(&[5, 20, 16, 3], true, 44);
    let walked = run(&net, &inputs(100, 5, 44), UnitMethod::SmStable, 0.5, 0);
    let after: Vec<usize> = walked.layers.iter().map(|layer| layer.after).collect();
    assert!(after[0] == 20 && after[1] <= 8, "{after:?}");
}
