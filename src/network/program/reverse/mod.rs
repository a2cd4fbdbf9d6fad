//! The reverse pass over a program: gradients by values and by weights, step by step from the last to the first.
//!
//! With a scalar `L` and `D_v` its gradient by a value `v`, a step `y = f(x_1, x_2, ..)` adds `D_y df/dx_i` to each `D_(x_i)`; what
//! `f` is decides how, see the rooms for kinds of steps (Griewank and Walther, *Evaluating derivatives*, 2008, chapter 3).
//! Samples do not meet in a program, so that memory is bounded by the number of samples that are traced at once
//! ([`Reverse::traced`]), whatever is summed over all of them.

mod adjoint;
mod combine;
mod contraction;
mod rows;
mod trace;

use adjoint::Adjoint;
pub use trace::Trace;

use super::Program;
use super::step::Loaded;
use crate::backend::{Activation, Backend};
use crate::error::{Error, Result};

/// A program with what its reverse pass needs on the device.
pub struct Reverse<B: Backend> {
    program: Program<B>,
    /// Of each step.
    adjoints: Vec<Adjoint<B>>,
    /// Entries that a trace holds for each sample.
    pub traced: usize,
}

/// Gradients by values, added up as steps pass them back.
struct Slopes<B: Backend> {
    by_slot: Vec<Option<B::Matrix>>,
}

impl<B: Backend> Reverse<B> {
    /// Makes the reverse pass of a program.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn new(backend: &B, program: Program<B>) -> Result<Self> {
        let adjoints = program.steps.iter().map(|ready| Adjoint::of(backend, &program, ready));
        let adjoints = adjoints.collect::<Result<_>>()?;
        let traced = program.inputs + program.steps.iter().map(|ready| program.lengths[ready.slot]).sum::<usize>();
        Ok(Self { program, adjoints, traced })
    }

    /// The program itself.
    pub fn program(&self) -> &Program<B> {
        &self.program
    }

    /// Runs the program on inputs, one row each, and keeps all values.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn trace(&self, backend: &B, inputs: B::Matrix) -> Result<Trace<B>> {
        Trace::run(backend, &self.program, inputs)
    }

    /// The gradient by the inputs, `n x d`, of `sum_i logits_i gradient_i` (both `n x k`, all entries).
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn input_gradient(&self, backend: &B, trace: Trace<B>, gradient: B::Matrix) -> Result<B::Matrix> {
        let output = self.program.output.clone();
        self.pull_back(backend, trace, vec![(&output, gradient)])
    }

    /// The gradient by the inputs of `sum <value, gradient>` over some values, a row of each for every sample.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return; [`Error::Unsupported`] for values that were no targets.
    pub(crate) fn pull_back(
        &self,
        backend: &B,
        mut trace: Trace<B>,
        gradients: Vec<(&str, B::Matrix)>,
    ) -> Result<B::Matrix> {
        let mut slopes = Slopes { by_slot: (0..self.program.lengths.len()).map(|_| None).collect() };
        for (name, gradient) in gradients {
            let slot = self.program.place(name)?.slot;
            if !self.program.fixed.contains_key(&slot) {
                slopes.add(backend, slot, gradient)?;
            }
        }
        for (ready, adjoint) in self.program.steps.iter().zip(&self.adjoints).rev() {
            let Some(slope) = slopes.by_slot[ready.slot].take() else { continue };
            // Steps give rows for the rows of their first operand.
            let first = ready.inputs.first().copied().ok_or_else(|| lacking("operands"))?;
            let read = ready.step.columns(0, self.program.lengths[first]);
            let columns = self.program.lengths[ready.slot] * read / self.program.lengths[first].max(1);
            let slope = backend.reshape(slope, columns)?;
            for (at, input) in
                ready.inputs.iter().enumerate().filter(|(_, slot)| !self.program.fixed.contains_key(slot))
            {
                trace.viewed(backend, *input, ready.step.columns(at, self.program.lengths[*input]))?;
            }
            trace.viewed(backend, ready.slot, columns)?;
            let operand = |slot: &usize| self.program.fixed.get(slot).map_or_else(|| trace.get(*slot), Ok);
            let operands = ready.inputs.iter().map(operand).collect::<Result<Vec<_>>>()?;
            let result = trace.get(ready.slot)?;
            let step = Passed { step: &ready.step, adjoint, operands, result, slope };
            for (at, input) in
                ready.inputs.iter().enumerate().filter(|(_, slot)| !self.program.fixed.contains_key(slot))
            {
                let passed = step.to_operand(backend, at)?;
                slopes.add(backend, *input, passed)?;
            }
            trace.forget(ready.slot);
        }
        match slopes.by_slot[0].take() {
            Some(slope) => backend.reshape(slope, self.program.inputs),
            None => backend.weighted_sum(trace.get(0)?, None, [0.0, 0.0], Activation::Identity),
        }
    }
}

impl<B: Backend> Slopes<B> {
    fn add(&mut self, backend: &B, slot: usize, slope: B::Matrix) -> Result<()> {
        let sum = match self.by_slot[slot].take() {
            Some(other) => {
                let other = backend.reshape(other, backend.shape(&slope)[1])?;
                backend.weighted_sum(&slope, Some(&other), [1.0, 1.0], Activation::Identity)?
            }
            None => slope,
        };
        self.by_slot[slot] = Some(sum);
        Ok(())
    }
}

/// A step on the way back.
struct Passed<'a, B: Backend> {
    step: &'a Loaded<B>,
    adjoint: &'a Adjoint<B>,
    /// What it read, and what it gave.
    operands: Vec<&'a B::Matrix>,
    result: &'a B::Matrix,
    /// The gradient by what it gave.
    slope: B::Matrix,
}

fn lacking(what: &str) -> Error {
    Error::Internal { what: format!("a step without {what}") }
}

fn scaled<B: Backend>(backend: &B, x: &B::Matrix, by: f32) -> Result<B::Matrix> {
    backend.weighted_sum(x, None, [by, 0.0], Activation::Identity)
}

fn difference<B: Backend>(backend: &B, a: &B::Matrix, b: &B::Matrix) -> Result<B::Matrix> {
    backend.weighted_sum(a, Some(b), [1.0, -1.0], Activation::Identity)
}
