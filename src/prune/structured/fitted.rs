//! Layers whose readers are refitted in networks side by side.

use super::lossless::Lossless;
use super::moments::Moments;
use super::options::Refit;
use super::prior::Prior;
use super::reduce::{Seen, reduce};
use super::signal::{Signal, kept_units, narrow};
use super::walk::{UnitLayer, Walk};
use super::{UnitMethod, greedy, thinet};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Pair, Reduced, Site, StepKind, UnitStep, apply_step};
use crate::prune::synth::{Part, RefitForm, UnitRefit};

/// Outputs of the next layer that greedy selection looks at in closed form; more are mixed to so many.
const SKETCH: usize = 512;

impl<B: Backend> Walk<'_, B> {
    /// One layer by `synth-refit`, in closed form where inputs are too scarce for samples of its neurons, by `thinet`, or
    /// by the choice of another method and its refit.
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
            let network = &self.walked.network;
            let (reduced, done) = match &mut self.refitter {
                _ if scarce => refitted(self.closed_form(&pair, keep)?),
                Some(refitter) if self.options.method == UnitMethod::SynthRefit => {
                    refitted(refitter.select(network, &pair, keep)?)
                }
                Some(refitter) if self.options.method == UnitMethod::Thinet => {
                    let parts = refitter.moments(network, &pair)?;
                    let reads: Vec<_> = parts.iter().map(|part| thinet::Read::group(&pair, part)).collect();
                    let chosen = thinet::thinet(&pair, &reads, keep);
                    if self.options.refit == Refit::Data {
                        refitted(refitter.refit_parts(&pair, &parts, &kept(&pair, &chosen)?)?)
                    } else {
                        layer.loss = Some(share_lost(&pair, &chosen, parts)?);
                        (chosen, None)
                    }
                }
                Some(refitter) => {
                    let seen = Seen { signal: None, moments: None, kernel };
                    let chosen = reduce(self.backend, &pair, keep, &seen, self.options)?;
                    refitted(refitter.refit(network, &pair, &kept(&pair, &chosen)?)?)
                }
                None => return Err(Error::Internal { what: "a refit without inputs".to_owned() }),
            };
            (layer.after, layer.refit) = (reduced.units(), done);
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

fn refitted((reduced, done): (Reduced, UnitRefit)) -> (Reduced, Option<UnitRefit>) {
    (reduced, Some(done))
}

/// The units of a pair that a choice keeps.
fn kept(pair: &Pair, chosen: &Reduced) -> Result<Vec<usize>> {
    kept_units(pair, chosen).ok_or_else(|| Error::Internal { what: "a choice that changes units".to_owned() })
}

/// The share of the variance of what reads the units of a pair that a choice of them loses.
fn share_lost(pair: &Pair, chosen: &Reduced, parts: Vec<Part>) -> Result<f64> {
    let kept = kept(pair, chosen)?;
    let (mut lost, mut whole) = (0.0, 0.0);
    for part in parts {
        let q = part.block;
        let columns: Vec<usize> = kept.iter().flat_map(|unit| unit * q..(unit + 1) * q).collect();
        let next = part.weights(chosen.next.view(), pair.block()).mapv(f64::from);
        let moments = Moments::of_columns(part.moments).select(&columns);
        lost += moments.loss(&next);
        whole += moments.target_variance;
    }
    Ok(if whole > 0.0 { lost / whole } else { 0.0 })
}
