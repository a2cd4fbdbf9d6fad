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
mod weights;

use adjoint::Adjoint;
pub use trace::Trace;
use weights::{Followed, Kernels, summed, through};

use super::Program;
use super::run::Leaf;
use super::step::Loaded;
use crate::backend::{Activation, Backend};
use crate::error::{Error, Result};

/// A program with what its reverse pass needs on the device.
pub struct Reverse<B: Backend> {
    program: Program<B>,
    /// Of each step.
    adjoints: Vec<Adjoint<B>>,
    followed: Vec<Followed>,
    /// Slots through which gradients pass.
    through: Vec<bool>,
    /// Entries that a trace and its reverse hold for each sample.
    pub traced: usize,
}

/// Gradients by values, added up as steps pass them back.
struct Slopes<B: Backend> {
    by_slot: Vec<Option<B::Matrix>>,
    /// By weights.
    by_leaf: Vec<Option<B::Matrix>>,
}

impl<B: Backend> Reverse<B> {
    /// Makes the reverse pass of a program, down to its inputs.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn new(backend: &B, mut program: Program<B>) -> Result<Self> {
        program.leaves.clear();
        Self::down_to(backend, program, &[0])
    }

    /// Makes the reverse pass of a program down to its weights.
    pub(crate) fn of_weights(backend: &B, program: Program<B>) -> Result<Self> {
        let fixed = |leaf: &Leaf| match leaf {
            Leaf::Fixed(slot) => Some(*slot),
            _ => None,
        };
        let slots: Vec<usize> = program.leaves.iter().filter_map(|(leaf, _)| fixed(leaf)).collect();
        Self::down_to(backend, program, &slots)
    }

    fn down_to(backend: &B, program: Program<B>, slots: &[usize]) -> Result<Self> {
        let followed = Followed::of(&program);
        let through = through(&program, &followed, slots);
        let adjoints = program.steps.iter().zip(&followed).map(|(ready, followed)| {
            let back = ready.inputs.iter().any(|slot| through[*slot]);
            Adjoint::of(backend, &program, ready, (back, followed.weight.is_some()))
        });
        let adjoints = adjoints.collect::<Result<_>>()?;
        let unfolded = program.steps.iter().zip(&followed).map(|(ready, followed)| match &ready.step {
            Loaded::Conv { window, weight, .. } if followed.weight.is_some() => {
                Kernels::<B>::entries(window, backend.shape(weight)[0])
            }
            _ => 0,
        });
        let kept = program.steps.iter().map(|ready| program.lengths[ready.slot]).sum::<usize>();
        let traced = program.inputs + kept + unfolded.max().unwrap_or(0);
        Ok(Self { program, adjoints, followed, through, traced })
    }

    /// The program itself.
    pub fn program(&self) -> &Program<B> {
        &self.program
    }

    pub(crate) fn program_mut(&mut self) -> &mut Program<B> {
        &mut self.program
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
        let mut slopes = self.passed(backend, &mut trace, gradients)?;
        match slopes.by_slot[0].take() {
            Some(slope) => backend.reshape(slope, self.program.inputs),
            None => scaled(backend, trace.get(0)?, 0.0),
        }
    }

    /// The gradients by all weights that are followed, in their order in the program, of `sum <value, gradient>`; none by those
    /// on which the values do not depend.
    pub(crate) fn weight_gradients(
        &self,
        backend: &B,
        mut trace: Trace<B>,
        gradients: Vec<(&str, B::Matrix)>,
    ) -> Result<Vec<Option<B::Matrix>>> {
        let mut slopes = self.passed(backend, &mut trace, gradients)?;
        for (at, (leaf, _)) in self.program.leaves.iter().enumerate() {
            if let Leaf::Fixed(slot) = leaf {
                let slope = slopes.by_slot[*slot].take();
                slopes.by_leaf[at] = slope.map(|slope| summed(backend, &slope)).transpose()?;
            }
        }
        Ok(slopes.by_leaf)
    }

    /// Passes gradients back from values, step by step.
    fn passed(&self, backend: &B, trace: &mut Trace<B>, gradients: Vec<(&str, B::Matrix)>) -> Result<Slopes<B>> {
        let program = &self.program;
        let none = |count: usize| (0..count).map(|_| None).collect();
        let mut slopes = Slopes { by_slot: none(program.lengths.len()), by_leaf: none(program.leaves.len()) };
        for (name, gradient) in gradients {
            let slot = program.place(name)?.slot;
            if self.through[slot] {
                slopes.add(backend, slot, gradient)?;
            }
        }
        for ((ready, adjoint), followed) in program.steps.iter().zip(&self.adjoints).zip(&self.followed).rev() {
            let Some(slope) = slopes.by_slot[ready.slot].take() else { continue };
            // Steps give rows for the rows of their first operand.
            let first = ready.inputs.first().copied().ok_or_else(|| lacking("operands"))?;
            let read = ready.step.columns(0, program.lengths[first]);
            let columns = program.lengths[ready.slot] * read / program.lengths[first].max(1);
            let slope = backend.reshape(slope, columns)?;
            let operands = ready.inputs.iter().enumerate();
            for (at, input) in operands.clone().filter(|(_, slot)| !program.fixed.contains_key(slot)) {
                trace.viewed(backend, *input, ready.step.columns(at, program.lengths[*input]))?;
            }
            trace.viewed(backend, ready.slot, columns)?;
            let operand = |slot: &usize| program.fixed.get(slot).map_or_else(|| trace.get(*slot), Ok);
            let read = ready.inputs.iter().map(operand).collect::<Result<Vec<_>>>()?;
            let result = trace.get(ready.slot)?;
            let step = Passed { step: &ready.step, adjoint, operands: read, result, slope };
            if followed.any() {
                let kernels = if let Adjoint::Convolution(_, kernels) = adjoint { kernels.as_ref() } else { None };
                let [weight, bias] = step.to_weights(backend, *followed, kernels)?;
                for (leaf, slope) in [(followed.weight, weight), (followed.bias, bias)] {
                    if let Some(leaf) = leaf {
                        slopes.by_leaf[leaf] = slope;
                    }
                }
            }
            for (at, input) in operands.filter(|(_, slot)| self.through[**slot]) {
                let passed = step.to_operand(backend, at)?;
                slopes.add(backend, *input, passed)?;
            }
            trace.forget(ready.slot);
        }
        Ok(slopes)
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
