//! Whole runs: prune one network, draw curves, measure accuracy. Each is generic over the backend and times its phases.

use serde::Serialize;

use super::Method;
use super::alternating::BlockTrace;
use super::curve::{Curve, curve};
use super::options::{AlternatingOptions, Data, PruneOptions, Target};
use super::ranking::Ranking;
use super::sparse::{Fitting, SparseRefit, refit_sparse};
use super::timing::Timing;
use super::verify::{self, Verification};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Answers, Applied, Classifier, DeviceClassifier, DeviceHead, Head, Network, Samples, apply};

/// Told how far a long run is, and may end it.
pub trait Observer {
    /// `done` of `total` steps are finished; `next` is about to begin.
    ///
    /// # Errors
    ///
    /// Whatever is to end the run here, such as [`Error::Stopped`].
    fn step(&self, done: usize, total: usize, next: &str) -> Result<()>;
}

impl Observer for () {
    fn step(&self, _: usize, _: usize, _: &str) -> Result<()> {
        Ok(())
    }
}

/// Accuracy of a network, beside another one or alone.
#[derive(Debug, Clone, Serialize)]
pub struct Accuracy {
    /// Samples.
    pub n: usize,
    /// Top-1 accuracy before and after; absent without labels.
    pub top1: Option<[f64; 2]>,
    /// Top-5 accuracy before and after; absent without labels.
    pub top5: Option<[f64; 2]>,
    /// Share of samples that both classify alike; needs no labels.
    pub agreement: f64,
}

impl Accuracy {
    pub(super) fn of(before: &Answers, after: &Answers, labelled: bool) -> Self {
        let top = |k| labelled.then(|| [before.top(k), after.top(k)]);
        Self { n: after.classes.len(), top1: top(1), top5: top(5), agreement: after.agreement(before) }
    }
}

/// What came of a pruning run.
#[derive(Debug)]
pub struct Outcome {
    /// The new network and what became of each layer.
    pub applied: Applied,
    /// Weights of the head before pruning and those that the plan keeps.
    pub weights: [u64; 2],
    /// Weights that the plan keeps, by layer.
    pub kept: Vec<u64>,
    /// The share of weights that the plan removes.
    pub rate: f64,
    /// What a refit of the weights that stay did, layer by layer; empty without one.
    pub refits: Vec<SparseRefit>,
    /// The alternation, for the row protocol.
    pub alternation: Vec<BlockTrace>,
    /// Accuracy before and after, if data were given.
    pub accuracy: Option<Accuracy>,
    /// The comparison with the reference, if asked for.
    pub verification: Option<Verification>,
}

fn widest(head: &Head) -> usize {
    head.layers.iter().map(|layer| layer.weight.matrix_shape()[0]).max().unwrap_or(1)
}

pub(super) fn classify<B: Backend>(backend: &B, network: &impl Classifier<B>, samples: &Samples<B>) -> Result<Answers> {
    samples.classify(backend, network)?.download(backend)
}

fn rate_in_range(rate: f64) -> Result<()> {
    if (0.0..=1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::Argument { argument: "rate", problem: format!("{rate} does not lie between 0 and 1") })
}

/// Prunes the head of a network, and refits the weights that stay where there is something to fit them on.
///
/// # Errors
///
/// [`Error::Argument`] for a rate outside 0..=1; [`Error::Unsupported`] for a network without a head; what the backend
/// returns.
pub fn prune<B: Backend>(
    backend: &B,
    network: &Network,
    data: Option<Data<'_>>,
    options: &PruneOptions,
    fitting: Option<Fitting<'_>>,
    timing: &mut Timing,
) -> Result<Outcome> {
    if let Target::Rate(rate) = options.target {
        rate_in_range(rate)?;
    }
    let head = Head::of(network)?;
    let device = timing.phase("upload", || DeviceHead::upload(backend, &head))?;
    let samples = data
        .map(|data| timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, widest(&head))))
        .transpose()?;
    let before =
        samples.as_ref().map(|samples| timing.phase("evaluate", || classify(backend, &device, samples))).transpose()?;
    let ranking = timing
        .phase("score", || Ranking::new(backend, &head, &device, options.method, options.seed, options.alternating))?;
    let (plan, alternation) = timing.phase("select", || {
        let planned = ranking.plan_all(&[options.target])?.into_iter().next();
        let planned = planned.ok_or_else(|| Error::Internal { what: "no plan for a target".to_owned() })?;
        ranking.plan(planned)
    })?;
    drop(ranking);
    // The device's copy is not needed any more: the file is written from the mapped one.
    drop(device);
    let (plan, refits) = match fitting {
        Some(fitting) => timing.phase("refit", || refit_sparse(backend, &head, plan, fitting))?,
        None => (plan, Vec::new()),
    };
    let applied = timing.phase("apply", || apply(network, &head, &plan, options.apply))?;
    let after = samples
        .as_ref()
        .map(|samples| {
            let pruned = timing.phase("upload", || DeviceHead::upload(backend, &Head::of(&applied.network)?))?;
            timing.phase("evaluate", || classify(backend, &pruned, samples))
        })
        .transpose()?;
    let accuracy = match (&samples, before, after) {
        (Some(samples), Some(before), Some(after)) => Some(Accuracy::of(&before, &after, samples.labelled)),
        _ => None,
    };
    let verification = options
        .verify
        .then(|| timing.phase("verify", || verify::verify(backend, &head, &plan, &applied.network, data, options)))
        .transpose()?;
    let kept = plan.layers.iter().map(|layer| layer.keep.kept()).collect();
    Ok(Outcome {
        applied,
        weights: plan.weights(),
        kept,
        rate: plan.rate(),
        refits,
        alternation,
        accuracy,
        verification,
    })
}

