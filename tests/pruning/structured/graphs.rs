//! What a rewrite of a graph has to keep: batch norms that are folded, layouts of a flatten, trunks of residual blocks.

use ndarray::Array2;
use tropix::backend::{Cpu, Reference};
use tropix::network::{Element, Network, Node, Op, Origin, Pair, StepKind, Tensor, Window, sites};
use tropix::prune::structured::{UnitMethod, UnitOptions, Walked, reduce_units};
use tropix::prune::synth::{Prior, SynthOptions};
use tropix::rng;

use super::convolutions::{KINDS, WIDTHS, exact, logits, network, replaced, split};
use crate::networks::{distance, inputs, normal};

fn size(values: &Array2<f64>) -> f64 {
    values.iter().fold(0.0_f64, |most, value| most.max(value.abs()))
}

/// Property 10.
#[test]
fn folded_batch_norms_compute_what_they_did_with_negative_scales_and_padding() {
    for kind in KINDS.into_iter().filter(|kind| kind.norms) {
        let net = network(kind, 11);
        let mut folded = net.clone();
        for site in sites(&net).unwrap().0 {
            let pair = Pair::read(&net, &site).unwrap();
            let Some(norm) = &site.norm else { continue };
            for node in &mut folded.nodes {
                match &mut node.op {
                    Op::Conv { weight, bias, .. } if node.name == site.layer => {
                        let shape = weight.dimensions().to_vec();
                        let values = pair.rows.iter().copied().collect();
                        *weight = Tensor::owned("weight", Element::F32, shape, values).unwrap();
                        *bias =
                            Some(Tensor::owned("bias", Element::F32, vec![pair.units()], pair.bias.clone()).unwrap());
                    }
                    Op::BatchNorm { scale, .. } if node.name == *norm => {
                        assert!(scale.to_vec().iter().any(|scale| *scale < 0.0), "negative scales are tried");
                        node.op = Op::Identity;
                    }
                    _ => {}
                }
            }
        }
        let x = inputs(20, 144, 11);
        let want = exact(&net, &x);
        assert!(folded.nodes.iter().filter(|node| matches!(node.op, Op::Identity)).count() == 2);
        assert!(distance(&exact(&folded, &x), &want) < 1e-5 * size(&want), "{kind:?}");
    }
}

/// Property 11: a channel twice, with shares of its columns; max pooling, stride 2 and both layouts lie between.
#[test]
fn channels_that_were_split_are_merged_back_through_pooling_stride_and_both_layouts() {
    for kind in KINDS {
        let net = network(kind, 12);
        let x = inputs(20, 144, 12);
        let want = exact(&net, &x);
        for (method, scale, first, lossless) in [
            // Clusters of copies: halves that are the same vector in any gauge.
            (UnitMethod::Tropnnc, 1.0, 0.5, false),
            (UnitMethod::TropnncNet, 1.0, 0.5, false),
            (UnitMethod::TropnncThreshold, 1.0, 0.5, false),
            // Multiples go for free; behind batch norms nothing is taken for one.
            (UnitMethod::L1, 2.0, 0.25, true),
        ] {
            if lossless && kind.norms {
                continue;
            }
            let large = replaced(&net, StepKind::Lossless, |pair| split(pair, scale, first));
            assert!(distance(&exact(&large, &x), &want) < 1e-5 * size(&want), "{kind:?}");
            let run = |keep: f64| {
                let options = UnitOptions { lossless, seed: 2, ..UnitOptions::new(method, keep) };
                reduce_units(&Cpu::new(), &large, None, &options, &()).unwrap()
            };
            let (walked, fewer) = (run(0.5), run(0.4));
            assert_eq!(walked.layers.iter().map(|layer| layer.after).collect::<Vec<_>>(), WIDTHS, "{kind:?}");
            let gap = |walked: &Walked| distance(&exact(&walked.network, &x), &want) / size(&want);
            assert!(gap(&walked) < 1e-5, "{kind:?} {}: {}", method.name(), gap(&walked));
            assert!(gap(&fewer) > 1e-3, "{kind:?} {}: fewer do not do", method.name());
        }
    }
}

