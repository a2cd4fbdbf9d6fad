//! Channels go: pairs across convolutions, batch norms, poolings and flattens, and `synth-refit` on them.

use ndarray::{Array2, s};
use tropix::backend::{Backend, Cpu, Reference, RowSource};
use tropix::certify::steps_certificate;
use tropix::network::{
    Classifier, DeviceNetwork, Element, Network, Node, Op, Origin, Pair, Reduced, StepKind, Tensor, UnitPlan, UnitStep,
    Window, apply_units, random_network, sites,
};
use tropix::prune::structured::{Refit, UnitMethod, UnitOptions, Walked, reduce_units};
use tropix::prune::synth::{Prior, RefitForm, Refitter, SynthOptions, SyntheticInputs};
use tropix::rng;

use crate::networks::{distance, inputs, normal};

/// What lies between the convolutions of a test network and its linear layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kind {
    pub(super) norms: bool,
    channels_last: bool,
}

pub(super) const KINDS: [Kind; 4] = [
    Kind { norms: false, channels_last: false },
    Kind { norms: false, channels_last: true },
    Kind { norms: true, channels_last: false },
    Kind { norms: true, channels_last: true },
];

/// Channels and neurons of the hidden layers.
pub(super) const WIDTHS: [usize; 3] = [5, 6, 7];

/// conv 3 x 3 - [norm] - relu - max pool 2 - conv 3 x 3, stride 2 - [norm] - relu - [transpose] - flatten - fc - relu - fc
/// on images of 2 x 9 x 8.
pub(super) fn network(kind: Kind, seed: u64) -> Network {
    let generator = &mut rng::stream(seed, "convolutions");
    let mut tensor = |name: String, shape: &[usize], positive: bool| {
        let scale = (2.0 / shape[1..].iter().product::<usize>() as f32).sqrt().min(0.6);
        let values = (0..shape.iter().product()).map(|_| {
            let value = scale * normal(generator);
            if positive { 0.3 + value.abs() } else { value }
        });
        Tensor::owned(&name, Element::F32, shape.to_vec(), values.collect()).unwrap()
    };
    let mut nodes: Vec<Node> = Vec::new();
    let mut add = |name: &str, op: Op| {
        let before = nodes.last().map_or(Network::INPUT.to_owned(), |node| node.name.clone());
        nodes.push(Node { name: name.to_owned(), op, inputs: vec![before] });
    };
    let [a, b, c] = WIDTHS;
    for (name, shape, stride) in [("conv0", [a, 2, 3, 3], 1), ("conv1", [b, a, 3, 3], 2)] {
        let weight = tensor(format!("{name}.weight"), &shape, false);
        // Behind a convolution without bias, the batch norm has to take what the refit adds.
        let bias = (!kind.norms).then(|| tensor(format!("{name}.bias"), &shape[..1], false));
        let window = Window { size: [3, 3], stride: [stride; 2], padding: [1; 4], dilation: [1, 1] };
        add(name, Op::Conv { weight, bias, window, groups: 1 });
        if kind.norms {
            let mut one = |part: &str, positive| tensor(format!("{name}.norm.{part}"), &shape[..1], positive);
            let (scale, bias, mean) = (one("scale", false), one("bias", false), one("mean", false));
            add(&format!("{name}.norm"), Op::BatchNorm { scale, bias, mean, var: one("var", true), epsilon: 1e-3 });
        }
        add(&format!("{name}.relu"), Op::Relu);
        if name == "conv0" {
            let window = Window { stride: [2, 2], ..Window::dense([2, 2]) };
            add("pool", Op::MaxPool { window, ceil: false });
        }
    }
    if kind.channels_last {
        add("last", Op::Transpose { order: vec![1, 2, 0] });
    }
    add("flatten", Op::Flatten);
    let weight = tensor("fc0.weight".into(), &[c, 4 * b], false);
    add("fc0", Op::Linear { weight, bias: Some(tensor("fc0.bias".into(), &[c], false)) });
    add("relu", Op::Relu);
    let weight = tensor("fc1.weight".into(), &[3, c], false);
    add("fc1", Op::Linear { weight, bias: Some(tensor("fc1.bias".into(), &[3], false)) });
    let input = vec![2, 9, 8];
    Network { nodes, input, normalize: None, extra: Vec::new(), origin: Origin::Arch }
}

