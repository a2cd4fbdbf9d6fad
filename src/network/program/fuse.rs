//! Fewer steps that give the same: what follows a contraction entry by entry goes into its weights, its bias and its activation.
//!
//! ```text
//! diag(s) (W x + b) + t  =  (diag(s) W) x + (diag(s) b + t)
//! ```
//!
//! An exporter writes the right-hand side's parts as operators of their own: a bias after a product of matrices, a batch norm, a
//! division by a constant. Gates that are written out, `x sigmoid(x)`, become the function that they are.

use super::build::{Placed, Slot};
use super::source::Fixed;
use super::step::{Step, Weights};
use crate::backend::{Activation, Combination, Function};
use std::collections::HashMap;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Joins steps; what lies in `kept` slots is still given. Where weights are to be followed, `apart`, they stay what they are.
pub(super) fn fused(steps: Vec<Placed>, slots: &[Slot], kept: &[bool], apart: bool) -> Vec<Placed> {
    let mut readers = vec![0_usize; slots.len()];
    for slot in steps.iter().flat_map(|placed| &placed.inputs) {
        readers[*slot] += 1;
    }
    let mut fuser =
        Fuser { steps: Vec::with_capacity(steps.len()), given: HashMap::new(), slots, readers, kept, apart };
    steps.into_iter().for_each(|placed| fuser.take(placed));
    let mut live = kept.to_vec();
    let mut steps = fuser.steps;
    steps.reverse();
    steps.retain(|placed| {
        if live[placed.slot] {
            placed.inputs.iter().for_each(|input| live[*input] = true);
        }
        live[placed.slot]
    });
    steps.reverse();
    steps
}

struct Fuser<'s> {
    steps: Vec<Placed>,
    /// The step that gives a slot.
    given: HashMap<usize, usize>,
    slots: &'s [Slot],
    /// How many steps read a slot.
    readers: Vec<usize>,
    kept: &'s [bool],
    apart: bool,
}

/// What an affine map takes up from behind it.
enum Behind {
    /// A number for each output, added.
    Shift(Vec<f32>),
    /// A number for each output, multiplied or divided by.
    Scale(Vec<f32>, fn(f32, f32) -> f32),
    Relu,
}

