//! `thinet` on convolutions: what goes is what the next layer misses least on the calibration samples.

use ndarray::{Array2, Axis, s};
use tropix::backend::Reference;
use tropix::network::{Network, Op, Pair, Reduced, Site, StepKind, UnitPlan, UnitStep, apply_units, sites};
use tropix::prune::structured::{Keep, LayerKeep, Refit, UnitMethod, UnitOptions, Walked, reduce_units};

use super::convolutions::{KINDS, Kind, exact, network};
use crate::networks::inputs;

/// A network that ends with what reads the units of its layer `at`, so that its outputs are what these units add up to.
fn cut(kind: Kind, at: usize) -> (Network, Site) {
    let mut net = network(kind, 21);
    let site = sites(&net).unwrap().0[at].clone();
    let end = net.nodes.iter().position(|node| node.name == site.next()).unwrap();
    net.nodes.truncate(end + 1);
    if matches!(net.nodes[end].op, Op::Conv { .. }) {
        let node = tropix::network::Node { name: "end".into(), op: Op::Flatten, inputs: vec![site.next()] };
        net.nodes.push(node);
    }
    let site = sites(&net).unwrap().0.into_iter().find(|other| other.layer == site.layer).unwrap();
    (net, site)
}

fn with(net: &Network, site: &Site, reduced: Reduced) -> Network {
    let step = UnitStep { site: site.clone(), kind: StepKind::Approximate, reduced };
    apply_units(net, &UnitPlan { steps: vec![step] }).unwrap()
}

/// `E ||y - y~||^2`, up to a factor.
fn error(net: &Network, other: &Network, x: &Array2<f32>) -> f64 {
    (exact(net, x) - exact(other, x)).iter().map(|gap| gap * gap).sum()
}

/// The error of leaving out `units` without any change to what stays.
fn left_out(net: &Network, site: &Site, units: &[usize], x: &Array2<f32>) -> f64 {
    let pair = Pair::read(net, site).unwrap();
    let (mut all, q) = (pair.select(&(0..pair.units()).collect::<Vec<_>>()), pair.block());
    units.iter().for_each(|i| all.next.slice_mut(s![.., i * q..(i + 1) * q]).fill(0.0));
    error(net, &with(net, site, all), x)
}

fn run(net: &Network, site: &Site, x: &Array2<f32>, keep: usize, refit: Refit) -> Walked {
    let layers = vec![LayerKeep { layer: site.layer.clone(), keep: Keep::Units(keep) }];
    let options = UnitOptions { refit, layers, ..UnitOptions::new(UnitMethod::Thinet, 1.0) };
    reduce_units(&Reference::new(), net, Some(x), &options, &()).unwrap()
}

#[test]
fn channels_go_that_what_reads_them_misses_least() {
    for kind in KINDS {
        for at in [0, 1] {
            let (net, site) = cut(kind, at);
            // A fifth of the samples is kept from refits, to judge them by.
            let all = inputs(60, 144, 24);
            let seen: Vec<usize> = (0..60).filter(|row| row % 5 != 4).collect();
            let x = all.select(Axis(0), &seen);
            let units = Pair::read(&net, &site).unwrap().units();
            // Greedily by brute force.
            let mut gone: Vec<usize> = Vec::new();
            for _ in 0..3 {
                let with = |unit: usize| left_out(&net, &site, &[gone.clone(), vec![unit]].concat(), &x);
                let free = (0..units).filter(|unit| !gone.contains(unit));
                let next = free.min_by(|a, b| with(*a).total_cmp(&with(*b))).unwrap();
                gone.push(next);
            }
            let walked = run(&net, &site, &x, units - 3, Refit::None);
            let step = walked.plan.steps.last().unwrap();
            let found: Vec<usize> = (0..units).filter(|i| step.reduced.assignment[*i].is_none()).collect();
            gone.sort_unstable();
            assert_eq!(found, gone, "{kind:?} {}", site.layer);
            // Factors of least squares: none other is better, and one is worse.
            let own = error(&net, &walked.network, &x);
            assert!(own < left_out(&net, &site, &gone, &x), "{kind:?}");
            let q = Pair::read(&net, &site).unwrap().block();
            for (k, factor) in [(0, 0.97_f32), (units - 4, 1.03)] {
                let mut other = step.reduced.clone();
                other.next.slice_mut(s![.., k * q..(k + 1) * q]).mapv_inplace(|c| c * factor);
                assert!(error(&net, &with(&net, &step.site, other), &x) >= own * (1.0 - 1e-6), "{kind:?}");
            }
            // Least squares of all columns are better still, for the same channels.
            let refitted = run(&net, &site, &all, units - 3, Refit::Data);
            assert_eq!(refitted.plan.steps.last().unwrap().reduced.assignment, step.reduced.assignment);
            assert!(error(&net, &refitted.network, &x) < own, "{kind:?}: {:?}", refitted.notes);
            let refit = refitted.layers[at].refit.as_ref().unwrap();
            assert!(refit.loss / refit.variance < walked.layers[at].loss.unwrap(), "{kind:?}");
        }
    }
}

#[test]
fn convolutions_need_samples() {
    let net = network(KINDS[0], 22);
    let error = reduce_units(&Reference::new(), &net, None, &UnitOptions::new(UnitMethod::Thinet, 0.5), &());
    assert!(error.unwrap_err().to_string().contains("`thinet` needs calibration samples"));
    assert!(
        UnitMethod::Thinet.takes_convolutions(Refit::None) && !UnitMethod::Thinet.takes_convolutions(Refit::Gaussian)
    );
}
