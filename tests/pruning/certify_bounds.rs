//! Upper bounds of a layer's output error: above every value, in their order, linear, and nothing where nothing changed.

use ndarray::{Array1, Array2, Axis};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tropix::backend::Cpu;
use tropix::certify::{
    Ascent, Block, Bound, BoundOptions, LayerCertificate, Pairing, exact_errors, hausdorff_form, largest_errors,
    layer_bound,
};
use tropix::network::Head;
use tropix::rng;

use crate::networks::network;

fn uniform(generator: &mut ChaCha8Rng, shape: (usize, usize)) -> Array2<f64> {
    Array2::from_shape_simple_fn(shape, || generator.random_range(-1.0..1.0))
}

/// A random block.
pub(crate) fn random_block(d: usize, n: usize, m: usize, seed: u64) -> Block {
    let generator = &mut rng::stream(seed, "test block");
    let (weight, bias) = (uniform(generator, (n, d)), uniform(generator, (1, n)).row(0).to_owned() * 0.5);
    let (next, next_bias) = (uniform(generator, (m, n)), uniform(generator, (1, m)).row(0).to_owned());
    Block::new(weight, bias, next, next_bias).unwrap()
}

/// What a compression may have made of a block: clusters summed up, neurons dropped, or weights moved.
pub(crate) fn compressed(block: &Block, keep: usize, seed: u64) -> (Block, Option<Pairing>) {
    let generator = &mut rng::stream(seed, "test compression");
    let (n, m) = (block.neurons(), block.outputs());
    match seed % 4 {
        0 => {
            let partner: Vec<usize> =
                (0..n).map(|i| if i < keep { i } else { generator.random_range(0..keep) }).collect();
            let mut weight = Array2::zeros((keep, block.inputs()));
            let mut bias = Array1::zeros(keep);
            let mut next = Array2::zeros((m, keep));
            for (i, k) in partner.iter().enumerate() {
                let share = 1.0 / partner.iter().filter(|other| *other == k).count() as f64;
                weight.row_mut(*k).scaled_add(share, &block.weight.row(i));
                bias[*k] += share * block.bias[i];
                next.column_mut(*k).scaled_add(1.0, &block.next.column(i));
            }
            let known = Pairing { scale: vec![1.0; n], partner };
            (Block::new(weight, bias, next, block.next_bias.clone()).unwrap(), Some(known))
        }
        1 => {
            let kept: Vec<usize> = (0..keep).collect();
            let weight = block.weight.select(Axis(0), &kept);
            let next = block.next.select(Axis(1), &kept) + uniform(generator, (m, keep)) * 0.2;
            let bias = block.bias.select(Axis(0), &kept);
            (Block::new(weight, bias, next, &block.next_bias + 0.1).unwrap(), None)
        }
        2 => {
            let masked = |values: &Array2<f64>| values.mapv(|v| if v.abs() < 0.3 { 0.0 } else { v });
            let (weight, next) = (masked(&block.weight), masked(&block.next));
            (Block::new(weight, block.bias.clone(), next, block.next_bias.clone()).unwrap(), None)
        }
        _ => {
            let block = random_block(block.inputs(), keep, m, seed + 1);
            (block, None)
        }
    }
}

/// The largest errors at random points of the ball, half of them on its surface.
fn sampled(original: &Block, other: &Block, radius: f64, seed: u64) -> Vec<f64> {
    let generator = &mut rng::stream(seed, "test points");
    let mut points = uniform(generator, (200, original.inputs()));
    for (at, mut point) in points.rows_mut().into_iter().enumerate() {
        let norm = point.dot(&point).sqrt();
        let reach = if at % 2 == 0 { radius } else { radius * generator.random_range(0.0..1.0) };
        point *= reach * (1.0 - 1e-15) / norm;
    }
    let errors = (original.evaluate(&points) - other.evaluate(&points)).mapv(f64::abs);
    errors.columns().into_iter().map(|errors| errors.iter().copied().fold(0.0, f64::max)).collect()
}

fn certificate(original: &Block, other: &Block, radius: f64, known: Option<&Pairing>) -> LayerCertificate {
    layer_bound(original, other, radius, known, &BoundOptions { crown_steps: 30, ..BoundOptions::default() }).unwrap()
}

fn every_bound(certificate: &LayerCertificate, radius: f64) -> Vec<(usize, Bound, f64)> {
    let of = |(j, output): (usize, &tropix::certify::OutputBounds)| -> Vec<(usize, Bound, f64)> {
        output.bounds.iter().map(|(bound, radial)| (j, *bound, radial.at(radius))).collect()
    };
    certificate.outputs.iter().enumerate().flat_map(of).collect()
}

