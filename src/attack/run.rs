//! Robust accuracy: attacks on correctly classified samples, and what is certified of them.

use std::time::Instant;

use ndarray::{Array2, Axis, concatenate, s};
use serde::Serialize;

use super::admm::admm;
use super::choose::{pick, targets};
use super::graph::DeviceGraph;
use super::network::{Differentiable, DualHead};
use super::options::{DualOptions, SignOptions, Targets};
use super::reduced::{Solved, reduced};
use super::sign::gradient_sign;
use super::verdict::{Outcome, Victims, classes, dual, plain};
use crate::backend::{Backend, Reference};
use crate::certify::certified_radius;
use crate::error::{Error, Result};
use crate::network::format::OnnxSource;
use crate::network::{Classifier, Head, Program, Samples};
use crate::prune::{Data, Observer, Timing};
use crate::statistics::Share;

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The exact solver of the dual view, [`reduced`].
    Reduced,
    /// The paper's penalty method with ADMM, [`admm`].
    Admm,
    /// One step along the sign of the slope.
    Fgsm,
    /// Steps along the sign of the slope, [`gradient_sign`].
    Pgd,
    /// Steps that adapt.
    Apgd,
}

impl Method {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reduced => "reduced",
            Self::Admm => "admm",
            Self::Fgsm => "fgsm",
            Self::Pgd => "pgd",
            Self::Apgd => "apgd",
        }
    }

    /// Whether it has targets, and the first layer as its dual.
    #[must_use]
    pub fn is_dual(self) -> bool {
        matches!(self, Self::Reduced | Self::Admm)
    }
}

/// What is run on the samples.
#[derive(Debug, Clone)]
pub struct AttackOptions {
    /// Attacks, each at every radius.
    pub methods: Vec<Method>,
    /// Radii, `epsilon_1`.
    pub epsilons: Vec<f64>,
    /// Bounds of the first layer, `epsilon_2`, for attacks in the dual view.
    pub rows: Vec<f64>,
    /// Where these drive to.
    pub targets: Targets,
    /// Settings of these; radius and bound are replaced.
    pub dual: DualOptions,
    /// Steps of the penalty method in each search.
    pub admm_steps: usize,
    /// Steps of `pgd` and `apgd` from each start.
    pub steps: usize,
    /// Their starts.
    pub starts: usize,
    /// Whether radii are certified.
    pub certify: bool,
}

impl AttackOptions {
    /// Fails for settings outside their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] with the setting.
    pub fn check(&self) -> Result<()> {
        for (argument, count) in
            [("method", self.methods.len()), ("epsilon", self.epsilons.len()), ("epsilon2", self.rows.len())]
        {
            if count == 0 {
                return Err(Error::Argument { argument, problem: "at least one is needed".to_owned() });
            }
        }
        for epsilon in &self.epsilons {
            for rows in &self.rows {
                DualOptions { epsilon: *epsilon, rows: *rows, ..self.dual.clone() }.check()?;
            }
        }
        Ok(())
    }
}

/// One attack at one radius.
#[derive(Debug, Clone, Serialize)]
pub struct Attack {
    /// Which.
    pub method: Method,
    /// Largest change of an input.
    pub epsilon: f64,
    /// Largest change of a weight of the first layer, in the dual view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon2: Option<f64>,
    /// Samples whose class is still the label.
    pub robust: Share,
    /// Samples whose class is the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<Share>,
    /// Samples of these of which a weight of the first layer is at its bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Share>,
    /// Mean `|eta|_2` of misclassified samples.
    pub norm: Option<f64>,
    /// Mean `D1 + D2` of samples on target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// Largest difference of a logit between the two views, over samples on target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<f64>,
    /// Every sample.
    pub outcomes: Vec<Outcome>,
    /// Seconds that it took, not deterministic.
    #[serde(skip)]
    pub seconds: f64,
}

/// What is certified of the samples.
#[derive(Debug, Clone, Serialize)]
pub struct Certified {
    /// A radius for each sample within which its class does not change, up to the largest radius of the attacks.
    pub radii: Vec<f64>,
    /// For each radius of the attacks the samples that are certified there.
    pub robust: Vec<Share>,
}

/// Robust accuracy of a head.
#[derive(Debug, Clone, Serialize)]
pub struct Robustness {
    /// Samples that are attacked.
    pub samples: usize,
    /// One entry for each method, radius and bound.
    pub attacks: Vec<Attack>,
    /// What is certified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certified: Option<Certified>,
}

