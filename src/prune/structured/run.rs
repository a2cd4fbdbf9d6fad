//! A whole structured run: reduce, and measure before and after.

use super::UnitOptions;
use super::walk::{Walked, reduce_units};
use crate::backend::Backend;
use crate::error::Result;
use crate::network::{Head, Network};
use crate::prune::{Accuracy, Data, LogitCheck, Observer, Timing, check_sample, evaluate};

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

/// Reduces the layers of a network and measures it on data.
///
/// # Errors
///
/// As [`reduce_units`].
pub fn prune_units<B: Backend>(
    backend: &B,
    network: &Network,
    data: Option<Data<'_>>,
    options: &UnitOptions,
    verify: bool,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<UnitOutcome> {
    let walked = timing.phase("reduce", || reduce_units(backend, network, options, observer))?;
    let heads = [Head::of(network)?, Head::of(&walked.network)?];
    let accuracy = data.map(|data| evaluate(backend, &heads[1], Some(&heads[0]), data, timing)).transpose()?;
    let check = |head| check_sample(backend, head, data, options.seed);
    let verification = verify
        .then(|| timing.phase("verify", || Ok::<_, crate::Error>([check(&heads[0])?, check(&heads[1])?])))
        .transpose()?;
    Ok(UnitOutcome { walked, accuracy, verification })
}
