//! Reduces the layers of a network one by one, from the input to the output.

use serde::Serialize;

use super::{UnitMethod, UnitOptions, allocate, select};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Network, Pair, Reduced, Refused, StepKind, UnitPlan, UnitStep, apply_step, sites};
use crate::prune::Observer;

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
    let (sites, refused) = sites(network)?;
    if sites.is_empty() {
        let reasons: Vec<String> = refused.iter().map(|one| format!("`{}`: {}", one.layer, one.reason)).collect();
        let problem = format!("the network has no hidden ReLU layer whose units could go: {}", reasons.join("; "));
        return Err(Error::Unsupported { problem });
    }
    let keeps = allocate::keeps(&sites, options)?;
    let mut walked = Walked { plan: UnitPlan::default(), network: network.clone(), layers: Vec::new(), refused };
    for (done, (site, keep)) in sites.iter().zip(keeps).enumerate() {
        observer.step(done, sites.len(), &site.layer);
        let pair = Pair::read(&walked.network, site)?;
        let before = pair.units();
        if keep < before {
            let reduced = reduce(backend, &pair, keep, options)?;
            let step = UnitStep { site: site.clone(), kind: StepKind::Approximate, reduced };
            apply_step(&mut walked.network, &step)?;
            walked.plan.steps.push(step);
        }
        walked.layers.push(UnitLayer { name: site.layer.clone(), next: site.next.clone(), before, after: keep });
    }
    observer.step(sites.len(), sites.len(), "done");
    Ok(walked)
}

/// One pair with `keep` units.
fn reduce<B: Backend>(backend: &B, pair: &Pair, keep: usize, options: &UnitOptions) -> Result<Reduced> {
    let scores = match options.method {
        UnitMethod::PathL2 => select::path_l2(pair),
        UnitMethod::L1 => select::l1(pair),
        UnitMethod::TropicalRows => select::tropical_rows(backend, pair)?,
        UnitMethod::RandomNeurons => select::random(pair, options.seed),
    };
    Ok(pair.select(&select::largest(&scores, keep)))
}
