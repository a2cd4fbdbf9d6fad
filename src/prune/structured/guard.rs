//! A refit stays where it does better than none, on inputs that it has not seen.
//!
//! Least squares promise an error under moments. Whatever makes the promise wrong - too few inputs, sums that lost their
//! digits, weights that f32 does not hold, a prior that the inputs of the layer do not follow - shows when the layer that
//! was written is measured on other inputs. If it does no better there than the same units without a refit, or far worse
//! than was promised, the ridge grows tenfold and tenfold again; if no ridge helps, the units stay as they are.

use ndarray::{Array2, s};
use serde::Serialize;

use super::walk::Walked;
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::{Head, Network, Pair, Reduced, StepKind, UnitPlan, UnitStep, apply_step};
use crate::prune::synth::Judge;

/// The share of the error without a refit that a refit may have at most: what gains less may well be chance.
const GAIN: f64 = 0.95;

/// How far a refit may be from its promise: so many times the error, and this share of the variance more.
const FAR: (f64, f64) = (10.0, 1e-3);

/// The share of the variance that counts as no error.
const NOTHING: f64 = 1e-8;

/// Ridges that are tried, each ten times the one before.
const TRIES: i32 = 6;

/// How a refit did on inputs that it has not seen.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct HeldOut {
    /// Number of inputs.
    pub inputs: usize,
    /// `E ||z - z~||^2 / sum_j Var(z_j)` of what reads the units in the original network and in the one that was written.
    pub loss: f64,
    /// The same for these units without a refit.
    pub without_refit: f64,
    /// The same two on inputs of a second prior, for refits without data: there a refit may be worse than none only where it is
    /// better than a constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_prior: Option<[f64; 2]>,
    /// The ridge of the refit that was written; none if the units stay without one.
    pub ridge: Option<f64>,
    /// Whether it is not the refit that was asked for.
    pub fell_back: bool,
}

impl HeldOut {
    /// What happened instead of the refit that was asked for, for people.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        if !self.fell_back {
            return None;
        }
        Some(match self.ridge {
            Some(ridge) => {
                format!("refitted with ridge {ridge:e}, the smallest that holds on {} inputs unseen", self.inputs)
            }
            None if self.second_prior.is_some() => {
                format!(
                    "not refitted: on {} inputs unseen, or on those of a second prior, a refit is no use",
                    self.inputs
                )
            }
            None => format!("not refitted: on {} inputs unseen a refit does no better than none", self.inputs),
        })
    }
}

/// A refitted layer, and the mean squared error that its fit promises, where it is one over these inputs.
pub(super) struct Fit {
    pub(super) reduced: Reduced,
    pub(super) promised: Option<f64>,
}

/// What judges refits: unseen inputs of a network, or of its head.
pub(super) struct Judging<'a, B: Backend> {
    judge: Judge<'a, B>,
    /// What judges on inputs of a second prior.
    second: Option<Judge<'a, B>>,
    of_head: bool,
}

/// A network whose inputs are judged by: the whole, or the head alone where samples are its inputs.
pub(super) fn judged(network: &Network, width: usize) -> Result<(Network, bool)> {
    let inputs: usize = network.input.iter().product();
    if width == inputs {
        return Ok((network.clone(), false));
    }
    Ok((Head::of(network)?.alone(network)?, true))
}

impl<'a, B: Backend> Judging<'a, B> {
    /// # Errors
    ///
    /// As [`Judge::new`].
    pub(super) fn new(
        backend: &'a B,
        (network, of_head): &'a (Network, bool),
        [inputs, second]: [Option<&dyn RowSource>; 2],
        seed: u64,
    ) -> Result<Self> {
        let judge = |inputs: &dyn RowSource| Judge::new(backend, network, inputs, seed);
        let none = || Error::Internal { what: "a judge without inputs".to_owned() };
        let second = second.map(judge).transpose()?;
        Ok(Self { judge: judge(inputs.ok_or_else(none)?)?, second, of_head: *of_head })
    }

    pub(super) fn note(&mut self, step: &UnitStep) {
        self.judge.note(step);
        if let Some(second) = &mut self.second {
            second.note(step);
        }
    }

    fn of(&self, network: Network) -> Result<Network> {
        if self.of_head { Head::of(&network)?.alone(&network) } else { Ok(network) }
    }

    /// The mean squared error of what reads a pair of `network` after it is reduced, on inputs unseen and on those of a second
    /// prior, 0 without one.
    fn errors(&mut self, network: &Network, pair: &Pair, reduced: &Reduced) -> Result<[f64; 2]> {
        let step = UnitStep { site: pair.site.clone(), kind: StepKind::Approximate, reduced: reduced.clone() };
        let mut written = network.clone();
        apply_step(&mut written, &step)?;
        let written = self.of(written)?;
        let pair = Pair::read(&written, &pair.site.with_units(reduced.units()))?;
        let number = |error: f64| if error.is_nan() { f64::INFINITY } else { error };
        let first = number(self.judge.error(&written, &pair)?);
        let second = self.second.as_mut().map(|second| second.error(&written, &pair)).transpose()?;
        Ok([first, second.map_or(0.0, number)])
    }

