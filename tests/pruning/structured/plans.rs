//! Plans for units, carried out on networks.

use ndarray::Array2;
use tropix::Error;
use tropix::backend::{Cpu, Reference};
use tropix::network::{Columns, Layout, Network, Pair, Reader, Site, StepKind, UnitPlan, UnitStep, apply_units, sites};
use tropix::prune::structured::{Keep, LayerKeep, UnitMethod, UnitOptions, Walked, reduce_units};

use crate::networks::{distance, inputs, logits, random, weight};

/// Methods for any number of outputs and without data.
pub(super) fn data_free() -> impl Iterator<Item = UnitMethod> {
    UnitMethod::ALL.into_iter().filter(|method| !method.needs_data() && *method != UnitMethod::MisiakosZonotope)
}

pub(super) fn reduce(network: &Network, options: &UnitOptions) -> Walked {
    reduce_units(&Cpu::new(), network, None, options, &()).unwrap()
}

fn widths(walked: &Walked) -> Vec<usize> {
    walked.layers.iter().map(|layer| layer.after).collect()
}

#[test]
fn keeping_every_unit_changes_nothing() {
    let net = random(&[6, 11, 9, 4], true, 1);
    let x = inputs(30, 6, 1);
    for method in data_free() {
        let walked = reduce(&net, &UnitOptions::new(method, 1.0));
        assert!(walked.plan.steps.is_empty());
        assert_eq!(distance(&logits(&net, &x), &logits(&walked.network, &x)), 0.0);
    }
}

#[test]
fn a_plan_carried_out_is_the_network_of_the_walk() {
    let net = random(&[6, 20, 15, 4], true, 2);
    let x = inputs(30, 6, 2);
    for method in data_free() {
        let walked = reduce(&net, &UnitOptions::new(method, 0.4));
        assert_eq!(widths(&walked).iter().sum::<usize>(), 14);
        let applied = apply_units(&net, &walked.plan).unwrap();
        assert_eq!(weight(&applied, 1).dim(), (widths(&walked)[1], widths(&walked)[0]));
        assert_eq!(distance(&logits(&applied, &x), &logits(&walked.network, &x)), 0.0);
    }
}

#[test]
fn a_selected_unit_is_the_old_one_and_the_others_are_as_if_zero() {
    let net = random(&[5, 12, 3], true, 3);
    let (found, refused) = sites(&net).unwrap();
    assert_eq!(found.len(), 1);
    assert!(refused.is_empty(), "the outputs are no units");
    let pair = Pair::read(&net, &found[0]).unwrap();
    let keep = [1, 4, 5, 11];
    let step = UnitStep { site: found[0].clone(), kind: StepKind::Approximate, reduced: pair.select(&keep) };
    let small = apply_units(&net, &UnitPlan { steps: vec![step] }).unwrap();
    let mut masked = pair.clone();
    for i in (0..12).filter(|i| !keep.contains(i)) {
        masked.next.column_mut(i).fill(0.0);
    }
    let all: Vec<usize> = (0..12).collect();
    let step = UnitStep { site: found[0].clone(), kind: StepKind::Approximate, reduced: masked.select(&all) };
    let masked = apply_units(&net, &UnitPlan { steps: vec![step] }).unwrap();
    let x = inputs(40, 5, 3);
    assert_eq!(distance(&logits(&small, &x), &logits(&masked, &x)), 0.0);
    assert!(distance(&logits(&small, &x), &logits(&net, &x)) > 1e-3, "the comparison can fail");
}

