//! From the graph to the operations of a backend: activations join the layer before them, batch norms become part of its
//! weights, and what only moves or renames values disappears.

use std::collections::HashMap;

use crate::backend::{Activation, Function, Pooling, Window};
use crate::error::{Error, Result};
use crate::network::block::norm_affine;
use crate::network::{Network, Node, Normalization, Op, Tensor};

/// What a step computes, with its weights on the host.
#[derive(Debug)]
pub(super) enum Kernel {
    Linear {
        weight: Weight,
        activation: Activation,
    },
    Conv {
        weight: Weight,
        window: Window,
        groups: usize,
        activation: Activation,
    },
    Activate,
    Function(Function),
    Pool {
        window: Window,
        pooling: Pooling,
    },
    Add {
        activation: Activation,
    },
    Multiply,
    /// Column `j` of the result is column `order[j]`.
    Gather {
        order: Vec<usize>,
    },
    Concat,
}

/// Weights and biases of a layer.
#[derive(Debug)]
pub(super) enum Weight {
    /// As they are in the file.
    File { weight: Tensor, bias: Option<Tensor> },
    /// Rewritten: rows by outputs, and a bias for each.
    Folded { rows: usize, weight: Vec<f32>, bias: Vec<f32> },
}

/// One operation on a device. Value 0 is the input of the network, value `i + 1` the result of step `i`.
#[derive(Debug)]
pub(super) struct Lowered {
    pub(super) kernel: Kernel,
    pub(super) inputs: Vec<usize>,
    /// Entries of the result for one sample.
    pub(super) length: usize,
}

/// The steps of a network and the values that its nodes give.
#[derive(Debug)]
pub(super) struct Lowering {
    pub(super) steps: Vec<Lowered>,
    pub(super) values: HashMap<String, Given>,
    pub(super) output: usize,
    /// The softmax at the end, where it changes the order of classes.
    pub(super) normalization: Option<Normalization>,
}

/// What a node gives: a value, whose columns may be in another order.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) value: usize,
    /// Column `j` of the node's output is column `order[j]` of the value.
    pub(super) order: Option<Vec<usize>>,
}

/// The place of a node's output: a value, whose columns may be in another order.
#[derive(Debug, Clone)]
struct Place {
    value: usize,
    /// Column `j` of the node's output is column `order[j]` of the value.
    order: Option<Vec<usize>>,
    shape: Vec<usize>,
}

struct Builder<'a> {
    network: &'a Network,
    steps: Vec<Lowered>,
    places: HashMap<&'a str, Place>,
    normalization: Option<Normalization>,
}

/// Lowers a network.
///
/// # Errors
///
/// [`Error::Unsupported`] with the node that cannot be computed, or where shapes are not known.
pub(super) fn lower(network: &Network) -> Result<Lowering> {
    let shapes = network.shapes().map_err(|breaks| Error::Unsupported { problem: breaks.join("; ") })?;
    let input = Place { value: 0, order: None, shape: network.input.clone() };
    let places = HashMap::from([(Network::INPUT, input)]);
    let mut builder = Builder { network, steps: Vec::new(), places, normalization: None };
    if network.input.is_empty() {
        return Err(Error::Unsupported { problem: "the shape of the network's input is not known".to_owned() });
    }
    for (node, shape) in network.nodes.iter().zip(shapes) {
        let shape = shape.ok_or_else(|| unsupported(node, "is not computed"))?;
        let place = builder.place(node, shape)?;
        builder.places.insert(&node.name, place);
    }
    let output = network.nodes.last().and_then(|node| builder.places.get(node.name.as_str()));
    let output = output.ok_or_else(|| Error::Unsupported { problem: "a network without nodes".to_owned() })?;
    if output.order.is_some() {
        let problem = "the outputs of the network are in an order that is not computed".to_owned();
        return Err(Error::Unsupported { problem });
    }
    let output = output.value;
    let given = |(name, place): (&str, Place)| (name.to_owned(), Given { value: place.value, order: place.order });
    let values = builder.places.into_iter().map(given).collect();
    Ok(Lowering { steps: builder.steps, values, output, normalization: builder.normalization })
}

fn unsupported(node: &Node, what: &str) -> Error {
    Error::Unsupported { problem: format!("`{}` ({}) {what} on backends", node.name, node.op.name()) }
}

