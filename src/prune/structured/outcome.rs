//! Whether a refitted network is the one that the reference leaves.

use serde::Serialize;

use super::moments::number;
use super::walk::{Walked, prunable, reduce_units};
use super::{Keep, LayerKeep, Refit, UnitMethod, UnitOptions};
use crate::backend::{Backend, Reference, RowSource};
use crate::error::Result;
use crate::network::{Classifier, DeviceClassifier, Network};
use crate::prune::Data;
use crate::prune::verify::sample;

/// The root-mean-square difference, relative to the logits, that the rounding of f32 sums may leave behind a refit.
const TOLERANCE: f64 = 0.05;

/// Multiply-adds, to the order of magnitude, that the reference is asked for at most: about a minute.
const WORK: f64 = 3e10;

/// Inputs over which outcomes are compared.
const SAMPLES: usize = 64;

/// A refitted network beside the one of a run with the reference.
#[derive(Debug, Clone, Serialize)]
pub struct OutcomeCheck {
    /// Inputs over which logits are compared.
    pub samples: usize,
    /// Root-mean-square difference of the logits, relative to their root mean square.
    pub difference: f64,
    /// What is allowed.
    pub tolerance: f64,
}

impl OutcomeCheck {
    /// Whether the outcomes agree.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.difference <= self.tolerance
    }
}

/// Runs the reference with as many units in each layer and compares logits; nothing where nothing is refitted, or, with a
/// note, where that would take the reference long.
pub(super) fn check_outcome(
    network: &Network,
    walked: &mut Walked,
    data: Option<Data<'_>>,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
) -> Result<Option<OutcomeCheck>> {
    let refits = options.refit != Refit::None || options.method == UnitMethod::SynthRefit;
    if !refits {
        return Ok(None);
    }
    let work = work(network, options)?;
    if work > WORK {
        walked.notes.push(format!(
            "the reference did not run again: that is about {work:.0e} multiply-adds, and {WORK:.0e} are taken at most"
        ));
        return Ok(None);
    }
    let kept = |layer: &super::UnitLayer| LayerKeep { layer: layer.name.clone(), keep: Keep::Units(layer.after) };
    let layers = walked.layers.iter().map(kept).collect();
    let options = UnitOptions { layers, round_to: 1, min_keep: 1, ..options.clone() };
    let reference = Reference::new();
    let exact = reduce_units(&reference, network, calibration, &options, &())?.network;
    let width = data.map_or_else(|| network.input.iter().product(), |data| data.inputs.shape()[1]);
    let inputs = reference.upload(&sample(width, SAMPLES, data, options.seed)?)?;
    let logits = |network: &Network| {
        let classifier = DeviceClassifier::upload(&reference, network, width)?;
        reference.download(&classifier.logits(&reference, &inputs)?)
    };
    let (found, wanted) = (logits(&walked.network)?, logits(&exact)?);
    let squares = |values: &ndarray::Array2<f64>| values.iter().map(|value| value * value).sum::<f64>();
    let (missed, all) = (squares(&(&found - &wanted)), squares(&wanted));
    let difference = if missed == 0.0 { 0.0 } else { (missed / all).sqrt() };
    // What is no number agrees with nothing.
    let difference = if difference.is_nan() { f64::INFINITY } else { difference };
    Ok(Some(OutcomeCheck { samples: wanted.nrows(), difference, tolerance: TOLERANCE }))
}

/// The multiply-adds of a run: covariances of what next layers read, over some thousand rows, and passes of a thousand
/// inputs.
fn work(network: &Network, options: &UnitOptions) -> Result<f64> {
    let (sites, _) = prunable(network, options)?;
    let covariances: f64 = sites.iter().map(|site| number(site.units() * site.block()).powi(2)).sum();
    #[expect(clippy::cast_precision_loss, reason = "an order of magnitude")]
    let pass = network.multiply_adds().unwrap_or(0) as f64;
    Ok(8192.0 * covariances + 1000.0 * pass)
}