pub(super) fn logits<B: Backend>(backend: &B, network: &Network, x: &Array2<f32>) -> Array2<f64> {
    let device = DeviceNetwork::upload(backend, network).unwrap();
    backend.download(&device.logits(backend, &backend.upload(x).unwrap()).unwrap()).unwrap()
}

pub(super) fn exact(network: &Network, x: &Array2<f32>) -> Array2<f64> {
    logits(&Reference::new(), network, x)
}

/// The network after replacing each pair in turn.
pub(super) fn replaced(network: &Network, kind: StepKind, reduced: impl Fn(&Pair) -> Reduced) -> Network {
    let mut plan = UnitPlan::default();
    let mut current = network.clone();
    for at in 0..WIDTHS.len() {
        let site = sites(&current).unwrap().0[at].clone();
        let pair = Pair::read(&current, &site).unwrap();
        plan.steps.push(UnitStep { site, kind, reduced: reduced(&pair) });
        current = apply_units(network, &plan).unwrap();
    }
    current
}

/// Every unit twice: the first with the share `first` of what reads it, the second `scale` times as large with the rest.
pub(super) fn split(pair: &Pair, scale: f32, first: f32) -> Reduced {
    let (n, q) = (pair.units(), pair.block());
    let of = |k: usize| k % n;
    let factor = |k: usize| if k < n { 1.0 } else { scale };
    let share = |k: usize| if k < n { first } else { (1.0 - first) / scale };
    Reduced {
        rows: Array2::from_shape_fn((2 * n, pair.rows.ncols()), |(k, j)| factor(k) * pair.rows[[of(k), j]]).into(),
        bias: (0..2 * n).map(|k| factor(k) * pair.bias[of(k)]).collect(),
        next: Array2::from_shape_fn((pair.next.nrows(), 2 * n * q), |(j, c)| {
            share(c / q) * pair.next[[j, of(c / q) * q + c % q]]
        })
        .into(),
        next_bias: pair.next_bias.clone(),
        assignment: (0..n).map(Some).collect(),
        lambda: vec![1.0; n],
    }
}

fn options(ridge: f64) -> SynthOptions {
    SynthOptions { prior: Some(Prior::Gaussian), ridge, inputs: Some(150), seed: 3 }
}

fn reduce(network: &Network, keep: f64, ridge: f64) -> Walked {
    let options = UnitOptions { synth: options(ridge), seed: 3, ..UnitOptions::new(UnitMethod::SynthRefit, keep) };
    reduce_units(&Reference::new(), network, None, &options, &()).unwrap()
}

#[test]
fn backends_compute_whole_networks_within_the_bound_of_rounding() {
    let (reference, cpu) = (Reference::new(), Cpu::new());
    for kind in KINDS {
        let net = network(kind, 1);
        let x = inputs(9, 144, 1);
        let device = DeviceNetwork::upload(&reference, &net).unwrap();
        let [want, bound] = device.bounded(&reference, &reference.upload(&x).unwrap()).unwrap();
        let got = logits(&cpu, &net, &x);
        assert!(distance(&got, &want) > 0.0, "f32 rounds");
        assert!(got.iter().zip(&want).zip(&bound).all(|((got, want), bound)| (got - want).abs() <= *bound), "{kind:?}");
        assert!(bound.iter().all(|bound| *bound < 0.1), "{kind:?}: a bound that says something");
    }
}

#[test]
fn channels_that_stay_are_the_old_ones_and_the_others_are_as_if_zero() {
    for kind in KINDS {
        let net = network(kind, 2);
        let keep = |pair: &Pair| (0..pair.units()).filter(|i| i % 3 != 1).collect::<Vec<_>>();
        let small = replaced(&net, StepKind::Approximate, |pair| pair.select(&keep(pair)));
        let masked = replaced(&net, StepKind::Approximate, |pair| {
            let (mut all, q) = (pair.select(&(0..pair.units()).collect::<Vec<_>>()), pair.block());
            (0..pair.units())
                .filter(|i| i % 3 == 1)
                .for_each(|i| all.next.slice_mut(s![.., i * q..(i + 1) * q]).fill(0.0));
            all
        });
        let x = inputs(20, 144, 2);
        assert!(distance(&exact(&small, &x), &exact(&masked, &x)) < 1e-6, "{kind:?}");
        assert!(distance(&exact(&small, &x), &exact(&net, &x)) > 1e-3, "the comparison can fail");
        let bytes = |tensor: &Tensor| tensor.to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        for (old, new) in net.nodes.iter().zip(&small.nodes) {
            if let (Op::BatchNorm { var: old, .. }, Op::BatchNorm { var: new, .. }) = (&old.op, &new.op) {
                let kept = bytes(old).into_iter().enumerate().filter(|(i, _)| i % 3 != 1).map(|(_, bits)| bits);
                assert_eq!(bytes(new), kept.collect::<Vec<_>>(), "statistics of channels that stay");
            }
        }
    }
}

