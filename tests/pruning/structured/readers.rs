//! Units that several layers read, and residual trunks, whose units several layers give.

use ndarray::{Array2, s};
use tropix::backend::{Backend, Cpu, Reference};
use tropix::certify::steps_certificate;
use tropix::network::{
    Classifier, DeviceNetwork, Network, Pair, Site, StepKind, Tensor, UnitPlan, UnitStep, apply_units, coupled_sites,
    format, sites,
};
use tropix::prune::structured::{Refit, UnitMethod, UnitOptions, Walked, reduce_units};
use tropix::prune::synth::{Prior, Refitter, SynthOptions};

use super::convolutions::split;
use crate::networks::{distance, inputs};

/// `readers`: an inner width with three readers in three groups, and neurons with two readers in one; `trunk`: two trunks.
const GRAPHS: [&str; 2] = ["readers", "trunk"];

fn graph(name: &str) -> Network {
    let path = format!("{}/assets/golden/onnx/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    format::load(path.as_ref(), None).unwrap().network
}

fn exact(network: &Network, x: &Array2<f32>) -> Array2<f64> {
    let reference = Reference::new();
    let device = DeviceNetwork::upload(&reference, network).unwrap();
    reference.download(&device.logits(&reference, &reference.upload(x).unwrap()).unwrap()).unwrap()
}

fn samples(network: &Network, seed: u64) -> Array2<f32> {
    inputs(20, network.input.iter().product(), seed)
}

fn size(values: &Array2<f64>) -> f64 {
    values.iter().fold(0.0_f64, |most, value| most.max(value.abs()))
}

/// Sites with more than one reader or writer.
fn shared(network: &Network) -> Vec<Site> {
    let all = coupled_sites(network).unwrap().0;
    all.into_iter().filter(|site| site.readers.len() > 1 || !site.tied.is_empty()).collect()
}

fn with(network: &Network, site: &Site, kind: StepKind, reduced: tropix::network::Reduced) -> Network {
    let step = UnitStep { site: site.clone(), kind, reduced };
    apply_units(network, &UnitPlan { steps: vec![step] }).unwrap()
}

fn reduce(network: &Network, method: UnitMethod, keep: f64, ridge: f64) -> Walked {
    let synth = SynthOptions { prior: Some(Prior::Gaussian), ridge, inputs: Some(200), seed: 3 };
    let options = UnitOptions { synth, seed: 3, couple_trunk: true, ..UnitOptions::new(method, keep) };
    reduce_units(&Reference::new(), network, None, &options, &()).unwrap()
}

#[test]
fn readers_are_grouped_by_what_they_read_and_trunks_by_what_they_add() {
    let sketch = |name: &str| -> Vec<String> {
        let line = |site: &Site| {
            let readers: Vec<_> = site.readers.iter().map(|one| format!("{}/{}", one.node, one.group)).collect();
            let tied: Vec<_> = site.tied.iter().map(|tied| format!("+{}", tied.layer)).collect();
            format!("{}{}: {}, q = {}", site.layer, tied.concat(), readers.join(" "), site.block())
        };
        shared(&graph(name)).iter().map(line).collect()
    };
    assert_eq!(
        sketch("readers"),
        ["node_c1: node_a/0 node_b/1 node_c/2, q = 11".to_owned(), "node_l: node_g/0 node_h/0, q = 1".to_owned()]
    );
    assert_eq!(
        sketch("trunk"),
        [
            "node_stem+node_b: node_a/0 node_c/1 node_e/2, q = 19".to_owned(),
            "node_d+node_e+node_h: node_f/0 node_y/1, q = 2".to_owned()
        ]
    );
    // Without coupling the trunk is declined, and what is within the blocks is not.
    let (found, refused) = sites(&graph("trunk")).unwrap();
    assert_eq!(
        found.iter().map(|site| site.layer.as_str()).collect::<Vec<_>>(),
        ["node_a", "node_c", "node_f", "node_g"]
    );
    assert!(refused.iter().all(|one| one.reason.starts_with("trunk: ")), "{refused:?}");
    assert_eq!(refused.len(), 5);
}

#[test]
fn shared_units_that_go_are_as_if_nothing_read_them() {
    for name in GRAPHS {
        let net = graph(name);
        let x = samples(&net, 2);
        let want = exact(&net, &x);
        for site in shared(&net) {
            let pair = Pair::read(&net, &site).unwrap();
            let all: Vec<usize> = (0..pair.units()).collect();
            let keep: Vec<usize> = all.iter().copied().filter(|i| i % 3 != 1).collect();
            let small = with(&net, &site, StepKind::Approximate, pair.select(&keep));
            let (mut masked, q) = (pair.select(&all), pair.block());
            let gone = all.iter().filter(|i| *i % 3 == 1);
            gone.for_each(|i| masked.next.slice_mut(s![.., i * q..(i + 1) * q]).fill(0.0));
            let masked = with(&net, &site, StepKind::Approximate, masked);
            let got = exact(&small, &x);
            assert!(distance(&got, &exact(&masked, &x)) < 1e-6 * size(&want), "{name} {}", site.layer);
            assert!(distance(&got, &want) > 1e-3 * size(&want), "{name} {}: the comparison can fail", site.layer);
            let same = with(&net, &site, StepKind::Lossless, pair.select(&all));
            let bytes = |net: &Network| net.tensors().flat_map(Tensor::to_vec).map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bytes(&same), bytes(&net), "{name} {}: all units are the network", site.layer);
        }
    }
}

