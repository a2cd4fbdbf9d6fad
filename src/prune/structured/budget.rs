//! How many units stay: given numbers, or what meets a budget of parameters or of error.

use super::curves::{losses, trials};
use super::schedule::{Layer, Schedule, checked};
use super::walk::{Walked, prunable, reduce_units};
use super::{Keep, LayerKeep, Refit, UnitMethod, UnitOptions};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::prune::Observer;

/// Steps of the bisection: shares are met to 1 / 4096.
const STEPS: u32 = 12;

/// A bound of the error of a reduced network, such as a certificate.
pub type ErrorBound<'a> = &'a dyn Fn(&Walked) -> Result<f64>;

/// What decides how many units stay in all.
#[derive(Clone, Copy)]
pub enum UnitTarget<'a> {
    /// The numbers of the options.
    Keep,
    /// At most so many parameters, biases counted.
    Parameters(u64),
    /// As few units as keep the bound at most at `most`.
    Error {
        /// The largest bound allowed.
        most: f64,
        /// The bound.
        bound: ErrorBound<'a>,
    },
}

/// How the units that go are divided among the layers.
#[derive(Clone, Copy)]
pub enum Allocation<'a> {
    /// The same share of every layer stays.
    Uniform,
    /// Units go where the kernel loss rises least for each parameter: the share of a layer's target that the units which
    /// stay leave unexplained.
    Loss,
    /// Units go where a bound of the error rises least for each parameter: every layer is reduced by itself, at ten
    /// numbers of units.
    Error(ErrorBound<'a>),
}

/// Reduces the layers of a network to what a target asks for.
///
/// With [`UnitTarget::Keep`] and an allocation other than [`Allocation::Uniform`] the network gets at most as many
/// parameters as the numbers of the options give, divided by the allocation.
///
/// # Errors
///
/// [`Error::Unsupported`] if even the smallest network has too many parameters, or the network without approximations too
/// large a bound; [`Error::Argument`] for an allocation with a method that divides units by itself; what a bound returns;
/// as [`reduce_units`].
pub fn reduce_to<B: Backend>(
    backend: &B,
    network: &Network,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    target: UnitTarget<'_>,
    allocation: Allocation<'_>,
    observer: &dyn Observer,
) -> Result<Walked> {
    let uniform = matches!(allocation, Allocation::Uniform);
    if uniform && let UnitTarget::Keep = target {
        return reduce_units(backend, network, calibration, options, observer);
    }
    let budget = Budget { backend, network, calibration, options, observer };
    let division = budget.division(allocation)?;
    match target {
        UnitTarget::Keep => {
            let most = parameters(&budget.counted(options.keep, &options.layers)?);
            budget.to_parameters(&division, most)
        }
        UnitTarget::Parameters(most) => budget.to_parameters(&division, most),
        UnitTarget::Error { most, bound } => budget.to_error(&division, most, bound),
    }
}

/// Elements of all tensors.
fn parameters(walked: &Walked) -> u64 {
    walked.network.tensors().map(|tensor| tensor.len() as u64).sum()
}

/// Numbers of units as a function of one number: all at 0, the fewest at the end.
enum Division {
    Shares,
    Schedule(Schedule),
}

impl Division {
    /// The last position.
    fn end(&self) -> usize {
        match self {
            Self::Shares => 1 << STEPS,
            Self::Schedule(schedule) => schedule.len(),
        }
    }

    /// What is kept at a position.
    fn at(&self, position: usize) -> (Keep, Vec<LayerKeep>) {
        match self {
            Self::Shares => {
                let all = super::moments::number(self.end());
                (Keep::Share(1.0 - super::moments::number(position) / all), Vec::new())
            }
            Self::Schedule(schedule) => (Keep::Share(1.0), schedule.after(position)),
        }
    }
}

struct Budget<'a, B: Backend> {
    backend: &'a B,
    network: &'a Network,
    calibration: Option<&'a dyn RowSource>,
    options: &'a UnitOptions,
    observer: &'a dyn Observer,
}

