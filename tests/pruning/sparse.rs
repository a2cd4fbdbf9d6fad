//! Refits of the weights that stay: what is gone stays gone, what others can carry is carried, and nothing gets worse.

use ndarray::{Array2, Axis};
use tropix::backend::{Backend, Cpu, Reference};
use tropix::network::{ApplyOptions, Network};
use tropix::prune::sparse::Fitting;
use tropix::prune::structured::Refit;
use tropix::prune::{AlternatingOptions, Data, Method, Outcome, PruneOptions, Target, Timing, prune, sweep};

use crate::networks::{distance, inputs, logits, network, random, weight};

fn pruned<B: Backend>(
    backend: &B,
    net: &Network,
    (method, rate): (Method, f64),
    fitted: Option<(&Array2<f32>, f64)>,
) -> Outcome {
    let options = PruneOptions {
        method,
        seed: 0,
        target: Target::Rate(rate),
        alternating: AlternatingOptions::default(),
        apply: ApplyOptions { compact: false, ..ApplyOptions::default() },
        verify: false,
    };
    let fitting = fitted.map(|(inputs, ridge)| Fitting { refit: Refit::Data, inputs, ridge });
    prune(backend, net, None, &options, fitting, &mut Timing::default()).unwrap()
}

/// The share of the variance of the logits that another network misses.
fn missed(net: &Network, other: &Network, x: &Array2<f32>) -> f64 {
    let wanted = logits(net, x);
    let squares = |values: &Array2<f64>| values.iter().map(|value| value * value).sum::<f64>();
    squares(&(logits(other, x) - &wanted)) / squares(&(&wanted - &wanted.mean_axis(Axis(0)).unwrap()))
}

#[test]
fn refits_miss_less_and_keep_every_zero() {
    for (seed, biases) in [(1, true), (2, false)] {
        let net = random(&[12, 60, 40, 5], biases, seed);
        let (x, fresh) = (inputs(6000, 12, 10 + seed), inputs(2000, 12, 20 + seed));
        for method in [Method::Lamp, Method::TropicalPath, Method::TropicalLamp, Method::Tropical, Method::Random] {
            let plain = pruned(&Cpu::new(), &net, (method, 0.7), None).applied.network;
            let fitted = pruned(&Cpu::new(), &net, (method, 0.7), Some((&x, 1e-3)));
            let (before, after) = (missed(&net, &plain, &fresh), missed(&net, &fitted.applied.network, &fresh));
            assert!(after < 0.8 * before, "{} {seed}: {after} refitted, {before} not", method.name());
            for layer in 0..3 {
                let (old, new) = (weight(&plain, layer), weight(&fitted.applied.network, layer));
                assert!(old.iter().zip(&new).all(|(old, new)| (*old == 0.0) == (*new == 0.0)), "{}", method.name());
                // Independent inputs of the first layer cannot stand in for each other.
                assert!(layer == 0 || old != new, "{}: layer {layer}", method.name());
            }
            // The last layer is met on unseen inputs as well as is reported.
            let last = fitted.refits.last().unwrap();
            assert!((last.loss - after).abs() < 0.25 * after && last.inputs == 512, "{last:?} and {after}");
            assert!(last.loss < last.without_refit && !last.fell_back);
        }
    }
}

#[test]
fn neurons_that_occur_twice_carry_what_their_copies_did() {
    // Two copies of each of eight neurons; what reads the second ones is a little smaller, and goes.
    let net = random(&[6, 8, 4], true, 5);
    let (first, second) = (weight(&net, 0), weight(&net, 1));
    let second = second.mapv(|value| value.signum() * (1.0 + 0.2 * value.abs().min(2.0)));
    let twice = ndarray::concatenate![Axis(0), first, first];
    let read = ndarray::concatenate![Axis(1), second, second.mapv(|value| 0.5 * value)];
    let net = network(vec![(twice.mapv(|value| 100.0 * value), None), (read, None)]);
    let x = inputs(500, 6, 6);
    let fitted = pruned(&Cpu::new(), &net, (Method::ClassBlind, 32.0 / 160.0), Some((&x, 1e-9)));
    let other = weight(&fitted.applied.network, 1);
    assert!(other.iter().filter(|value| **value == 0.0).count() == 32, "{other}");
    let fresh = inputs(300, 6, 7);
    assert!(missed(&net, &fitted.applied.network, &fresh) < 1e-6);
    let plain = pruned(&Cpu::new(), &net, (Method::ClassBlind, 32.0 / 160.0), None);
    assert!(missed(&net, &plain.applied.network, &fresh) > 1e-2);
}

#[test]
fn what_is_whole_stays_as_it_is() {
    let net = random(&[7, 20, 4], true, 8);
    let fitted = pruned(&Cpu::new(), &net, (Method::Lamp, 0.0), Some((&inputs(400, 7, 8), 1e-3)));
    for layer in 0..2 {
        assert_eq!(weight(&net, layer), weight(&fitted.applied.network, layer));
    }
    assert!(fitted.refits.iter().all(|layer| !layer.fell_back));
}

#[test]
fn fits_of_too_few_samples_are_left_out() {
    let net = random(&[30, 60, 5], true, 9);
    let x = inputs(10, 30, 9);
    let fitted = pruned(&Cpu::new(), &net, (Method::Lamp, 0.3), Some((&x, 0.0)));
    let plain = pruned(&Cpu::new(), &net, (Method::Lamp, 0.3), None);
    let fallen = fitted.refits.iter().position(|layer| layer.fell_back).unwrap();
    assert_eq!(weight(&fitted.applied.network, fallen), weight(&plain.applied.network, fallen));
}

#[test]
fn the_cpu_refits_as_the_reference_does_and_curves_as_runs() {
    let net = random(&[10, 30, 20, 4], true, 11);
    let (x, test) = (inputs(2000, 10, 12), inputs(300, 10, 13));
    let cpu = pruned(&Cpu::new(), &net, (Method::TropicalPath, 0.8), Some((&x, 1e-3))).applied.network;
    let reference = pruned(&Reference::new(), &net, (Method::TropicalPath, 0.8), Some((&x, 1e-3))).applied.network;
    let (a, b) = (logits(&cpu, &test), logits(&reference, &test));
    let size = b.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    assert!(distance(&a, &b) < 1e-3 * size, "{} of {size}", distance(&a, &b));
    let wanted = logits(&net, &test);
    let class = |row: ndarray::ArrayView1<'_, f64>| (0..4).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
    let alike = a.rows().into_iter().zip(wanted.rows()).filter(|(a, b)| class(*a) == class(*b)).count();
    let head = tropix::network::Head::of(&net).unwrap();
    let fittings = [None, Some(Fitting { refit: Refit::Data, inputs: &x, ridge: 1e-3 })];
    let data = Data { inputs: &test, labels: None };
    let (methods, options) = ([Method::TropicalPath], AlternatingOptions::default());
    let curves =
        sweep(&Cpu::new(), &head, data, &methods, &[0.8], &[0], options, &fittings, &mut Timing::default(), &())
            .unwrap();
    assert_eq!([curves[0].refit, curves[1].refit], [Refit::None, Refit::Data]);
    let agreement = curves[1].points[0].agreement;
    assert!((agreement - alike as f64 / 300.0).abs() < 1.01 / 300.0, "{agreement} {alike}");
    assert!(agreement > curves[0].points[0].agreement, "{curves:?}");
}
