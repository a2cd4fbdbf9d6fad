//! Refits: what the closed form promises (property 14), and what it is worth on digits.

use ndarray::{Array1, Array2};
use rand::RngExt;
use tropix::backend::{Cpu, Gpu, GpuOptions, Reference};
use tropix::network::{Network, dataset, format};
use tropix::prune::structured::{
    Covariance, InputMoments, Keep, LayerKeep, Moments, Prior, Refit, UnitMethod, UnitOptions, reduce_units,
    select_greedily,
};
use tropix::prune::{Data, Timing, evaluate};

use super::plans::reduce;
use crate::networks::{distance, inputs, logits, random};

/// Moments of random features with the values `C h`.
fn moments(n: usize, m: usize, seed: u64) -> (Moments, Array2<f64>) {
    let factor = inputs(n, 2 * n, seed).mapv(f64::from);
    let covariance = factor.dot(&factor.t()) / (2 * n) as f64;
    let next = inputs(m, n, seed + 100).mapv(f64::from);
    let target = next.dot(&covariance);
    let target_variance = next.iter().zip(&target).map(|(c, t)| c * t).sum();
    let mean = Array1::from_iter(inputs(1, n, seed + 200).iter().map(|v| f64::from(v.abs())));
    let target_mean = next.dot(&mean);
    (Moments { mean, covariance, target, target_mean, target_variance }, next)
}

#[test]
fn a_refit_of_all_units_returns_the_weights() {
    let (moments, next) = moments(15, 4, 1);
    let (refit, bias) = moments.refit(0.0).unwrap();
    assert!(distance(&refit, &next) < 1e-9 && bias.iter().all(|b| b.abs() < 1e-9));
    assert!(moments.loss(&refit) < 1e-9 * moments.target_variance);
}

#[test]
fn each_greedy_step_is_the_best_single_addition() {
    let (moments, _) = moments(12, 3, 2);
    let selection = select_greedily(&moments, 12);
    let loss = |units: &[usize]| {
        let part = moments.select(units);
        part.loss(&part.refit(0.0).unwrap().0)
    };
    for k in 1..=12 {
        let chosen = &selection.order[..k];
        let best = (0..12)
            .filter(|i| !chosen[..k - 1].contains(i))
            .map(|i| loss(&[&chosen[..k - 1], &[i]].concat()))
            .fold(f64::INFINITY, f64::min);
        assert!((selection.loss[k] - best).abs() < 1e-8 * moments.target_variance, "{k}");
        assert!(selection.loss[k] <= selection.loss[k - 1]);
    }
}

#[test]
fn a_refit_loses_no_more_than_the_method_before_it() {
    let net = random(&[8, 40, 5], true, 3);
    for method in [UnitMethod::Tropnnc, UnitMethod::TropnncSplit, UnitMethod::PathL2, UnitMethod::RandomNeurons] {
        for keep in [0.75, 0.3, 0.1] {
            let prior = Prior::Iso;
            let options = UnitOptions { refit: Refit::Gaussian, prior, ridge: 0.0, ..UnitOptions::new(method, keep) };
            let fitted = reduce(&net, &options);
            // The loss of the method itself, by sampling.
            let plain = reduce(&net, &UnitOptions { refit: Refit::None, ..options });
            let x = inputs(20_000, 8, 4);
            let loss = |other: &Network| {
                (logits(&net, &x) - logits(other, &x)).iter().map(|gap| gap * gap).sum::<f64>() / 20_000.0
            };
            let (after, before) = (loss(&fitted.network), loss(&plain.network));
            assert!(after <= 1.02 * before, "{} at {keep}: {after} and {before}", method.name());
        }
    }
}

/// Normal values, by the polar form of Box and Muller.
#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
fn normal_inputs(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let generator = &mut tropix::rng::stream(seed, "test normal inputs");
    let mut normal = || {
        let (u, v): (f64, f64) = (1.0 - generator.random::<f64>(), generator.random());
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    };
    Array2::from_shape_simple_fn((rows, columns), &mut normal)
}

/// Property 14: the loss in closed form is the mean over samples of the prior, to one per cent.
#[test]
fn the_loss_that_is_reported_is_the_loss_over_samples() {
    let net = random(&[6, 30, 4], true, 5);
    let iso = UnitOptions { prior: Prior::Iso, ..UnitOptions::new(UnitMethod::GreedyGaussian, 0.3) };
    let walked = reduce(&net, &iso);
    let x = normal_inputs(400_000, 6, 6);
    let (a, b) = (logits(&net, &x), logits(&walked.network, &x));
    let mean = a.mean_axis(ndarray::Axis(0)).unwrap();
    let variance: f64 = (&a - &mean).iter().map(|v| v * v).sum();
    let sampled = (&a - &b).iter().map(|v| v * v).sum::<f64>() / variance;
    let reported = walked.layers[0].loss.unwrap();
    assert!((sampled - reported).abs() < 0.01 * reported, "{sampled} and {reported}");
}