#[test]
fn new_channels_get_batch_norms_that_do_nothing() {
    let net = network(KINDS[2], 3);
    let doubled = replaced(&net, StepKind::Lossless, |pair| split(pair, 2.5, 0.25));
    let x = inputs(20, 144, 3);
    assert!(distance(&exact(&doubled, &x), &exact(&net, &x)) < 1e-5);
    let scale = match &doubled.nodes[1].op {
        Op::BatchNorm { scale, .. } => scale.clone(),
        op => return assert_eq!(op.name(), "batchnorm"),
    };
    assert!(scale.to_vec()[..5].iter().any(|scale| *scale < 0.0), "old channels keep theirs, negative ones too");
    assert!(scale.to_vec()[5..].iter().all(|scale| *scale == 1.0));
}

#[test]
fn duplicated_channels_merge_back_exactly() {
    for kind in KINDS {
        let net = network(kind, 4);
        let large = replaced(&net, StepKind::Lossless, |pair| split(pair, 2.0, 0.25));
        let walked = reduce(&large, 0.5, 1e-12);
        assert_eq!(walked.layers.iter().map(|layer| layer.after).collect::<Vec<_>>(), WIDTHS);
        let x = inputs(20, 144, 4);
        let size = exact(&net, &x).iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        assert!(distance(&exact(&walked.network, &x), &exact(&net, &x)) < 1e-4 * size, "{kind:?}");
        let fewer = reduce(&large, 0.4, 1e-12);
        assert!(distance(&exact(&fewer.network, &x), &exact(&net, &x)) > 1e-2 * size, "{kind:?}: fewer do not do");
    }
}

#[test]
fn a_refit_of_all_units_is_the_network_and_losses_fall_with_units() {
    let reference = Reference::new();
    for kind in KINDS {
        let net = network(kind, 5);
        for site in sites(&net).unwrap().0 {
            let pair = Pair::read(&net, &site).unwrap();
            let all: Vec<usize> = (0..pair.units()).collect();
            let refit = |keep: &[usize]| {
                let mut refitter = Refitter::synthetic(&reference, &net, 150, options(1e-12)).unwrap();
                refitter.refit(&net, &pair, keep).unwrap()
            };
            let (same, report) = refit(&all);
            assert!(report.loss < 1e-9 * report.variance, "{kind:?} {report:?}");
            let step = UnitStep { site: site.clone(), kind: StepKind::Approximate, reduced: same };
            let same = apply_units(&net, &UnitPlan { steps: vec![step] }).unwrap();
            let mut x = Array2::zeros((150, 144));
            let synthetic = SyntheticInputs::new(&net, Prior::Gaussian, 150, 3).unwrap();
            synthetic.read_rows(0, x.as_slice_mut().unwrap()).unwrap();
            let want = exact(&net, &x);
            let size = want.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            assert!(distance(&exact(&same, &x), &want) < 1e-4 * size, "{kind:?} {}", site.layer);
            let mut refitter = Refitter::synthetic(&reference, &net, 150, options(1e-9)).unwrap();
            let (chosen, report) = refitter.select(&net, &pair, pair.units() - 2).unwrap();
            assert_eq!(report.curve.len(), pair.units() - 2);
            assert!(report.curve.windows(2).all(|pair| pair[1] <= pair[0]) && report.curve[0] < report.variance);
            let last = report.curve[report.curve.len() - 1];
            assert!((report.loss - last).abs() < 1e-5 * report.variance, "{kind:?} {report:?}");
            // The first ones lose as much less as they explain more: no other choice of one unit is better.
            let (_, best) =
                Refitter::synthetic(&reference, &net, 150, options(1e-9)).unwrap().select(&net, &pair, 1).unwrap();
            let others = all.iter().map(|unit| refit(&[*unit]).1.loss).fold(f64::INFINITY, f64::min);
            assert!((best.loss - others).abs() < 1e-5 * best.variance);
            assert!(chosen.lambda.iter().all(|lambda| [0.0, 1.0].contains(lambda)));
        }
    }
}