/// A block as a network of f32 weights.
#[expect(clippy::cast_possible_truncation, reason = "what a file would hold")]
fn as_head(block: &Block) -> Head {
    let narrow = |matrix: &Array2<f64>| matrix.mapv(|value| value as f32);
    let bias = |bias: &Array1<f64>| Some(bias.iter().map(|value| *value as f32).collect());
    let layers = vec![(narrow(&block.weight), bias(&block.bias)), (narrow(&block.next), bias(&block.next_bias))];
    Head::of(&network(layers)).unwrap()
}

/// Property 5.
#[test]
fn no_bound_of_a_thousand_networks_lies_below_a_value_and_the_order_holds() {
    let mut tight = Vec::new();
    for seed in 0..1000_u64 {
        let size = |most: u64, salt: u64| usize::try_from(1 + (seed * 2654435761 + salt * 97) / 7 % most).unwrap();
        let (d, n, m) = (size(5, 1), 2 + size(12, 2), size(3, 3));
        let block = random_block(d, n, m, seed);
        let (other, known) = compressed(&block, (n / 2).max(1), seed);
        let radius = [0.0, 0.5, 1.0, 3.0, 10.0][usize::try_from(seed / 4 % 5).unwrap()];
        let (mine, theirs) = (as_head(&block), as_head(&other));
        let (block, other) = (Block::of(&mine, 0).unwrap(), Block::of(&theirs, 0).unwrap());
        let certificate = certificate(&block, &other, radius, known.as_ref());
        let ascent = Ascent { starts: 4, steps: 16, seed };
        let attacked = largest_errors(&Cpu::new(), &mine, &theirs, radius, ascent).unwrap();
        for (j, bound, upper) in every_bound(&certificate, radius) {
            let found = attacked[j].error;
            assert!(
                upper >= found,
                "net {seed}: {} = {upper} of output {j} is below the attack's {found}",
                bound.name()
            );
        }
        // The bounds hold on every smaller ball as well.
        for share in [1.0, 0.4] {
            let values = sampled(&block, &other, share * radius, seed);
            for (j, bound, upper) in every_bound(&certificate, share * radius) {
                let value = values[j];
                assert!(upper >= value, "net {seed}: {} = {upper} of output {j} is below {value}", bound.name());
            }
        }
        for ((output, lower), found) in
            certificate.outputs.iter().zip(sampled(&block, &other, radius, seed)).zip(&attacked)
        {
            let lower = lower.max(found.error);
            let get = |bound| output.get(bound, radius).unwrap();
            assert!(get(Bound::Half) <= get(Bound::Pair) * (1.0 + 1e-9), "net {seed}: half is above pair");
            assert!(get(Bound::Sdp) <= get(Bound::Half) * (1.0 + 1e-9), "net {seed}: sdp is above half");
            tight.push(get(Bound::Sdp) / lower);
        }
    }
    tight.sort_by(f64::total_cmp);
    assert!(
        tight[tight.len() / 2] < 2.0,
        "half of the sdp bounds are beyond {} times an error",
        tight[tight.len() / 2]
    );
}

#[test]
fn a_bound_that_is_lowered_is_seen_to_fail() {
    // One neuron against nothing in one dimension: the error is 2 at the end of the ball, and pair, half and sdp say so.
    let one = Block::new(Array2::ones((1, 1)), Array1::zeros(1), Array2::ones((1, 1)), Array1::zeros(1)).unwrap();
    let none = Block::new(Array2::zeros((1, 1)), Array1::zeros(1), Array2::zeros((1, 1)), Array1::zeros(1)).unwrap();
    let certificate = certificate(&one, &none, 2.0, None);
    let value = sampled(&one, &none, 2.0, 0)[0];
    for (_, bound, upper) in every_bound(&certificate, 2.0) {
        assert!(upper >= value && upper < 2.0 * (1.0 + 1e-6), "{} = {upper}, the error is {value}", bound.name());
        assert!(upper * 0.999 < value, "a bound that is a thousandth too small would show");
    }
}

#[test]
fn bounds_scale_with_the_outgoing_weights() {
    for seed in 0..24 {
        let block = random_block(3, 12, 2, seed);
        let (other, known) = compressed(&block, 5, seed);
        let scaled = |block: &Block, t: f64| {
            Block::new(block.weight.clone(), block.bias.clone(), &block.next * t, &block.next_bias * t).unwrap()
        };
        let one = every_bound(&certificate(&block, &other, 2.0, known.as_ref()), 2.0);
        for t in [3.0, 1e-20, 1e30] {
            let grown = certificate(&scaled(&block, t), &scaled(&other, t), 2.0, known.as_ref());
            for ((_, bound, one), (_, _, grown)) in one.iter().zip(every_bound(&grown, 2.0)) {
                // Rounding decides where the iterations of two of the bounds end.
                let tolerance = if matches!(bound, Bound::Sdp | Bound::Crown) { 1e-3 } else { 1e-9 };
                assert!((grown / t - one).abs() <= tolerance * one, "{}: {grown} is not {t} times {one}", bound.name());
            }
        }
    }
}