#[test]
fn backends_refit_alike_and_runs_repeat() {
    let net = random(&[10, 50, 40, 5], true, 7);
    let x = inputs(40, 10, 7);
    let options = UnitOptions::new(UnitMethod::GreedyGaussian, 0.4);
    let cpu = reduce(&net, &options);
    let reference = reduce_units(&Reference::new(), &net, None, &options, &()).unwrap();
    for (a, b) in cpu.plan.steps.iter().zip(&reference.plan.steps) {
        assert_eq!(a.reduced.assignment, b.reduced.assignment);
    }
    let size = logits(&net, &x).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let gap = distance(&logits(&cpu.network, &x), &logits(&reference.network, &x));
    assert!(gap <= 1e-4 * size, "{gap}");
    assert_eq!(distance(&logits(&cpu.network, &x), &logits(&reduce(&net, &options).network, &x)), 0.0);
    if cfg!(not(no_adapter)) {
        let gpu = Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap();
        let gpu = reduce_units(&gpu, &net, None, &options, &()).unwrap();
        let gap = distance(&logits(&gpu.network, &x), &logits(&reference.network, &x));
        assert!(gap <= 1e-3 * size, "{gap}");
    }
}

fn digits() -> (Network, dataset::Dataset) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let model = format::load(&root.join("models/mlp-digits.safetensors"), None).unwrap();
    let options = dataset::DataOptions { scale: Some(0.0625), ..dataset::DataOptions::default() };
    let options = dataset::DataOptions { network: model.network.normalize.clone(), ..options };
    let file = root.join("data/digits/digits-test500.safetensors");
    (model.network, dataset::load(file.to_str().unwrap(), &options).unwrap())
}

#[test]
fn without_data_a_quarter_of_the_neurons_keeps_nine_tenths_of_the_digits() {
    let (net, data) = digits();
    let samples = Data { inputs: &data.inputs, labels: data.labels.as_deref() };
    let accuracy = |network: &Network| {
        let head = tropix::network::Head::of(network).unwrap();
        evaluate(&Cpu::new(), &head, None, samples, &mut Timing::default()).unwrap().top1.unwrap()[1]
    };
    assert!(accuracy(&net) > 0.98);
    let walked = reduce(&net, &UnitOptions::new(UnitMethod::GreedyGaussian, 0.25));
    assert!(accuracy(&walked.network) >= 0.90, "{}", accuracy(&walked.network));
    let plain = reduce(&net, &UnitOptions::new(UnitMethod::PathL2, 0.25));
    assert!(accuracy(&plain.network) < accuracy(&walked.network), "{}", accuracy(&plain.network));
}

#[test]
fn least_squares_on_samples_of_the_prior_agrees_with_the_closed_form() {
    let net = random(&[6, 24, 4], true, 8);
    let x = inputs(60_000, 6, 9);
    let options = UnitOptions { refit: Refit::Data, ..UnitOptions::new(UnitMethod::PathL2, 0.5) };
    let data = reduce_units(&Cpu::new(), &net, Some(&x), &options, &()).unwrap();
    let closed = reduce(&net, &UnitOptions { refit: Refit::Gaussian, prior: Prior::Iso, ..options });
    let test = inputs(200, 6, 10);
    let size = logits(&net, &test).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(distance(&logits(&data.network, &test), &logits(&closed.network, &test)) < 0.05 * size);
}

#[test]
fn moments_are_checked_and_projected() {
    let wrong =
        |mean: Array1<f64>, covariance: Array2<f64>| InputMoments::checked(mean, covariance).unwrap_err().to_string();
    assert!(wrong(Array1::from_vec(vec![0.0, f64::NAN]), Array2::eye(2)).contains("mean 1"));
    assert!(wrong(Array1::zeros(2), Array2::from_elem((2, 2), f64::INFINITY)).contains("covariance (0, 0)"));
    assert!(wrong(Array1::zeros(3), Array2::eye(2)).contains("3 values"));
    let checked = InputMoments::checked(Array1::zeros(2), ndarray::array![[1.0, 2.0], [2.0, 1.0]]).unwrap();
    assert!((checked.projected.unwrap() + 1.0).abs() < 1e-12);
    let Covariance::Full(projected) = checked.covariance.clone() else { unreachable!("{checked:?}") };
    assert!(distance(&projected, &Array2::from_elem((2, 2), 1.5)) < 1e-12);
    assert!(InputMoments::checked(Array1::zeros(2), Array2::eye(2)).unwrap().projected.is_none());
    // Of another width than the network.
    let options = UnitOptions { prior: Prior::Moments(checked), ..UnitOptions::new(UnitMethod::GreedyGaussian, 0.5) };
    let error = reduce_units(&Cpu::new(), &random(&[3, 8, 2], true, 11), None, &options, &()).unwrap_err();
    assert!(error.to_string().contains("moments of 2 values for inputs of 3"), "{error}");
    let data = UnitOptions { refit: Refit::Data, ..UnitOptions::new(UnitMethod::PathL2, 0.5) };
    let error = reduce_units(&Cpu::new(), &random(&[3, 8, 2], true, 11), Some(&inputs(9, 4, 1)), &data, &());
    assert!(error.unwrap_err().to_string().contains("4 values"));
}

#[test]
fn a_layer_that_keeps_all_passes_its_moments_on() {
    let net = random(&[6, 20, 16, 3], true, 12);
    let layers = vec![LayerKeep { layer: "fc0".into(), keep: Keep::Share(1.0) }];
    let walked = reduce(&net, &UnitOptions { layers, ..UnitOptions::new(UnitMethod::GreedyGaussian, 0.5) });
    assert_eq!([walked.layers[0].after, walked.layers[1].after], [20, 8]);
    assert!(walked.layers[1].loss.unwrap() < 0.5);
}