/// What is attacked.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Linear layers with ReLU from the inputs on: every attack, and certified distances.
    Head(&'a Head),
    /// Any graph of operators that backends compute: attacks by input gradients.
    Graph(&'a OnnxSource),
}

/// Attacks the samples `numbers` of `data`, all of which the network has to classify as their labels say.
///
/// Outcomes are computed anew in f64: what counts is the class of the perturbed f32 sample there.
///
/// # Errors
///
/// [`Error::Data`] for samples outside the box or of another class than their label, [`Error::Argument`] for settings outside
/// their ranges, and what the backend returns.
pub fn attack<B: Backend>(
    backend: &B,
    subject: Subject<'_>,
    data: Data<'_>,
    numbers: &[usize],
    options: &AttackOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Robustness> {
    options.check()?;
    let (inputs, labels) = pick(data, numbers)?;
    super::region::check_inside(inputs.view(), options.dual.bounds)?;
    let reference = Reference::new();
    let victims = Victims { numbers, inputs: &inputs, labels: &labels };
    match subject {
        Subject::Head(head) => {
            let device = timing.phase("upload", || DualHead::upload(backend, head))?;
            let exact = DualHead::upload(&reference, head)?;
            let widest = device.inputs.max(device.rows);
            let dual = Some((&device, &exact));
            let run = Run {
                backend,
                network: &device,
                dual,
                reference: &reference,
                exact: &exact,
                widest,
                victims,
                options,
                observer,
            };
            run.all(Some(head), timing)
        }
        Subject::Graph(source) => {
            if options.certify || options.methods.iter().any(|method| method.is_dual()) {
                let problem = "a graph of operators is attacked by its input gradients (`fgsm`, `pgd`, `apgd`), without a \
                               certificate: the dual view and certified distances are of linear layers with ReLU";
                return Err(Error::Unsupported { problem: problem.to_owned() });
            }
            let device = timing.phase("upload", || DeviceGraph::upload(backend, source))?;
            let exact = Program::new(&reference, source)?;
            let widest = device.widest();
            let run = Run {
                backend,
                network: &device,
                dual: None,
                reference: &reference,
                exact: &exact,
                widest,
                victims,
                options,
                observer,
            };
            run.all(None, timing)
        }
    }
}

fn summary(method: Method, epsilon: f64, rows: Option<f64>, outcomes: Vec<Outcome>, seconds: f64) -> Attack {
    let mean = |values: Vec<f64>| {
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        let count = values.len() as f64;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / count)
    };
    let pairs = || outcomes.iter().filter(|outcome| outcome.on_target()).filter_map(|outcome| outcome.dual);
    let targeted = method.is_dual();
    let dual = rows.is_some_and(|rows| rows > 0.0);
    Attack {
        method,
        epsilon,
        epsilon2: rows,
        robust: Share::of(outcomes.iter().map(|outcome| !outcome.misclassified())),
        success: targeted.then(|| Share::of(outcomes.iter().map(Outcome::on_target))),
        active: dual.then(|| Share::of(pairs().map(|pair| pair.active))),
        norm: mean(outcomes.iter().filter(|outcome| outcome.misclassified()).map(|outcome| outcome.norm).collect()),
        objective: if targeted { mean(pairs().map(|pair| pair.input + pair.polytope).collect()) } else { None },
        gap: dual.then(|| pairs().map(|pair| pair.gap).fold(0.0, f64::max)),
        outcomes,
        seconds,
    }
}

struct Run<'a, B: Backend> {
    backend: &'a B,
    network: &'a dyn Differentiable<B>,
    /// The same as a head, on the device and in f64.
    dual: Option<(&'a DualHead<B>, &'a DualHead<Reference>)>,
    reference: &'a Reference,
    exact: &'a dyn Classifier<Reference>,
    /// Entries that a network holds for a sample.
    widest: usize,
    victims: Victims<'a>,
    options: &'a AttackOptions,
    observer: &'a dyn Observer,
}

/// Matrices of the size of a batch that a solver holds at a time, about.
const HELD: usize = 16;

