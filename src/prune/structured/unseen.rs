//! The inputs that refits of a run are judged by.

use ndarray::Array2;

use super::options::Refit;
use super::{UnitMethod, UnitOptions};
use crate::backend::RowSource;
use crate::error::Result;
use crate::network::{Head, Network};
use crate::prune::synth::{HeldSynthetic, Parted, Rows};

/// Inputs that no fit of a run sees.
pub(super) enum Unseen<'p> {
    /// Samples that are kept from it.
    Held(&'p Rows<'p>),
    /// Synthetic inputs behind those that it sees.
    Made(HeldSynthetic),
    /// Draws from the prior.
    Drawn(Array2<f32>),
}

impl<'p> Unseen<'p> {
    /// Those of a run that fits to samples in two parts, or to the first `seen` synthetic inputs; none where nothing is
    /// refitted.
    ///
    /// # Errors
    ///
    /// As [`Prior::moments`](super::Prior) for a prior that the inputs of the network do not have.
    pub(super) fn of(
        network: &Network,
        parted: Option<&'p Parted<'p>>,
        seen: Option<usize>,
        options: &UnitOptions,
    ) -> Result<Option<Self>> {
        match (options.refit, parted, seen) {
            (Refit::Data, Some(parted), _) => Ok(Some(Self::Held(&parted.held))),
            (Refit::Gaussian, ..) => {
                let width =
                    if options.head_only { Head::of(network)?.inputs() } else { network.input.iter().product() };
                let draws = options.prior.moments(network, width)?.draws(options.seed)?;
                Ok(Some(Self::Drawn(draws)))
            }
            (Refit::None, _, Some(seen)) if options.method == UnitMethod::SynthRefit => {
                HeldSynthetic::new(network, options.synth.prior, seen, options.seed).map(|held| Some(Self::Made(held)))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn rows(&self) -> &dyn RowSource {
        match self {
            Self::Held(rows) => *rows,
            Self::Made(rows) => rows,
            Self::Drawn(rows) => rows,
        }
    }
}