#[test]
fn columns_in_the_order_of_positions_come_back_in_that_order() {
    // Two positions of each of three units, as a flattened image with channels last.
    let net = random(&[4, 3, 6, 2], true, 4);
    let columns = Columns { units: 3, per_unit: 2, layout: Layout::Strided };
    let reader = Reader { node: "fc2".into(), norm: None, columns, group: 0 };
    let (layer, tied, readers) = ("fc0".into(), Vec::new(), vec![reader]);
    let site = Site { layer, norm: None, tied, units: 3, readers, leaky: false, curved: false, max_pool: false };
    let pair = Pair::read(&net, &site).unwrap();
    let old = weight(&net, 2);
    assert_eq!(pair.outgoing(1).column(1), old.column(4), "position 1 of unit 1 is column 1 * 3 + 1");
    let step = UnitStep { site, kind: StepKind::Approximate, reduced: pair.select(&[0, 2]) };
    let small = weight(&apply_units(&net, &UnitPlan { steps: vec![step] }).unwrap(), 2);
    let expected: Array2<f32> = old.select(ndarray::Axis(1), &[0, 2, 3, 5]);
    assert_eq!(small, expected);
}

#[test]
fn scores_that_do_not_depend_on_the_scaling_of_a_unit_keep_the_same_units() {
    let net = random(&[7, 16, 3], true, 5);
    let (found, _) = sites(&net).unwrap();
    let mut pair = Pair::read(&net, &found[0]).unwrap();
    let kept = |net: &Network, method| reduce(net, &UnitOptions::new(method, 0.5)).plan.steps[0].reduced.lambda.clone();
    let (path, l1) = (kept(&net, UnitMethod::PathL2), kept(&net, UnitMethod::L1));
    for i in 0..16 {
        let factor = [0.0625, 0.5, 1.0, 2.0, 16.0][i % 5];
        pair.rows.row_mut(i).mapv_inplace(|a| a * factor);
        pair.bias[i] *= factor;
        pair.next.column_mut(i).mapv_inplace(|c| c / factor);
    }
    let all: Vec<usize> = (0..16).collect();
    let step = UnitStep { site: found[0].clone(), kind: StepKind::Lossless, reduced: pair.select(&all) };
    let scaled = apply_units(&net, &UnitPlan { steps: vec![step] }).unwrap();
    assert_eq!(kept(&scaled, UnitMethod::PathL2), path);
    assert_ne!(kept(&scaled, UnitMethod::L1), l1, "the comparison can fail");
}

#[test]
fn layers_keep_what_is_asked_of_them() {
    let net = random(&[6, 20, 30, 4], true, 6);
    let layer = |layer: &str, keep| LayerKeep { layer: layer.into(), keep };
    let options = UnitOptions { layers: vec![layer("fc1", Keep::Units(7))], ..UnitOptions::new(UnitMethod::L1, 0.5) };
    assert_eq!(widths(&reduce(&net, &options)), [10, 7]);
    assert_eq!(widths(&reduce(&net, &UnitOptions { round_to: 8, ..options.clone() })), [8, 8]);
    for (wrong, name) in [(layer("fc1", Keep::Units(31)), "31"), (layer("fc9", Keep::Share(0.5)), "fc9")] {
        let options = UnitOptions { layers: vec![wrong], ..UnitOptions::new(UnitMethod::L1, 0.5) };
        let error = reduce_units(&Cpu::new(), &net, None, &options, &()).unwrap_err();
        assert!(matches!(&error, Error::Argument { .. }) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_layer_of_one_unit_keeps_it_and_a_network_without_hidden_layers_is_refused() {
    let net = random(&[4, 1, 3], true, 7);
    assert_eq!(widths(&reduce(&net, &UnitOptions::new(UnitMethod::L1, 0.0))), [1]);
    let error = reduce_units(&Cpu::new(), &random(&[4, 3], true, 8), None, &UnitOptions::new(UnitMethod::L1, 0.5), &());
    assert!(matches!(error, Err(Error::Unsupported { .. })));
}

#[test]
fn backends_keep_the_same_units() {
    let net = random(&[8, 40, 30, 5], true, 9);
    for method in data_free() {
        let options = UnitOptions { seed: 3, ..UnitOptions::new(method, 0.3) };
        let reference = reduce_units(&Reference::new(), &net, None, &options, &()).unwrap();
        for (ours, theirs) in reduce(&net, &options).plan.steps.iter().zip(&reference.plan.steps) {
            assert_eq!(ours.reduced.assignment, theirs.reduced.assignment, "{}", method.name());
        }
    }
}
