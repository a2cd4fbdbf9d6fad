//! A network is not written worse than simpler methods leave it.
//!
//! Refits without data rest on a prior. At the end the network is compared with what `l1` and `tropnnc` leave of as many
//! units, on inputs that no fit has seen, of the prior and of a second one: the share that is classified as by the original.
//! Where another method is ahead by more than chance on both, its network is written.

use serde::Serialize;

use super::moments::number;
use super::unseen::Unseen;
use super::walk::{UnitLayer, Walked, prunable, reduce_units};
use super::{Keep, LayerKeep, Refit, UnitMethod, UnitOptions};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::{Classifier, DeviceClassifier, Network, StepKind};

/// Multiply-adds, to the order of magnitude, that clusters may take: some seconds.
const WORK: f64 = 1e11;

/// Rounds of k-means, to the order of magnitude.
const ROUNDS: f64 = 30.0;

/// Standard deviations of the difference of two counts that are no chance.
const CLEAR: f64 = 2.0;

/// How a network compares with those of simpler methods.
#[derive(Debug, Clone, Serialize)]
pub struct Rivals {
    /// Inputs that no fit has seen.
    pub inputs: usize,
    /// The share of them that the network of the run classifies as the original does.
    pub agreement: f64,
    /// The same for other methods.
    pub others: Vec<Rival>,
    /// The method whose network is written in its place, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<&'static str>,
}

/// Another method.
#[derive(Debug, Clone, Serialize)]
pub struct Rival {
    /// Its name.
    pub method: &'static str,
    /// The share of inputs that its network classifies as the original does.
    pub agreement: f64,
}

/// Whether a run has rivals: it refits without data, and something is approximated.
fn has_rivals(walked: &Walked, options: &UnitOptions) -> bool {
    let refits = options.refit == Refit::Gaussian || options.method == UnitMethod::SynthRefit;
    let approximates = walked.plan.steps.iter().any(|step| step.kind == StepKind::Approximate);
    refits && options.refit != Refit::Data && approximates
}

