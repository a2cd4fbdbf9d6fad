//! Small graphs, written down node by node.

use tropix::network::{Element, Network, Node, Op, Origin, Tensor, Window};

use crate::files::ramp;

/// A tensor of small values.
pub(crate) fn tensor(name: &str, shape: &[usize]) -> Tensor {
    Tensor::owned(name, Element::F32, shape.to_vec(), ramp(shape.iter().product())).unwrap()
}

pub(crate) fn conv(name: &str, [outputs, inputs, size, padding]: [usize; 4]) -> Op {
    grouped(name, [outputs, inputs, size, padding], 1)
}

pub(crate) fn grouped(name: &str, [outputs, inputs, size, padding]: [usize; 4], groups: usize) -> Op {
    Op::Conv {
        weight: tensor(&format!("{name}.weight"), &[outputs, inputs, size, size]),
        bias: Some(tensor(&format!("{name}.bias"), &[outputs])),
        window: Window { padding: [padding; 4], ..Window::dense([size; 2]) },
        groups,
    }
}

pub(crate) fn linear(name: &str, [outputs, inputs]: [usize; 2]) -> Op {
    let bias = Some(tensor(&format!("{name}.bias"), &[outputs]));
    Op::Linear { weight: tensor(&format!("{name}.weight"), &[outputs, inputs]), bias }
}

pub(crate) fn norm(name: &str, width: usize) -> Op {
    let vector = |part: &str| tensor(&format!("{name}.{part}"), &[width]);
    let var = Tensor::owned(&format!("{name}.var"), Element::F32, vec![width], vec![3.75; width]).unwrap();
    Op::BatchNorm { scale: vector("scale"), bias: vector("bias"), mean: vector("mean"), var, epsilon: 0.25 }
}

pub(crate) fn pool() -> Op {
    Op::MaxPool { window: Window { stride: [2; 2], ..Window::dense([2; 2]) }, ceil: false }
}

/// A network of nodes `name: operation`, each reading the one before it or, as `name: operation < a, b`, others.
pub(crate) fn network(input: &[usize], nodes: Vec<(&str, Op)>) -> Network {
    let mut before = Network::INPUT;
    let mut built = Vec::new();
    for (text, op) in nodes {
        let (name, inputs) = match text.split_once(" < ") {
            Some((name, inputs)) => (name, inputs.split(", ").map(str::to_owned).collect()),
            None => (text, vec![before.to_owned()]),
        };
        built.push(Node { name: name.to_owned(), op, inputs });
        before = name;
    }
    Network { nodes: built, input: input.to_vec(), normalize: None, extra: Vec::new(), origin: Origin::Arch }
}
