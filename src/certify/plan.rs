//! The certificate of a structured plan.

use super::block::Pairing;
use super::depth::{HeadCertificate, head_bound};
use super::layer::{Bound, BoundOptions};
use crate::error::Result;
use crate::network::{Head, UnitPlan};

impl Pairing {
    /// The pairings of the hidden layers of a head under a plan: what its steps say of each unit, one after the other.
    #[must_use]
    pub fn of_plan(head: &Head, plan: &UnitPlan) -> Vec<Self> {
        let hidden = head.layers.len().saturating_sub(1);
        let pairing = |layer: &crate::network::HeadLayer| {
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
