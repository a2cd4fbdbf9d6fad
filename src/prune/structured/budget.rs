//! The share of units that meets a budget, by bisection over runs.

use super::walk::{Walked, reduce_units};
use super::{Keep, UnitOptions};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::Network;

/// Steps of the bisection: shares are met to 1 / 4096.
const STEPS: u32 = 12;

/// The largest share of units whose network has at most `most` parameters, biases counted.
///
/// # Errors
///
/// [`Error::Unsupported`] if even the smallest network has more; as [`reduce_units`].
pub fn reduce_to_parameters<B: Backend>(
    backend: &B,
    network: &Network,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    most: u64,
) -> Result<Walked> {
    let count = |walked: &Walked| walked.network.tensors().map(|tensor| tensor.len() as u64).sum::<u64>();
    let run = |share: f64| {
        let options = UnitOptions { keep: Keep::Share(share), ..options.clone() };
        reduce_units(backend, network, calibration, &options, &())
    };
    let all = run(1.0)?;
    if count(&all) <= most {
        return Ok(all);
    }
    let mut best = run(0.0)?;
    if count(&best) > most {
        let problem = format!("the smallest network has {} parameters, more than {most}", count(&best));
        return Err(Error::Unsupported { problem });
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        let found = run(middle)?;
        if count(&found) <= most {
            (low, best) = (middle, found);
        } else {
            high = middle;
        }
    }
    Ok(best)
}

/// The smallest share of units whose error, as `bound` puts it, is at most `most`.
///
/// # Errors
///
/// What `bound` returns; as [`reduce_units`].
pub fn reduce_to_error<B: Backend>(
    backend: &B,
    network: &Network,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    most: f64,
    bound: &dyn Fn(&Walked) -> Result<f64>,
) -> Result<Walked> {
    let run = |share: f64| {
        let options = UnitOptions { keep: Keep::Share(share), ..options.clone() };
        reduce_units(backend, network, calibration, &options, &())
    };
    let mut best = run(1.0)?;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        let found = run(middle)?;
        if bound(&found)? <= most {
            (high, best) = (middle, found);
        } else {
            low = middle;
        }
    }
    Ok(best)
}
