//! The certificate that a report of pruning holds.

use serde::Serialize;

use super::block::Pairing;
use super::depth::{HeadCertificate, head_bound};
use super::layer::{Bound, BoundOptions};
use super::run::{LayerOutcome, summary};
use crate::error::Result;
use crate::network::{AppliedLayer, Head, HeadLayer, UnitPlan};

/// Floating-point operations, about, that the bounds of a report may take together unless they are asked for: a second or
/// two.
const WORK: f64 = 1.2e11;

impl Pairing {
    /// The pairings of the hidden layers of a head under a plan: what its steps say of each unit, one after the other.
    #[must_use]
    pub fn of_plan(head: &Head, plan: &UnitPlan) -> Vec<Self> {
        let hidden = head.layers.len().saturating_sub(1);
        let pairing = |layer: &HeadLayer| {
            let mut pairing = Self::identity(layer.weight.matrix_shape()[0]);
            for step in plan.steps.iter().filter(|step| step.site.layer == layer.name) {
                let (assignment, lambda) = (&step.reduced.assignment, &step.reduced.lambda);
                for (partner, scale) in pairing.partner.iter_mut().zip(&mut pairing.scale) {
                    let next = assignment.get(*partner).copied().flatten();
                    *scale *= if next.is_some() { lambda.get(*partner).copied().map_or(0.0, f64::from) } else { 0.0 };
                    *partner = next.unwrap_or(0);
                }
            }
            pairing
        };
        head.layers.iter().take(hidden).map(pairing).collect()
    }

    /// The pairings of the hidden layers of a head of which some neurons were taken out: those that stay are themselves.
    #[must_use]
    pub fn of_applied(head: &Head, applied: &[AppliedLayer]) -> Vec<Self> {
        let hidden = head.layers.len().saturating_sub(1);
        let pairing = |layer: &HeadLayer| {
            let mut pairing = Self::identity(layer.weight.matrix_shape()[0]);
            if let Some(applied) = applied.iter().find(|applied| applied.name == layer.name) {
                for (i, (partner, scale)) in pairing.partner.iter_mut().zip(&mut pairing.scale).enumerate() {
                    let stays = applied.neurons.binary_search(&i).ok();
                    (*partner, *scale) = (stays.unwrap_or(0), if stays.is_some() { 1.0 } else { 0.0 });
                }
            }
            pairing
        };
        head.layers.iter().take(hidden).map(pairing).collect()
    }
}

/// A quick certificate of the head that a structured plan leaves, with the pairing of the plan: half bounds, and few steps
/// of alpha-CROWN.
///
/// # Errors
///
/// As [`head_bound`].
pub fn plan_bound(original: &Head, reduced: &Head, plan: &UnitPlan, radius: f64) -> Result<HeadCertificate> {
    let options = BoundOptions { bounds: vec![Bound::Crown, Bound::Half], crown_steps: 12, ..BoundOptions::default() };
    head_bound(original, reduced, radius, Some(&Pairing::of_plan(original, plan)), &options)
}

/// What a report of pruning says of the error on a ball of inputs.
#[derive(Debug, Clone, Serialize)]
pub struct PruneCertificate {
    /// Norm of the inputs.
    pub radius: f64,
    /// No output moves by more than this on any such input.
    pub error: f64,
    /// The same for each output.
    pub errors: Vec<f64>,
    /// Every bound of the hidden layers, each by itself.
    pub layers: Vec<LayerOutcome>,
    /// Bounds that were left out, because they would take long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<&'static str>,
}

/// Certifies a pruned head by all bounds, or by those that take a second or two if none are asked for.
///
/// # Errors
///
/// As [`head_bound`].
pub fn prune_certificate(
    original: &Head,
    pruned: &Head,
    pairings: &[Pairing],
    radius: f64,
    bounds: Option<&[Bound]>,
) -> Result<PruneCertificate> {
    let (used, left) = match bounds {
        Some(bounds) => (bounds.to_vec(), Vec::new()),
        None => affordable(&Bound::ALL, |bound| work(original, pruned, bound)),
    };
    let crown_steps = if bounds.is_some() { BoundOptions::default().crown_steps } else { CROWN_STEPS };
    let options = BoundOptions { bounds: used, crown_steps, ..BoundOptions::default() };
    let head = head_bound(original, pruned, radius, Some(pairings), &options)?;
    let errors = head.errors(radius);
    Ok(PruneCertificate {
        radius,
        error: errors.iter().copied().fold(0.0, f64::max),
        errors,
        layers: head.layers.iter().map(|step| summary(step, Vec::new())).collect(),
        left_out: left.into_iter().map(Bound::name).collect(),
    })
}

/// Subgradient steps of a bound that is not asked for.
const CROWN_STEPS: usize = 30;

/// Of some bounds, in their order, those that together take a second or two, the cheapest first, and those that are left
/// out. The cheapest one holds in any case.
pub(super) fn affordable(bounds: &[Bound], work: impl Fn(Bound) -> f64) -> (Vec<Bound>, Vec<Bound>) {
    let mut costs: Vec<(f64, Bound)> = bounds.iter().map(|bound| (work(*bound), *bound)).collect();
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut spent = 0.0;
    let chosen: Vec<Bound> = costs
        .iter()
        .enumerate()
        .take_while(|(at, (cost, _))| {
            spent += cost;
            *at == 0 || spent <= WORK
        })
        .map(|(_, (_, bound))| *bound)
        .collect();
    bounds.iter().partition(|bound| chosen.contains(bound))
}

/// Floating-point operations that a bound takes on all hidden layers, about.
fn work(original: &Head, pruned: &Head, bound: Bound) -> f64 {
    let size = |layer: &HeadLayer| layer.weight.matrix_shape();
    let pairs = original.layers.iter().zip(&pruned.layers);
    let next = original.layers.iter().skip(1);
    let of_layer = |((mine, other), next): ((&HeadLayer, &HeadLayer), &HeadLayer)| {
        let ([n, d], [k, _], [m, _]) = (size(mine), size(other), size(next));
        layer_work([n, k, m, d], bound)
    };
    pairs.zip(next).map(of_layer).sum()
}

/// The same for one layer: `n` neurons and `k` in their place, that read `d` values and are read by `m` neurons.
pub(super) fn layer_work(sizes: [usize; 4], bound: Bound) -> f64 {
    let [n, k, m, d] = sizes.map(|size| size as f64);
    let neurons = n + k;
    match bound {
        Bound::Triangle => 2.0 * neurons * m,
        Bound::ZonotopeShares | Bound::ZonotopeSums => 4.0 * neurons * m * d,
        Bound::Pair | Bound::Half => 24.0 * neurons * (m + k) * d,
        Bound::Crown => 8.0 * CROWN_STEPS as f64 * m * neurons * d,
        // The products of the primal, and a few factorisations; eight programs, of signs and without neurons of one sign.
        Bound::Sdp => 8.0 * m * neurons * neurons * (SDP_SWEEPS + 2.0 * neurons),
    }
}

/// Operations for each entry of the Gram matrix in the sweeps of the semidefinite bound.
const SDP_SWEEPS: f64 = 2000.0;
