//! The exact solver: problem (5) with the perturbation of the first layer eliminated, by proximal steps of shrinking length
//! and a binary search for the factor of the loss.

use ndarray::Array2;

use super::network::DualHead;
use super::options::DualOptions;
use super::problem::Problem;
use super::region::narrow;
use super::search::{Best, Factors};
use crate::backend::Backend;
use crate::error::Result;
use crate::prune::Observer;

/// Perturbations of a batch of samples.
#[derive(Debug, Clone)]
pub struct Solved {
    /// The perturbed samples, `n x d`; the sample itself where none was found.
    pub inputs: Array2<f32>,
    /// Whether the attack says that it has succeeded.
    pub found: Vec<bool>,
}

/// Steps between two looks at what was reached.
const LOOK: usize = 5;
/// Length of the first and of the last step, in units of `epsilon sqrt d`.
const LENGTHS: [f64; 2] = [0.5, 0.005];

/// Solves `min D1(eta) + sum_i d_i V_i((A eta)_i)` over `CE(f(x + eta), t) <= kappa` and the boxes, for each sample.
///
/// Steps go along the slope of `D1 + D2 + c max(CE - kappa, 0)` with lengths that fall from half to a two-hundredth of the
/// diameter of the box, groups of pixels by their proximal step, then back into the box; every fifth point is judged, and the
/// cheapest whose class is the target is kept. `c` is searched for each sample. The first half of the searches begins
/// at the start, the others where the best point is.
///
/// `samples`: `n x d`; `targets`: `n` classes. The result lies in the boxes whatever was found.
///
/// # Errors
///
/// [`Error::Argument`](crate::Error::Argument) for settings outside their ranges, [`Error::Data`](crate::Error::Data) for samples
/// outside the box, and what the backend returns.
pub fn reduced<B: Backend>(
    backend: &B,
    head: &DualHead<B>,
    samples: &Array2<f32>,
    targets: &[u32],
    options: &DualOptions,
    observer: &dyn Observer,
) -> Result<Solved> {
    options.check()?;
    let problem = Problem::upload(backend, head, samples, targets, options)?;
    let mut best = Best::none(&problem, backend)?;
    let total = options.starts * options.searches;
    #[expect(clippy::cast_precision_loss, reason = "numbers of steps and inputs")]
    let length = |step: usize| {
        let share = step as f64 / options.steps.saturating_sub(1).max(1) as f64;
        let [first, last] = LENGTHS;
        narrow(options.epsilon * (head.inputs as f64).sqrt() * first * (last / first).powf(share))
    };
    for start in 0..options.starts {
        let mut factors = Factors::new(problem.count);
        for search in 0..options.searches {
            observer.step(start * options.searches + search, total, "attack")?;
            let mut eta = problem.region.start(backend, start, options.seed)?;
            if 2 * search >= options.searches && search > 0 {
                eta = super::region::choose(backend, &eta, &best.eta, best.found())?;
            }
            let c = problem.factors(&factors.c)?;
            let mut reached = vec![false; problem.count];
            for step in 0..=options.steps {
                let at = problem.at(&eta)?;
                if step > 0 && step % LOOK == 0 || step == options.steps {
                    let judged = problem.judge(&eta, &at)?;
                    reached.iter_mut().zip(&judged.holds).for_each(|(reached, holds)| *reached |= holds);
                    best.take(backend, &eta, &judged)?;
                }
                if step < options.steps {
                    eta = problem.step(&eta, &at, &c, length(step))?;
                }
            }
            best.shorten(&problem, backend)?;
            factors.next(&reached);
        }
    }
    observer.step(total, total, "done")?;
    solved(backend, samples, &best.eta, best.found(), options.bounds)
}

/// The perturbed samples of the best perturbations.
pub(super) fn solved<B: Backend>(
    backend: &B,
    samples: &Array2<f32>,
    eta: &B::Matrix,
    found: impl Iterator<Item = bool>,
    bounds: [f64; 2],
) -> Result<Solved> {
    let mut inputs = backend.download(eta)?.mapv(narrow) + samples;
    let [low, high] = bounds.map(narrow);
    inputs.mapv_inplace(|x| x.clamp(low, high));
    Ok(Solved { inputs, found: found.collect() })
}