    /// `fit`, or what does better on unseen inputs: a refit with more ridge, which `again` makes, or `plain`, the same
    /// units without one. `variance` is that of what reads them.
    pub(super) fn choose(
        &mut self,
        (network, pair): (&Network, &Pair),
        fit: Fit,
        plain: Reduced,
        (ridge, variance): (f64, f64),
        again: &mut dyn FnMut(f64) -> Result<Reduced>,
    ) -> Result<(Reduced, HeldOut)> {
        let without = self.errors(network, pair, &plain)?;
        let mut best = (self.errors(network, pair, &fit.reduced)?, ridge, fit.reduced);
        let no_error = NOTHING * variance;
        let helps = |[error, second]: [f64; 2]| {
            (error <= GAIN * without[0] || error <= no_error) && second <= without[1].max(variance)
        };
        let is_far = |error: f64| fit.promised.is_some_and(|promised| error > FAR.0 * promised + FAR.1 * variance);
        if !helps(best.0) || is_far(best.0[0]) {
            // A ridge of nothing has no multiples.
            let first = ridge.max(1e-6);
            for step in 1..=TRIES {
                let ridge = first * 10_f64.powi(step);
                let reduced = again(ridge)?;
                let errors = self.errors(network, pair, &reduced)?;
                let gains = match (helps(errors), helps(best.0)) {
                    (now, before) if now == before => errors[0] < best.0[0],
                    (now, _) => now,
                };
                if gains {
                    best = (errors, ridge, reduced);
                } else if helps(best.0) {
                    break;
                }
            }
        }
        let share = |error: f64| if variance > 0.0 { error / variance } else { 0.0 };
        let (errors, written, reduced) = best;
        let helped = helps(errors);
        let of_written = if helped { errors } else { without };
        let held = HeldOut {
            inputs: self.judge.inputs(),
            loss: share(of_written[0]),
            without_refit: share(without[0]),
            second_prior: self.second.as_ref().map(|_| [share(of_written[1]), share(without[1])]),
            ridge: helped.then_some(written),
            fell_back: !helped || written > ridge,
        };
        Ok((if helped { reduced } else { plain }, held))
    }

    /// Puts the units that were chosen, as they are, in place of a refitted network whose outputs are further from those of
    /// `original`, and says so in the notes.
    pub(super) fn check_outputs(&self, original: &Network, walked: &mut Walked) -> Result<()> {
        let Some((network, plan)) = without_refits(original, &walked.plan)? else { return Ok(()) };
        let outputs = |network: &Network| self.judge.outputs(&self.of(network.clone())?);
        let wanted = outputs(original)?;
        let squares = |given: Array2<f64>| (given - &wanted).iter().map(|value| value * value).sum::<f64>();
        let (with, without) = (squares(outputs(&walked.network)?), squares(outputs(&network)?));
        let all: f64 = wanted.iter().map(|value| value * value).sum();
        if with <= without || with <= NOTHING * all {
            return Ok(());
        }
        (walked.network, walked.plan) = (network, plan);
        #[expect(clippy::cast_precision_loss, reason = "numbers of outputs are far below 2^53")]
        let rms = |squares: f64| (squares / wanted.len().max(1) as f64).sqrt();
        walked.notes.push(format!(
            "refits dropped: on {} inputs unseen the outputs are off by {:.3e} with them and {:.3e} without (rms)",
            wanted.nrows(),
            rms(with),
            rms(without)
        ));
        for layer in &mut walked.layers {
            (layer.refit, layer.loss, layer.held_out) = (None, None, None);
        }
        Ok(())
    }
}

/// The network and plan with the units that the steps of `plan` keep, as they are in `original`; none if a step makes new
/// units. Copies are read through the unit that stands for them.
fn without_refits(original: &Network, plan: &UnitPlan) -> Result<Option<(Network, UnitPlan)>> {
    let (mut network, mut plain) = (original.clone(), UnitPlan::default());
    for step in &plan.steps {
        let pair = Pair::read(&network, &step.site)?;
        let Reduced { assignment, lambda, .. } = &step.reduced;
        let (q, mut kept) = (pair.block(), vec![None; step.reduced.units()]);
        let mut next = Array2::<f32>::zeros((pair.next.nrows(), kept.len() * q));
        for (old, (new, factor)) in assignment.iter().zip(lambda).enumerate() {
            let Some(new) = *new else { continue };
            let is_kept = factor.to_bits() == 1.0_f32.to_bits() && kept[new].is_none();
            if is_kept {
                kept[new] = Some(old);
            } else if step.kind == StepKind::Approximate {
                return Ok(None);
            }
            let mut columns = next.slice_mut(s![.., new * q..(new + 1) * q]);
            columns.scaled_add(*factor, &pair.outgoing(old));
        }
        let Some(kept) = kept.into_iter().collect::<Option<Vec<usize>>>() else { return Ok(None) };
        let reduced = Reduced {
            assignment: assignment.clone(),
            lambda: lambda.clone(),
            ..pair.read_by(&kept, next, pair.next_bias.clone())
        };
        let step = UnitStep { site: step.site.clone(), kind: step.kind, reduced };
        apply_step(&mut network, &step)?;
        plain.steps.push(step);
    }
    Ok(Some((network, plain)))
}
