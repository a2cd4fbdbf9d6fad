//! Values from independent programs: `assets/golden` holds them and their generators.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use serde::Deserialize;
use tropix::backend::{Activation, Backend, Cpu, Gpu, GpuOptions, HalfStep, Reference, Transpose};
use tropix::network::dataset::{self, DataOptions};
use tropix::network::{
    Classifier, DeviceHead, DeviceNetwork, Element, Head, Network, Node, Op, Origin, Tensor, Window, format,
};
use tropix::prune::structured::{Prior, UnitMethod, UnitOptions, reduce_units};
use tropix::prune::{AlternatingOptions, Method, Ranking, Target};

fn asset(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

fn golden<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(asset("golden").join(name)).unwrap()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
}

/// What a backend uploads; the golden inputs are exact in f32.
fn narrow(matrix: &Array2<f64>) -> Array2<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "exact: the generators round their inputs to f32")]
    matrix.mapv(|value| value as f32)
}

/// The largest difference, relative to the largest expected value.
fn deviation(got: &Array2<f64>, expected: &Array2<f64>) -> f64 {
    assert_eq!(got.dim(), expected.dim());
    let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let difference = (got - expected).iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    if difference == 0.0 { 0.0 } else { difference / largest.max(f64::MIN_POSITIVE) }
}