/// Compares the network of a run with its rivals, and puts the best in its place if that is ahead by more than chance.
///
/// # Errors
///
/// What the backend returns.
pub(super) fn against_rivals<B: Backend>(
    backend: &B,
    network: &Network,
    walked: &mut Walked,
    options: &UnitOptions,
) -> Result<Option<Rivals>> {
    if !has_rivals(walked, options) {
        return Ok(None);
    }
    let streams = match streams(network, options) {
        Err(Error::Unsupported { .. } | Error::Data { .. }) => return Ok(None),
        found => found?,
    };
    // For each stream, which of its inputs a network classifies as the original does.
    let of_streams = |network: &Network| -> Result<Vec<Vec<usize>>> {
        streams.iter().map(|stream| classes(backend, network, stream.rows())).collect()
    };
    let wanted = of_streams(network)?;
    let hits = |network: &Network| -> Result<Vec<Vec<bool>>> {
        let same = |(a, b): (&Vec<usize>, &Vec<usize>)| a.iter().zip(b).map(|(a, b)| a == b).collect();
        Ok(of_streams(network)?.iter().zip(&wanted).map(same).collect())
    };
    let own = hits(&walked.network)?;
    let (mut others, mut best): (Vec<Rival>, Option<(f64, &'static str, Walked)>) = (Vec::new(), None);
    for method in [UnitMethod::L1, UnitMethod::Tropnnc] {
        let Some(other) = run(backend, network, walked, method, options)? else { continue };
        let theirs = hits(&other.network)?;
        let agreement = share(&theirs.concat());
        others.push(Rival { method: method.name(), agreement });
        // On one stream alone the lead may be what the other prior is wrong about.
        let leads = theirs.iter().zip(&own).all(|(theirs, own)| is_ahead(theirs, own));
        if leads && best.as_ref().is_none_or(|(most, ..)| agreement > *most) {
            best = Some((agreement, method.name(), other));
        }
    }
    let rivals = Rivals {
        inputs: wanted.iter().map(Vec::len).sum(),
        agreement: share(&own.concat()),
        others,
        written: best.as_ref().map(|(_, name, _)| *name),
    };
    if let Some((_, name, other)) = best {
        let notes = std::mem::replace(walked, other).notes;
        walked.notes.splice(0..0, notes);
        walked.notes.push(format!(
            "the network of `{name}` is written: on {} inputs unseen it agrees with the original more often than a refit",
            rivals.inputs
        ));
    }
    Ok(Some(rivals))
}

/// Inputs of the prior that no fit has seen, and those of a second prior.
fn streams<'p>(network: &Network, options: &UnitOptions) -> Result<Vec<Unseen<'p>>> {
    // More synthetic inputs than any run sees: those behind are new.
    let seen = options.synth.inputs.unwrap_or(8192);
    let first = Unseen::of(network, None, Some(seen), options)?;
    let second = Unseen::second(network, options)?;
    Ok(first.into_iter().chain(second).collect())
}

/// What another method leaves of as many units in each layer; nothing where it does not take the network, or takes long.
fn run<B: Backend>(
    backend: &B,
    network: &Network,
    walked: &Walked,
    method: UnitMethod,
    options: &UnitOptions,
) -> Result<Option<Walked>> {
    let kept = |layer: &UnitLayer| LayerKeep { layer: layer.name.clone(), keep: Keep::Units(layer.after) };
    let layers = walked.layers.iter().map(kept).collect();
    let options = UnitOptions { method, refit: Refit::None, layers, round_to: 1, min_keep: 1, ..options.clone() };
    let found = match clusters(network, &options)? {
        work if method == UnitMethod::Tropnnc && work > WORK => return Ok(None),
        _ => reduce_units(backend, network, None, &options, &()),
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The multiply-adds of k-means over the units of all layers.
fn clusters(network: &Network, options: &UnitOptions) -> Result<f64> {
    let sites = match prunable(network, options) {
        Err(Error::Unsupported { .. }) => return Ok(0.0),
        found => found?.0,
    };
    let mut work = 0.0;
    for site in sites {
        let weights = network.node(&site.layer)?.op.tensors().first().map_or(0, |weight| weight.len());
        work += ROUNDS * number(site.units()) * number(weights);
    }
    Ok(work)
}

/// The class of each input.
fn classes<B: Backend>(backend: &B, network: &Network, inputs: &dyn RowSource) -> Result<Vec<usize>> {
    let [rows, width] = inputs.shape();
    let classifier = DeviceClassifier::upload(backend, network, width)?;
    let step = (Unseen::BYTES / (4 * classifier.widest().max(1))).max(1);
    let mut found = Vec::with_capacity(rows);
    for first in (0..rows).step_by(step) {
        let slice = crate::network::Slice { source: inputs, first, rows: step.min(rows - first) };
        let logits = backend.download(&classifier.logits(backend, &backend.upload(&slice)?)?)?;
        found.extend(logits.rows().into_iter().map(|row| {
            let first = row.first().copied().unwrap_or(0.0);
            row.iter()
                .enumerate()
                .fold((0, first), |most, (at, value)| if *value > most.1 { (at, *value) } else { most })
                .0
        }));
    }
    Ok(found)
}

fn share(hits: &[bool]) -> f64 {
    number(hits.iter().filter(|hit| **hit).count()) / number(hits.len().max(1))
}

/// Whether `a` hits where `b` does not more often than the other way round, by more than chance: the difference of two
/// counts of rare events has the sum of them as variance (`McNemar`, 1947).
fn is_ahead(a: &[bool], b: &[bool]) -> bool {
    let only = |a: &[bool], b: &[bool]| number(a.iter().zip(b).filter(|(a, b)| **a && !**b).count());
    let (gained, lost) = (only(a, b), only(b, a));
    gained - lost > CLEAR * (gained + lost).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_more_hits_are_chance() {
        let hits = |count: usize| (0..100).map(|at| at < count).collect::<Vec<bool>>();
        assert!(!is_ahead(&hits(53), &hits(50)) && !is_ahead(&hits(50), &hits(53)));
        assert!(is_ahead(&hits(60), &hits(50)) && !is_ahead(&hits(50), &hits(60)));
        // Ten other hits each.
        let other: Vec<bool> = (0..100).map(|at| (10..60).contains(&at)).collect();
        assert!(!is_ahead(&hits(50), &other) && !is_ahead(&other, &hits(50)));
    }
}