#[test]
fn duplicates_and_copies_have_a_certificate_of_almost_nothing() {
    for seed in 0..10 {
        let block = random_block(6, 9, 4, seed);
        // Every neuron three times, at different scales and with its outgoing weight in parts.
        let generator = &mut rng::stream(seed, "test duplicates");
        let rows: Vec<usize> = (0..27).map(|i| i / 3).collect();
        let scales: Array1<f64> = (0..27).map(|_| generator.random_range(0.2..4.0)).collect();
        let weight = block.weight.select(Axis(0), &rows) * &scales.clone().insert_axis(Axis(1));
        let bias = block.bias.select(Axis(0), &rows) * &scales;
        let mut next = uniform(generator, (4, 27));
        for i in 0..9 {
            let rest = &block.next.column(i)
                - &next.column(3 * i) * scales[3 * i]
                - &next.column(3 * i + 1) * scales[3 * i + 1];
            next.column_mut(3 * i + 2).assign(&(rest / scales[3 * i + 2]));
        }
        let many = Block::new(weight, bias, next, block.next_bias.clone()).unwrap();
        let found = certificate(&many, &block, 5.0, None);
        let triangle = found.outputs[0].get(Bound::Triangle, 5.0).unwrap();
        for error in found.errors(5.0) {
            assert!(error <= 1e-9 * triangle, "duplicates leave {error} of {triangle}");
        }
        // The mean in place of the sum, as in the older zonotope method, must not pass.
        let mean =
            Block::new(block.weight.clone(), block.bias.clone(), &block.next / 3.0, block.next_bias.clone()).unwrap();
        assert!(certificate(&many, &mean, 5.0, None).errors(5.0).iter().all(|error| *error > 1e-3 * triangle));
        // A network beside itself.
        assert!(certificate(&block, &block, 5.0, None).errors(5.0).iter().all(|error| *error <= 1e-9 * triangle));
    }
}

#[test]
fn neurons_of_certain_sign_are_removed_for_free() {
    let block = random_block(4, 8, 3, 5);
    let radius = 2.0;
    let reach = |a: ndarray::ArrayView1<'_, f64>| radius * a.dot(&a).sqrt();
    // Always off: gone. Always on, all eight of them: three linear neurons instead, one for each output.
    let off: Array1<f64> = block.weight.rows().into_iter().map(|a| -reach(a)).collect();
    let on: Array1<f64> = block.weight.rows().into_iter().map(|a| reach(a) + 0.3).collect();
    let joined = |bias: &Array1<f64>| {
        let weight = ndarray::concatenate(Axis(0), &[block.weight.view(), (&block.weight * 1.5).view()]).unwrap();
        let bias = block.bias.iter().copied().chain(bias.iter().map(|b| b * 1.5)).collect();
        let next = ndarray::concatenate(Axis(1), &[block.next.view(), block.next.view()]).unwrap();
        Block::new(weight, bias, next, block.next_bias.clone()).unwrap()
    };
    let found = certificate(&joined(&off), &block, radius, None);
    let size = found.outputs[0].get(Bound::Triangle, radius).unwrap();
    assert!(found.errors(radius).iter().all(|error| *error <= 1e-9 * size), "{:?}", found.errors(radius));

    let u = block.next.dot(&(&block.weight * 1.5));
    let lift: Array1<f64> = u.rows().into_iter().map(reach).collect();
    let weight = ndarray::concatenate(Axis(0), &[block.weight.view(), u.view()]).unwrap();
    let bias = block.bias.iter().chain(&lift).copied().collect();
    let next = ndarray::concatenate(Axis(1), &[block.next.view(), Array2::eye(3).view()]).unwrap();
    let next_bias = &block.next_bias + &block.next.dot(&(&on * 1.5)) - &lift;
    let fewer = Block::new(weight, bias, next, next_bias).unwrap();
    let found = certificate(&joined(&on), &fewer, radius, None);
    assert!(found.errors(radius).iter().all(|error| *error <= 1e-9 * size), "{:?}", found.errors(radius));
    // Beyond the ball the replacement is not exact, and the certificate says so.
    assert!(
        certificate(&joined(&on), &fewer, 3.0 * radius, None).errors(3.0 * radius).iter().all(|error| *error > 0.01)
    );
}

