//! A whole network on a device: its steps run in the order of the graph, and values go as soon as nothing reads them.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView2, Axis};

use super::lower::{Given, Kernel, Lowered, Lowering, Weight, lower};
use super::{Classifier, upload_and_release};
use crate::backend::{Activation, Backend, Combination, Function, Pooling, Window};
use crate::error::{Error, Result};
use crate::network::{Network, Normalization, Tensor};

/// The weights of a network on a device.
pub struct DeviceNetwork<B: Backend> {
    steps: Vec<Step<B>>,
    values: HashMap<String, Given>,
    output: usize,
    normalization: Option<Normalization>,
    /// Entries of one sample.
    pub inputs: usize,
    /// Outputs.
    pub classes: usize,
    /// Entries that a step reads and writes for one sample, at most.
    pub widest: usize,
}

/// One operation with its weights.
pub(super) struct Step<B: Backend> {
    /// What is to be copied to the device; absent where it never leaves it again.
    kernel: Option<Kernel>,
    operation: Option<Operation<B>>,
    pub(super) inputs: Vec<usize>,
    length: usize,
}

/// What a step computes.
pub(super) enum Operation<B: Backend> {
    Linear { weight: B::Matrix, bias: Option<B::Matrix>, activation: Activation },
    Conv { weight: B::Matrix, bias: Option<B::Matrix>, window: Window, groups: usize, activation: Activation },
    Activate,
    Function(Function),
    Pool { window: Window, pooling: Pooling },
    Add { activation: Activation },
    Multiply,
    Gather { index: B::Indices },
    Concat,
}

/// Values of one batch on their way through a network.
#[derive(Debug)]
pub(crate) struct Signals<B: Backend>(Vec<Option<B::Matrix>>);

impl<B: Backend> DeviceNetwork<B> {
    /// Copies a network to the device.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with the node that is not computed; what [`Backend::upload`] returns.
    pub fn upload(backend: &B, network: &Network) -> Result<Self> {
        let mut prepared = Self::prepare(network)?;
        for step in &mut prepared.steps {
            step.load(backend)?;
            step.kernel = None;
        }
        Ok(prepared)
    }

    /// A network of which nothing is on the device yet, see [`DeviceNetwork::load`].
    pub(crate) fn prepare(network: &Network) -> Result<Self> {
        let Lowering { steps, values, output, normalization } = lower(network)?;
        let inputs = network.input.iter().product();
        let lengths: Vec<usize> = std::iter::once(inputs).chain(steps.iter().map(|step| step.length)).collect();
        let width = |step: &Lowered| step.length + step.inputs.iter().map(|input| lengths[*input]).sum::<usize>();
        let widest = steps.iter().map(width).max().unwrap_or(inputs);
        let classes = lengths.get(output).copied().unwrap_or(0);
        let prepared = |step: Lowered| {
            let Lowered { kernel, inputs, length } = step;
            Step { kernel: Some(kernel), operation: None, inputs, length }
        };
        let steps = steps.into_iter().map(prepared).collect();
        Ok(Self { steps, values, output, normalization, inputs, classes, widest })
    }

    pub(super) fn steps(&self) -> &[Step<B>] {
        &self.steps
    }

    pub(super) fn output(&self) -> usize {
        self.output
    }

    /// The value that a node gives, for [`DeviceNetwork::advance`].
    pub(crate) fn value(&self, node: &str) -> Result<usize> {
        let missing = || Error::Internal { what: format!("no value of a node `{node}`") };
        self.values.get(node).map(|given| given.value).ok_or_else(missing)
    }

    /// What a node gives for a batch, its columns in the order of the network.
    pub(super) fn node(&self, backend: &B, inputs: &B::Matrix, node: &str) -> Result<Array2<f64>> {
        let (value, mut signals) = (self.value(node)?, self.signals());
        self.advance(backend, inputs, &mut signals, value, &[])?;
        let found = backend.download(signals.get(inputs, value)?)?;
        let order = self.values.get(node).and_then(|given| given.order.as_ref());
        Ok(match order {
            Some(order) => found.select(Axis(1), order),
            None => found,
        })
    }

    /// No value of a batch yet.
    pub(crate) fn signals(&self) -> Signals<B> {
        Signals((0..=self.steps.len()).map(|_| None).collect())
    }