#[test]
fn shared_units_that_occur_twice_merge_back_exactly() {
    for name in GRAPHS {
        let net = graph(name);
        let x = samples(&net, 4);
        let want = exact(&net, &x);
        let mut large = net.clone();
        for at in 0..coupled_sites(&net).unwrap().0.len() {
            let site = coupled_sites(&large).unwrap().0[at].clone();
            let pair = Pair::read(&large, &site).unwrap();
            // With half of what reads it each copy is the same path in the balanced gauge.
            large = with(&large, &site, StepKind::Lossless, split(&pair, 2.0, 0.5));
        }
        assert!(distance(&exact(&large, &x), &want) < 1e-4 * size(&want), "{name}");
        for method in [UnitMethod::Tropnnc, UnitMethod::TropnncNet, UnitMethod::SynthRefit] {
            let walked = reduce(&large, method, 0.5, 1e-13);
            let units =
                |network: &Network| coupled_sites(network).unwrap().0.iter().map(Site::units).collect::<Vec<_>>();
            assert_eq!(units(&walked.network), units(&net), "{name} {}", method.name());
            let error = distance(&exact(&walked.network, &x), &want) / size(&want);
            assert!(error < 2e-3, "{name} {}: {error}", method.name());
            let fewer = reduce(&large, method, 0.35, 1e-13);
            let error = distance(&exact(&fewer.network, &x), &want) / size(&want);
            assert!(error > 1e-2, "{name} {}: fewer do not do, {error}", method.name());
        }
    }
}

#[test]
fn losses_of_all_readers_add_up() {
    let reference = Reference::new();
    for name in GRAPHS {
        let net = graph(name);
        for site in shared(&net) {
            let pair = Pair::read(&net, &site).unwrap();
            let options = SynthOptions { prior: Some(Prior::Gaussian), ridge: 1e-9, inputs: Some(100), seed: 3 };
            let fresh = || Refitter::synthetic(&reference, &net, 100, options).unwrap();
            let all: Vec<usize> = (0..pair.units()).collect();
            let (_, same) = fresh().refit(&net, &pair, &all).unwrap();
            assert!(same.loss < 1e-6 * same.variance, "{name} {}: {same:?}", site.layer);
            let (_, best) = fresh().select(&net, &pair, 1).unwrap();
            let losses: Vec<f64> =
                all.iter().map(|unit| fresh().refit(&net, &pair, &[*unit]).unwrap().1.loss).collect();
            let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
            assert!((best.loss - least).abs() < 1e-5 * best.variance, "{name} {}", site.layer);
            assert!(losses.iter().any(|loss| *loss > 1.01 * least), "{name} {}: the choice matters", site.layer);
        }
    }
}

#[test]
fn methods_for_trunks_reduce_them_and_the_others_say_so() {
    let net = graph("trunk");
    let x = samples(&net, 5);
    let want = exact(&net, &x);
    for method in UnitMethod::ALL {
        let options = UnitOptions { refit: Refit::None, couple_trunk: true, ..UnitOptions::new(method, 0.5) };
        if !method.takes_trunks(Refit::None) {
            let error = reduce_units(&Cpu::new(), &net, None, &options, &()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{}` with the refit `none` does not reduce the trunk", method.name())),
                "{error}"
            );
            continue;
        }
        let walked = reduce(&net, method, 0.5, 1e-3);
        let widths: Vec<usize> = walked.layers.iter().map(|layer| layer.after).collect();
        if !method.name().contains("threshold") && !method.name().contains("average") {
            assert_eq!(widths, [3, 2, 2, 4, 2, 2], "{}", method.name());
        }
        assert_eq!(walked.layers[0].tied, ["node_b"]);
        assert!(distance(&exact(&walked.network, &x), &want) > 1e-3, "{}", method.name());
        let error = steps_certificate(&net, &walked.plan, 1.0, None).unwrap_err().to_string();
        assert!(error.contains("trunk"), "{error}");
    }
}
