//! Gradients of whole networks beside finite differences, and training of all their weights.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use ndarray::Array2;
use rand::RngExt;

use super::network::{Lesson, Trained};
use super::*;
use crate::backend::{Backend, Cpu, Reference};
use crate::error::{Error, Result};
use crate::network::dataset::{DataOptions, load};
use crate::network::format::{self, ModelFile, operator_graph};
use crate::network::spaces::{Constant, OperatorGraph};
use crate::network::{Classifier, Network, Tensor};
use crate::prune::{Data, Observer, Timing};
use crate::rng;

fn asset(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn model(name: &str) -> ModelFile {
    format::load(&asset(&format!("models/{name}")), None).unwrap()
}

fn samples(count: usize, width: usize) -> Array2<f32> {
    let mut stream = rng::stream(4, "test");
    Array2::from_shape_simple_fn((count, width), || stream.random_range(-1.0..1.0))
}

/// Loss and gradients, by the value of each tensor, in f64.
fn exact(graph: &OperatorGraph, rows: &Array2<f32>, labels: &[u32]) -> (f64, Vec<(usize, Vec<f64>)>) {
    let backend = Reference::new();
    let mut trained = Trained::upload(&backend, graph, &|_| true).unwrap();
    let rows = backend.upload(rows).unwrap();
    let (sum, slopes) = trained.gradients(&backend, rows, &Lesson::Labels(labels), 1.0).unwrap();
    let by_value = slopes.iter().enumerate().map(|(at, slope)| {
        let name = trained.name(graph, at);
        let value = graph.values.iter().position(|value| value == name).unwrap();
        (value, trained.in_file_order(at, slope.iter().copied().collect()))
    });
    #[expect(clippy::cast_precision_loss, reason = "a few samples")]
    let count = labels.len() as f64;
    (sum.sum() / count, by_value.collect())
}

/// The mean loss, in f64.
fn loss(graph: &OperatorGraph, rows: &Array2<f32>, labels: &[u32]) -> f64 {
    let backend = Reference::new();
    let trained = Trained::upload(&backend, graph, &|_| true).unwrap();
    let logits = trained.logits(&backend, &backend.upload(rows).unwrap()).unwrap();
    Lesson::<Reference>::Labels(labels).loss(&backend, &logits).unwrap().0.mean().unwrap()
}

/// Moves one number of every tensor, the one with the largest slope and one by chance, and compares the loss. Steps are so
/// short that kinks of rectifiers are met nowhere.
fn slopes_are_those_of_the_loss(graph: &OperatorGraph, width: usize, tensors: usize) {
    let (rows, labels) = (samples(3, width), [1, 0, 1]);
    let (_, gradients) = exact(graph, &rows, &labels);
    assert!(gradients.len() >= tensors, "{} tensors", gradients.len());
    let mut stream = rng::stream(5, "test");
    for (value, slopes) in &gradients {
        let tensor = graph.weights(*value).unwrap();
        let most = (0..slopes.len()).max_by(|a, b| slopes[*a].abs().total_cmp(&slopes[*b].abs())).unwrap();
        for at in [most, stream.random_range(0..slopes.len())] {
            let moved = |by: f32| {
                let mut numbers = tensor.to_vec();
                numbers[at] += by;
                let exactly = f64::from(numbers[at]);
                let mut graph = graph.clone();
                let (name, shape) = (tensor.name(), tensor.dimensions().to_vec());
                let tensor = Tensor::owned(name, tensor.element(), shape, numbers).unwrap();
                graph.constants.insert(*value, Constant::Weights(tensor));
                (exactly, loss(&graph, &rows, &labels))
            };
            let [(low, before), (high, after)] = [moved(-1e-6), moved(1e-6)];
            let numeric = (after - before) / (high - low);
            let off = (numeric - slopes[at]).abs();
            assert!(off <= 2e-4 * (slopes[most].abs() + 1e-3), "{} [{at}]: {numeric}, {}", tensor.name(), slopes[at]);
        }
    }
}

#[test]
fn slopes_of_inverted_residuals_are_those_of_the_loss() {
    // Depthwise kernels, strides, padding, batch norms folded or not, residuals.
    slopes_are_those_of_the_loss(model("mobile-mnist.onnx").onnx.unwrap().operators(), 784, 20);
}

#[test]
fn slopes_of_a_transformer_are_those_of_the_loss() {
    // Embeddings, layer norms, attention, weights to the right of a product.
    slopes_are_those_of_the_loss(model("vit-mnist.onnx").onnx.unwrap().operators(), 784, 30);
}

#[test]
fn slopes_of_convolutions_are_those_of_the_loss() {
    let network = "2x7x6-5c3p1-p2-6c2-9-3".parse::<Layout>().unwrap().network().unwrap();
    let graph = initial::initialised(&operator_graph(&network).unwrap(), Initial::Normal, 1, false).unwrap();
    slopes_are_those_of_the_loss(&graph, 84, 8);
}

#[test]
fn all_backends_pass_the_same_gradients_and_parts_of_a_batch_add_up() {
    let held = model("mobile-mnist.onnx").onnx.unwrap();
    let graph = held.operators();
    let (rows, labels) = (samples(5, 784), [0, 1, 2, 3, 4]);
    let (_, wanted) = exact(graph, &rows, &labels);
    let (backend, lesson) = (Cpu::new(), Lesson::Labels(&labels));
    let mut trained = Trained::upload(&backend, graph, &|_| true).unwrap();
    let whole = trained.gradients(&backend, backend.upload(&rows).unwrap(), &lesson, 1.0).unwrap().1;
    let parts = trained.by_parts(&backend, &backend.upload(&rows).unwrap(), &lesson, [5, 784], 2).unwrap().1;
    for ((at, (_, wanted)), (whole, part)) in wanted.iter().enumerate().zip(whole.iter().zip(&parts)) {
        let most = wanted.iter().fold(1e-3_f64, |most, slope| most.max(slope.abs()));
        for found in [whole, part] {
            let found = trained.in_file_order(at, backend.download(found).unwrap().into_iter().collect());
            let off = found.iter().zip(wanted).fold(0.0_f64, |off, (a, b)| off.max((a - b).abs()));
            assert!(off <= 2e-4 * most, "{}: {off} of {most}", trained.name(graph, at));
        }
    }
}

#[test]
fn a_tensor_that_two_layers_share_follows_both() {
    // Both layers read one tensor of the graph, one of them its transpose.
    let network = "4-4-4".parse::<Layout>().unwrap().network().unwrap();
    let mut graph = initial::initialised(&operator_graph(&network).unwrap(), Initial::Normal, 2, false).unwrap();
    let shared = graph.operators[0].inputs[1];
    let last = graph.operators.iter().rposition(|operator| operator.kind == "Gemm").unwrap();
    graph.operators[last].inputs[1] = shared;
    graph.operators[last].attributes.remove("transB");
    slopes_are_those_of_the_loss(&graph, 4, 3);
    // Both places have moved alike: a program of what was trained has the same loss.
    let (rows, labels) = (samples(6, 4), [0, 1, 2, 3, 0, 1]);
    let data = Data { inputs: &rows, labels: Some(&labels) };
    let task = fit::Task {
        graph: &graph,
        chosen: &|_| true,
        training: data,
        goal: fit::Goal::Labels(&labels),
        held_out: data,
        image: None,
        checkpoint: None,
    };
    let options = TrainOptions { epochs: 3, batch: 6, rate: 0.05, ..TrainOptions::new() };
    let (after, report) = fit::fit(&Reference::new(), &task, &options, &mut Timing::default(), &()).unwrap();
    let again = fit::Task { graph: &after, ..task };
    let one = TrainOptions { epochs: 1, ..options };
    let (_, next) = fit::fit(&Reference::new(), &again, &one, &mut Timing::default(), &()).unwrap();
    assert!(next.epochs[0].loss < report.epochs[2].loss, "{:?} {:?}", report.epochs, next.epochs);
}

/// Trains a small network on the 500 images that ship; the accuracy on 2,000 others before and after.
fn lenet(backend: &impl Backend, layout: &str, augment: Augment, epochs: usize) -> (TrainReport, Trainee) {
    let data =
        |name: &str| load(asset(&format!("data/mnist/{name}")).to_str().unwrap(), &DataOptions::default()).unwrap();
    let (training, held_out) = (data("mnist-train500.safetensors"), data("mnist-test2000.safetensors"));
    let network = layout.parse::<Layout>().unwrap().network().unwrap();
    let mut trainee = Trainee::of(&ModelFile::new(network)).unwrap();
    trainee.initialise(Initial::Pytorch, 3, false).unwrap();
    let options = TrainOptions { epochs, batch: 50, rate: 2e-3, augment, ..TrainOptions::new() };
    let of = |data: &crate::network::dataset::Dataset| (data.inputs.clone(), data.labels.clone().unwrap());
    let (train, held) = (of(&training), of(&held_out));
    let [train, held] = [&train, &held].map(|(inputs, labels)| Data { inputs, labels: Some(labels) });
    let image = (train, Some([1, 28, 28]));
    let report =
        trainee.train(backend, image, &Target::Labels, held, (&options, None), &mut Timing::default(), &()).unwrap();
    (report, trainee)
}

#[test]
fn a_small_convolutional_network_learns_digits_from_its_first_weights() {
    let (report, _) = lenet(&Cpu::new(), "1x28x28-6c5-p2-16c5-p2-60-10", Augment { shift: 1, flip: false }, 12);
    let last = report.epochs.last().unwrap();
    assert!(report.before < 0.3 && last.held_out > 0.85, "{report:?}");
    assert!(last.loss < 0.5 && report.chosen == 12 && report.ended == Ended::Done, "{report:?}");
}

#[test]
fn the_same_seed_trains_the_same_bits() {
    let of = |seed: u64| {
        let (points, labels) = Toy::Moons.points(200, 0.1, 1).unwrap();
        let network = "2-12-2".parse::<Layout>().unwrap().network().unwrap();
        let mut trainee = Trainee::of(&ModelFile::new(network.clone())).unwrap();
        trainee.initialise(Initial::Xavier, seed, false).unwrap();
        let data = Data { inputs: &points, labels: Some(&labels) };
        let options = TrainOptions { epochs: 40, batch: 10, rate: 1e-2, seed, ..TrainOptions::new() };
        let mut run = |target: &Target<'_>| {
            trainee
                .train(&Cpu::new(), (data, None), target, data, (&options, None), &mut Timing::default(), &())
                .unwrap()
        };
        let report = run(&Target::Labels);
        assert!(report.epochs.last().unwrap().held_out > 0.9, "{report:?}");
        trainee.network(&network).unwrap().tensors().flat_map(Tensor::to_vec).map(f32::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_pupil_learns_the_answers_of_its_teacher_without_labels() {
    let teacher = model("toy-moons-bias-2-40-2.safetensors");
    let (points, labels) = Toy::Moons.points(400, 0.15, 7).unwrap();
    let network = "2-20-2".parse::<Layout>().unwrap().network().unwrap();
    let mut trainee = Trainee::of(&ModelFile::new(network)).unwrap();
    trainee.initialise(Initial::Pytorch, 0, false).unwrap();
    let options = TrainOptions { epochs: 60, batch: 40, rate: 1e-2, ..TrainOptions::new() };
    let blind = Data { inputs: &points, labels: None };
    let held = Data { inputs: &points, labels: Some(&labels) };
    let (backend, mut timing) = (Cpu::new(), Timing::default());
    let mut train =
        |target: &Target<'_>| trainee.train(&backend, (blind, None), target, held, (&options, None), &mut timing, &());
    let report = train(&Target::Teacher(&teacher)).unwrap();
    // The divergence goes to zero as the answers meet.
    let losses: Vec<f64> = report.epochs.iter().map(|epoch| epoch.loss).collect();
    assert!(losses[59] < 0.2 * losses[0] && losses[59] >= 0.0, "{losses:?}");
    assert!(train(&Target::Labels).unwrap_err().to_string().contains("labels"));
}

/// Stops training before an epoch.
struct StopAt(usize);

impl Observer for StopAt {
    fn step(&self, done: usize, _: usize, _: &str) -> Result<()> {
        if done == self.0 { Err(Error::Stopped { reason: "test".to_owned() }) } else { Ok(()) }
    }
}

#[test]
fn training_that_was_stopped_goes_on_to_the_same_bits_and_with_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (points, labels) = Toy::Circles.points(90, 0.1, 1).unwrap();
    let bits = |trainee: &Trainee, network: &Network| {
        trainee.network(network).unwrap().tensors().flat_map(Tensor::to_vec).map(f32::to_bits).collect::<Vec<_>>()
    };
    for (place, optimiser, patience) in [(0, Optimiser::Adam, None), (1, Optimiser::Sgd, Some(9))] {
        let checkpoint = Checkpoint { file: folder.path().join(place.to_string()), every: 2, resume: true };
        let options = TrainOptions { optimiser, epochs: 9, batch: 16, rate: 1e-2, patience, ..TrainOptions::new() };
        let run = |layout: &str, points: &Array2<f32>, options: &TrainOptions, stop: Option<usize>, kept: bool| {
            let network = layout.parse::<Layout>().unwrap().network().unwrap();
            let mut trainee = Trainee::of(&ModelFile::new(network.clone())).unwrap();
            trainee.initialise(Initial::Pytorch, 0, false).unwrap();
            let data = Data { inputs: points, labels: Some(&labels) };
            let how = (options, kept.then_some(&checkpoint));
            let (target, mut timing) = (Target::Labels, Timing::default());
            let report = match stop {
                Some(epoch) => {
                    trainee.train(&Cpu::new(), (data, None), &target, data, how, &mut timing, &StopAt(epoch))
                }
                None => trainee.train(&Cpu::new(), (data, None), &target, data, how, &mut timing, &()),
            };
            report.map(|report| (report, bits(&trainee, &network)))
        };
        let (whole, expected) = run("2-12-2", &points, &options, None, false).unwrap();
        // Stopped after five epochs, of which four are in the file, and again after seven, of which six are.
        for (stop, done) in [(5, 4), (7, 6)] {
            assert!(matches!(run("2-12-2", &points, &options, Some(stop), true), Err(Error::Stopped { .. })));
            let state = format::State::load(&checkpoint.file).unwrap();
            assert_eq!(state.arrays["history"].0, [done, 3]);
        }
        let refused = |layout: &str, points: &Array2<f32>, options: &TrainOptions, why: &str| {
            let error = run(layout, points, options, None, true).unwrap_err();
            assert!(matches!(&error, Error::Format { problem, .. } if problem.contains(why)), "{error}");
        };
        refused("2-11-2", &points, &options, "another network");
        refused("2-12-2", &points.mapv(|value| value + 1.0), &options, "other samples");
        refused("2-12-2", &points, &TrainOptions { epochs: 10, ..options }, "other options");
        let (report, found) = run("2-12-2", &points, &options, None, true).unwrap();
        assert_eq!((report.resumed, report.epochs.len()), (6, 9));
        assert_eq!((&report.epochs, report.before, report.chosen), (&whole.epochs, whole.before, whole.chosen));
        assert_eq!(found, expected, "{optimiser:?}");
        // What is done is not done again.
        let (report, found) = run("2-12-2", &points, &options, None, true).unwrap();
        assert_eq!((report.resumed, found), (9, expected), "{optimiser:?}");
    }
}