/// stem - relu - [a - norm - relu - b - norm] + - relu - [c - relu - d - relu - e] + - average - flatten - fc, on images of
/// 3 x 6 x 6: a basic block and a bottleneck on a trunk of 4 channels.
fn residual(seed: u64) -> Network {
    let generator = &mut rng::stream(seed, "residual");
    let mut values = |count: usize, scale: f32| (0..count).map(|_| scale * normal(generator)).collect::<Vec<f32>>();
    let mut nodes: Vec<Node> = Vec::new();
    let mut add = |name: &str, op: Op, inputs: &[&str]| {
        nodes.push(Node {
            name: name.to_owned(),
            op,
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        });
    };
    let tensor = |name: String, shape: &[usize], values: Vec<f32>| {
        Tensor::owned(&name, Element::F32, shape.to_vec(), values).unwrap()
    };
    let mut conv = |name: &str, [out, inputs, kernel]: [usize; 3]| {
        let padding = [kernel / 2; 4];
        let shape = [out, inputs, kernel, kernel];
        let scale = (2.0 / (inputs * kernel * kernel) as f32).sqrt();
        let weight = tensor(format!("{name}.weight"), &shape, values(shape.iter().product(), scale));
        let bias = Some(tensor(format!("{name}.bias"), &[out], values(out, 0.2)));
        Op::Conv { weight, bias, window: Window { padding, ..Window::dense([kernel; 2]) }, groups: 1 }
    };
    let norm = |name: &str, units: usize| {
        let part = |part: &str, of: &dyn Fn(usize) -> f32| {
            tensor(format!("{name}.{part}"), &[units], (0..units).map(of).collect())
        };
        let scale = part("scale", &|u| if u % 3 == 1 { -0.8 } else { 1.2 });
        let (bias, mean) = (part("bias", &|u| 0.1 * u as f32 - 0.2), part("mean", &|u| 0.05 * u as f32));
        Op::BatchNorm { scale, bias, mean, var: part("var", &|u| 0.5 + 0.1 * u as f32), epsilon: 1e-3 }
    };
    add("stem", conv("stem", [4, 3, 3]), &[Network::INPUT]);
    add("r0", Op::Relu, &["stem"]);
    add("a", conv("a", [6, 4, 3]), &["r0"]);
    add("an", norm("an", 6), &["a"]);
    add("ar", Op::Relu, &["an"]);
    add("b", conv("b", [4, 6, 3]), &["ar"]);
    add("bn", norm("bn", 4), &["b"]);
    add("add1", Op::Add, &["bn", "r0"]);
    add("r1", Op::Relu, &["add1"]);
    add("c", conv("c", [4, 4, 1]), &["r1"]);
    add("cr", Op::Relu, &["c"]);
    add("d", conv("d", [6, 4, 3]), &["cr"]);
    add("dr", Op::Relu, &["d"]);
    add("e", conv("e", [4, 6, 1]), &["dr"]);
    add("add2", Op::Add, &["e", "r1"]);
    add("g", Op::GlobalAveragePool, &["add2"]);
    add("f", Op::Flatten, &["g"]);
    let weight = tensor("fc.weight".into(), &[3, 4], (0..12).map(|i| (i as f32 * 0.7).sin()).collect());
    add("fc", Op::Linear { weight, bias: None }, &["f"]);
    Network { nodes, input: vec![3, 6, 6], normalize: None, extra: Vec::new(), origin: Origin::Arch }
}

/// Property 12.
#[test]
fn residual_blocks_lose_inner_channels_alone_and_still_run() {
    let net = residual(13);
    let x = inputs(20, 108, 13);
    let want = exact(&net, &x);
    let shape = |net: &Network, name: &str| match &net.node(name).unwrap().op {
        Op::Conv { weight, .. } | Op::Linear { weight, .. } => weight.dimensions().to_vec(),
        _ => Vec::new(),
    };
    for method in [UnitMethod::L1, UnitMethod::Tropnnc, UnitMethod::Cup, UnitMethod::SynthRefit] {
        let synth = SynthOptions { prior: Some(Prior::Gaussian), ridge: 1e-3, inputs: Some(100), seed: 1 };
        let run = |keep: f64| {
            let options = UnitOptions { synth, ..UnitOptions::new(method, keep) };
            reduce_units(&Cpu::new(), &net, None, &options, &()).unwrap().network
        };
        let small = run(0.5);
        // Outputs, inputs and kernel of each layer: the trunk keeps its 4 channels.
        for (name, expected) in [
            ("stem", vec![4, 3, 3, 3]),
            ("a", vec![3, 4, 3, 3]),
            ("b", vec![4, 3, 3, 3]),
            ("c", vec![2, 4, 1, 1]),
            ("d", vec![3, 2, 3, 3]),
            ("e", vec![4, 3, 1, 1]),
            ("fc", vec![3, 4]),
        ] {
            assert_eq!(shape(&small, name), expected, "{} `{name}`", method.name());
        }
        let got = exact(&small, &x);
        assert!(distance(&got, &logits(&Cpu::new(), &small, &x)) < 1e-4 * size(&want), "{}", method.name());
        assert!(distance(&got, &want) > 1e-3 * size(&want), "{}: half of the channels do something", method.name());
        assert!(distance(&exact(&run(1.0), &x), &want) < 1e-6 * size(&want), "{}: all of them", method.name());
    }
    // What stays of a plain selection is what it was.
    let small = reduce_units(&Reference::new(), &net, None, &UnitOptions::new(UnitMethod::L1, 0.5), &()).unwrap();
    for name in ["stem", "fc"] {
        let values = |net: &Network| match &net.node(name).unwrap().op {
            Op::Conv { weight, .. } | Op::Linear { weight, .. } => weight.to_vec(),
            _ => Vec::new(),
        };
        assert!(!values(&net).is_empty() && values(&small.network) == values(&net), "`{name}` lies on the trunk");
    }
}
