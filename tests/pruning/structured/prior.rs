//! The prior from the arrangement of hyperplanes: the units of the inputs do not matter.

use ndarray::{Array1, Array2};
use rand::RngExt;
use tropix::backend::Cpu;
use tropix::network::Network;
use tropix::prune::structured::{Prior, Refit, UnitMethod, UnitOptions, Walked, reduce_units};
use tropix::prune::synth::{self, SynthOptions};
use tropix::rng;

use crate::networks::{distance, inputs, logits, network, random, weight};

/// The network that computes at `a x + b` what `net` does at `x`.
#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn in_other_units(net: &Network, widths: &[usize], a: &Array1<f64>, b: &Array1<f64>) -> Network {
    let head = tropix::network::Head::of(net).unwrap();
    let layers = (0..widths.len() - 1).map(|layer| {
        let bias: Array1<f64> = head.layers[layer].bias.as_ref().unwrap().to_vec().into_iter().map(f64::from).collect();
        let rows = weight(net, layer).mapv(f64::from);
        let (rows, bias) = if layer == 0 {
            let rows = rows / a;
            let bias = bias - rows.dot(b);
            (rows, bias)
        } else {
            (rows, bias)
        };
        (rows.mapv(|value| value as f32), Some(bias.iter().map(|value| *value as f32).collect()))
    });
    network(layers.collect())
}

fn reduce(net: &Network, options: &UnitOptions) -> Walked {
    reduce_units(&Cpu::new(), net, None, options, &()).unwrap()
}

fn kept(walked: &Walked) -> Vec<Vec<Option<usize>>> {
    walked.plan.steps.iter().map(|step| step.reduced.assignment.clone()).collect()
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
fn the_units_of_inputs_change_nothing_unlike_under_normal_inputs() {
    let widths = [5, 40, 24, 4];
    for seed in 0..6 {
        let net = random(&widths, true, seed);
        let draw = &mut rng::stream(seed, "units");
        let size = Array1::from_shape_simple_fn(5, || 10_f64.powf(draw.random_range(-3.0..3.0)));
        let origin = Array1::from_shape_fn(5, |j| size[j] * draw.random_range(-9.0..9.0));
        let x = inputs(300, 5, seed);
        for (method, prior) in [
            (UnitMethod::GreedyGaussian, Prior::Arrangement),
            (UnitMethod::GreedyGaussian, Prior::Iso),
            (UnitMethod::SynthRefit, Prior::Arrangement),
        ] {
            // Draws of a distribution that is mirrored are other draws.
            let sign = if method == UnitMethod::SynthRefit { 1.0 } else { -1.0 };
            let a = Array1::from_shape_fn(5, |j| if j == 2 { sign * size[j] } else { size[j] });
            let other = in_other_units(&net, &widths, &a, &origin);
            let moved = (x.mapv(f64::from) * &a + &origin).mapv(|value| value as f32);
            let (before, after) = (logits(&net, &x), logits(&other, &moved));
            let scale = before.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            assert!(distance(&before, &after) < 1e-4 * scale);
            let is_arranged = matches!(prior, Prior::Arrangement);
            let refit = if method == UnitMethod::SynthRefit { Refit::None } else { Refit::Gaussian };
            let options = UnitOptions { refit, prior, ..UnitOptions::new(method, 0.4) };
            let [here, there] = [reduce(&net, &options), reduce(&other, &options)];
            let gap = distance(&logits(&here.network, &x), &logits(&there.network, &moved)) / scale;
            if is_arranged {
                assert_eq!(kept(&here), kept(&there), "{} {seed}", method.name());
                assert!(gap < 1e-3, "{} {seed}: {gap}", method.name());
            } else {
                assert!(kept(&here) != kept(&there) && gap > 0.1, "{seed}: {gap}");
            }
        }
    }
}

#[test]
fn inputs_that_enter_linear_layers_are_drawn_where_the_hyperplanes_lie() {
    let net = random(&[5, 40, 24, 4], true, 3);
    assert_eq!(synth::Prior::of(&net), synth::Prior::Arrangement);
    let options = |method, refit| UnitOptions { refit, ..UnitOptions::new(method, 0.5) };
    assert_eq!(options(UnitMethod::GreedyGaussian, Refit::Gaussian).assumed(&net), Some("arrangement"));
    assert_eq!(options(UnitMethod::SynthRefit, Refit::None).assumed(&net), Some("arrangement"));
    let iso = SynthOptions { prior: Some(synth::Prior::Gaussian), ..SynthOptions::default() };
    let iso = UnitOptions { synth: iso, ..options(UnitMethod::SynthRefit, Refit::None) };
    assert_eq!(iso.assumed(&net), Some("gaussian"));
    for samples in [options(UnitMethod::GreedyGaussian, Refit::Data), options(UnitMethod::L1, Refit::None)] {
        assert_eq!(samples.assumed(&net), None);
    }
}

/// Raw features, as tables have them: far from the origin, in units of their own.
#[test]
#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
fn refits_without_data_hold_where_raw_features_lie() {
    let widths = [8, 60, 40, 5];
    let net = random(&widths, true, 9);
    let a = Array1::from_shape_fn(8, |j| 10_f64.powi(j as i32 % 4));
    let b = Array1::from_shape_fn(8, |j| 6.0 * a[j]);
    let raw = in_other_units(&net, &widths, &a, &b);
    let x = (inputs(2000, 8, 9).mapv(f64::from) * &a + &b).mapv(|value| value as f32);
    let wanted = logits(&raw, &x);
    let lost = |prior: Prior| {
        let options = UnitOptions { prior, ..UnitOptions::new(UnitMethod::GreedyGaussian, 0.5) };
        let missed: Array2<f64> = logits(&reduce(&raw, &options).network, &x) - &wanted;
        let centred = &wanted - &wanted.mean_axis(ndarray::Axis(0)).unwrap();
        let squares = |values: &Array2<f64>| values.iter().map(|value| value * value).sum::<f64>();
        squares(&missed) / squares(&centred)
    };
    let (arranged, iso) = (lost(Prior::Arrangement), lost(Prior::Iso));
    assert!(arranged < 0.2 && iso > 3.0 * arranged, "{arranged} and {iso}");
}
