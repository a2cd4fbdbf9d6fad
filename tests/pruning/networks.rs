//! Networks and data of the tests, made from seeds.

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use tropix::backend::{Activation, Backend, Reference};
use tropix::network::{Element, Head, Network, Node, Op, Origin, Tensor};
use tropix::rng;

/// A sum of uniform numbers: near enough to a normal one.
pub(crate) fn normal(generator: &mut ChaCha8Rng) -> f32 {
    (0..12).map(|_| (generator.next_u32() >> 8) as f32 / 16_777_216.0).sum::<f32>() - 6.0
}

/// A network of linear layers with ReLU between, from the matrices and biases of its layers.
pub(crate) fn network(layers: Vec<(Array2<f32>, Option<Vec<f32>>)>) -> Network {
    let last = layers.len() - 1;
    let input = vec![layers[0].0.ncols()];
    let mut nodes: Vec<Node> = Vec::new();
    for (number, (weight, bias)) in layers.into_iter().enumerate() {
        let before = nodes.last().map_or(Network::INPUT.to_owned(), |node| node.name.clone());
        let name = format!("fc{number}");
        let shape = weight.shape().to_vec();
        let weight =
            Tensor::owned(&format!("{name}.weight"), Element::F32, shape, weight.into_iter().collect()).unwrap();
        let bias = bias.map(|b| Tensor::owned(&format!("{name}.bias"), Element::F32, vec![b.len()], b).unwrap());
        nodes.push(Node { name: name.clone(), op: Op::Linear { weight, bias }, inputs: vec![before] });
        if number < last {
            nodes.push(Node { name: format!("relu{number}"), op: Op::Relu, inputs: vec![name] });
        }
    }
    Network { nodes, input, normalize: None, extra: Vec::new(), origin: Origin::Guessed }
}

/// A random network with the given widths.
pub(crate) fn random(widths: &[usize], biases: bool, seed: u64) -> Network {
    let mut generator = rng::stream(seed, "test network");
    let layers = widths.windows(2).map(|pair| {
        let scale = (2.0 / pair[0] as f32).sqrt();
        let weight = Array2::from_shape_fn((pair[1], pair[0]), |_| normal(&mut generator) * scale);
        let bias = biases.then(|| (0..pair[1]).map(|_| 0.3 * normal(&mut generator)).collect());
        (weight, bias)
    });
    network(layers.collect())
}

/// Random inputs.
pub(crate) fn inputs(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let mut generator = rng::stream(seed, "test inputs");
    Array2::from_shape_fn((rows, columns), |_| normal(&mut generator))
}

/// Logits of a network in f64.
pub(crate) fn logits(network: &Network, inputs: &Array2<f32>) -> Array2<f64> {
    let reference = Reference::new();
    let mut signal = inputs.mapv(f64::from);
    for layer in &Head::of(network).unwrap().layers {
        let weight = reference.upload(&layer.weight).unwrap();
        let bias = layer.bias.as_ref().map(|bias| reference.upload(bias).unwrap());
        let activation = if layer.relu { Activation::Relu } else { Activation::Identity };
        signal = reference.affine(&signal, &weight, bias.as_ref(), activation).unwrap();
    }
    signal
}

/// The largest difference of two matrices of one shape.
pub(crate) fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The weights of a layer of a network's head.
pub(crate) fn weight(network: &Network, layer: usize) -> Array2<f32> {
    let head = Head::of(network).unwrap();
    let tensor = &head.layers[layer].weight;
    let [rows, columns] = tensor.matrix_shape();
    Array2::from_shape_vec((rows, columns), tensor.to_vec()).unwrap()
}
