//! Fine-tuning: gradients beside finite differences and numpy (`assets/golden/finetune.py`), frozen zeros, scopes, seeds.

use ndarray::{Array1, Array2};
use serde::Deserialize;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference};
use tropix::network::{Head, Network};
use tropix::prune::{Data, Timing};
use tropix::train::{Optimiser, Scope, TrainOptions, finetune, mean_loss_and_gradients};

use crate::networks::{inputs, network, random};

#[derive(Deserialize)]
struct Golden {
    layers: Vec<Layer>,
    inputs: Vec<Vec<f64>>,
    labels: Vec<u32>,
    loss: f64,
    gradients: Vec<Layer>,
    steps: usize,
    adam: Trained,
    sgd: Trained,
}

#[derive(Deserialize)]
struct Layer {
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

#[derive(Deserialize)]
struct Trained {
    rate: f64,
    losses: Vec<f64>,
    layers: Vec<Layer>,
}

fn golden() -> Golden {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/golden/finetune.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[expect(clippy::cast_possible_truncation, reason = "the numbers have few bits, or came from f32")]
fn single(value: &f64) -> f32 {
    *value as f32
}

fn narrow(values: &Array2<f64>) -> Array2<f32> {
    values.map(single)
}

impl Golden {
    fn network(&self) -> Network {
        let layer = |layer: &Layer| {
            let bias = layer.bias.iter().map(single).collect();
            (narrow(&matrix(&layer.weight)), Some(bias))
        };
        network(self.layers.iter().map(layer).collect())
    }
}

/// Numbers of a layer: its parameters, or the gradient by them.
#[derive(Debug, Clone, PartialEq)]
struct LayerGradient {
    weight: Array2<f64>,
    bias: Option<Array2<f64>>,
}

/// The loss of a network, and its gradient by layers.
fn gradients(
    backend: &impl Backend,
    network: &Network,
    samples: &Array2<f32>,
    labels: &[u32],
) -> (f64, Vec<LayerGradient>) {
    let (loss, found) = mean_loss_and_gradients(backend, network, samples, labels).unwrap();
    let of = |name: &str| found.iter().find(|gradient| gradient.name == name).unwrap().values.clone();
    let layer = |layer: &tropix::network::HeadLayer| {
        let [rows, columns] = layer.weight.matrix_shape();
        let weight = Array2::from_shape_vec((rows, columns), of(layer.weight.name())).unwrap();
        let bias = layer.bias.as_ref().map(|bias| Array2::from_shape_vec((1, rows), of(bias.name())).unwrap());
        LayerGradient { weight, bias }
    };
    (loss, Head::of(network).unwrap().layers.iter().map(layer).collect())
}

/// Training by one epoch after the other, from one network, on one data set.
fn trained(
    backend: &impl Backend,
    network: &Network,
    data: Data<'_>,
    scope: Scope,
    options: &TrainOptions,
) -> tropix::Result<tropix::train::Finetuned> {
    finetune(backend, network, None, data, data, (scope, options), &mut Timing::default(), &())
}

/// The largest difference of weights and biases from those of numpy.
fn off(found: &[LayerGradient], expected: &[Layer]) -> f64 {
    let layers = found.iter().zip(expected).map(|(found, expected)| {
        let bias = found.bias.as_ref().unwrap().row(0).to_owned() - Array1::from_vec(expected.bias.clone());
        let weight = &found.weight - &matrix(&expected.weight);
        weight.iter().chain(&bias).fold(0.0_f64, |most, value| most.max(value.abs()))
    });
    layers.fold(0.0, f64::max)
}

/// The parameters of a network.
fn parameters(network: &Network) -> Vec<LayerGradient> {
    let layer = |layer: &tropix::network::HeadLayer| {
        let [rows, columns] = layer.weight.matrix_shape();
        let weight = Array2::from_shape_vec((rows, columns), layer.weight.to_vec()).unwrap().mapv(f64::from);
        let bias =
            layer.bias.as_ref().map(|bias| Array2::from_shape_vec((1, rows), bias.to_vec()).unwrap().mapv(f64::from));
        LayerGradient { weight, bias }
    };
    Head::of(network).unwrap().layers.iter().map(layer).collect()
}

fn gpu() -> Gpu {
    Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap()
}

fn gradients_are_those_of_numpy(backend: &impl Backend, tolerance: f64) {
    let golden = golden();
    let network = golden.network();
    let samples = narrow(&matrix(&golden.inputs));
    let (loss, found) = gradients(backend, &network, &samples, &golden.labels);
    assert!((loss - golden.loss).abs() <= tolerance, "{loss}, numpy {}", golden.loss);
    let difference = off(&found, &golden.gradients);
    assert!(difference <= tolerance, "{difference}");
    // Seen to fail: another label moves them.
    let mut labels = golden.labels.clone();
    labels[0] = (labels[0] + 1) % 3;
    let (_, others) = gradients(backend, &network, &samples, &labels);
    assert!(off(&others, &golden.gradients) > 1e-3);
}

fn steps_are_those_of_numpy(backend: &impl Backend, tolerance: f64) {
    let golden = golden();
    let samples = narrow(&matrix(&golden.inputs));
    let data = Data { inputs: &samples, labels: Some(&golden.labels) };
    for (optimiser, numpy) in [(Optimiser::Adam, &golden.adam), (Optimiser::Sgd, &golden.sgd)] {
        // All samples in a step, so that their order does not matter: an epoch is a step.
        let (rate, epochs) = (numpy.rate, golden.steps);
        let options = TrainOptions { optimiser, rate, epochs, batch: 100, ..TrainOptions::new() };
        let network = golden.network();
        let found = trained(backend, &network, data, Scope::All, &options).unwrap();
        let difference = off(&parameters(&found.network), &numpy.layers);
        assert!(difference <= tolerance, "{optimiser:?}: {difference}");
        for (epoch, loss) in found.report.epochs.iter().zip(&numpy.losses) {
            assert!((epoch.loss - loss).abs() <= tolerance, "{}, numpy {loss}", epoch.loss);
        }
        // They have moved by far more than the tolerance.
        assert!(off(&parameters(&network), &numpy.layers) > 1e-2);
    }
}

#[test]
fn gradients_and_steps_are_those_of_numpy_on_the_reference() {
    gradients_are_those_of_numpy(&Reference::new(), 1e-12);
    // Weights come back as f32; decays are numbers of f32, too.
    steps_are_those_of_numpy(&Reference::new(), 1e-6);
}

#[test]
fn gradients_and_steps_are_those_of_numpy_on_the_host() {
    gradients_are_those_of_numpy(&Cpu::new(), 2e-6);
    steps_are_those_of_numpy(&Cpu::new(), 1e-5);
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn gradients_and_steps_are_those_of_numpy_on_an_adapter() {
    gradients_are_those_of_numpy(&gpu(), 5e-6);
    steps_are_those_of_numpy(&gpu(), 2e-5);
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    // Multiples of 2^-8, so that a step of 2^-12 is exact in f32.
    let round = |value: f32| (value * 256.0).round() / 256.0;
    let original = random(&[6, 7, 5, 4], true, 3);
    let rounded = |network: &Network| {
        let layers = Head::of(network).unwrap().layers.into_iter().map(|layer| {
            let [rows, columns] = layer.weight.matrix_shape();
            let weight = Array2::from_shape_vec((rows, columns), layer.weight.to_vec()).unwrap();
            (weight.mapv(round), layer.bias.map(|bias| bias.to_vec().into_iter().map(round).collect::<Vec<f32>>()))
        });
        layers.collect::<Vec<_>>()
    };
    let layers = rounded(&original);
    let samples = inputs(9, 6, 3);
    let labels: Vec<u32> = (0..9).map(|i| i % 4).collect();
    let reference = Reference::new();
    let loss = |layers: &[(Array2<f32>, Option<Vec<f32>>)]| {
        gradients(&reference, &network(layers.to_vec()), &samples, &labels)
    };
    let (_, found) = loss(&layers);
    let h = 2.0_f32.powi(-12);
    let mut checked = 0;
    for (at, gradient) in found.iter().enumerate() {
        for ((i, j), slope) in gradient.weight.indexed_iter() {
            let moved = |by: f32| {
                let mut layers = layers.clone();
                layers[at].0[[i, j]] += by;
                loss(&layers).0
            };
            let numeric = (moved(h) - moved(-h)) / (2.0 * f64::from(h));
            assert!((numeric - slope).abs() <= 1e-4 * (1.0 + slope.abs()), "{at} {i} {j}: {numeric}, {slope}");
            checked += 1;
        }
        let biases = gradient.bias.as_ref().unwrap();
        for (i, slope) in biases.iter().enumerate() {
            let moved = |by: f32| {
                let mut layers = layers.clone();
                layers[at].1.as_mut().unwrap()[i] += by;
                loss(&layers).0
            };
            let numeric = (moved(h) - moved(-h)) / (2.0 * f64::from(h));
            assert!((numeric - slope).abs() <= 1e-4 * (1.0 + slope.abs()), "bias {at} {i}: {numeric}, {slope}");
            checked += 1;
        }
    }
    assert_eq!(checked, 6 * 7 + 7 + 7 * 5 + 5 + 5 * 4 + 4);
}

/// A network with pruned weights, samples that a network of another seed labels, and what fine-tuning makes of it.
fn tuned(scope: Scope, optimiser: Optimiser, seed: u64) -> (Network, Network) {
    let mut layers: Vec<_> = parameters(&random(&[8, 12, 10, 4], true, 1))
        .into_iter()
        .map(|layer| (narrow(&layer.weight), layer.bias.map(|bias| bias.iter().map(single).collect::<Vec<_>>())))
        .collect();
    layers[0].0.row_mut(3).fill(0.0);
    layers[0].0.column_mut(2).fill(0.0);
    layers[1].0[[4, 5]] = 0.0;
    layers[2].0.row_mut(1).fill(0.0);
    let pruned = network(layers);
    let samples = inputs(200, 8, 5);
    let labels: Vec<u32> =
        samples.rows().into_iter().map(|row| u32::from(row[0] > 0.0) + 2 * u32::from(row[1] > 0.0)).collect();
    let data = Data { inputs: &samples, labels: Some(&labels) };
    let rate = optimiser.usual_rate() * 5.0;
    let options = TrainOptions { optimiser, rate, epochs: 4, batch: 32, seed, ..TrainOptions::new() };
    let found = trained(&Cpu::new(), &pruned, data, scope, &options).unwrap();
    let epochs = &found.report.epochs;
    assert!(epochs[3].loss < epochs[0].loss, "{epochs:?}");
    assert_eq!(found.report.training_samples, 200);
    (pruned, found.network)
}

#[test]
fn weights_that_are_zero_stay_exactly_zero_and_all_others_move() {
    for optimiser in [Optimiser::Adam, Optimiser::AdamW, Optimiser::Sgd] {
        let (before, after) = tuned(Scope::All, optimiser, 0);
        let mut moved = 0;
        for (at, (before, after)) in parameters(&before).iter().zip(&parameters(&after)).enumerate() {
            for (a, b) in before.weight.iter().zip(&after.weight) {
                assert!(*a != 0.0 || *b == 0.0, "layer {at}: a pruned weight became {b}");
                moved += usize::from(a != b);
            }
            let biases = before.bias.iter().flatten().zip(after.bias.iter().flatten()).enumerate();
            for (i, (a, b)) in biases {
                // The bias of a hidden neuron without weights stays; that of a class moves, with or without weights.
                let (idle, class) = (at == 0 && i == 3, at == 2);
                assert!(if idle { a == b } else { !class || a != b }, "{optimiser:?}: bias {i} of layer {at}");
            }
        }
        // 96 - 8 - 11, 120 - 1, 40 - 10, less weights that read the neuron whose sign is fixed.
        assert!(moved > 180, "{moved}");
    }
}

#[test]
fn a_scope_moves_its_own_parameters_only() {
    let changed = |scope| {
        let (before, after) = tuned(scope, Optimiser::Adam, 0);
        let (before, after) = (parameters(&before), parameters(&after));
        let layers = before.iter().zip(&after).map(|(a, b)| [a.weight != b.weight, a.bias != b.bias]);
        layers.collect::<Vec<_>>()
    };
    assert_eq!(changed(Scope::Biases), [[false, true]; 3]);
    assert_eq!(changed(Scope::Head), [[false, false], [false, false], [true, true]]);
    assert_eq!(changed(Scope::Classifier), [[true, true]; 3]);
    assert_eq!(changed(Scope::All), [[true, true]; 3]);
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let of = |seed| parameters(&tuned(Scope::All, Optimiser::Adam, seed).1);
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn what_cannot_be_trained_is_an_error() {
    let samples = inputs(4, 3, 0);
    let error = |network: &Network, labels: Option<&[u32]>, scope, rate| {
        let data = Data { inputs: &samples, labels };
        let options = TrainOptions { rate, optimiser: Optimiser::Sgd, epochs: 5, ..TrainOptions::new() };
        trained(&Cpu::new(), network, data, scope, &options).unwrap_err().to_string()
    };
    let (with, without) = (random(&[3, 5, 2], true, 0), random(&[3, 5, 2], false, 0));
    assert!(error(&with, None, Scope::All, 0.1).contains("labels"));
    assert!(error(&with, Some(&[0, 1, 2, 0]), Scope::All, 0.1).contains("label 2 for 2 classes"));
    assert!(error(&without, Some(&[0, 1, 1, 0]), Scope::Biases, 0.1).contains("no layer of the head has biases"));
    assert!(error(&with, Some(&[0, 1, 1, 0]), Scope::All, 1e30).contains("finite"));
}
