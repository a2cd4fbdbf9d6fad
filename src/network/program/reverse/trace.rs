//! All values of a batch.

use super::super::Program;
use crate::backend::Backend;
use crate::error::{Error, Result};

/// The values of a program for some inputs, for a reverse pass.
pub struct Trace<B: Backend> {
    by_slot: Vec<Option<B::Matrix>>,
    samples: usize,
}

impl<B: Backend> Trace<B> {
    pub(super) fn run(backend: &B, program: &Program<B>, inputs: B::Matrix) -> Result<Self> {
        let [samples, _] = backend.shape(&inputs);
        let mut by_slot: Vec<Option<B::Matrix>> = (0..program.lengths.len()).map(|_| None).collect();
        by_slot[0] = Some(inputs);
        let mut trace = Self { by_slot, samples };
        for ready in &program.steps {
            for (at, input) in ready.inputs.iter().enumerate().filter(|(_, slot)| !program.fixed.contains_key(slot)) {
                trace.viewed(backend, *input, ready.step.columns(at, program.lengths[*input]))?;
            }
            let operand = |slot: &usize| program.fixed.get(slot).map_or_else(|| trace.get(*slot), Ok);
            let result = ready.step.run(backend, &ready.inputs.iter().map(operand).collect::<Result<Vec<_>>>()?)?;
            trace.by_slot[ready.slot] = Some(result);
        }
        Ok(trace)
    }

    /// A value, a row for each sample.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for values that were no targets, or are the same for every input.
    pub(crate) fn value(&mut self, backend: &B, program: &Program<B>, name: &str) -> Result<&B::Matrix> {
        let slot = program.place(name)?.slot;
        if program.fixed.contains_key(&slot) {
            return Err(Error::Unsupported { problem: format!("`{name}` is the same for every input") });
        }
        self.viewed(backend, slot, program.lengths[slot])?;
        self.get(slot)
    }

    /// What the program gives, `n x k`.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it is the same for every input.
    pub fn logits(&mut self, backend: &B, program: &Program<B>) -> Result<&B::Matrix> {
        let output = program.output.clone();
        self.value(backend, program, &output)
    }

    /// Samples that were traced.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    pub(super) fn get(&self, slot: usize) -> Result<&B::Matrix> {
        self.by_slot[slot].as_ref().ok_or_else(|| Error::Internal { what: format!("no value in slot {slot}") })
    }

    /// Brings a value into rows of some length.
    pub(super) fn viewed(&mut self, backend: &B, slot: usize, columns: usize) -> Result<()> {
        if backend.shape(self.get(slot)?)[1] != columns {
            let value = self.by_slot[slot].take();
            self.by_slot[slot] = value.map(|value| backend.reshape(value, columns)).transpose()?;
        }
        Ok(())
    }

    /// Gives back the memory of a value that nothing needs any more.
    pub(super) fn forget(&mut self, slot: usize) {
        self.by_slot[slot] = None;
    }
}
