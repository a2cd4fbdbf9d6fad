//! Activations that are no rectifiers: units are chosen and what reads them is refitted, on every kind of layer.

use ndarray::Array2;
use tropix::backend::{Cpu, Function, Reference};
use tropix::network::{Network, Op};
use tropix::prune::structured::{Refit, UnitMethod, UnitOptions, reduce_units};
use tropix::prune::synth::{Prior, SynthOptions};

use super::convolutions::{self, exact, logits};
use crate::networks::{distance, inputs, random};

const FUNCTIONS: [Function; 9] = [
    Function::Clip { low: 0.0, high: 6.0 },
    Function::Sigmoid,
    Function::HardSwish,
    Function::Silu,
    Function::Gelu,
    Function::Tanh,
    Function::Elu { alpha: 1.0 },
    Function::Softplus,
    Function::Mish,
];

fn with(mut network: Network, function: Function) -> Network {
    for node in &mut network.nodes {
        if matches!(node.op, Op::Relu) {
            node.op = Op::Function(function);
        }
    }
    network
}

fn mean_square(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().map(|gap| gap * gap).sum::<f64>() / a.len() as f64
}

#[test]
fn a_refit_without_data_leaves_less_error_than_norms() {
    for function in FUNCTIONS {
        for network in [random(&[20, 24, 16, 4], true, 5), convolutions::network(convolutions::KINDS[2], 5)] {
            let network = with(network, function);
            let width = network.input.iter().product();
            let x = inputs(200, width, 6);
            let wanted = exact(&network, &x);
            let error = |method, refit| {
                let synth = SynthOptions { prior: Some(Prior::Gaussian), inputs: Some(600), ..SynthOptions::default() };
                let options = UnitOptions { refit, synth, ..UnitOptions::new(method, 0.6) };
                let samples = inputs(500, width, 7);
                let walked = reduce_units(&Cpu::new(), &network, Some(&samples), &options, &()).unwrap();
                assert!(walked.layers.iter().all(|layer| layer.after < layer.before), "{function:?}");
                mean_square(&exact(&walked.network, &x), &wanted)
            };
            let plain = error(UnitMethod::L1, Refit::None);
            let [synthetic, refitted] =
                [error(UnitMethod::SynthRefit, Refit::None), error(UnitMethod::L1, Refit::Data)];
            assert!(synthetic < 0.8 * plain, "{function:?}: {synthetic} beside {plain}");
            assert!(refitted < plain, "{function:?}: {refitted} beside {plain}");
        }
    }
}

#[test]
fn the_host_computes_what_the_reference_does() {
    for function in FUNCTIONS {
        let network = with(convolutions::network(convolutions::KINDS[0], 8), function);
        let x = inputs(30, 144, 9);
        let wanted = exact(&network, &x);
        let size = wanted.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
        let gap = distance(&logits(&Cpu::new(), &network, &x), &wanted);
        assert!(gap > 0.0 && gap < 1e-5 * size.max(1.0), "{function:?}: {gap}");
        let device = tropix::network::DeviceNetwork::upload(&Reference::new(), &network).unwrap();
        let [exact, bounds] = device.bounded(&Reference::new(), &x.mapv(f64::from)).unwrap();
        let found = logits(&Cpu::new(), &network, &x);
        let within =
            found.iter().zip(&exact).zip(&bounds).all(|((found, exact), bound)| (found - exact).abs() <= *bound);
        assert!(within, "{function:?}: beyond the bound of `--verify`");
    }
}

#[test]
fn methods_made_for_rectifiers_refuse_it_by_name() {
    let network = with(random(&[6, 9, 3], true, 1), Function::Gelu);
    for method in [UnitMethod::Tropnnc, UnitMethod::GreedyGaussian, UnitMethod::MisiakosPath] {
        let error = reduce_units(&Cpu::new(), &network, None, &UnitOptions::new(method, 0.5), &()).unwrap_err();
        assert!(error.to_string().contains("`fc0` has another activation"), "{error}");
    }
    assert_eq!(UnitMethod::of(&network), UnitMethod::SynthRefit);
}
