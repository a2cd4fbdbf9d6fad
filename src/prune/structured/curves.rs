//! What it costs to keep `k` units of a layer, for every `k`: the kernel loss of each layer by itself.

use super::UnitOptions;
use super::greedy::select_greedily;
use super::moments::number;
use super::signal::Signal;
use super::walk::{refitter, samples_or_prior};
use crate::backend::{Backend, RowSource};
use crate::error::Result;
use crate::network::{Network, Op, Pair, Site};

/// For each layer the share of the next layer's variance that the best fit on `k` greedily chosen units leaves, for `k` from
/// none to all, in the network as it is.
///
/// A share of variance is the same in front of the next layer and at the logits, as far as the layers between carry error
/// and signal alike. Linear layers are looked at over the prior of the options or over their samples (greedy selection by
/// pivoted Cholesky); where there are convolutions, over synthetic or calibration inputs (greedy selection by blocks).
pub(super) fn losses<B: Backend>(
    backend: &B,
    network: &Network,
    sites: &[Site],
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
) -> Result<Vec<Vec<(usize, f64)>>> {
    let convolves = network.nodes.iter().any(|node| matches!(node.op, Op::Conv { .. }));
    if convolves {
        let all: Vec<usize> = sites.iter().map(Site::units).collect();
        let mut refitter = refitter(backend, network, sites, &all, calibration, options)?;
        let curve = |site: &Site| {
            let pair = Pair::read(network, site)?;
            let (_, done) = refitter.select(network, &pair, pair.units())?;
            Ok(shares(done.variance, std::iter::once(done.variance).chain(done.curve)))
        };
        return sites.iter().map(curve).collect();
    }
    let mut signal: Option<Signal<B>> = None;
    let mut curves = Vec::new();
    for (at, site) in sites.iter().enumerate() {
        let pair = Pair::read(network, site)?;
        let follows = at.checked_sub(1).and_then(|at| sites.get(at)).is_some_and(|before| before.feeds(&site.layer));
        let entering = match signal.take().filter(|_| follows) {
            Some(signal) => signal,
            None => samples_or_prior(backend, network, calibration.filter(|_| at == 0), options, &site.layer)?,
        };
        let moments = entering.moments(backend, &pair, &pair, None)?;
        curves.push(shares(moments.target_variance, select_greedily(&moments, pair.units()).loss));
        signal = Some(entering.advance(backend, &pair, (pair.rows.view(), &pair.bias), &moments)?);
    }
    Ok(curves)
}

/// Losses in units of the variance.
fn shares(variance: f64, losses: impl IntoIterator<Item = f64>) -> Vec<(usize, f64)> {
    let share = |loss: f64| if variance > 0.0 { loss / variance } else { 0.0 };
    losses.into_iter().map(share).enumerate().collect()
}

/// Numbers of units at which a layer is tried where every trial is a run: all, and fewer and fewer.
pub(super) fn trials(units: usize, least: usize) -> Vec<usize> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of units that is far below 2^53"
    )]
    let of = |share: f64| ((share * number(units)).round() as usize).clamp(least.max(1).min(units), units);
    let mut tried: Vec<usize> = [0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0].into_iter().map(of).collect();
    tried.dedup();
    tried
}