impl<'a> Builder<'a> {
    fn place(&mut self, node: &'a Node, shape: Vec<usize>) -> Result<Place> {
        let mut inputs: Vec<Place> =
            node.inputs.iter().filter_map(|name| self.places.get(name.as_str()).cloned()).collect();
        // What reads columns one by one does so in any order.
        let any_order = matches!(
            &node.op,
            Op::Flatten
                | Op::Reshape { .. }
                | Op::Identity
                | Op::Transpose { .. }
                | Op::Relu
                | Op::LeakyRelu { .. }
                | Op::Function(_)
                | Op::Linear { .. }
        );
        if !any_order {
            inputs.iter_mut().for_each(|input| self.in_order(input));
        }
        let Some(first) = inputs.first().filter(|_| inputs.len() == node.inputs.len()).cloned() else {
            return Err(Error::Internal { what: format!("`{}` reads what is not there", node.name) });
        };
        let length = shape.iter().product();
        let kernel = match &node.op {
            Op::Flatten | Op::Reshape { .. } | Op::Identity => return Ok(Place { shape, ..first }),
            Op::Softmax { axes, .. } if self.network.ends_in(node) => {
                self.normalization = Normalization::of(axes, &shape);
                return Ok(Place { shape, ..first });
            }
            Op::Transpose { order } => {
                let moved = transposed(&first, order, shape);
                let front = *order == [2, 0, 1];
                let Some((channels, places)) = channels_last(&moved).filter(|_| front) else { return Ok(moved) };
                self.steps.push(Lowered {
                    kernel: channels_first(channels, places),
                    inputs: vec![first.value],
                    length,
                });
                return Ok(Place { value: self.steps.len(), order: None, shape: moved.shape });
            }
            Op::Relu => {
                if self.fuse_relu(&first, node) {
                    return Ok(Place { shape, ..first });
                }
                Kernel::Activate
            }
            Op::LeakyRelu { slope } => Kernel::Function(Function::Leaky { slope: narrow(*slope) }),
            Op::Function(function) => Kernel::Function(*function),
            Op::Linear { weight, bias } => {
                let weight = reordered(weight, bias.as_ref(), first.order.as_deref());
                Kernel::Linear { weight, activation: Activation::Identity }
            }
            Op::Conv { weight, bias, window, groups } => {
                let window = sliding(window, &first.shape, &shape);
                let weight = Weight::File { weight: weight.clone(), bias: bias.clone() };
                Kernel::Conv { weight, window, groups: *groups, activation: Activation::Identity }
            }
            Op::BatchNorm { .. } => {
                let (scale, shift) = norm_affine(&node.op)?;
                if self.fuse_scale(&first, node, &scale, &shift) {
                    return Ok(Place { shape, ..first });
                }
                let channels = scale.len();
                let plane = length / channels.max(1);
                let weight = Weight::Folded { rows: channels, weight: narrowed(&scale), bias: narrowed(&shift) };
                let window = Window::new([channels, plane, 1], [1, 1]);
                Kernel::Conv { weight, window, groups: channels, activation: Activation::Identity }
            }
            Op::MaxPool { window, .. } => {
                Kernel::Pool { window: sliding(window, &first.shape, &shape), pooling: Pooling::Max }
            }
            Op::AveragePool { window, count_include_pad, .. } => {
                let beyond = sliding(window, &first.shape, &shape);
                if *count_include_pad && beyond.padding != window.padding {
                    // What counts becomes part of the image, so that what lies beyond it does not.
                    let (kernel, image) = padded(window, &first.shape);
                    let rest = crate::network::Window { padding: [0; 4], ..*window };
                    self.steps.push(Lowered { kernel, inputs: vec![first.value], length: image.iter().product() });
                    let window = sliding(&rest, &image, &shape);
                    let kernel = Kernel::Pool { window, pooling: Pooling::Average };
                    self.steps.push(Lowered { kernel, inputs: vec![self.steps.len()], length });
                    return Ok(Place { value: self.steps.len(), order: None, shape });
                }
                let pooling = if *count_include_pad { Pooling::AveragePadded } else { Pooling::Average };
                Kernel::Pool { window: beyond, pooling }
            }
            Op::GlobalAveragePool => match first.shape[..] {
                [channels, height, width] => {
                    let window = Window::new([channels, height, width], [height, width]);
                    Kernel::Pool { window, pooling: Pooling::Average }
                }
                _ => return Err(unsupported(node, "of what is no image is not computed")),
            },
            Op::Add if inputs.len() == 1 => return Ok(Place { shape, ..first }),
            Op::Add => Kernel::Add { activation: Activation::Identity },
            Op::Multiply => {
                // The factors of channels come second.
                if first.shape.iter().product::<usize>() != length {
                    inputs.reverse();
                }
                Kernel::Multiply
            }
            Op::Concat { axis: 0 } => Kernel::Concat,
            _ => return Err(unsupported(node, "is not computed")),
        };
        let order = if matches!(kernel, Kernel::Activate | Kernel::Function(_)) { first.order } else { None };
        let inputs = inputs.iter().map(|input| input.value).collect();
        self.steps.push(Lowered { kernel, inputs, length });
        Ok(Place { value: self.steps.len(), order, shape })
    }

