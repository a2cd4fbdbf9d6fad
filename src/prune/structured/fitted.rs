//! Layers whose readers are refitted in networks side by side.

use super::UnitMethod;
use super::greedy;
use super::lossless::Lossless;
use super::prior::Prior;
use super::reduce::{Seen, reduce};
use super::signal::{Signal, kept_units, narrow};
use super::walk::{UnitLayer, Walk};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Pair, Reduced, Site, StepKind, UnitStep, apply_step};
use crate::prune::synth::{RefitForm, UnitRefit};

/// Outputs of the next layer that greedy selection looks at in closed form; more are mixed to so many.
const SKETCH: usize = 512;

impl<B: Backend> Walk<'_, B> {
    /// One layer by `synth-refit`, or by the choice of another method and its refit; in closed form where inputs are too scarce for samples of its neurons.
    pub(super) fn fitted(&mut self, site: &Site, pair: Pair, keep: usize, scarce: bool) -> Result<()> {
        let mut layer = UnitLayer {
            name: site.layer.clone(),
            tied: site.tied.iter().map(|tied| tied.layer.clone()).collect(),
            next: site.next(),
            before: pair.units(),
            lossless: Lossless::default(),
            after: pair.units(),
            loss: None,
            refit: None,
        };
        if keep < pair.units() {
            let kernel = self.kernel(&site.layer)?;
            let (reduced, done) = match &mut self.refitter {
                _ if scarce => self.closed_form(&pair, keep)?,
                Some(refitter) if self.options.method == UnitMethod::SynthRefit => {
                    refitter.select(&self.walked.network, &pair, keep)?
                }
                Some(refitter) => {
                    let seen = Seen { signal: None, moments: None, kernel };
                    let chosen = reduce(self.backend, &pair, keep, &seen, self.options)?;
                    let changed = || Error::Internal { what: "a choice that changes units".to_owned() };
                    refitter.refit(&self.walked.network, &pair, &kept_units(&pair, &chosen).ok_or_else(changed)?)?
                }
                None => return Err(Error::Internal { what: "a refit without inputs".to_owned() }),
            };
            (layer.after, layer.refit) = (reduced.units(), Some(done));
            let step = UnitStep { site: pair.site.clone(), kind: StepKind::Approximate, reduced };
            drop(pair);
            self.step(step)?;
            if !site.tied.is_empty() {
                self.along_the_trunk(&site.with_units(layer.after))?;
            }
        }
        self.walked.layers.push(layer);
        Ok(())
    }

    fn step(&mut self, step: UnitStep) -> Result<()> {
        apply_step(&mut self.walked.network, &step)?;
        if let Some(refitter) = &mut self.refitter {
            refitter.note(&step);
        }
        self.walked.plan.steps.push(step);
        Ok(())
    }

    /// Refits the readers of a trunk one by one: each mends what those before it have lost of the trunk.
    fn along_the_trunk(&mut self, site: &Site) -> Result<()> {
        let all: Vec<usize> = (0..site.units()).collect();
        for reader in &site.readers {
            let pair = Pair::read(&self.walked.network, &site.read_by(|node| node == reader.node))?;
            let Some(refitter) = &mut self.refitter else { break };
            let (reduced, _) = refitter.refit(&self.walked.network, &pair, &all)?;
            self.step(UnitStep { site: pair.site, kind: StepKind::Approximate, reduced })?;
        }
        Ok(())
    }

    /// Neurons chosen and refitted over `N(0, I)` on the inputs of their layer.
    fn closed_form(&self, pair: &Pair, keep: usize) -> Result<(Reduced, UnitRefit)> {
        let inputs = Prior::Iso.moments(self.original, pair.rows.ncols())?;
        let moments = Signal::normal(self.backend, &inputs)?.moments(self.backend, pair, pair, None)?;
        let chosen = greedy::select_for(&moments, &moments.sketched(SKETCH, self.options.seed), keep);
        let mut kept = chosen.order;
        kept.sort_unstable();
        let (variance, known) = (moments.target_variance, moments.select(&kept));
        drop(moments);
        let (next, bias) = known.refit(self.options.synth.ridge)?;
        let next_bias = narrow(&bias.insert_axis(ndarray::Axis(0))).into_iter().collect();
        let reduced = pair.read_by(&kept, narrow(&next), next_bias);
        let loss = known.loss(&next);
        Ok((reduced, UnitRefit { form: RefitForm::Gaussian, inputs: 0, variance, curve: chosen.loss, loss }))
    }
}