#[test]
fn what_cannot_be_bounded_is_refused() {
    let block = random_block(3, 4, 2, 0);
    let refused = |other: &Block, radius: f64, known: Option<&Pairing>| {
        layer_bound(&block, other, radius, known, &BoundOptions::default()).unwrap_err().to_string()
    };
    assert!(refused(&random_block(4, 4, 2, 0), 1.0, None).contains("takes 3 values and gives 2"));
    assert!(refused(&random_block(3, 4, 5, 0), 1.0, None).contains("gives 5"));
    for radius in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(refused(&block, radius, None).contains("radius"));
    }
    let wrong = Pairing { partner: vec![0, 1, 2, 9], scale: vec![1.0; 4] };
    assert!(refused(&block, 1.0, Some(&wrong)).contains("partner 9 of 4"));
    let negative = Pairing { partner: vec![0; 4], scale: vec![1.0, 1.0, -0.5, 1.0] };
    assert!(refused(&block, 1.0, Some(&negative)).contains("-0.5"));
    let infinite = Block::new(
        block.weight.mapv(|_| f64::INFINITY),
        block.bias.clone(),
        block.next.clone(),
        block.next_bias.clone(),
    );
    assert!(infinite.unwrap_err().to_string().contains("finite"));
}

#[test]
fn products_that_overflow_give_no_bound_rather_than_a_wrong_one() {
    let huge = |t: f64| {
        let block = random_block(3, 5, 2, 1);
        Block::new(&block.weight * t, &block.bias * t, &block.next * t, block.next_bias.clone()).unwrap()
    };
    for t in [1e38, 1e100, 1e200] {
        let (a, b) = (huge(t), huge(t * 0.5));
        for (_, bound, upper) in every_bound(&certificate(&a, &b, 1.0, None), 1.0) {
            assert!(!upper.is_nan() && upper > 0.0, "{} = {upper} at {t:e}", bound.name());
        }
        let best = certificate(&a, &b, 1.0, None).errors(1.0);
        assert!(t > 1e38 || best.iter().all(|error| error.is_finite()), "weights of a file overflow: {best:?}");
    }
}

#[test]
fn exact_values_lie_between_samples_and_every_bound() {
    let mut closest: f64 = 0.0;
    for seed in 0..200_u64 {
        let d = 1 + usize::try_from(seed % 2).unwrap();
        let block = random_block(d, 10, 2, seed);
        let (other, known) = compressed(&block, 5, seed);
        let radius = [0.3, 1.0, 4.0][usize::try_from(seed % 3).unwrap()];
        let exact = exact_errors(&block, &other, radius).unwrap().unwrap();
        for (exact, sampled) in exact.iter().zip(sampled(&block, &other, radius, seed)) {
            assert!(*exact >= sampled * (1.0 - 1e-12), "net {seed}: a sample of {sampled} beats {exact}");
            closest = closest.max(sampled / exact);
        }
        for (j, bound, upper) in every_bound(&certificate(&block, &other, radius, known.as_ref()), radius) {
            assert!(upper >= exact[j] * (1.0 - 1e-12), "net {seed}: {} = {upper} < {}", bound.name(), exact[j]);
        }
    }
    assert!(
        closest > 0.999,
        "samples come within {closest} of the exact values: they would show one that is too small"
    );
    assert!(exact_errors(&random_block(3, 4, 1, 0), &random_block(3, 4, 1, 1), 1.0).unwrap().is_none());
}

/// Theorem 2: no error exceeds `rho H`, and the two ends of the Hausdorff form are in order.
#[test]
fn errors_stay_below_the_hausdorff_distance_of_the_zonotopes() {
    let backend = Cpu::new();
    let mut largest: f64 = 0.0;
    for seed in 0..60_u64 {
        let block = random_block(2, 8, 2, seed);
        let (other, known) = compressed(&block, 4, seed);
        let found = certificate(&block, &other, 2.0, known.as_ref());
        let form = hausdorff_form(&backend, &block, &other, &found.pairing, 2.0, 4000, seed).unwrap();
        let exact = exact_errors(&block, &other, 2.0).unwrap().unwrap();
        for (interval, exact) in form.iter().zip(exact) {
            assert!(interval.lower <= interval.upper, "{interval:?}");
            // Dense directions miss the largest difference by a few percent at most.
            assert!(exact <= interval.lower * 1.05, "net {seed}: an error of {exact} beyond {interval:?}");
            largest = largest.max(exact / interval.lower);
        }
    }
    assert!(largest > 0.5, "the theorem is never tighter than {largest}: something else is measured");
}
