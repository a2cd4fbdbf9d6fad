//! Layers with weights: Gemm, `MatMul` and Add, Conv, `BatchNormalization`.

use super::super::source::Slot;
use super::{Binding, Import, Outcome, Value, fault};
use crate::error::Result;
use crate::network::format::onnx::attributes::{self, count};
use crate::network::format::onnx::proto;
use crate::network::{Op, Tensor};

impl<'a> Import<'a> {
    pub(super) fn gemm(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        if attributes::int(node, "transA", 0)? != 0 {
            return fault("`transA` would put the batch behind the features");
        }
        let transposed = attributes::int(node, "transB", 0)? == 0;
        let (alpha, beta) = (attributes::float(node, "alpha", 1.0)?, attributes::float(node, "beta", 1.0)?);
        let (weight, mut slots) = self.matrix(at, node, transposed, alpha)?;
        let mut bias = None;
        if Self::has(node, 2) {
            let (tensor, slot) = self.weights(at, node, 2)?;
            let outputs = weight.dimensions()[0];
            let (tensor, slot) = spread(tensor, slot, &[outputs])?;
            bias = Some(scaled(vector(tensor, outputs)?, beta)?);
            slots.push(slot);
        }
        self.linear(at, node, weight, bias, slots)
    }

    pub(super) fn matmul(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let (weight, slots) = self.matrix(at, node, true, 1.0)?;
        self.linear(at, node, weight, None, slots)
    }

    /// The weights as outputs x inputs, times `factor`.
    fn matrix(&mut self, at: usize, node: &proto::Node, transposed: bool, factor: f32) -> Outcome<(Tensor, Vec<Slot>)> {
        let (tensor, slot) = self.weights(at, node, 1)?;
        let &[rows, columns] = tensor.dimensions() else {
            return fault(format!("`{}` has shape {:?}, expected a matrix", node.input[1], tensor.dimensions()));
        };
        let tensor = if transposed { turned(&tensor, rows, columns)? } else { tensor };
        Ok((scaled(tensor, factor)?, vec![Slot { transposed, ..slot }]))
    }

    fn linear(
        &mut self,
        at: usize,
        node: &'a proto::Node,
        weight: Tensor,
        bias: Option<Tensor>,
        slots: Vec<Slot>,
    ) -> Outcome<()> {
        let input = self.flow(node, 0)?;
        match self.shape(&input) {
            Some(shape) if shape.len() != 1 => {
                return fault(format!("reads {shape:?}; only one axis behind the batch is supported"));
            }
            _ => {}
        }
        let binding = Binding { node: at, slots, ..Binding::default() };
        self.push(at, node, Op::Linear { weight, bias }, vec![input], binding)
    }

    pub(super) fn conv(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let (input, padded) = self.padded(node)?;
        let (weight, slot) = self.weights(at, node, 1)?;
        let &[outputs, _, height, width] = weight.dimensions() else {
            return fault(format!("a kernel of shape {:?}; only two dimensions are supported", weight.dimensions()));
        };
        if attributes::kernel(node)?.is_some_and(|kernel| kernel != [height, width]) {
            return fault(format!("`kernel_shape` is not the shape {:?} of its weights", weight.dimensions()));
        }
        let groups = count("group", attributes::int(node, "group", 1)?)?;
        if groups == 0 || !outputs.is_multiple_of(groups) {
            return fault(format!("{groups} groups do not divide {outputs} outputs"));
        }
        let image = self.shape(&input).and_then(|shape| match *shape.as_slice() {
            [_, height, width] => Some([height, width]),
            _ => None,
        });
        let around = image.map(|image| padded.as_ref().map_or(image, |padded| padded.around(image)));
        let window = attributes::window(node, [height, width], around)?;
        let window = padded.map_or(Ok(window), |padded| padded.convolved(window))?;
        let (mut slots, mut bias) = (vec![slot], None);
        if Self::has(node, 2) {
            let (tensor, slot) = self.weights(at, node, 2)?;
            bias = Some(vector(tensor, outputs)?);
            slots.push(slot);
        }
        let binding = Binding { node: at, slots, ..Binding::default() };
        self.push(at, node, Op::Conv { weight, bias, window, groups }, vec![input], binding)
    }

