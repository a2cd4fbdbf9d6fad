//! One layer by one method.

use super::linkage::Linkage;
use super::merge::{Gauge, Representative, merge_paths, merge_tree, merge_zonotopes};
use super::moments::Moments;
use super::signal::Signal;
use super::{UnitMethod, UnitOptions, cup, greedy, select, sm, thinet};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Pair, Reduced};

/// What a method may look at beside the weights.
pub(super) struct Seen<'a, B: Backend> {
    pub(super) signal: Option<&'a Signal<B>>,
    pub(super) moments: Option<&'a Moments>,
    /// Weights of a unit for each input channel.
    pub(super) kernel: usize,
}

/// One pair with `keep` units.
pub(super) fn reduce<B: Backend>(
    backend: &B,
    pair: &Pair,
    keep: usize,
    seen: &Seen<'_, B>,
    options: &UnitOptions,
) -> Result<Reduced> {
    let missing = || Error::Internal { what: "a method that looks at what flows, without moments".to_owned() };
    let moments = || seen.moments.ok_or_else(missing);
    let refined =
        |gauge, representative, outer| merge_paths(backend, pair, keep, gauge, representative, outer, options.seed);
    let paths = |gauge, representative| refined(gauge, representative, false);
    let vertices = |version| sm::sm(backend, pair, seen.signal.ok_or_else(missing)?, keep, version, options.seed);
    let one_output = pair.next.nrows() * pair.block() == 1;
    let scores = match options.method {
        UnitMethod::Tropnnc | UnitMethod::TropnncRaw if one_output => {
            return merge_zonotopes(backend, pair, keep, Representative::Sum, options.seed);
        }
        UnitMethod::Tropnnc => return paths(Gauge::Balanced, Representative::Sum),
        UnitMethod::TropnncRaw => return paths(Gauge::Raw, Representative::Sum),
        UnitMethod::TropnncNet => return paths(Gauge::Balanced, Representative::Net),
        UnitMethod::TropnncNetRaw => return paths(Gauge::Raw, Representative::Net),
        UnitMethod::TropnncNetOuter => return refined(Gauge::Balanced, Representative::Net, true),
        UnitMethod::TropnncSplit => return paths(Gauge::Balanced, Representative::Split),
        UnitMethod::TropnncSplitRaw => return paths(Gauge::Raw, Representative::Split),
        UnitMethod::TropnncSplitOuter => return refined(Gauge::Balanced, Representative::Split, true),
        UnitMethod::TropnncThreshold | UnitMethod::TropnncAverage => {
            let linkage = if options.method == UnitMethod::TropnncAverage { Linkage::Average } else { Linkage::Ward };
            return merge_tree(pair, keep, linkage, Representative::Split);
        }
        UnitMethod::Sm => return vertices(sm::Version::Heuristic),
        UnitMethod::SmStable => return vertices(sm::Version::Stable),
        UnitMethod::MisiakosPath => return paths(Gauge::Raw, Representative::Mean),
        UnitMethod::MisiakosZonotope => {
            return merge_zonotopes(backend, pair, keep, Representative::Mean, options.seed);
        }
        UnitMethod::Cup => return Ok(cup::cup(pair, keep, seen.kernel)),
        UnitMethod::Thinet => return Ok(thinet::thinet(pair, &[thinet::Read::values(pair, moments()?)], keep)),
        UnitMethod::GreedyGaussian => {
            let mut chosen = greedy::select_greedily(moments()?, keep).order;
            chosen.sort_unstable();
            return Ok(pair.select(&chosen));
        }
        UnitMethod::PathL2 => select::path_l2(pair),
        UnitMethod::L1 => select::l1(pair),
        UnitMethod::TropicalRows => select::tropical_rows(backend, pair)?,
        UnitMethod::RandomNeurons => select::random(pair, options.seed),
        UnitMethod::SynthRefit => return Err(Error::Internal { what: "a refit without inputs".to_owned() }),
    };
    Ok(pair.select(&select::largest(&scores, keep)))
}