#[derive(Deserialize)]
struct Problem2 {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lambda: f32,
    first: HalfStepName,
    rows: Vec<Vec<f64>>,
    constants: Option<Vec<f64>>,
    coefficients: Vec<Vec<f64>>,
    targets: Vec<Vec<f64>>,
    norms: Vec<f64>,
    row_scores: Vec<f64>,
    element_scores: Vec<Vec<f64>>,
    objective: Vec<Vec<f64>>,
    steps: Vec<Step>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum HalfStepName {
    Rows,
    Elements,
}

#[derive(Deserialize)]
struct Step {
    rows: Vec<Vec<f64>>,
    elements: Vec<Vec<f64>>,
}

/// Compares the scores and half-steps of a backend with the generic solvers.
fn problem2_agrees<B: Backend>(backend: &B, tolerance: f64) {
    for case in golden::<Problem2>("problem2.json").cases {
        let close = |what: &str, got: &Array2<f64>, expected: &Array2<f64>| {
            let deviation = deviation(got, expected);
            assert!(deviation <= tolerance, "{}: {what} deviate by {deviation:e}", case.name);
        };
        let row = |values: &[f64]| matrix(&[values.to_vec()]);
        let rows = matrix(&case.rows);
        let coefficients = matrix(&case.coefficients);
        let constants = case.constants.as_ref().map(|values| row(values));
        let upload = |matrix: &Array2<f64>| backend.upload(&narrow(matrix)).unwrap();
        let on_device = constants.as_ref().map(upload);
        let scores = backend.row_scores(&upload(&rows), on_device.as_ref(), &upload(&coefficients)).unwrap();
        let norms = backend.download(&scores.norms).unwrap();
        close("norms", &norms, &row(&case.norms));
        close("row scores", &backend.download(&scores.rows).unwrap(), &row(&case.row_scores));
        close("element scores", &(coefficients.mapv(f64::abs) * &norms), &matrix(&case.element_scores));

        let generators = match &constants {
            Some(c) => ndarray::concatenate(ndarray::Axis(1), &[rows.view(), c.t()]).unwrap(),
            None => rows,
        };
        let first = match case.first {
            HalfStepName::Rows => HalfStep::Rows,
            HalfStepName::Elements => HalfStep::Elements,
        };
        let targets = upload(&matrix(&case.targets));
        for (count, step) in case.steps.iter().enumerate() {
            let update = backend.row_update(&scores.norms, &targets, case.lambda, first, count + 1).unwrap();
            let scale = backend.download(&update.scale).unwrap();
            let shrunk = &generators * &scale.t();
            close("rows", &shrunk, &matrix(&step.rows));
            close("elements", &backend.download(&update.elements).unwrap(), &matrix(&step.elements));
            // An objective of zero has no relative error: the unit is what it costs to remove everything.
            let unit = case.element_scores.iter().flatten().fold(1.0, |sum, size| sum + size * size);
            let objective = backend.download(&update.objective).unwrap() + unit;
            close("objectives", &objective, &(matrix(&case.objective[..count + 2]) + unit));
        }
    }
}

#[derive(Deserialize)]
struct Forward {
    logits: Vec<Vec<f64>>,
    rate: f64,
    removed: usize,
    kept_per_layer: Vec<usize>,
    cutoff: f64,
    rows: Vec<MaskRow>,
}

#[derive(Deserialize)]
struct MaskRow {
    layer: usize,
    row: usize,
    kept: Vec<usize>,
    near_the_cut: Vec<usize>,
}

fn mlp() -> Head {
    Head::of(&format::load(&asset("models/mlp-mnist.safetensors"), None).unwrap().network).unwrap()
}

/// Compares the logits of a backend with numpy.
fn forward_agrees<B: Backend>(backend: &B, tolerance: f64) {
    let expected = matrix(&golden::<Forward>("forward.json").logits);
    let file = asset("data/mnist/mnist-test2000.safetensors");
    let data = dataset::load(&file.to_string_lossy(), &DataOptions::default()).unwrap();
    data.check_against(784, 10).unwrap();
    let mut images = Array2::<f32>::zeros((expected.nrows(), 784));
    tropix::backend::RowSource::read_rows(&data.inputs, 0, images.as_slice_mut().unwrap()).unwrap();
    let mut x = backend.upload(&images).unwrap();
    for layer in &mlp().layers {
        let activation = if layer.relu { Activation::Relu } else { Activation::Identity };
        let bias = layer.bias.as_ref().map(|bias| backend.upload(bias).unwrap());
        x = backend.affine(&x, &backend.upload(&layer.weight).unwrap(), bias.as_ref(), activation).unwrap();
    }
    let deviation = deviation(&backend.download(&x).unwrap(), &expected);
    assert!(deviation <= tolerance, "logits deviate by {deviation:e}");
}

/// The tropical-path scores of the reference put the same weights below the cut as numpy does.
#[test]
fn path_norms_give_the_mask_of_numpy() {
    let expected: Forward = golden("forward.json");
    let backend = Reference::new();
    let layers = mlp().layers;
    let weights: Vec<Array2<f64>> = layers.iter().map(|layer| backend.upload(&layer.weight).unwrap()).collect();
    let mut incoming = vec![Array2::ones((1, layers[0].weight.matrix_shape()[1]))];
    for (layer, weight) in layers.iter().zip(&weights).take(layers.len() - 1) {
        let bias = layer.bias.as_ref().map(|bias| backend.upload(bias).unwrap());
        incoming.push(backend.path_norms(weight, incoming.last().unwrap(), bias.as_ref(), Transpose::No).unwrap());
    }
    let mut outgoing = vec![Array2::ones((1, 10))];
    for weight in weights.iter().skip(1).rev() {
        outgoing.push(backend.path_norms(weight, outgoing.last().unwrap(), None, Transpose::Yes).unwrap());
    }
    outgoing.reverse();
    let scores: Vec<Array2<f64>> = weights
        .iter()
        .zip(incoming.iter().zip(&outgoing))
        .map(|(weight, (before, after))| weight.mapv(f64::abs) * before.mapv(f64::sqrt) * after.mapv(f64::sqrt).t())
        .collect();
    let mut sorted: Vec<f64> = scores.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let exact = |count: usize| f64::from(u32::try_from(count).unwrap());
    assert!((exact(sorted.len()) * expected.rate - exact(expected.removed)).abs() <= 0.5);
    assert!((sorted[expected.removed] / expected.cutoff - 1.0).abs() < 1e-12);
    let kept = scores.iter().map(|layer| layer.iter().filter(|score| **score >= sorted[expected.removed]).count());
    assert_eq!(kept.collect::<Vec<_>>(), expected.kept_per_layer);
    for MaskRow { layer, row, kept, near_the_cut } in expected.rows {
        for (column, score) in scores[layer].slice(s![row, ..]).iter().enumerate() {
            let here = *score >= sorted[expected.removed];
            assert!(here == kept.contains(&column) || near_the_cut.contains(&column), "{layer} {row} {column}");
        }
    }
}

/// The masks of the method itself are those of numpy, but for elements too close to the cut for f32 to tell.
fn masks_agree<B: Backend>(backend: &B) {
    let expected: Forward = golden("forward.json");
    let head = mlp();
    let device = DeviceHead::upload(backend, &head).unwrap();
    let options = AlternatingOptions::default();
    let ranking = Ranking::new(backend, &head, &device, Method::TropicalPath, 0, options).unwrap();
    let planned = ranking.plan_all(&[Target::Rate(expected.rate)]).unwrap().remove(0);
    assert_eq!(planned.removed, expected.removed as u64);
    let (plan, _) = ranking.plan(planned).unwrap();
    for (layer, kept) in plan.layers.iter().zip(&expected.kept_per_layer) {
        assert!(layer.keep.kept().abs_diff(*kept as u64) <= 2, "`{}`: {} {kept}", layer.name, layer.keep.kept());
    }
    for MaskRow { layer, row, kept, near_the_cut } in expected.rows {
        for column in 0..plan.layers[layer].keep.shape()[1] {
            let here = plan.layers[layer].keep.keeps(row, column);
            assert!(here == kept.contains(&column) || near_the_cut.contains(&column), "{layer} {row} {column}");
        }
    }
}

fn gpu() -> Gpu {
    let options = GpuOptions { allow_software: true, ..GpuOptions::default() };
    Gpu::new(&options).unwrap_or_else(|error| {
        panic!("{error}; on Debian `apt-get install mesa-vulkan-drivers` gives a software adapter")
    })
}

#[test]
fn every_backend_makes_the_masks_of_numpy() {
    masks_agree(&Reference::new());
    masks_agree(&Cpu::new());
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn the_gpu_agrees_with_solvers_and_numpy() {
    let gpu = gpu();
    problem2_agrees(&gpu, 1e-5);
    forward_agrees(&gpu, 1e-5);
    masks_agree(&gpu);
}

#[test]
fn the_host_path_agrees_with_solvers_and_numpy() {
    problem2_agrees(&Cpu::new(), 1e-5);
    forward_agrees(&Cpu::new(), 1e-5);
}

#[test]
fn the_reference_agrees_with_generic_solvers_on_problem_2() {
    problem2_agrees(&Reference::new(), 1e-7);
}

#[test]
fn the_reference_agrees_with_numpy_on_a_network() {
    forward_agrees(&Reference::new(), 1e-6);
}

#[test]
#[should_panic(expected = "deviate by")]
fn the_comparison_with_solvers_sees_less_than_they_are_exact_to() {
    problem2_agrees(&Reference::new(), 1e-17);
}

#[derive(Deserialize)]
struct ConvNet {
    epsilon: f64,
    weights: HashMap<String, HashMap<String, Shaped>>,
    inputs: Vec<Vec<f64>>,
    logits: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Shaped {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl ConvNet {
    fn network(&self) -> Network {
        let tensor = |node: &str, key: &str| {
            let Shaped { shape, values } = &self.weights[node][key];
            Tensor::owned(&format!("{node}.{key}"), Element::F32, shape.clone(), values.clone()).unwrap()
        };
        let conv = |node: &str, stride: [usize; 2], padding: [usize; 4], dilation: [usize; 2], groups| {
            let weight = tensor(node, "weight");
            let size = [weight.dimensions()[2], weight.dimensions()[3]];
            let window = Window { size, stride, padding, dilation };
            Op::Conv { weight, bias: Some(tensor(node, "bias")), window, groups }
        };
        let norm = |node: &str| {
            let of = |key| tensor(node, key);
            Op::BatchNorm {
                scale: of("scale"),
                bias: of("bias"),
                mean: of("mean"),
                var: of("var"),
                epsilon: self.epsilon,
            }
        };
        let one = [1, 1];
        let max = Window { stride: [2, 2], ..Window::dense([2, 2]) };
        let mean = Window { padding: [1; 4], ..Window::dense([3, 3]) };
        let nodes: Vec<(&str, Op, &[&str])> = vec![
            ("conv1", conv("conv1", [1, 2], [1, 0, 1, 2], [1, 2], 1), &["input"]),
            ("norm1", norm("norm1"), &["conv1"]),
            ("relu1", Op::Relu, &["norm1"]),
            ("pool", Op::MaxPool { window: max, ceil: true }, &["relu1"]),
            ("conv2", conv("conv2", one, [1; 4], one, 2), &["pool"]),
            ("norm2", norm("norm2"), &["conv2"]),
            ("conv3", conv("conv3", one, [0; 4], one, 1), &["pool"]),
            ("add", Op::Add, &["norm2", "conv3"]),
            ("sum", Op::Relu, &["add"]),
            ("mean", Op::AveragePool { window: mean, ceil: false, count_include_pad: true }, &["sum"]),
            ("joined", Op::Concat { axis: 0 }, &["sum", "mean"]),
            ("conv4", conv("conv4", one, [0; 4], one, 1), &["joined"]),
            ("leaky", Op::LeakyRelu { slope: 0.125 }, &["conv4"]),
            ("global", Op::GlobalAveragePool, &["leaky"]),
            ("flatten", Op::Flatten, &["global"]),
            ("fc", Op::Linear { weight: tensor("fc", "weight"), bias: Some(tensor("fc", "bias")) }, &["flatten"]),
        ];
        let node = |(name, op, inputs): (&str, Op, &[&str])| {
            let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
            Node { name: name.to_owned(), op, inputs }
        };
        let nodes = nodes.into_iter().map(node).collect();
        Network { nodes, input: vec![2, 9, 11], normalize: None, extra: Vec::new(), origin: Origin::Arch }
    }
}

fn convnet_logits<B: Backend>(backend: &B, golden: &ConvNet) -> Array2<f64> {
    let inputs = backend.upload(&narrow(&matrix(&golden.inputs))).unwrap();
    let device = DeviceNetwork::upload(backend, &golden.network()).unwrap();
    backend.download(&device.logits(backend, &inputs).unwrap()).unwrap()
}

#[test]
fn a_network_of_every_operation_gives_the_logits_of_numpy() {
    let golden: ConvNet = golden("convnet.json");
    let want = matrix(&golden.logits);
    // Weights with their batch norms are rounded to f32 once.
    assert!(deviation(&convnet_logits(&Reference::new(), &golden), &want) < 1e-6);
    assert!(deviation(&convnet_logits(&Cpu::new(), &golden), &want) < 1e-5);
    let mut other = matrix(&golden.logits);
    other[[2, 2]] += 1e-4;
    assert!(deviation(&other, &want) > 1e-5, "the comparison can fail");
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn an_adapter_gives_the_logits_of_numpy_too() {
    let gpu = Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap();
    let golden: ConvNet = golden("convnet.json");
    assert!(deviation(&convnet_logits(&gpu, &golden), &matrix(&golden.logits)) < 1e-5);
}

#[derive(Deserialize)]
struct Pruned {
    shapes: Vec<[usize; 2]>,
    correct: usize,
    logits: Vec<Vec<f64>>,
}

/// What `prune --keep` writes gives the same logits in numpy, which reads the file by hand: the file that numpy has read, and
/// one that is written now.
#[test]
fn files_with_fewer_neurons_have_the_logits_that_numpy_finds() {
    let expected: Pruned = golden("pruned.json");
    let want = matrix(&expected.logits);
    let original = format::load(&asset("models/mlp-digits.safetensors"), None).unwrap();
    let options = DataOptions { scale: Some(0.0625), ..DataOptions::default() };
    let data = dataset::load(asset("data/digits/digits-test500.safetensors").to_str().unwrap(), &options).unwrap();
    let labels = data.labels.as_deref().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("quarter.safetensors");
    let options = UnitOptions { prior: Prior::Iso, ..UnitOptions::new(UnitMethod::GreedyGaussian, 0.25) };
    let walked = reduce_units(&Cpu::new(), &original.network, None, &options, &()).unwrap();
    format::save(&original, &walked.network, &written, false, &BTreeMap::new()).unwrap();

    for (file, tolerance) in [(asset("golden/digits-quarter.safetensors"), 1e-6), (written, 1e-4)] {
        let network = format::load(&file, None).unwrap().network;
        let head = Head::of(&network).unwrap();
        let shapes: Vec<[usize; 2]> = head.layers.iter().map(|layer| layer.weight.matrix_shape()).collect();
        assert_eq!(shapes, expected.shapes, "{}", file.display());
        let backend = Reference::new();
        let device = DeviceHead::upload(&backend, &head).unwrap();
        let logits = device.logits(&backend, &backend.upload(&data.inputs).unwrap()).unwrap();
        let found = logits.slice(s![..want.nrows(), ..]).to_owned();
        let gap = (&found - &want).iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
        let size = want.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        assert!(gap <= tolerance * size, "{}: {gap} beside logits of {size}", file.display());
        let best = |row: ndarray::ArrayView1<'_, f64>| {
            row.iter().enumerate().fold((0, f64::MIN), |best, (j, v)| if *v > best.1 { (j, *v) } else { best }).0
        };
        let correct = logits.rows().into_iter().zip(labels).filter(|(row, label)| best(row.view()) == **label as usize);
        assert_eq!(correct.count(), expected.correct, "{}", file.display());
    }
    let whole = Head::of(&original.network).unwrap();
    let backend = Reference::new();
    let device = DeviceHead::upload(&backend, &whole).unwrap();
    let logits = device.logits(&backend, &backend.upload(&data.inputs).unwrap()).unwrap();
    let gap = (&logits.slice(s![..want.nrows(), ..]) - &want).iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
    assert!(gap > 0.1, "the whole network has other logits: {gap}");
}
