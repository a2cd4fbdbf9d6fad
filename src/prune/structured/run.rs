//! A whole structured run: reduce, and measure before and after.

use super::UnitOptions;
use super::budget::{Allocation, UnitTarget, reduce_to};
use super::outcome::{OutcomeCheck, check_outcome};
use super::rivals::{Rivals, against_rivals};
use super::walk::Walked;
use crate::backend::{Backend, RowSource};
use crate::error::Result;
use crate::network::{Network, head_for};
use crate::prune::{Accuracy, Data, LogitCheck, Observer, Timing, check_network, evaluate_network};

/// What came of a structured run.
#[derive(Debug)]
pub struct UnitOutcome {
    /// The plan, the new network, and what became of each layer.
    pub walked: Walked,
    /// Accuracy before and after, if data were given.
    pub accuracy: Option<Accuracy>,
    /// Logits before and after against the reference, if asked for.
    pub verification: Option<[LogitCheck; 2]>,
    /// The network beside that of a run with the reference, if asked for, where something is refitted and the reference can
    /// do it within about a minute.
    pub outcome: Option<OutcomeCheck>,
    /// The network beside those of simpler methods, where refits rest on a prior.
    pub rivals: Option<Rivals>,
}

/// Reduces the layers of a network to what a target asks for and measures it on data.
///
/// Without data the network of a simpler method takes its place if that is ahead on inputs unseen, see [`Rivals`]; not where a
/// bound of the error is asked for, which is one of this network.
///
/// # Errors
///
/// As [`reduce_to`].
#[expect(clippy::too_many_arguments, reason = "what a run is made of")]
pub fn prune_units<B: Backend>(
    backend: &B,
    network: &Network,
    data: Option<Data<'_>>,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    (target, allocation): (UnitTarget<'_>, Allocation<'_>),
    verify: bool,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<UnitOutcome> {
    // Data that the whole network does not take are features for its head, whose inputs have to stay.
    let head = data.and_then(|data| head_for(network, data.inputs.shape()[1]));
    let features = head.is_some_and(|head| !head.whole);
    let options = UnitOptions { head_only: options.head_only || features, ..options.clone() };
    let reduce = || reduce_to(backend, network, calibration, &options, target, allocation, observer);
    let mut walked = timing.phase("reduce", reduce)?;
    let compare = || against_rivals(backend, network, &mut walked, &options);
    let rivals = if let UnitTarget::Error { .. } = target { None } else { timing.phase("compare", compare)? };
    let replaced = rivals.as_ref().is_some_and(|rivals| rivals.written.is_some());
    let accuracy =
        data.map(|data| evaluate_network(backend, &walked.network, Some(network), data, timing)).transpose()?;
    let check = |network: &Network| check_network(backend, network, data, options.seed);
    let both = || Ok::<_, crate::Error>([check(network)?, check(&walked.network)?]);
    let verification = verify.then(|| timing.phase("verify", both)).transpose()?;
    let again = || check_outcome(network, &mut walked, data, calibration, &options);
    let outcome = if verify && !replaced { timing.phase("verify", again)? } else { None };
    Ok(UnitOutcome { walked, accuracy, verification, outcome, rivals })
}
