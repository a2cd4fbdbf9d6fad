//! Certificates of whole heads: above what ascent finds end to end, for random and for trained networks.

use std::path::Path;

use ndarray::Array2;
use rand::RngExt;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference};
use tropix::certify::{
    Ascent, Bound, BoundOptions, Certificate, CertifyOptions, Pairing, certify, data_radius, head_bound,
    largest_errors, plan_bound,
};
use tropix::network::dataset::{self, DataOptions};
use tropix::network::{Head, Network, format};
use tropix::prune::structured::{UnitMethod, UnitOptions, reduce_units};
use tropix::prune::{AlternatingOptions, Method, PruneOptions, Target, Timing, prune};
use tropix::rng;

use crate::networks::{network, random};

fn head(network: &Network) -> Head {
    Head::of(network).unwrap()
}

fn masked(network: &Network, rate: f64) -> Network {
    let options = PruneOptions {
        method: Method::TropicalPath,
        seed: 0,
        target: Target::Rate(rate),
        alternating: AlternatingOptions::default(),
        apply: tropix::network::ApplyOptions { compact: false, min_keep: 1 },
        verify: false,
    };
    prune(&Cpu::new(), network, None, &options, None, &mut Timing::default()).unwrap().applied.network
}

fn smaller(network: &Network, method: UnitMethod, keep: f64) -> Network {
    reduce_units(&Cpu::new(), network, None, &UnitOptions::new(method, keep), &()).unwrap().network
}

fn quick() -> BoundOptions {
    BoundOptions { crown_steps: 20, ..BoundOptions::default() }
}

/// Property 18: the certificate of a deep head is at least what ascent finds from its input to its output.
#[test]
fn certificates_through_depth_lie_above_the_gap_end_to_end() {
    let backend = Cpu::new();
    let ascent = Ascent { starts: 24, steps: 60, seed: 1 };
    let mut tightest = f64::INFINITY;
    for seed in 0..20 {
        let widths: &[usize] =
            [&[5, 12, 3][..], &[4, 10, 8, 3], &[3, 8, 9, 6, 2], &[4, 3]][usize::try_from(seed % 4).unwrap()];
        let original = random(widths, seed % 3 != 0, seed);
        let others = if widths.len() == 2 {
            vec![masked(&original, 0.3)]
        } else {
            let units = UnitMethod::ALL[usize::try_from(seed % 4).unwrap()];
            vec![masked(&original, 0.3), smaller(&original, units, 0.6), original.clone()]
        };
        for (number, other) in others.iter().enumerate() {
            let (mine, other) = (head(&original), head(other));
            for radius in [0.5, 3.0] {
                let upper = head_bound(&mine, &other, radius, None, &quick()).unwrap();
                let found = largest_errors(&backend, &mine, &other, radius, ascent).unwrap();
                for (j, (upper, found)) in upper.errors(radius).into_iter().zip(found).enumerate() {
                    assert!(upper >= found.error, "net {seed}.{number}, output {j}: {upper} < {}", found.error);
                    assert!(found.point.iter().map(|x| x * x).sum::<f64>().sqrt() <= radius);
                    if found.error > 0.0 {
                        tightest = tightest.min(upper / found.error);
                    }
                }
                // A network beside itself has no error at any depth.
                if number == 2 {
                    assert!(upper.errors(radius).iter().all(|error| *error < 1e-6), "{:?}", upper.errors(radius));
                }
            }
        }
    }
    assert!(
        tightest < 1.2,
        "no certificate is within {tightest} of an error: the comparison would not notice half of one"
    );
}

/// The largest error of a half bound that ascent exceeds would show: here the bound is cut in half.
#[test]
fn ascent_comes_close_enough_to_see_a_bound_that_is_too_small() {
    let (original, radius) = (random(&[6, 20, 4], true, 3), 2.0);
    let other = smaller(&original, UnitMethod::PathL2, 0.5);
    let (mine, other) = (head(&original), head(&other));
    let upper = head_bound(&mine, &other, radius, None, &BoundOptions::default()).unwrap().errors(radius);
    let found = largest_errors(&Cpu::new(), &mine, &other, radius, Ascent::default()).unwrap();
    assert!(upper.iter().zip(&found).any(|(upper, found)| 0.5 * upper < found.error), "{upper:?} {found:?}");
}

fn finds_the_same<B: Backend>(backend: &B, want: &[f64]) {
    let (original, radius) = (random(&[6, 20, 4], true, 3), 2.0);
    let other = smaller(&original, UnitMethod::PathL2, 0.5);
    let ascent = Ascent { starts: 40, ..Ascent::default() };
    let found = largest_errors(backend, &head(&original), &head(&other), radius, ascent).unwrap();
    for (found, want) in found.iter().zip(want) {
        assert!((found.error - want).abs() <= 0.02 * want, "{} beside {want}", found.error);
    }
}

