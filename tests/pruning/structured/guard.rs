//! Refits are kept from ruining a network: on inputs unseen they do no worse than none, on every backend.

use ndarray::{Array2, ArrayView2, s};
use rand::RngExt;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference};
use tropix::network::{Network, Pair, UnitPlan, UnitStep, apply_units};
use tropix::prune::structured::{Refit, UnitMethod, UnitOptions, Walked, reduce_units};
use tropix::rng;

use super::convolutions::{self, exact};
use crate::networks::{inputs, random};

/// A network and inputs of its kind: some constant, some copies of others, some nearly sums of others.
struct Case {
    network: Network,
    options: UnitOptions,
    seed: u64,
}

impl Case {
    fn new(seed: u64) -> Self {
        let draw = &mut rng::stream(seed, "guard");
        let ridge = 10_f64.powf(draw.random_range(-12.0..0.0));
        let keep = draw.random_range(0.3..0.9);
        let (network, method) = match seed % 3 {
            0 => (convolutions::network(convolutions::KINDS[draw.random_range(0..4)], seed), UnitMethod::SynthRefit),
            1 => (random(&[20, 12, 9, 4], true, seed), UnitMethod::GreedyGaussian),
            _ => (random(&[20, 12, 4], true, seed), UnitMethod::L1),
        };
        let mut options =
            UnitOptions { refit: Refit::Data, ridge, lossless: false, seed, ..UnitOptions::new(method, keep) };
        options.synth.ridge = ridge;
        Self { network, options, seed }
    }

    fn inputs(&self, rows: usize, name: u64) -> Array2<f32> {
        let width: usize = self.network.input.iter().product();
        let mut values = inputs(rows, width, 1000 * self.seed + name);
        let draw = &mut rng::stream(self.seed, "columns");
        for column in 0..width {
            let (kind, other, size) =
                (draw.random_range(0..6), draw.random_range(0..width), draw.random_range(-9.0..9.0));
            let from = values.column(other).to_owned();
            let mut own = values.column_mut(column);
            match kind {
                0 | 1 => own.fill(size),
                2 => own.assign(&from),
                3 => own.zip_mut_with(&from, |own, from| *own = from + 1e-4 * *own + size),
                _ => {}
            }
        }
        values
    }

    fn pruned<B: Backend>(&self, backend: &B) -> Walked {
        reduce_units(backend, &self.network, Some(&self.inputs(400, 1)), &self.options, &()).unwrap()
    }
}

/// The units that a plan keeps, as they are.
fn without_refits(network: &Network, plan: &UnitPlan) -> Network {
    let mut current = network.clone();
    for step in &plan.steps {
        let pair = Pair::read(&current, &step.site).unwrap();
        let kept: Vec<usize> = (0..pair.units()).filter(|unit| step.reduced.assignment[*unit].is_some()).collect();
        let step = UnitStep { site: step.site.clone(), kind: step.kind, reduced: pair.select(&kept) };
        current = apply_units(&current, &UnitPlan { steps: vec![step] }).unwrap();
    }
    current
}

fn rms(values: ArrayView2<'_, f64>) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

fn hold_on_inputs_unseen<B: Backend>(backend: &B) {
    for seed in 0..60 {
        let case = Case::new(seed);
        let fresh = case.inputs(1000, 2);
        let (wanted, walked) = (exact(&case.network, &fresh), case.pruned(backend));
        let with = rms((exact(&walked.network, &fresh) - &wanted).view());
        let without = rms((exact(&without_refits(&case.network, &walked.plan), &fresh) - &wanted).view());
        let rounding = 1e-4 * rms(wanted.view());
        assert!(with <= 1.05 * without + rounding, "{seed}: {with} with, {without} without {:?}", case.options);
    }
}

#[test]
fn refits_of_the_cpu_hold_on_inputs_unseen() {
    hold_on_inputs_unseen(&Cpu::new());
}

#[test]
fn refits_of_the_reference_hold_on_inputs_unseen() {
    hold_on_inputs_unseen(&Reference::new());
}

#[test]
fn refits_of_the_gpu_hold_on_inputs_unseen() {
    hold_on_inputs_unseen(&Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap());
}

#[test]
fn the_cpu_leaves_the_network_of_the_reference() {
    for seed in 0..60 {
        let case = Case::new(seed);
        let fresh = case.inputs(300, 3);
        let [cpu, reference] = [case.pruned(&Cpu::new()), case.pruned(&Reference::new())];
        let (cpu, reference) = (exact(&cpu.network, &fresh), exact(&reference.network, &fresh));
        let difference = rms((&cpu - &reference).view()) / rms(reference.view());
        assert!(difference < 0.05, "{seed}: {difference} {:?}", case.options);
    }
}

#[test]
fn a_refit_on_too_few_samples_falls_back_and_says_so() {
    // 8 samples for 30 unknowns: least squares meet them exactly, and nothing else.
    let network = random(&[10, 40, 5], true, 7);
    let options = UnitOptions { refit: Refit::Data, ridge: 1e-12, ..UnitOptions::new(UnitMethod::L1, 0.75) };
    let walked = reduce_units(&Cpu::new(), &network, Some(&inputs(10, 10, 1)), &options, &()).unwrap();
    let held = walked.layers[0].held_out.unwrap();
    assert!(held.fell_back && held.ridge.is_none_or(|ridge| ridge > 1e-12), "{held:?}");
    assert_eq!(held.inputs, 2);
    assert!(walked.notes.iter().any(|note| note.contains("fc0")), "{:?}", walked.notes);
    // With samples enough nothing falls back.
    let walked = reduce_units(&Cpu::new(), &network, Some(&inputs(600, 10, 1)), &options, &()).unwrap();
    let held = walked.layers[0].held_out.unwrap();
    assert!(!held.fell_back && held.loss < held.without_refit && walked.notes.is_empty(), "{held:?}");
    let fresh = inputs(200, 10, 2);
    let wanted = exact(&network, &fresh);
    let missed = rms((exact(&walked.network, &fresh) - &wanted).view()).powi(2);
    let centred = &wanted - &wanted.mean_axis(ndarray::Axis(0)).unwrap();
    let share = missed / rms(centred.slice(s![.., ..])).powi(2);
    assert!((share - held.loss).abs() < 0.3 * share, "{share} measured, {} reported", held.loss);
}