impl<B: Backend> Run<'_, B> {
    /// Runs `work` on batches that fit, and joins what comes.
    fn batches(
        &self,
        row: usize,
        work: impl Fn(&Array2<f32>, std::ops::Range<usize>) -> Result<Solved>,
    ) -> Result<Solved> {
        let count = self.victims.labels.len();
        let step = Samples::<B>::step(self.backend, HELD * row);
        let mut parts = Vec::new();
        for first in (0..count).step_by(step) {
            let range = first..count.min(first + step);
            parts.push(work(&self.victims.inputs.slice(s![range.clone(), ..]).to_owned(), range)?);
        }
        let views: Vec<_> = parts.iter().map(|part| part.inputs.view()).collect();
        let inputs = concatenate(Axis(0), &views).map_err(|error| Error::Internal { what: error.to_string() })?;
        Ok(Solved { inputs, found: parts.into_iter().flat_map(|part| part.found).collect() })
    }

    /// All attacks, and what is certified of a head.
    fn all(&self, head: Option<&Head>, timing: &mut Timing) -> Result<Robustness> {
        let Victims { numbers, inputs, labels } = self.victims;
        let before = timing.phase("reference", || classes(self.reference, self.exact, inputs))?;
        if let Some(at) = before.iter().zip(labels).position(|(class, label)| class != label) {
            let problem = format!("sample {} has class {}, its label is {}", numbers[at], before[at], labels[at]);
            return Err(Error::Data { problem });
        }
        let mut attacks = Vec::new();
        for method in &self.options.methods {
            for epsilon in &self.options.epsilons {
                let bounds: Vec<Option<f64>> =
                    if method.is_dual() { self.options.rows.iter().copied().map(Some).collect() } else { vec![None] };
                for rows in bounds {
                    let begun = Instant::now();
                    let outcomes = timing.phase(method.name(), || self.outcomes(*method, *epsilon, rows))?;
                    attacks.push(summary(*method, *epsilon, rows, outcomes, begun.elapsed().as_secs_f64()));
                }
            }
        }
        let most = self.options.epsilons.iter().copied().fold(0.0, f64::max);
        let certify = |head: &Head| -> Result<Certified> {
            let (inputs, labels) = (self.victims.inputs, self.victims.labels);
            let radii = certified_radius(head, inputs, labels, self.options.dual.bounds, most)?;
            let robust =
                self.options.epsilons.iter().map(|epsilon| Share::of(radii.iter().map(|radius| radius >= epsilon)));
            Ok(Certified { robust: robust.collect(), radii })
        };
        let certified = match head.filter(|_| self.options.certify) {
            Some(head) => Some(timing.phase("certify", || certify(head))?),
            None => None,
        };
        Ok(Robustness { samples: self.victims.numbers.len(), attacks, certified })
    }

    fn outcomes(&self, method: Method, epsilon: f64, rows: Option<f64>) -> Result<Vec<Outcome>> {
        match rows {
            Some(rows) => self.targeted(method, &DualOptions { epsilon, rows, ..self.options.dual.clone() }),
            None => self.untargeted(method, epsilon),
        }
    }

    fn untargeted(&self, method: Method, epsilon: f64) -> Result<Vec<Outcome>> {
        let (steps, starts) = (self.options.steps, self.options.starts);
        let settings = match method {
            Method::Fgsm => SignOptions::fgsm(epsilon),
            Method::Apgd => SignOptions::adaptive(epsilon, steps, starts),
            _ => SignOptions::pgd(epsilon, steps, starts),
        };
        let settings = SignOptions { bounds: self.options.dual.bounds, seed: self.options.dual.seed, ..settings };
        let solved = self.batches(self.widest, |inputs, range| {
            gradient_sign(self.backend, self.network, inputs, &self.victims.labels[range], &settings, self.observer)
        })?;
        Ok(plain(self.victims, &solved, &classes(self.reference, self.exact, &solved.inputs)?))
    }

    fn targeted(&self, method: Method, settings: &DualOptions) -> Result<Vec<Outcome>> {
        let Some((device, exact)) = self.dual else {
            return Err(Error::Internal { what: "the dual view of a graph".to_owned() });
        };
        // The penalty method holds a perturbation of the whole first layer for each sample.
        let row = if method == Method::Admm { device.inputs * device.rows } else { self.widest };
        let slow = DualOptions { steps: self.options.admm_steps, ..settings.clone() };
        let mut best: Vec<Outcome> = Vec::new();
        for targets in targets(self.options.targets, self.victims.labels, device.classes, settings.seed)? {
            let solved = self.batches(row, |inputs, range| match method {
                Method::Admm => admm(self.backend, device, inputs, &targets[range], &slow, self.observer),
                _ => reduced(self.backend, device, inputs, &targets[range], settings, self.observer),
            })?;
            let found = dual(self.reference, exact, self.victims, &solved, &targets, settings)?;
            if best.is_empty() {
                best = found;
                continue;
            }
            for (best, next) in best.iter_mut().zip(found) {
                if counts_more(&next, best) {
                    *best = next;
                }
            }
        }
        Ok(best)
    }
}

/// Whether the first outcome counts more: what is on target, the cheapest of it, then what is misclassified at all.
fn counts_more(next: &Outcome, best: &Outcome) -> bool {
    let cost = |outcome: &Outcome| outcome.dual.map_or(f64::INFINITY, |pair| pair.input + pair.polytope);
    let place = |outcome: &Outcome| (!outcome.on_target(), !outcome.misclassified());
    place(next) < place(best) || place(next) == place(best) && cost(next) < cost(best)
}
