//! What reads units in the original network: what a refit aims at.

use std::borrow::Cow;

use ndarray::{Array2, Axis};

use super::refitter::Refitter;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Network, Op, Pair, Site, UnitStep};

/// Weights and biases of what reads a pair.
type Next<'p> = (Cow<'p, Array2<f32>>, Cow<'p, [f32]>);

impl<B: Backend> Refitter<'_, B> {
    /// Takes note of a step: what is left of the layers that give its units is what they are fitted to from now on.
    pub fn note(&mut self, step: &UnitStep) {
        let mut sources: Vec<Option<usize>> = vec![None; step.reduced.units()];
        for (old, new) in step.reduced.assignment.iter().enumerate() {
            if let Some(source) = new.and_then(|new| sources.get_mut(new)) {
                source.get_or_insert(old);
            }
        }
        for (layer, _) in step.site.writers() {
            let before = self.outputs.get(layer);
            let now = sources.iter().flatten().filter_map(|old| match before {
                Some(before) => before.get(*old).copied(),
                None => Some(*old),
            });
            let now = now.collect();
            self.outputs.insert(layer.to_owned(), now);
        }
    }

    /// The site of a pair in the original network, with the readers of the pair.
    pub(super) fn original_site(&self, pair: &Pair) -> Result<Site> {
        let same = |site: &&Site| site.layer == pair.site.layer && site.tied == pair.site.tied;
        let missing = || Error::Internal { what: format!("no layer `{}` in the original network", pair.site.layer) };
        let site = self.sites.iter().find(same).ok_or_else(missing)?;
        Ok(site.read_by(|node| pair.site.readers.iter().any(|reader| reader.node == node)))
    }

    /// What reads the units of a pair in the original network, with the rows of outputs that are left.
    pub(super) fn original_next<'p>(&self, current: &Network, pair: &'p Pair) -> Result<Next<'p>> {
        let site = self.original_site(pair)?;
        if site.readers == pair.site.readers && Pair::same_next(self.original, current, &site) {
            return Ok((Cow::Borrowed(&pair.next), Cow::Borrowed(&pair.next_bias)));
        }
        let (next, bias) = self.read_original(pair)?;
        Ok((Cow::Owned(next), Cow::Owned(bias)))
    }

    pub(super) fn read_original(&self, pair: &Pair) -> Result<(Array2<f32>, Vec<f32>)> {
        let site = self.original_site(pair)?;
        let (next, bias) = Pair::read_next(self.original, &site)?;
        if !site.readers.iter().any(|reader| self.outputs.contains_key(&reader.node)) {
            return Ok((next, bias));
        }
        let (mut rows, mut first) = (Vec::new(), 0);
        for reader in &site.readers {
            let count = units(self.original, &reader.node)?;
            match self.outputs.get(&reader.node) {
                Some(left) => rows.extend(left.iter().map(|row| first + row)),
                None => rows.extend(first..first + count),
            }
            first += count;
        }
        Ok((next.select(Axis(0), &rows), rows.iter().map(|row| bias[*row]).collect()))
    }
}

/// Outputs of a layer.
pub(super) fn units(network: &Network, name: &str) -> Result<usize> {
    match &network.node(name)?.op {
        Op::Linear { weight, .. } | Op::Conv { weight, .. } => Ok(weight.matrix_shape()[0]),
        op => Err(Error::Internal { what: format!("`{name}` ({}) has no units", op.name()) }),
    }
}