/// Draws the curves of `methods` over `rates`, each with every one of `fittings`, [`None`] for no refit; methods with a random
/// order are repeated for every seed.
///
/// # Errors
///
/// [`Error::Argument`] for a rate outside 0..=1; what the backend returns.
#[expect(clippy::too_many_arguments, reason = "the axes of a sweep")]
pub fn sweep<B: Backend>(
    backend: &B,
    head: &Head,
    data: Data<'_>,
    methods: &[Method],
    rates: &[f64],
    seeds: &[u64],
    alternating: AlternatingOptions,
    fittings: &[Option<Fitting<'_>>],
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Vec<Curve>> {
    rates.iter().try_for_each(|rate| rate_in_range(*rate))?;
    let device = timing.phase("upload", || DeviceHead::upload(backend, head))?;
    let samples = timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, widest(head)))?;
    let whole = timing.phase("evaluate", || classify(backend, &device, &samples))?;
    let runs: Vec<(Method, u64)> = methods
        .iter()
        .flat_map(|method| {
            let seeds = if method.is_random() { seeds } else { seeds.get(..1).unwrap_or_default() };
            seeds.iter().map(move |seed| (*method, *seed))
        })
        .collect();
    let (mut curves, total) = (Vec::new(), runs.len() * fittings.len());
    for (method, seed) in &runs {
        observer.step(curves.len(), total, method.name())?;
        let score = || Ranking::new(backend, head, &device, *method, *seed, alternating);
        let mut ranking = timing.phase("score", score)?;
        for fitting in fittings {
            observer.step(curves.len(), total, method.name())?;
            let draw = || curve(backend, &mut ranking, &samples, &whole, rates, *fitting);
            curves.push(timing.phase("curve", draw)?);
        }
    }
    observer.step(total, total, "done")?;
    Ok(curves)
}

/// Classifies data with a head, and with a second one to compare with.
///
/// # Errors
///
/// What the backend returns.
pub fn evaluate<B: Backend>(
    backend: &B,
    head: &Head,
    other: Option<&Head>,
    data: Data<'_>,
    timing: &mut Timing,
) -> Result<Accuracy> {
    let samples = timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, widest(head)))?;
    let mut answer = |head: &Head| -> Result<Answers> {
        let device = timing.phase("upload", || DeviceHead::upload(backend, head))?;
        timing.phase("evaluate", || classify(backend, &device, &samples))
    };
    let after = answer(head)?;
    let before = other.map(answer).transpose()?;
    Ok(Accuracy::of(before.as_ref().unwrap_or(&after), &after, samples.labelled))
}

/// Classifies data with a network, and with a second one to compare with: with the whole of them, or with their heads
/// where the data are inputs of those.
///
/// # Errors
///
/// [`Error::Unsupported`] with the node that backends do not compute; what the backend returns.
pub fn evaluate_network<B: Backend>(
    backend: &B,
    network: &Network,
    other: Option<&Network>,
    data: Data<'_>,
    timing: &mut Timing,
) -> Result<Accuracy> {
    let width = data.inputs.shape()[1];
    let device = timing.phase("upload", || DeviceClassifier::upload(backend, network, width))?;
    let samples = timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, device.widest()))?;
    let after = timing.phase("evaluate", || classify(backend, &device, &samples))?;
    drop(device);
    let before = other.map(|other| {
        let device = timing.phase("upload", || DeviceClassifier::upload(backend, other, width))?;
        timing.phase("evaluate", || classify(backend, &device, &samples))
    });
    let before = before.transpose()?;
    Ok(Accuracy::of(before.as_ref().unwrap_or(&after), &after, samples.labelled))
}