    /// Moves the columns of a value to where the network has them.
    fn in_order(&mut self, place: &mut Place) {
        if let Some(order) = place.order.take() {
            let length = order.len();
            self.steps.push(Lowered { kernel: Kernel::Gather { order }, inputs: vec![place.value], length });
            place.value = self.steps.len();
        }
    }

    /// The step whose result only `node` reads.
    fn own_step(&mut self, place: &Place, node: &Node) -> Option<&mut Lowered> {
        let name = node.inputs.first()?;
        // Every node between the step and this one has to have a single reader, too.
        let mut name = name.as_str();
        loop {
            if self.network.consumers(name).count() != 1 || name == Network::INPUT {
                return None;
            }
            let giver = self.network.node(name).ok()?;
            let passes = matches!(giver.op, Op::Flatten | Op::Reshape { .. } | Op::Identity | Op::Transpose { .. });
            match giver.inputs.first() {
                Some(before) if passes => name = before,
                _ => break,
            }
        }
        self.steps.get_mut(place.value.checked_sub(1)?)
    }

    fn fuse_relu(&mut self, place: &Place, node: &Node) -> bool {
        match self.own_step(place, node).map(|step| &mut step.kernel) {
            Some(Kernel::Linear { activation, .. } | Kernel::Conv { activation, .. } | Kernel::Add { activation }) => {
                *activation = Activation::Relu;
                true
            }
            _ => false,
        }
    }

    /// Multiplies the rows of the layer before by `scale` and adds `shift`.
    fn fuse_scale(&mut self, place: &Place, node: &Node, scale: &[f64], shift: &[f64]) -> bool {
        if place.shape.first() != Some(&scale.len()) {
            return false;
        }
        match self.own_step(place, node).map(|step| &mut step.kernel) {
            Some(
                Kernel::Linear { weight, activation: Activation::Identity }
                | Kernel::Conv { weight, activation: Activation::Identity, .. },
            ) => {
                let (rows, mut values, mut bias) = weight.values();
                if rows != scale.len() {
                    return false;
                }
                let columns = values.len() / rows.max(1);
                for (row, values) in values.chunks_exact_mut(columns.max(1)).enumerate() {
                    values.iter_mut().for_each(|value| *value = narrow(f64::from(*value) * scale[row]));
                }
                for (row, value) in bias.iter_mut().enumerate() {
                    *value = narrow(f64::from(*value) * scale[row] + shift[row]);
                }
                *weight = Weight::Folded { rows, weight: values, bias };
                true
            }
            _ => false,
        }
    }
}

impl Weight {
    /// Rows, weights and biases.
    fn values(&self) -> (usize, Vec<f32>, Vec<f32>) {
        match self {
            Self::File { weight, bias } => {
                let rows = weight.matrix_shape()[0];
                (rows, weight.to_vec(), bias.as_ref().map_or_else(|| vec![0.0; rows], Tensor::to_vec))
            }
            Self::Folded { rows, weight, bias } => (*rows, weight.clone(), bias.clone()),
        }
    }
}