impl Fuser<'_> {
    fn take(&mut self, mut placed: Placed) {
        if let Some((function, x)) = self.gate(&placed).or_else(|| self.gelu(&placed)) {
            placed = Placed { step: Step::Function(function), inputs: vec![x], slot: placed.slot };
        } else if self.join(&placed) {
            return;
        }
        self.given.insert(placed.slot, self.steps.len());
        self.steps.push(placed);
    }

    /// The only step that gives a slot, if nothing but one step reads it.
    fn alone(&self, slot: usize) -> Option<usize> {
        let at = *self.given.get(&slot)?;
        (self.readers[slot] == 1 && !self.kept[slot]).then_some(at)
    }

    /// The operands of a product entry by entry, in both orders.
    fn factors(placed: &Placed) -> Option<[[usize; 2]; 2]> {
        match (&placed.step, placed.inputs.as_slice()) {
            (Step::Combine { how: Combination::Multiply, share: 1 }, &[a, b]) => Some([[a, b], [b, a]]),
            _ => None,
        }
    }

    /// `x o(x)` as a function of `x`.
    fn gate(&self, placed: &Placed) -> Option<(Function, usize)> {
        Self::factors(placed)?.into_iter().find_map(|[x, gate]| {
            let gate = &self.steps[self.alone(gate)?];
            let function = match gate.step {
                Step::Function(Function::Sigmoid) => Function::Silu,
                Step::Function(Function::HardSigmoid { alpha, beta }) if near(alpha * 6.0, 1.0) && near(beta, 0.5) => {
                    Function::HardSwish
                }
                _ => return None,
            };
            (gate.inputs == [x]).then_some((function, x))
        })
    }

    /// `x (1 + erf(x / sqrt 2)) / 2` as a function of `x`, halved at the end or at the beginning.
    fn gelu(&self, placed: &Placed) -> Option<(Function, usize)> {
        let gelu = |x| (Function::Gelu, x);
        let half = |placed: &Placed| self.by_constant(placed, Combination::Multiply, 0.5);
        if let Some(product) = half(placed) {
            let product = &self.steps[self.alone(product)?];
            return Self::factors(product)?.into_iter().find_map(|[x, gate]| self.is_normal(gate, x)).map(gelu);
        }
        Self::factors(placed)?
            .into_iter()
            .find_map(|[halved, gate]| {
                let x = half(&self.steps[self.alone(halved)?])?;
                self.is_normal(gate, x)
            })
            .map(gelu)
    }

    /// `x`, if `gate` is `1 + erf(x / sqrt 2)`.
    fn is_normal(&self, gate: usize, x: usize) -> Option<usize> {
        let error = self.by_constant(&self.steps[self.alone(gate)?], Combination::Add, 1.0)?;
        let error = &self.steps[self.alone(error)?];
        let (Step::Function(Function::Erf), &[scaled]) = (&error.step, error.inputs.as_slice()) else { return None };
        let scaled = &self.steps[self.alone(scaled)?];
        let from = self.by_constant(scaled, Combination::Divide, SQRT_2);
        let from = from.or_else(|| self.by_constant(scaled, Combination::Multiply, FRAC_1_SQRT_2));
        from.filter(|from| *from == x)
    }

    /// The first operand of a step whose second one is a number.
    fn by_constant(&self, placed: &Placed, wanted: Combination, number: f32) -> Option<usize> {
        let (Step::Combine { how, .. }, &[first, second]) = (&placed.step, placed.inputs.as_slice()) else {
            return None;
        };
        let fixed = self.slots[second].fixed.as_ref().filter(|_| *how == wanted)?;
        fixed.values.iter().all(|value| near(*value, number)).then_some(first)
    }

    /// Lets an affine map take up a step that follows it.
    fn join(&mut self, placed: &Placed) -> bool {
        let Some(&slot) = placed.inputs.first() else { return false };
        let Some(at) = self.alone(slot) else { return false };
        let length = self.slots[slot].length;
        let (outputs, share, activation) = match &self.steps[at].step {
            Step::Affine { weights, activation, .. } => (weights.outputs, 1, *activation),
            Step::Conv { window, weights, activation, .. } => match window.positions() {
                Ok([height, width]) => (weights.outputs, height * width, *activation),
                Err(_) => return false,
            },
            _ => return false,
        };
        if activation != Activation::Identity {
            return false;
        }
        let vector = || {
            let (Step::Combine { share: own, .. }, Some(second)) = (&placed.step, placed.inputs.get(1)) else {
                return None;
            };
            let values = self.slots[*second].fixed.as_ref()?.values.as_slice();
            let entry = |at: usize| values[at / own % values.len()];
            let vector: Vec<f32> = (0..outputs).map(|output| entry(output * share)).collect();
            let same = (0..length).all(|at| entry(at).to_bits() == vector[at / share % outputs].to_bits());
            same.then_some(vector)
        };
        let behind = match &placed.step {
            Step::Relu => Some(Behind::Relu),
            Step::Scale(factor) => Some(Behind::Scale(vec![*factor; outputs], |value, by| value * by)),
            Step::Combine { how: Combination::Add, .. } => vector().map(Behind::Shift),
            Step::Combine { how: Combination::Subtract, .. } => {
                vector().map(|vector| Behind::Shift(vector.iter().map(|value| -value).collect()))
            }
            Step::Combine { how: Combination::Multiply, .. } => {
                vector().map(|vector| Behind::Scale(vector, |value, by| value * by))
            }
            Step::Combine { how: Combination::Divide, .. } => {
                vector().map(|vector| Behind::Scale(vector, |value, by| value / by))
            }
            _ => None,
        };
        let Some(behind) = behind.filter(|behind| !self.apart || matches!(behind, Behind::Relu)) else { return false };
        let before = &mut self.steps[at];
        let (Step::Affine { weights, activation, .. } | Step::Conv { weights, activation, .. }) = &mut before.step
        else {
            return false;
        };
        if !weights.take(activation, behind) {
            return false;
        }
        before.slot = placed.slot;
        self.given.remove(&slot);
        self.given.insert(placed.slot, at);
        true
    }
}