    /// The values that steps from the one that gives value `frontier` on read from before it.
    pub(crate) fn live(&self, frontier: usize) -> Vec<usize> {
        let later = self.steps.iter().skip(frontier.saturating_sub(1)).flat_map(|step| &step.inputs);
        later.copied().filter(|value| *value < frontier).collect()
    }

    /// Entries of some values of one sample, the input not counted.
    pub(crate) fn entries(&self, values: &[usize]) -> usize {
        let length = |value: &usize| value.checked_sub(1).and_then(|step| self.steps.get(step));
        values.iter().filter_map(length).map(|step| step.length).sum()
    }

    /// What is needed for some values of a batch, and the step that reads it last.
    fn needed(&self, signals: &Signals<B>, targets: &[usize]) -> (Vec<bool>, Vec<Option<usize>>) {
        let mut last = vec![None; self.steps.len() + 1];
        let mut needed = vec![false; self.steps.len() + 1];
        targets.iter().for_each(|target| needed[*target] = true);
        for value in (1..=targets.iter().copied().max().unwrap_or(0)).rev() {
            if needed[value] && signals.0[value].is_none() {
                for input in &self.steps[value - 1].inputs {
                    needed[*input] = true;
                    last[*input].get_or_insert(value);
                }
            }
        }
        (needed, last)
    }

    /// Copies the weights to the device that some values of a batch take, and lets go of the others.
    pub(crate) fn load(&mut self, backend: &B, signals: &Signals<B>, targets: &[usize]) -> Result<()> {
        let (needed, _) = self.needed(signals, targets);
        for (value, step) in (1..).zip(&mut self.steps) {
            if needed[value] && signals.0[value].is_none() {
                step.load(backend)?;
            } else if step.kernel.is_some() {
                step.operation = None;
            }
        }
        Ok(())
    }

    /// Computes one value of a batch from those that are there; all others but those in `retained` go as soon as they are
    /// read for the last time.
    pub(crate) fn advance(
        &self,
        backend: &B,
        inputs: &B::Matrix,
        signals: &mut Signals<B>,
        target: usize,
        retained: &[usize],
    ) -> Result<()> {
        let (needed, last) = self.needed(signals, &[target]);
        for (step, value) in self.steps.iter().zip(1..=target) {
            if !needed[value] || signals.0[value].is_some() {
                continue;
            }
            let operands = step.inputs.iter().map(|input| signals.get(inputs, *input)).collect::<Result<Vec<_>>>()?;
            let result = step.run(backend, &operands)?;
            signals.0[value] = Some(result);
            let read = step.inputs.iter().filter(|input| last[**input] == Some(value) && !retained.contains(input));
            read.for_each(|input| signals.0[*input] = None);
        }
        Ok(())
    }
}

impl<B: Backend> Classifier<B> for DeviceNetwork<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        let mut signals = self.signals();
        self.advance(backend, inputs, &mut signals, self.output, &[])?;
        let output = signals.0.get_mut(self.output).and_then(Option::take);
        output.map_or_else(|| backend.concatenate(&[inputs]), Ok)
    }

    fn normalization(&self) -> Option<&Normalization> {
        self.normalization.as_ref()
    }
}

impl<B: Backend> Signals<B> {
    /// A value that was computed, or the input.
    pub(crate) fn get<'a>(&'a self, inputs: &'a B::Matrix, value: usize) -> Result<&'a B::Matrix> {
        if value == 0 {
            return Ok(inputs);
        }
        let missing = || Error::Internal { what: format!("value {value} was not computed") };
        self.0.get(value).and_then(Option::as_ref).ok_or_else(missing)
    }

    /// Entries of all values that are there.
    #[cfg(test)]
    pub(crate) fn entries(&self, backend: &B) -> usize {
        self.0.iter().flatten().map(|value| backend.shape(value).iter().product::<usize>()).sum()
    }

    /// Forgets all values from `first` on: those that come after it in the order of the graph.
    pub(crate) fn forget_from(&mut self, first: usize) {
        self.0.iter_mut().skip(first.max(1)).for_each(|value| *value = None);
    }

    /// Forgets all values before `end` but those of `keep`.
    pub(crate) fn forget_before(&mut self, end: usize, keep: &[usize]) {
        let before = self.0.iter_mut().enumerate().take(end);
        before.filter(|(value, _)| !keep.contains(value)).for_each(|(_, value)| *value = None);
    }
}