#[test]
fn every_backend_finds_errors_of_the_same_size() {
    let (original, radius) = (random(&[6, 20, 4], true, 3), 2.0);
    let other = smaller(&original, UnitMethod::PathL2, 0.5);
    let found = largest_errors(&Cpu::new(), &head(&original), &head(&other), radius, Ascent::default()).unwrap();
    let want: Vec<f64> = found.into_iter().map(|found| found.error).collect();
    finds_the_same(&Cpu::new(), &want);
    finds_the_same(&Reference::new(), &want);
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn a_gpu_finds_errors_of_the_same_size() {
    let (original, radius) = (random(&[6, 20, 4], true, 3), 2.0);
    let other = smaller(&original, UnitMethod::PathL2, 0.5);
    let found = largest_errors(&Cpu::new(), &head(&original), &head(&other), radius, Ascent::default()).unwrap();
    let want: Vec<f64> = found.into_iter().map(|found| found.error).collect();
    finds_the_same(&Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap(), &want);
}

fn asset(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path).display().to_string()
}

fn certified(original: &Network, other: &Network, data: &str, options: &CertifyOptions) -> Certificate {
    let normalize = original.normalize.clone();
    let data = dataset::load(&asset(data), &DataOptions { network: normalize, ..DataOptions::default() }).unwrap();
    let radius = data_radius(&data.inputs).unwrap();
    let (mine, others) = (head(original), head(other));
    let timing = &mut Timing::default();
    certify(&Cpu::new(), &mine, &others, radius, Some(&data.inputs), None, options, timing).unwrap()
}

#[track_caller]
fn holds(what: &str, certificate: &Certificate) {
    for (j, output) in certificate.outputs.iter().enumerate() {
        let error = output.error;
        assert!(error.lower <= error.upper && error.upper.is_finite(), "{what}, output {j}: {error:?}");
        assert!(output.theorem.lower <= output.theorem.upper, "{what}, output {j}: {:?}", output.theorem);
        assert!(error.lower <= output.theorem.upper, "{what}, output {j}: theorem 2 is below an error");
    }
    for layer in &certificate.layers {
        for bound in &layer.bounds {
            for (value, found) in bound.values.iter().zip(&layer.lower) {
                assert!(value >= found, "{what}, layer {}: {} = {value} < {found}", layer.name, bound.bound);
            }
        }
    }
    if let Some(labels) = &certificate.labels {
        assert!(labels.by_ball <= labels.unchanged && labels.by_norms <= labels.unchanged, "{what}: {labels:?}");
        assert!(labels.by_norms >= labels.by_ball, "{what}: norms of its own certify a sample at least as well");
    }
}

#[test]
fn trained_networks_keep_within_their_certificates() {
    let options = CertifyOptions {
        bounds: BoundOptions { crown_steps: 4, sweeps: 6, ..BoundOptions::default() },
        ascent: Ascent { starts: 4, steps: 30, seed: 0 },
        directions: 64,
        layers: true,
    };
    for (name, data) in [
        ("mlp-digits", "data/digits/digits-test500.safetensors"),
        ("toy-moons-bias-2-40-2", "data/toys/toy-moons.safetensors"),
    ] {
        let original = format::load(asset(&format!("models/{name}.safetensors")).as_ref(), None).unwrap().network;
        for (what, other) in [
            ("masked by a tenth", masked(&original, 0.1)),
            ("half of the neurons", smaller(&original, UnitMethod::PathL2, 0.5)),
            ("a quarter at random", smaller(&original, UnitMethod::RandomNeurons, 0.25)),
        ] {
            let options = CertifyOptions { layers: what.starts_with("half"), ..options.clone() };
            let found = certified(&original, &other, data, &options);
            holds(&format!("{name}, {what}"), &found);
            if what.starts_with("half") && name == "mlp-digits" {
                // The semidefinite bound of each layer is within twice of what ascent finds.
                let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
                for layer in &found.layers {
                    let sdp = layer.bounds.iter().find(|bound| bound.bound == "sdp").unwrap();
                    let ratio = mean(&sdp.values) / mean(&layer.lower);
                    assert!(ratio < 2.0, "layer {}: {ratio}", layer.name);
                }
            }
            if name.starts_with("toy") {
                assert!(
                    found.outputs.iter().all(|output| output.tightness.is_none_or(|t| t < 1.0 + 1e-6)),
                    "exact in the plane"
                );
            }
        }
        let own = certified(&original, &original, data, &options);
        holds(name, &own);
        let labels = own.labels.unwrap();
        assert_eq!(labels.by_ball, labels.samples, "{name} keeps every class of its own");
    }
}