#[test]
fn one_map_for_all_places_takes_duplicates_back_from_a_few_inputs() {
    let reference = Reference::new();
    {
        let kind = KINDS[0];
        let net = network(kind, 8);
        let large = replaced(&net, StepKind::Lossless, |pair| split(pair, 2.0, 0.25));
        let site = sites(&large).unwrap().0[1].clone();
        let pair = Pair::read(&large, &site).unwrap();
        let x = inputs(20, 144, 8);
        let want = exact(&large, &x);
        let size = want.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        // Five inputs of four places: 20 samples of 12 channels, where a joint fit has 24 unknowns for five samples.
        let error = |keep: usize, inputs: usize| {
            // A channel that hardly ever fires has a tiny variance, which a ridge should not hide.
            let options = SynthOptions { inputs: Some(inputs), ..options(1e-15) };
            let mut refitter = Refitter::synthetic(&reference, &large, inputs, options).unwrap();
            let (reduced, report) = refitter.select(&large, &pair, keep).unwrap();
            assert_eq!((report.form, report.inputs, report.curve.len()), (RefitForm::Channels, inputs, keep));
            assert!((report.loss - report.curve[keep - 1]).abs() < 1e-5 * report.variance, "{report:?}");
            let step = UnitStep { site: site.clone(), kind: StepKind::Approximate, reduced };
            let small = apply_units(&large, &UnitPlan { steps: vec![step] }).unwrap();
            distance(&exact(&small, &x), &want) / size
        };
        let all = error(6, 5);
        assert!(all < 2e-3, "{kind:?}: {all}");
        assert!(error(4, 3) > all, "{kind:?}: fewer do not do");
    }
}

#[test]
fn neurons_with_too_few_inputs_are_fitted_in_closed_form() {
    use tropix::prune::structured::Prior::Iso;
    let net = random_network(&[12, 30, 4], 4).unwrap();
    let run = |method, inputs| {
        let base = UnitOptions { lossless: false, prior: Iso, ..UnitOptions::new(method, 0.5) };
        let synth = SynthOptions { inputs: Some(inputs), ..base.synth };
        reduce_units(&Cpu::new(), &net, None, &UnitOptions { synth, ..base }, &()).unwrap()
    };
    let values = |walked: &Walked| walked.network.tensors().flat_map(Tensor::to_vec).collect::<Vec<_>>();
    let closed = run(UnitMethod::GreedyGaussian, 1);
    let (few, many) = (run(UnitMethod::SynthRefit, 3), run(UnitMethod::SynthRefit, 100));
    let form = |walked: &Walked| walked.layers[0].refit.as_ref().unwrap().form;
    assert_eq!((form(&few), form(&many)), (RefitForm::Gaussian, RefitForm::Joint));
    // Each is judged on inputs of its own prior, so that its columns may be kept as they were; the units are the same.
    let units = |walked: &Walked| values(walked)[..15 * 12 + 15].to_vec();
    assert_eq!(units(&few), units(&closed));
    assert_ne!(values(&many), values(&closed));
}

