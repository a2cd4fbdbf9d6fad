//! How many units each layer keeps.

use serde::Serialize;

use super::UnitOptions;
use super::linkage::{Linkage, Tree};
use super::merge::{Gauge, Generators};
use super::moments::number;
use crate::error::{Error, Result};
use crate::network::{Network, Pair, Site};

/// How many units of a layer stay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// A share of them, 0 to 1, to the nearest unit.
    Share(f64),
    /// This many.
    Units(usize),
}

/// How many units of one layer stay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerKeep {
    /// Name of the node.
    pub layer: String,
    /// How many.
    pub keep: Keep,
}

/// The nearest multiple of `step` to `units`, at least `least` and at most `most`; all of them where `most` is asked for.
fn rounded(units: usize, step: usize, least: usize, most: usize) -> usize {
    let step = step.max(1);
    let nearest = if units >= most { most } else { (units + step / 2) / step * step };
    nearest.max(step).max(least.div_ceil(step) * step).min(most)
}

impl Keep {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of units that is far below 2^53"
    )]
    fn of(self, site: &Site) -> Result<usize> {
        match self {
            Self::Share(share) if (0.0..=1.0).contains(&share) => Ok((share * site.units() as f64).round() as usize),
            Self::Share(share) => {
                Err(Error::Argument { argument: "keep", problem: format!("{share} does not lie between 0 and 1") })
            }
            Self::Units(units) if units <= site.units() => Ok(units),
            Self::Units(units) => {
                let problem = format!("{units} units of `{}`, which has {}", site.layer, site.units());
                Err(Error::Argument { argument: "layer", problem })
            }
        }
    }
}

/// The number of units that each layer keeps.
///
/// # Errors
///
/// [`Error::Argument`] for a share outside 0..=1, for more units than a layer has, and for a layer that is not among
/// `sites`.
pub(super) fn keeps(sites: &[Site], options: &UnitOptions) -> Result<Vec<usize>> {
    for wanted in &options.layers {
        if !sites.iter().any(|site| site.layer == wanted.layer) {
            let names: Vec<&str> = sites.iter().map(|site| site.layer.as_str()).collect();
            let problem = format!("no prunable layer `{}`; there are: {}", wanted.layer, names.join(", "));
            return Err(Error::Argument { argument: "layer", problem });
        }
    }
    let keep = |site: &Site| {
        let own = options.layers.iter().rev().find(|wanted| wanted.layer == site.layer);
        let units = own.map_or(options.keep, |wanted| wanted.keep).of(site)?;
        Ok(rounded(units, options.round_to, options.min_keep.max(1), site.units()))
    };
    sites.iter().map(keep).collect()
}

/// As many units in all as `keeps`, so divided that the trees of all layers are cut at one distance, in units of the
/// root-mean-square norm of the layer's paths.
pub(super) fn one_threshold(
    network: &Network,
    sites: &[Site],
    keeps: &[usize],
    linkage: Linkage,
) -> Result<Vec<usize>> {
    let mut merges: Vec<(f64, usize)> = Vec::new();
    for (layer, site) in sites.iter().enumerate() {
        let paths = Generators::new(&Pair::read(network, site)?, Gauge::Balanced).paths()?;
        let square: f64 = paths.iter().map(|value| value * value).sum();
        let size = (square / number(site.units().max(1))).sqrt().max(f64::MIN_POSITIVE);
        merges.extend(Tree::new(&paths, linkage).distances().map(|distance| (distance / size, layer)));
    }
    merges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut units: Vec<usize> = sites.iter().map(Site::units).collect();
    let go = units.iter().sum::<usize>() - keeps.iter().sum::<usize>();
    merges.iter().take(go).for_each(|(_, layer)| units[*layer] -= 1);
    Ok(units)
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn numbers_of_units_are_multiples_unless_all_stay() {
        assert_eq!([rounded(20, 8, 1, 50), rounded(3, 8, 1, 50), rounded(50, 8, 1, 50)], [24, 8, 50]);
        assert_eq!([rounded(20, 1, 1, 50), rounded(0, 1, 1, 50), rounded(0, 1, 3, 50)], [20, 1, 3]);
        // Eight units cannot be had of five.
        assert_eq!(rounded(2, 8, 1, 5), 5);
    }
}