impl<B: Backend> Step<B> {
    /// Copies the weights to the device, if they are not there.
    fn load(&mut self, backend: &B) -> Result<()> {
        let (None, Some(kernel)) = (&self.operation, &self.kernel) else { return Ok(()) };
        self.operation = Some(match kernel {
            Kernel::Linear { weight, activation } => {
                let (weight, bias) = upload(backend, weight)?;
                Operation::Linear { weight, bias, activation: *activation }
            }
            Kernel::Conv { weight, window, groups, activation } => {
                let (weight, bias) = upload(backend, weight)?;
                Operation::Conv { weight, bias, window: *window, groups: *groups, activation: *activation }
            }
            Kernel::Activate => Operation::Activate,
            Kernel::Function(function) => Operation::Function(*function),
            Kernel::Pool { window, pooling } => Operation::Pool { window: *window, pooling: *pooling },
            Kernel::Add { activation } => Operation::Add { activation: *activation },
            Kernel::Multiply => Operation::Multiply,
            Kernel::Gather { order } => {
                let index = order.iter().map(|at| u32::try_from(*at)).collect::<std::result::Result<Vec<u32>, _>>();
                let index = index.map_err(|_| Error::Internal { what: "a row of 2^32 values".to_owned() })?;
                Operation::Gather { index: backend.upload_indices(&index)? }
            }
            Kernel::Concat => Operation::Concat,
        });
        Ok(())
    }

    pub(super) fn operation(&self) -> Result<&Operation<B>> {
        self.operation.as_ref().ok_or_else(|| Error::Internal { what: "a step that is not on the device".to_owned() })
    }

    pub(super) fn run(&self, backend: &B, operands: &[&B::Matrix]) -> Result<B::Matrix> {
        let Some((first, rest)) = operands.split_first() else {
            return Err(Error::Internal { what: "a step without operands".to_owned() });
        };
        match self.operation()? {
            Operation::Linear { weight, bias, activation } => backend.affine(first, weight, bias.as_ref(), *activation),
            Operation::Conv { weight, bias, window, groups, activation } => {
                backend.convolution(first, weight, bias.as_ref(), window, *groups, *activation)
            }
            Operation::Activate => backend.weighted_sum(first, None, [1.0, 0.0], Activation::Relu),
            Operation::Function(function) => backend.elementwise(first, *function),
            Operation::Pool { window, pooling } => backend.pooling(first, window, *pooling),
            Operation::Add { activation } => {
                let mut sum = None;
                for (at, operand) in rest.iter().enumerate() {
                    let last = at + 1 == rest.len();
                    let activation = if last { *activation } else { Activation::Identity };
                    let left = sum.as_ref().unwrap_or(*first);
                    sum = Some(backend.weighted_sum(left, Some(operand), [1.0, 1.0], activation)?);
                }
                sum.ok_or_else(|| Error::Internal { what: "a sum of one operand".to_owned() })
            }
            Operation::Multiply => match rest {
                [second] => {
                    let [own, factors] = [first, second].map(|operand| backend.shape(operand)[1]);
                    backend.combine(first, second, Combination::Multiply, own.checked_div(factors).unwrap_or(1).max(1))
                }
                _ => Err(Error::Internal { what: format!("a product of {} operands", operands.len()) }),
            },
            Operation::Gather { index } => backend.gather(first, index),
            Operation::Concat => backend.concatenate(operands),
        }
    }
}

fn upload<B: Backend>(backend: &B, weight: &Weight) -> Result<(B::Matrix, Option<B::Matrix>)> {
    match weight {
        Weight::File { weight, bias } => {
            let bias = bias.as_ref().map(|bias: &Tensor| backend.upload(bias)).transpose()?;
            Ok((upload_and_release(backend, weight)?, bias))
        }
        Weight::Folded { rows, weight, bias } => {
            let shaped = |rows: usize, values| {
                let columns = <[f32]>::len(values).checked_div(rows).unwrap_or(0);
                let view = ArrayView2::from_shape((rows, columns), values);
                view.map_err(|error| Error::Internal { what: error.to_string() })
            };
            Ok((backend.upload(&shaped(*rows, weight)?)?, Some(backend.upload(&shaped(1, bias)?)?)))
        }
    }
}