#[test]
fn what_reads_chosen_channels_is_refitted_on_samples() {
    for kind in KINDS {
        let net = network(kind, 9);
        let (x, samples) = (inputs(60, 144, 9), inputs(300, 144, 10));
        let want = exact(&net, &x);
        for method in [UnitMethod::L1, UnitMethod::PathL2, UnitMethod::Cup, UnitMethod::RandomNeurons] {
            let run = |refit| {
                let options = UnitOptions { refit, lossless: false, ..UnitOptions::new(method, 0.6) };
                reduce_units(&Cpu::new(), &net, Some(&samples), &options, &()).unwrap()
            };
            let (plain, fitted) = (run(Refit::None), run(Refit::Data));
            let rows = |walked: &Walked| walked.plan.steps[0].reduced.lambda.clone();
            assert_eq!(rows(&plain), rows(&fitted), "{kind:?} {}: the choice is the method's", method.name());
            assert!(fitted.layers.iter().all(|layer| layer.refit.as_ref().is_some_and(|refit| refit.inputs == 240)));
            assert!(fitted.layers.iter().all(|layer| layer.held_out.is_some_and(|held| held.inputs == 60)));
            let square = |walked: &Walked| (exact(&walked.network, &x) - &want).mapv(|gap| gap * gap).sum();
            let [before, after] = [square(&plain), square(&fitted)];
            assert!(after < 0.7 * before, "{kind:?} {}: {after} beside {before}", method.name());
        }
        let options = UnitOptions { refit: Refit::Data, ..UnitOptions::new(UnitMethod::Tropnnc, 0.6) };
        let error = reduce_units(&Cpu::new(), &net, Some(&samples), &options, &()).unwrap_err().to_string();
        assert!(error.contains("is a convolution"), "{error}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let net = network(KINDS[0], 6);
    let run = |seed| {
        let options = UnitOptions { seed, ..UnitOptions::new(UnitMethod::SynthRefit, 0.5) };
        let options = UnitOptions { synth: SynthOptions { inputs: Some(100), ..options.synth }, ..options };
        let walked = reduce_units(&Cpu::new(), &net, None, &options, &()).unwrap();
        walked.network.tensors().flat_map(Tensor::to_vec).map(f32::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// Steps are certified patch by patch, through batch norms, max pooling and both layouts of a flatten.
#[test]
fn certificates_of_convolutions_lie_above_every_error() {
    let radius = 3.0_f32;
    let mut x = inputs(400, 144, 8);
    for mut row in x.rows_mut() {
        let norm = row.dot(&row).sqrt();
        row *= radius * (1.0 - 1e-6) / norm;
    }
    for kind in KINDS {
        let net = network(kind, 8);
        for method in [UnitMethod::L1, UnitMethod::PathL2, UnitMethod::Tropnnc, UnitMethod::SynthRefit] {
            let what = format!("{kind:?}, {}", method.name());
            let options = UnitOptions { synth: options(1e-3), ..UnitOptions::new(method, 0.6) };
            let walked = reduce_units(&Cpu::new(), &net, None, &options, &()).unwrap();
            let found = steps_certificate(&net, &walked.plan, f64::from(radius), None).unwrap();
            let gaps = (exact(&net, &x) - exact(&walked.network, &x)).mapv(f64::abs);
            for (errors, bound) in gaps.columns().into_iter().zip(&found.errors) {
                let largest = errors.iter().fold(0.0_f64, |most, gap| most.max(*gap));
                assert!(largest > 1e-3 && largest <= *bound, "{what}: {largest} beside {bound}");
            }
            assert_eq!(found.layers.len(), 3, "{what}");
            for (layer, site) in found.layers.iter().zip(sites(&net).unwrap().0) {
                let value = |name: &str| {
                    let bound = layer.bounds.iter().find(|bound| bound.bound == name);
                    bound.map(|bound| bound.values.iter().sum::<f64>())
                };
                assert!(value("pair").unwrap() <= value("triangle").unwrap() * 1.001, "{what}: {layer:?}");
                assert_eq!(value("half").is_some(), !site.max_pool, "{what}: a max pooling is no linear map");
            }
        }
        // A plan without steps moves nothing, and one step moves no more than all.
        let still = steps_certificate(&net, &UnitPlan::default(), f64::from(radius), None).unwrap();
        assert_eq!(still.error, 0.0);
        let mut carried = net;
        carried.nodes[1].op = Op::Carried { op: "lrn".into(), tensors: Vec::new(), attributes: toml::Table::new() };
        let error = steps_certificate(&carried, &UnitPlan::default(), 1.0, None).unwrap_err().to_string();
        assert!(error.starts_with("no certificate:"), "{error}");
    }
}

#[test]
fn what_no_backend_computes_is_named() {
    let mut net = network(KINDS[0], 7);
    net.nodes[1].op = Op::Carried { op: "lrn".into(), tensors: Vec::new(), attributes: toml::Table::new() };
    let error = DeviceNetwork::upload(&Cpu::new(), &net).err().unwrap().to_string();
    assert!(error.contains("`conv0.relu` (lrn)"), "{error}");
}
