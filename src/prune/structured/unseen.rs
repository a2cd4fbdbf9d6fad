//! The inputs that refits of a run are judged by.

use ndarray::Array2;

use super::options::Refit;
use super::prior::{InputMoments, Prior};
use super::{UnitMethod, UnitOptions};
use crate::backend::RowSource;
use crate::error::Result;
use crate::network::{Head, Network};
use crate::prune::synth::{self, DRAWN, HeldSynthetic, Parted, Rows};

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
    /// Bytes of values of some of them that are on the device together.
    pub(super) const BYTES: usize = 64 << 20;

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
                let head = if options.head_only { Some(Head::of(network)?) } else { None };
                let moments = match &head {
                    Some(head) => options.prior.moments(network, head.input(network)?, head.inputs()),
                    None => options.prior.moments(network, Network::INPUT, network.input.iter().product()),
                };
                let draws = moments?.draws(DRAWN, options.seed, "unseen")?;
                Ok(Some(Self::Drawn(draws)))
            }
            (Refit::None, _, Some(seen)) if options.method == UnitMethod::SynthRefit => {
                HeldSynthetic::new(network, options.synth.prior, seen, options.seed).map(|held| Some(Self::Made(held)))
            }
            _ => Ok(None),
        }
    }

    /// Inputs of a second prior for a run without data: another one than the first where there is one, else the first at half
    /// its spread, since what is far from the mean is what a prior knows least.
    ///
    /// # Errors
    ///
    /// As [`Unseen::of`].
    pub(super) fn second(network: &Network, options: &UnitOptions) -> Result<Option<Self>> {
        let drawn = |moments: InputMoments| Ok(Some(Self::Drawn(moments.draws(DRAWN, options.seed, "second")?)));
        let inputs = || network.input.iter().product();
        if options.refit == Refit::Gaussian {
            let head = if options.head_only { Some(Head::of(network)?) } else { None };
            let (value, width) = match &head {
                Some(head) => (head.input(network)?, head.inputs()),
                None => (Network::INPUT, inputs()),
            };
            return match &options.prior {
                Prior::Iso | Prior::Image => drawn(Prior::Arrangement.moments(network, value, width)?),
                prior => drawn(prior.moments(network, value, width)?.halved()),
            };
        }
        if options.refit != Refit::None || options.method != UnitMethod::SynthRefit {
            return Ok(None);
        }
        // A fifth of these.
        let made = |prior| {
            HeldSynthetic::new(network, Some(prior), 5 * DRAWN, options.seed).map(|held| Some(Self::Made(held)))
        };
        match options.synth.prior.unwrap_or_else(|| synth::Prior::of(network)) {
            synth::Prior::Leaves | synth::Prior::Natural => made(synth::Prior::Fields),
            synth::Prior::Fields => made(synth::Prior::Leaves),
            synth::Prior::Arrangement => drawn(Prior::Arrangement.moments(network, Network::INPUT, inputs())?.halved()),
            synth::Prior::Gaussian | synth::Prior::Mixed => {
                drawn(Prior::Arrangement.moments(network, Network::INPUT, inputs())?)
            }
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
