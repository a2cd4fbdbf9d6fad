//! Structured methods x refits x shares kept x seeds.

use serde::Serialize;

use super::options::Refit;
use super::walk::reduce_units;
use super::{Keep, UnitMethod, UnitOptions};
use crate::backend::{Backend, RowSource};
use crate::error::Result;
use crate::network::{Answers, DeviceClassifier, Network, Samples};
use crate::prune::{Data, Latency, Observer, Timing};

/// The axes of a sweep over structured methods.
#[derive(Debug, Clone)]
pub struct UnitAxes {
    /// Methods, each with a refit.
    pub runs: Vec<(UnitMethod, Refit)>,
    /// Shares of the units to keep.
    pub keeps: Vec<f64>,
    /// Seeds, for methods that depend on it; the others run once.
    pub seeds: Vec<u64>,
}

/// What a network costs its users.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnitCost {
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Multiply-adds for one sample, where all shapes are known.
    pub multiply_adds: Option<u64>,
    /// Seconds of one sample, the original network beside this one in turns, where it was asked for. Measured, so it
    /// changes from run to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

/// Finds out what a network costs that a run with such options has left.
pub type Costing<'a> = &'a dyn Fn(&UnitOptions, &Network) -> Result<UnitCost>;

/// One run of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct UnitRun {
    /// The method.
    pub method: UnitMethod,
    /// The refit.
    pub refit: Refit,
    /// The distribution of inputs that was assumed, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<&'static str>,
    /// The seed.
    pub seed: u64,
    /// The share of the units that was asked for.
    pub keep: f64,
    /// Units that were kept.
    pub units: usize,
    /// Elements of all tensors after.
    pub parameters: u64,
    /// Size and speed after.
    #[serde(flatten)]
    pub cost: UnitCost,
    /// Top-1 accuracy; absent without labels.
    pub top1: Option<f64>,
    /// Share of samples classified as by the whole network.
    pub agreement: f64,
}

/// The runs of one method and refit at one share, over seeds.
#[derive(Debug, Clone, Serialize)]
pub struct UnitSummary {
    /// The method.
    pub method: UnitMethod,
    /// The refit.
    pub refit: Refit,
    /// The share of the units that was asked for.
    pub keep: f64,
    /// Number of seeds.
    pub seeds: usize,
    /// Mean of top-1 accuracy, or of agreement without labels.
    pub mean: f64,
    /// Standard deviation over the seeds (divided by their number less one); 0 for one seed.
    pub spread: f64,
}

/// Runs every combination of the axes with the settings of `base`: data go through the whole network, or through its head
/// where they are inputs of that.
///
/// # Errors
///
/// As [`reduce_units`].
#[expect(clippy::too_many_arguments, reason = "what a sweep is made of")]
pub fn sweep_units<B: Backend>(
    backend: &B,
    network: &Network,
    data: Data<'_>,
    calibration: Option<&dyn RowSource>,
    axes: &UnitAxes,
    base: &UnitOptions,
    cost: Costing<'_>,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Vec<UnitRun>> {
    let width = data.inputs.shape()[1];
    let device = timing.phase("upload", || DeviceClassifier::upload(backend, network, width))?;
    let samples = timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, device.widest()))?;
    let whole = timing.phase("evaluate", || samples.classify(backend, &device)?.download(backend))?;
    drop(device);
    let answers = |network: &Network| -> Result<Answers> {
        samples.classify(backend, &DeviceClassifier::upload(backend, network, width)?)?.download(backend)
    };
    let mut planned = Vec::new();
    for (method, refit) in &axes.runs {
        let seeds = if method.is_random() { axes.seeds.as_slice() } else { axes.seeds.get(..1).unwrap_or_default() };
        for keep in &axes.keeps {
            planned.extend(seeds.iter().map(|seed| (*method, *refit, *keep, *seed)));
        }
    }
    let mut runs = Vec::with_capacity(planned.len());
    for (done, (method, refit, keep, seed)) in planned.iter().copied().enumerate() {
        observer.step(done, planned.len(), &format!("{} {keep}", method.name()))?;
        let options = UnitOptions { method, refit, keep: Keep::Share(keep), seed, ..base.clone() };
        let walked = timing.phase("reduce", || reduce_units(backend, network, calibration, &options, &()))?;
        let answers = timing.phase("evaluate", || answers(&walked.network))?;
        let cost = timing.phase("cost", || cost(&options, &walked.network))?;
        runs.push(UnitRun {
            method,
            refit,
            prior: options.assumed(network),
            seed,
            keep,
            units: walked.layers.iter().map(|layer| layer.after).sum(),
            parameters: walked.network.tensors().map(|tensor| tensor.len() as u64).sum(),
            cost,
            top1: samples.labelled.then(|| answers.top(1)),
            agreement: answers.agreement(&whole),
        });
    }
    observer.step(planned.len(), planned.len(), "done")?;
    Ok(runs)
}

/// Mean and spread over seeds, in the order of the runs.
#[must_use]
pub fn summaries(runs: &[UnitRun]) -> Vec<UnitSummary> {
    let same = |a: &UnitRun, b: &UnitRun| (a.method, a.refit) == (b.method, b.refit) && a.keep == b.keep;
    runs.chunk_by(same)
        .filter_map(|group| {
            let first = group.first()?;
            let values: Vec<f64> = group.iter().map(|run| run.top1.unwrap_or(run.agreement)).collect();
            let count = super::moments::number(values.len());
            let mean = values.iter().sum::<f64>() / count;
            let square: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let spread = if values.len() > 1 { (square / (count - 1.0)).sqrt() } else { 0.0 };
            let (method, refit, keep) = (first.method, first.refit, first.keep);
            Some(UnitSummary { method, refit, keep, seeds: values.len(), mean, spread })
        })
        .collect()
}
