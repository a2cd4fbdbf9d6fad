//! A whole structured run: reduce, and measure before and after.

use super::UnitOptions;
use super::budget::{Allocation, UnitTarget, reduce_to};
use super::outcome::{OutcomeCheck, check_outcome};
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
}

/// Reduces the layers of a network to what a target asks for and measures it on data.
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
    let accuracy =
        data.map(|data| evaluate_network(backend, &walked.network, Some(network), data, timing)).transpose()?;
    let check = |network: &Network| check_network(backend, network, data, options.seed);
    let both = || Ok::<_, crate::Error>([check(network)?, check(&walked.network)?]);
    let verification = verify.then(|| timing.phase("verify", both)).transpose()?;
    let again = || check_outcome(network, &mut walked, data, calibration, &options);
    let outcome = if verify { timing.phase("verify", again)? } else { None };
    Ok(UnitOutcome { walked, accuracy, verification, outcome })
}