impl<B: Backend> Budget<'_, B> {
    fn run(&self, (keep, layers): (Keep, Vec<LayerKeep>)) -> Result<Walked> {
        let options = UnitOptions { keep, layers, ..self.options.clone() };
        reduce_units(self.backend, self.network, self.calibration, &options, &())
    }

    /// A network with as many units as the method would leave, by the cheapest method.
    fn counted(&self, keep: Keep, layers: &[LayerKeep]) -> Result<Walked> {
        let divides = self.options.method.threshold().is_some();
        let method = if divides { self.options.method } else { UnitMethod::L1 };
        let options = UnitOptions { keep, layers: layers.to_vec(), method, refit: Refit::None, ..self.options.clone() };
        // `synth-refit` leaves copies and dead units to its own selection.
        let lossless = options.lossless && self.options.method != UnitMethod::SynthRefit;
        reduce_units(self.backend, self.network, None, &UnitOptions { lossless, ..options }, &())
    }

    fn division(&self, allocation: Allocation<'_>) -> Result<Division> {
        if matches!(allocation, Allocation::Uniform) {
            return Ok(Division::Shares);
        }
        if self.options.method.threshold().is_some() {
            let problem = format!("`{}` divides units among layers by itself", self.options.method.name());
            return Err(Error::Argument { argument: "allocate", problem });
        }
        let (sites, _) = prunable(self.network, self.options)?;
        let mut layers = Layer::of(self.network, &sites)?;
        let curves = match allocation {
            Allocation::Error(bound) => {
                let curve = |layer: &Layer| -> Result<Vec<(usize, f64)>> {
                    let tried = trials(layer.units, self.options.min_keep).into_iter();
                    tried.map(|units| Ok((units, self.alone(layer, units, bound)?))).collect()
                };
                layers.iter().map(curve).collect::<Result<Vec<_>>>()?
            }
            _ => losses(self.backend, self.network, &sites, self.calibration, self.options)?,
        };
        for (layer, curve) in layers.iter_mut().zip(curves) {
            layer.curve = checked(&layer.name, curve)?;
        }
        Ok(Division::Schedule(Schedule::new(&layers, self.options.round_to, self.options.min_keep)))
    }

    /// The bound with one layer reduced and the others left.
    fn alone(&self, layer: &Layer, units: usize, bound: ErrorBound<'_>) -> Result<f64> {
        let only = LayerKeep { layer: layer.name.clone(), keep: Keep::Units(units) };
        bound(&self.run((Keep::Share(1.0), vec![only]))?)
    }

    /// The first position at which `meets` holds, which it does at the end; it does not hold before one where it does
    /// not.
    fn bisected(&self, end: usize, mut meets: impl FnMut(usize) -> Result<bool>) -> Result<usize> {
        let (mut low, mut high) = (0, end);
        let steps = (usize::BITS - end.leading_zeros()) as usize;
        for step in 0.. {
            if high - low <= 1 {
                break;
            }
            self.observer.step(step.min(steps), steps, "budget")?;
            let middle = low + (high - low) / 2;
            if meets(middle)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        self.observer.step(steps, steps, "done")?;
        Ok(high)
    }

    fn to_parameters(&self, division: &Division, most: u64) -> Result<Walked> {
        let count = |position: usize| {
            let (keep, layers) = division.at(position);
            Ok::<_, Error>(parameters(&self.counted(keep, &layers)?))
        };
        let end = division.end();
        let fewest = count(end)?;
        if fewest > most {
            let problem = format!("the smallest network has {fewest} parameters, more than {most}");
            return Err(Error::Unsupported { problem });
        }
        if count(0)? <= most {
            return self.run(division.at(0));
        }
        let position = self.bisected(end, |position| Ok(count(position)? <= most))?;
        self.run(division.at(position))
    }

    fn to_error(&self, division: &Division, most: f64, bound: ErrorBound<'_>) -> Result<Walked> {
        let mut best = self.run(division.at(0))?;
        let least = bound(&best)?;
        // A bound that is not a number is not met.
        if least.is_nan() || least > most {
            let problem = format!("the bound is {least:.4e} with every neuron that does something, more than {most}");
            return Err(Error::Unsupported { problem });
        }
        let smallest = self.run(division.at(division.end()))?;
        if bound(&smallest)? <= most {
            return Ok(smallest);
        }
        self.bisected(division.end(), |position| {
            let found = self.run(division.at(position))?;
            let beyond = bound(&found)?;
            if beyond <= most {
                best = found;
            }
            Ok(beyond.is_nan() || beyond > most)
        })?;
        Ok(best)
    }
}
