//! Reduces the layers of a network one by one, from the input to the output.

use serde::Serialize;

use super::{UnitMethod, UnitOptions, allocate, select};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{
    Head, Network, Op, Pair, Reduced, Refused, Site, StepKind, UnitPlan, UnitStep, apply_step, sites,
};
use crate::prune::Observer;
use crate::prune::synth::{Refitter, SynthOptions, UnitRefit};

/// What became of one layer.
#[derive(Debug, Clone, Serialize)]
pub struct UnitLayer {
    /// Name of the node.
    pub name: String,
    /// The node that reads its units.
    pub next: String,
    /// Units before.
    pub before: usize,
    /// Units after.
    pub after: usize,
    /// What the refit did, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit: Option<UnitRefit>,
}

/// The plan of a structured method for a network, and the network that it leaves.
#[derive(Debug)]
pub struct Walked {
    /// The steps.
    pub plan: UnitPlan,
    /// The network after the last step.
    pub network: Network,
    /// One entry per prunable layer.
    pub layers: Vec<UnitLayer>,
    /// Layers whose units cannot be removed.
    pub refused: Vec<Refused>,
}

/// Reduces every prunable layer of a network.
///
/// # Errors
///
/// [`Error::Unsupported`] for a network without a hidden layer whose units can be removed; [`Error::Argument`] for
/// numbers of units that the layers do not have; what the backend returns.
pub fn reduce_units<B: Backend>(
    backend: &B,
    network: &Network,
    options: &UnitOptions,
    observer: &dyn Observer,
) -> Result<Walked> {
    let (mut sites, mut refused) = sites(network)?;
    if options.head_only {
        let head = Head::of(network)?;
        let inside = |site: &Site| head.layers.iter().any(|layer| layer.name == site.layer);
        let outside = sites.iter().filter(|site| !inside(site)).map(|site| site.layer.clone());
        let reason = "the data are inputs of the head, which other layers would change".to_owned();
        refused.extend(outside.map(|layer| Refused { layer, reason: reason.clone() }));
        sites.retain(inside);
    }
    if sites.is_empty() {
        let reasons: Vec<String> = refused.iter().map(|one| format!("`{}`: {}", one.layer, one.reason)).collect();
        let problem = format!("the network has no hidden ReLU layer whose units could go: {}", reasons.join("; "));
        return Err(Error::Unsupported { problem });
    }
    let keeps = allocate::keeps(&sites, options)?;
    let mut walked = Walked { plan: UnitPlan::default(), network: network.clone(), layers: Vec::new(), refused };
    let mut refitter = match options.method {
        UnitMethod::SynthRefit => Some(refitter(backend, network, &sites, &keeps, options)?),
        _ => None,
    };
    for (done, (site, keep)) in sites.iter().zip(keeps).enumerate() {
        observer.step(done, sites.len(), &site.layer);
        let pair = Pair::read(&walked.network, site)?;
        let (before, mut refit) = (pair.units(), None);
        if keep < before {
            let reduced = match &mut refitter {
                Some(refitter) => {
                    let (reduced, done) = refitter.select(&walked.network, &pair, keep)?;
                    refit = Some(done);
                    reduced
                }
                None => reduce(backend, &pair, keep, options)?,
            };
            let step = UnitStep { site: site.clone(), kind: StepKind::Approximate, reduced };
            apply_step(&mut walked.network, &step)?;
            walked.plan.steps.push(step);
        }
        walked.layers.push(UnitLayer { name: site.layer.clone(), next: site.next.clone(), before, after: keep, refit });
    }
    observer.step(sites.len(), sites.len(), "done");
    Ok(walked)
}

/// The networks side by side, on as many inputs as the layers ask for.
fn refitter<'a, B: Backend>(
    backend: &'a B,
    network: &'a Network,
    sites: &[Site],
    keeps: &[usize],
    options: &UnitOptions,
) -> Result<Refitter<'a, B>> {
    let mut unknowns = Vec::new();
    for (site, keep) in sites.iter().zip(keeps) {
        // Convolutions read an input many times, linear layers once.
        if matches!(network.node(&site.next)?.op, Op::Linear { .. }) {
            unknowns.push(keep * site.block());
        }
    }
    let synth = SynthOptions { seed: options.seed, ..options.synth };
    Refitter::synthetic(backend, network, synth.count(unknowns), synth)
}

/// One pair with `keep` units.
fn reduce<B: Backend>(backend: &B, pair: &Pair, keep: usize, options: &UnitOptions) -> Result<Reduced> {
    let scores = match options.method {
        UnitMethod::PathL2 => select::path_l2(pair),
        UnitMethod::L1 => select::l1(pair),
        UnitMethod::TropicalRows => select::tropical_rows(backend, pair)?,
        UnitMethod::RandomNeurons => select::random(pair, options.seed),
        UnitMethod::SynthRefit => return Err(Error::Internal { what: "a refit without inputs".to_owned() }),
    };
    Ok(pair.select(&select::largest(&scores, keep)))
}
