//! A whole structured run: reduce, and measure before and after.

use super::UnitOptions;
use super::budget::reduce_to_parameters;
use super::walk::{Walked, reduce_units};
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
}

/// Reduces the layers of a network, to at most so many `parameters` if they are given, and measures it on data.
///
/// # Errors
///
/// As [`reduce_units`].
#[expect(clippy::too_many_arguments, reason = "what a run is made of")]
pub fn prune_units<B: Backend>(
    backend: &B,
    network: &Network,
    data: Option<Data<'_>>,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    parameters: Option<u64>,
    verify: bool,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<UnitOutcome> {
    // Data that the whole network does not take are features for its head, whose inputs have to stay.
    let head = data.and_then(|data| head_for(network, data.inputs.shape()[1]));
    let features = head.is_some_and(|head| !head.whole);
    let options = UnitOptions { head_only: options.head_only || features, ..options.clone() };
    let walked = timing.phase("reduce", || match parameters {
        Some(most) => reduce_to_parameters(backend, network, calibration, &options, most),
        None => reduce_units(backend, network, calibration, &options, observer),
    })?;
    let accuracy =
        data.map(|data| evaluate_network(backend, &walked.network, Some(network), data, timing)).transpose()?;
    let check = |network: &Network| check_network(backend, network, data, options.seed);
    let both = || Ok::<_, crate::Error>([check(network)?, check(&walked.network)?]);
    let verification = verify.then(|| timing.phase("verify", both)).transpose()?;
    Ok(UnitOutcome { walked, accuracy, verification })
}