/// The quick certificate that reports of `prune` show, with the pairing of the plan.
#[test]
fn plans_are_certified_with_their_own_pairing() {
    // Zonotopes are clustered for one output, and some methods need data.
    let can = |method: &UnitMethod| !method.needs_data() && *method != UnitMethod::MisiakosZonotope;
    for (seed, method) in (0..).zip(UnitMethod::ALL.into_iter().filter(can)) {
        let original = random(&[5, 16, 12, 3], true, seed);
        let walked = reduce_units(&Cpu::new(), &original, None, &UnitOptions::new(method, 0.5), &()).unwrap();
        let (mine, other) = (head(&original), head(&walked.network));
        let upper = plan_bound(&mine, &other, &walked.plan, 2.0).unwrap().errors(2.0);
        let ascent = Ascent { starts: 16, steps: 40, seed };
        let found = largest_errors(&Cpu::new(), &mine, &other, 2.0, ascent).unwrap();
        for (upper, found) in upper.iter().zip(&found) {
            assert!(*upper >= found.error && found.error > 0.0, "{}: {upper} < {}", method.name(), found.error);
        }
        let pairings = Pairing::of_plan(&mine, &walked.plan);
        assert_eq!(pairings.len(), 2);
        assert!(pairings[0].scale.iter().filter(|scale| **scale > 0.0).count() >= 8, "a kept unit stands for itself");
    }
}

/// The wide network with the cheap bounds alone, so that the test stays short.
#[test]
fn a_trained_network_of_many_neurons_keeps_within_its_certificate() {
    let original = format::load(asset("models/mlp-mnist.safetensors").as_ref(), None).unwrap().network;
    let options = CertifyOptions {
        bounds: BoundOptions { bounds: vec![Bound::Pair, Bound::Half], ..BoundOptions::default() },
        ascent: Ascent { starts: 4, steps: 16, seed: 0 },
        directions: 16,
        layers: false,
    };
    for (what, other) in [
        ("mlp-mnist, masked", masked(&original, 0.02)),
        ("mlp-mnist, a tenth of the neurons", smaller(&original, UnitMethod::PathL2, 0.1)),
    ] {
        holds(what, &certified(&original, &other, "data/mnist/mnist-test2000.safetensors", &options));
    }
}

/// The linear layers behind the convolutions, on features.
#[test]
fn the_head_of_a_trained_convolutional_network_keeps_within_its_certificate() {
    let original = format::load(asset("models/lenet5-mnist.safetensors").as_ref(), None).unwrap().network;
    let options = UnitOptions { head_only: true, ..UnitOptions::new(UnitMethod::PathL2, 0.5) };
    let other = reduce_units(&Cpu::new(), &original, None, &options, &()).unwrap().network;
    let options = CertifyOptions {
        bounds: BoundOptions { crown_steps: 2, sweeps: 6, ..BoundOptions::default() },
        ascent: Ascent { starts: 8, steps: 30, seed: 0 },
        directions: 16,
        layers: false,
    };
    let (mine, others) = (head(&original), head(&other));
    let found = certify(&Cpu::new(), &mine, &others, 10.0, None, None, &options, &mut Timing::default()).unwrap();
    holds("lenet5-mnist", &found);
    assert!(found.largest().lower > 0.1, "half of the neurons are missed");
}

#[test]
fn heads_that_do_not_fit_each_other_are_refused() {
    let one = head(&random(&[5, 8, 3], true, 0));
    for (other, word) in [
        (random(&[5, 8, 8, 3], true, 0), "has 3, takes 5"),
        (random(&[6, 8, 3], true, 0), "6"),
        (random(&[5, 8, 4], true, 0), "4"),
    ] {
        let error = head_bound(&one, &head(&other), 1.0, None, &quick()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(head_bound(&one, &one, f64::NAN, None, &quick()).is_err());
    assert!(head_bound(&one, &one, -1.0, None, &quick()).is_err());
}

#[test]
fn weights_at_the_end_of_f32_have_a_certificate_that_is_a_number() {
    let generator = &mut rng::stream(0, "test huge");
    let mut layer = |rows: usize, columns: usize| {
        Array2::from_shape_simple_fn((rows, columns), || generator.random_range(-1.0_f32..1.0) * 3e38)
    };
    let layers = vec![(layer(6, 4), None), (layer(5, 6), None), (layer(3, 5), None)];
    let original = network(layers);
    let other = masked(&random(&[4, 6, 5, 3], true, 1), 0.5);
    let timing = &mut Timing::default();
    let options = CertifyOptions { bounds: quick(), ..CertifyOptions::default() };
    let found = certify(&Cpu::new(), &head(&original), &head(&other), 1.0, None, None, &options, timing).unwrap();
    for output in found.outputs {
        assert!(output.error.upper.is_finite() && output.error.lower > 0.0, "{:?}", output.error);
    }
}