    pub(super) fn batch_norm(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        if attributes::int(node, "training_mode", 0)? != 0 || attributes::int(node, "spatial", 1)? != 1 {
            return fault("only inference per channel is supported");
        }
        let epsilon = f64::from(attributes::float(node, "epsilon", 1e-5)?);
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return fault(format!("`epsilon` is {epsilon}"));
        }
        let input = self.flow(node, 0)?;
        let (scale, slot) = self.weights(at, node, 1)?;
        let (channels, mut slots) = (scale.len(), vec![slot]);
        let mut rest = Vec::with_capacity(3);
        for part in 2..5 {
            let (tensor, slot) = self.weights(at, node, part)?;
            rest.push(vector(tensor, channels)?);
            slots.push(slot);
        }
        let Ok([bias, mean, var]) = <[Tensor; 3]>::try_from(rest) else { return fault("lacks an input") };
        let binding = Binding { node: at, slots, ..Binding::default() };
        let op = Op::BatchNorm { scale: vector(scale, channels)?, bias, mean, var, epsilon };
        self.push(at, node, op, vec![input], binding)
    }

    /// A sum of paths, the bias of the layer before it, or a shift.
    pub(super) fn add(&mut self, at: usize, node: &'a proto::Node) -> Outcome<()> {
        let values = (0..node.input.len()).map(|input| self.value(node, input).cloned());
        let values: Vec<Value> = values.collect::<Outcome<_>>()?;
        let mut flows = Vec::new();
        let mut constants = Vec::new();
        for (input, value) in values.into_iter().enumerate() {
            match value {
                Value::Flow(name) => flows.push(name),
                Value::Constant(_) => constants.push(input),
                Value::Dims(_) => return fault("adds to a shape"),
                Value::Padded(_) => return fault("adds to a padded image"),
            }
        }
        match (flows.as_slice(), constants.as_slice()) {
            ([_], []) => self.plain(at, node, Op::Identity),
            ([a, b], []) if a == b => self.doubled(at, node),
            ([_, ..], []) => self.push(at, node, Op::Add, flows, Binding { node: at, ..Binding::default() }),
            ([layer], &[input]) => {
                let (tensor, slot) = self.weights(at, node, input)?;
                if self.read_once(layer) && self.add_bias(layer, &tensor, slot, at)? {
                    return self.give(node, Value::Flow(layer.clone()));
                }
                self.scaling(at, node)
            }
            _ => fault("adds constants"),
        }
    }

    /// Makes a constant part of the bias of a layer, if it has one value per output, or one for all.
    fn add_bias(&mut self, layer: &str, constant: &Tensor, slot: Slot, at: usize) -> Outcome<bool> {
        let Some(found) = self.nodes.iter_mut().find(|node| node.name == layer) else { return Ok(false) };
        let (Op::Linear { weight, bias } | Op::Conv { weight, bias, .. }) = &mut found.op else { return Ok(false) };
        let (outputs, behind) = (weight.dimensions()[0], weight.dimensions().len() - 2);
        let dims = constant.dimensions();
        let channel = dims.len().checked_sub(behind + 1);
        let fits = channel.is_some_and(|channel| dims[channel] == outputs) && constant.len() == outputs;
        let scalar = constant.len() == 1 && dims.len() <= behind + 2;
        if !fits && !scalar {
            return Ok(false);
        }
        let mut shape = vec![1; behind + 1];
        shape[0] = outputs;
        let (constant, slot) = spread(constant.clone(), slot, &shape)?;
        let constant = constant.reshaped(vec![outputs])?;
        let Some(binding) = self.bindings.get_mut(layer) else { return Ok(false) };
        match bias {
            None => {
                *bias = Some(constant);
                binding.slots.push(slot);
            }
            Some(before) => {
                let pairs = before.to_vec().into_iter().zip(constant.to_vec());
                let sum: Vec<f32> = pairs.map(|(a, b)| a + b).collect();
                if !sum.iter().all(|value| value.is_finite()) {
                    return fault("the sum of two biases overflows");
                }
                *before = Tensor::owned(before.name(), before.element(), vec![outputs], sum)?;
                binding.summed.push((at, 1 - slot.input.min(1)));
            }
        }
        Ok(true)
    }
}

/// One value repeated to `shape`; other tensors as they are.
fn spread(tensor: Tensor, slot: Slot, shape: &[usize]) -> Outcome<(Tensor, Slot)> {
    if tensor.len() != 1 || shape.iter().all(|axis| *axis == 1) {
        return Ok((tensor, slot));
    }
    let values = tensor.to_vec().repeat(shape.iter().product());
    let tensor = Tensor::owned(tensor.name(), tensor.element(), shape.to_vec(), values)?;
    Ok((tensor, Slot { dims: shape.to_vec(), ..slot }))
}

/// A tensor of one value per output, as a vector.
fn vector(tensor: Tensor, outputs: usize) -> Outcome<Tensor> {
    if tensor.len() != outputs || tensor.dimensions().last().is_some_and(|last| *last != outputs) {
        let (name, shape) = (tensor.name(), tensor.dimensions());
        return fault(format!("initialiser `{name}` has shape {shape:?}, expected [{outputs}]"));
    }
    Ok(tensor.reshaped(vec![outputs])?)
}

/// A tensor times a factor.
#[expect(clippy::float_cmp, reason = "exactly one means that nothing is done")]
fn scaled(tensor: Tensor, factor: f32) -> Outcome<Tensor> {
    if factor == 1.0 {
        return Ok(tensor);
    }
    let mut values = tensor.to_vec();
    values.iter_mut().for_each(|value| *value *= factor);
    Ok(Tensor::owned(tensor.name(), tensor.element(), tensor.dimensions().to_vec(), values)?)
}

/// The transpose of a matrix tensor.
pub(in crate::network::format::onnx) fn turned(tensor: &Tensor, rows: usize, columns: usize) -> Result<Tensor> {
    let values = transpose(&tensor.to_vec(), rows, columns);
    tensor.release();
    Tensor::owned(tensor.name(), tensor.element(), vec![columns, rows], values)
}

/// The transpose of a row-major matrix, in square tiles that stay in the cache.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let mut out = vec![0.0; values.len()];
    for first_row in (0..rows).step_by(TILE) {
        for first_column in (0..columns).step_by(TILE) {
            for i in first_row..rows.min(first_row + TILE) {
                for j in first_column..columns.min(first_column + TILE) {
                    out[j * rows + i] = values[i * columns + j];
                }
            }
        }
    }
    out
}