/// A linear layer for inputs whose column `j` is column `order[j]` of what is there.
fn reordered(weight: &Tensor, bias: Option<&Tensor>, order: Option<&[usize]>) -> Weight {
    let file = Weight::File { weight: weight.clone(), bias: bias.cloned() };
    let Some(order) = order else { return file };
    let (rows, values, bias) = file.values();
    let mut moved = vec![0.0; values.len()];
    let columns = order.len().max(1);
    for (out, row) in moved.chunks_exact_mut(columns).zip(values.chunks_exact(columns)) {
        for (value, to) in row.iter().zip(order) {
            out[*to] = *value;
        }
    }
    Weight::Folded { rows, weight: moved, bias }
}

/// The same values seen with their axes in another order.
fn transposed(place: &Place, axes: &[usize], shape: Vec<usize>) -> Place {
    let mut strides = vec![1; place.shape.len()];
    for axis in (1..strides.len()).rev() {
        strides[axis - 1] = strides[axis] * place.shape[axis];
    }
    let steps: Vec<usize> = axes.iter().filter_map(|axis| strides.get(*axis).copied()).collect();
    let length = shape.iter().product();
    let from = |column: usize| {
        let mut rest = column;
        let at = shape.iter().zip(&steps).rev().map(|(length, step)| {
            let index = rest % length;
            rest /= length;
            index * step
        });
        at.sum::<usize>()
    };
    let order: Vec<usize> = (0..length)
        .map(|column| {
            let before = from(column);
            place.order.as_ref().map_or(before, |order| order[before])
        })
        .collect();
    let moved = order.iter().enumerate().any(|(column, to)| column != *to);
    Place { value: place.value, order: moved.then_some(order), shape }
}

/// Channels and places of an image whose channels lie side by side in its value.
fn channels_last(place: &Place) -> Option<(usize, usize)> {
    let ([channels, height, width], Some(order)) = (place.shape.as_slice(), &place.order) else { return None };
    let places = height * width;
    let is = |(column, from): (usize, &usize)| *from == column % places * channels + column / places;
    order.iter().enumerate().all(is).then_some((*channels, places))
}

/// Brings the channels of an image to the front: a convolution whose windows are the channels of a place, by the identity.
fn channels_first(channels: usize, places: usize) -> Kernel {
    let entry = |at: usize| f32::from(u8::from(at / channels == at % channels));
    let weight = (0..channels * channels).map(entry).collect();
    let weight = Weight::Folded { rows: channels, weight, bias: vec![0.0; channels] };
    let window = Window::new([1, places, channels], [1, channels]);
    Kernel::Conv { weight, window, groups: 1, activation: Activation::Identity }
}

/// The image with the zeros around it that a window counts: a convolution of each channel by one, and the shape it gives.
fn padded(window: &crate::network::Window, image: &[usize]) -> (Kernel, Vec<usize>) {
    let [top, left, bottom, right] = window.padding;
    let axis = |axis: usize| image.get(axis).copied().unwrap_or(1);
    let (channels, height, width) = (axis(0), axis(1), axis(2));
    let weight = Weight::Folded { rows: channels, weight: vec![1.0; channels], bias: vec![0.0; channels] };
    let window = Window { padding: window.padding, ..Window::new([channels, height, width], [1, 1]) };
    let kernel = Kernel::Conv { weight, window, groups: channels, activation: Activation::Identity };
    (kernel, vec![channels, height + top + bottom, width + left + right])
}

/// A window of the graph on an image of a known size. Where windows reach beyond the padding it grows.
fn sliding(window: &crate::network::Window, image: &[usize], out: &[usize]) -> Window {
    let axis = |shape: &[usize], axis: usize| shape.get(axis).copied().unwrap_or(1);
    let mut padding = window.padding;
    for at in 0..2 {
        let span = window.dilation[at] * (window.size[at] - 1) + 1;
        let end = (axis(out, 1 + at) - 1) * window.stride[at] + span;
        padding[2 + at] = padding[2 + at].max(end.saturating_sub(axis(image, 1 + at) + padding[at]));
    }
    Window {
        image: [axis(image, 0), axis(image, 1), axis(image, 2)],
        kernel: window.size,
        stride: window.stride,
        padding,
        dilation: window.dilation,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

fn narrowed(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| narrow(*value)).collect()
}