/// Whether a constant of a file is a number, as f32 has it.
fn near(value: f32, number: f32) -> bool {
    (value - number).abs() <= 1e-6 * number
}

impl Weights {
    /// Whether an affine map could take up what is behind it: not where numbers would leave the range of f32.
    fn take(&mut self, activation: &mut Activation, behind: Behind) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        match behind {
            Behind::Relu => *activation = Activation::Relu,
            Behind::Shift(by) => {
                let bias = match &self.bias {
                    Some(bias) => bias.values.iter().zip(&by).map(|(bias, by)| bias + by).collect(),
                    None => by,
                };
                if !finite(&bias) {
                    return false;
                }
                self.bias = Some(Fixed::computed(bias));
            }
            Behind::Scale(by, with) => {
                let columns = self.weight.values.len() / self.outputs.max(1);
                let rows = self.weight.values.chunks(columns.max(1)).zip(&by);
                let weight: Vec<f32> = rows.flat_map(|(row, by)| row.iter().map(|value| with(*value, *by))).collect();
                let scaled = |bias: &Fixed| bias.values.iter().zip(&by).map(|(bias, by)| with(*bias, *by)).collect();
                let bias: Option<Vec<f32>> = self.bias.as_ref().map(scaled);
                if !finite(&weight) || !bias.as_deref().is_none_or(finite) {
                    return false;
                }
                (self.weight, self.bias) = (Fixed::computed(weight), bias.map(Fixed::computed));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::backend::Window;

    fn moving(length: usize) -> Slot {
        Slot { length, fixed: None }
    }

    fn fixed(values: &[f32]) -> Slot {
        Slot { length: values.len(), fixed: Some(Fixed::computed(values.to_vec())) }
    }

    fn placed(step: Step, inputs: &[usize], slot: usize) -> Placed {
        Placed { step, inputs: inputs.to_vec(), slot }
    }

    fn combine(how: Combination, share: usize) -> Step {
        Step::Combine { how, share }
    }

    /// Two channels of two pixels, each twice the input's only one.
    fn convolution() -> Step {
        let weights = Weights { outputs: 2, weight: Fixed::computed(vec![2.0, 2.0]), bias: None };
        Step::conv(Window::new([1, 1, 2], [1, 1]), 1, weights)
    }

    fn run(steps: Vec<Placed>, slots: &[Slot], kept: &[usize]) -> Vec<Placed> {
        fused(steps, slots, &(0..slots.len()).map(|slot| kept.contains(&slot)).collect::<Vec<_>>(), false)
    }

    /// A batch norm and a rectifier behind a convolution; the factors are those of channels or of pixels.
    fn normed(share: usize) -> (Vec<Placed>, Vec<Slot>) {
        let steps = vec![
            placed(convolution(), &[0], 1),
            placed(combine(Combination::Multiply, share), &[1, 5], 2),
            placed(combine(Combination::Add, 2), &[2, 6], 3),
            placed(Step::Relu, &[3], 4),
        ];
        let slots = vec![moving(2), moving(4), moving(4), moving(4), moving(4), fixed(&[3.0, 5.0]), fixed(&[7.0, 9.0])];
        (steps, slots)
    }

    #[test]
    fn norms_and_rectifiers_go_into_the_layer_before() {
        let (steps, slots) = normed(2);
        let left = run(steps, &slots, &[4]);
        let [Placed { step: Step::Conv { weights, activation, .. }, slot: 4, inputs }] = left.as_slice() else {
            panic!("{left:?}")
        };
        assert_eq!((weights.weight.values.as_slice(), inputs.as_slice()), ([6.0, 10.0].as_slice(), [0].as_slice()));
        assert_eq!(weights.bias.as_ref().map(|bias| bias.values.as_slice()), Some([7.0, 9.0].as_slice()));
        assert_eq!(*activation, Activation::Relu);
    }

    #[test]
    fn what_is_of_pixels_or_asked_for_or_read_twice_stays() {
        // A factor for each pixel is none of a channel.
        let (steps, slots) = normed(1);
        assert_eq!(run(steps, &slots, &[4]).len(), 4);
        let (steps, slots) = normed(2);
        assert_eq!(run(steps, &slots, &[3, 4]).iter().map(|placed| placed.slot).collect::<Vec<_>>(), [3, 4]);
        let (mut steps, mut slots) = normed(2);
        steps.push(placed(combine(Combination::Add, 1), &[4, 3], 7));
        slots.push(moving(4));
        assert_eq!(run(steps, &slots, &[7]).len(), 3);
        // Numbers beyond f32 stay where they are.
        let (steps, mut slots) = normed(2);
        slots[5] = fixed(&[3e38, 1.0]);
        assert_eq!(run(steps, &slots, &[4]).len(), 4);
    }

    #[test]
    fn gates_that_are_written_out_are_functions() {
        let hard = |alpha| Function::HardSigmoid { alpha, beta: 0.5 };
        for (function, wanted) in [
            (Function::Sigmoid, Some(Function::Silu)),
            (hard(1.0 / 6.0), Some(Function::HardSwish)),
            (hard(0.2), None),
            (Function::Tanh, None),
        ] {
            for inputs in [[0, 1], [1, 0]] {
                let steps = vec![
                    placed(Step::Function(function), &[0], 1),
                    placed(combine(Combination::Multiply, 1), &inputs, 2),
                ];
                let left = run(steps, &[moving(3), moving(3), moving(3)], &[2]);
                match (wanted, left.as_slice()) {
                    (Some(wanted), [Placed { step: Step::Function(found), inputs, slot: 2 }]) => {
                        assert_eq!((wanted, inputs.as_slice()), (*found, [0].as_slice()));
                    }
                    (None, [_, _]) => {}
                    _ => panic!("{function:?}: {left:?}"),
                }
            }
        }
    }

    #[test]
    fn the_gaussian_unit_is_found_in_both_ways_of_writing_it() {
        let slots = |root: f32| {
            let constants = [fixed(&[root]), fixed(&[1.0]), fixed(&[0.5])];
            (0..6).map(|_| moving(3)).chain(constants).collect::<Vec<_>>()
        };
        let normal = || {
            vec![
                placed(combine(Combination::Divide, 3), &[0, 6], 1),
                placed(Step::Function(Function::Erf), &[1], 2),
                placed(combine(Combination::Add, 3), &[2, 7], 3),
            ]
        };
        let ends = [
            [
                placed(combine(Combination::Multiply, 1), &[0, 3], 4),
                placed(combine(Combination::Multiply, 3), &[4, 8], 5),
            ],
            [
                placed(combine(Combination::Multiply, 3), &[0, 8], 4),
                placed(combine(Combination::Multiply, 1), &[4, 3], 5),
            ],
        ];
        for end in ends {
            let left = run(normal().into_iter().chain(end).collect(), &slots(SQRT_2), &[5]);
            assert!(
                matches!(left.as_slice(), [Placed { step: Step::Function(Function::Gelu), slot: 5, .. }]),
                "{left:?}"
            );
        }
        let end = [
            placed(combine(Combination::Multiply, 1), &[0, 3], 4),
            placed(combine(Combination::Multiply, 3), &[4, 8], 5),
        ];
        assert_eq!(run(normal().into_iter().chain(end).collect(), &slots(1.5), &[5]).len(), 5);
    }
}
