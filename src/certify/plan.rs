//! The certificate that a report of pruning holds.

use serde::Serialize;

use super::block::Pairing;
use super::depth::{HeadCertificate, head_bound};
use super::layer::{Bound, BoundOptions};
use super::run::{LayerOutcome, summary};
use crate::error::Result;
use crate::network::{AppliedLayer, Head, HeadLayer, UnitPlan};

/// Floating-point operations, about, that a bound of a report may take unless it is asked for: a second or two.
const WORK: f64 = 6e10;

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
    let wanted = bounds.map_or_else(|| Bound::ALL.to_vec(), <[Bound]>::to_vec);
    let quick = |bound: &Bound| bounds.is_some() || work(original, pruned, *bound) <= WORK;
    let (used, left): (Vec<Bound>, Vec<Bound>) = wanted.into_iter().partition(quick);
    // One of them holds in any case.
    let used = if used.is_empty() { vec![Bound::Triangle] } else { used };
    let crown_steps = if bounds.is_some() { BoundOptions::default().crown_steps } else { CROWN_STEPS };
    let options = BoundOptions { bounds: used, crown_steps, ..BoundOptions::default() };
    let head = head_bound(original, pruned, radius, Some(pairings), &options)?;
    let errors = head.errors(radius);
    Ok(PruneCertificate {
        radius,
        error: errors.iter().copied().fold(0.0, f64::max),
        errors,
        layers: head.layers.iter().map(|step| summary(step, Vec::new())).collect(),
        left_out: left.into_iter().filter(|bound| !options.bounds.contains(bound)).map(Bound::name).collect(),
    })
}

/// Subgradient steps of a bound that is not asked for.
const CROWN_STEPS: usize = 30;

/// Floating-point operations that a bound takes on all hidden layers, about.
fn work(original: &Head, pruned: &Head, bound: Bound) -> f64 {
    let size = |layer: &HeadLayer| layer.weight.matrix_shape().map(|length| length as f64);
    let pairs = original.layers.iter().zip(&pruned.layers);
    let next = original.layers.iter().zip(&pruned.layers).skip(1);
    pairs
        .zip(next)
        .map(|((mine, other), (_, next))| {
            let ([n, d], [k, _], [m, _]) = (size(mine), size(other), size(next));
            let neurons = n + k;
            match bound {
                Bound::Triangle => 2.0 * neurons * m,
                Bound::ZonotopeShares | Bound::ZonotopeSums => 4.0 * neurons * m * d,
                Bound::Pair | Bound::Half => 24.0 * neurons * (m + k) * d,
                Bound::Crown => 8.0 * CROWN_STEPS as f64 * m * neurons * d,
                // The products of the primal, and a few factorisations.
                Bound::Sdp => m * neurons * neurons * (SDP_SWEEPS + 2.0 * neurons),
            }
        })
        .sum()
}

/// Operations for each entry of the Gram matrix in the sweeps of the semidefinite bound.
const SDP_SWEEPS: f64 = 2000.0;
