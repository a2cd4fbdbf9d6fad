//! Layers whose readers are refitted in networks side by side.

use super::guard::{Fit, HeldOut};
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
use crate::network::{Pair, Reduced, Site, StepKind, UnitStep};
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
            held_out: None,
        };
        if keep < pair.units() {
            let (reduced, done, known) = self.fit(&pair, keep, scarce, &mut layer)?;
            (layer.after, layer.refit) = (reduced.units(), done);
            let reduced = match layer.refit.as_ref().map(|done| (done.form, done.loss, done.variance)) {
                Some((form, loss, variance)) => {
                    let promised = (form == RefitForm::Joint).then_some(loss);
                    let fit = Fit { reduced, promised };
                    let (reduced, held) = self.guarded(&pair, fit, (form, variance), known.as_ref())?;
                    layer.held_out = held;
                    reduced
                }
                None => reduced,
            };
            self.note(&layer);
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

    /// A reduced pair, what its refit did, and the moments of a fit in closed form.
    fn fit(
        &mut self,
        pair: &Pair,
        keep: usize,
        scarce: bool,
        layer: &mut UnitLayer,
    ) -> Result<(Reduced, Option<UnitRefit>, Option<Moments>)> {
        if scarce {
            let (reduced, done, known) = self.closed_form(pair, keep)?;
            return Ok((reduced, Some(done), Some(known)));
        }
        let kernel = self.kernel(&layer.name)?;
        let network = &self.walked.network;
        let missing = || Error::Internal { what: "a refit without inputs".to_owned() };
        let refitter = self.refitter.as_mut().ok_or_else(missing)?;
        let (reduced, done) = match self.options.method {
            UnitMethod::SynthRefit => refitter.select(network, pair, keep)?,
            UnitMethod::Thinet => {
                let parts = refitter.moments(network, pair)?;
                let reads: Vec<_> = parts.iter().map(|part| thinet::Read::group(pair, part)).collect();
                let chosen = thinet::thinet(pair, &reads, keep);
                if self.options.refit != Refit::Data {
                    layer.loss = Some(share_lost(pair, &chosen, parts)?);
                    return Ok((chosen, None, None));
                }
                refitter.refit_parts(pair, &parts, &kept(pair, &chosen)?)?
            }
            _ => {
                let seen = Seen { signal: None, moments: None, kernel };
                let chosen = reduce(self.backend, pair, keep, &seen, self.options)?;
                refitter.refit(network, pair, &kept(pair, &chosen)?)?
            }
        };
        Ok((reduced, Some(done), None))
    }

    /// What is written in place of a fit, see [`Judging::choose`](super::guard::Judging::choose).
    fn guarded(
        &mut self,
        pair: &Pair,
        fit: Fit,
        (form, variance): (RefitForm, f64),
        known: Option<&Moments>,
    ) -> Result<(Reduced, Option<HeldOut>)> {
        let Some(judging) = &mut self.judging else { return Ok((fit.reduced, None)) };
        let (network, refitter, ridge) = (&self.walked.network, &mut self.refitter, self.options.synth.ridge);
        let kept = kept(pair, &fit.reduced)?;
        let mut again = |ridge: f64| match (known, refitter.as_mut()) {
            (Some(known), _) => read_in_closed_form(pair, &kept, known, ridge).map(|(reduced, _)| reduced),
            (None, Some(refitter)) => refitter.refit_again((network, pair), &kept, form, ridge),
            (None, None) => Err(Error::Internal { what: "a refit without inputs".to_owned() }),
        };
        let plain = pair.select(&kept);
        let (reduced, held) = judging.choose((network, pair), fit, plain, (ridge, variance), &mut again)?;
        Ok((reduced, Some(held)))
    }

    /// Refits the readers of a trunk one by one: each mends what those before it have lost of the trunk.
    fn along_the_trunk(&mut self, site: &Site) -> Result<()> {
        let all: Vec<usize> = (0..site.units()).collect();
        for reader in &site.readers {
            let pair = Pair::read(&self.walked.network, &site.read_by(|node| node == reader.node))?;
            let Some(refitter) = &mut self.refitter else { break };
            let (reduced, done) = refitter.refit(&self.walked.network, &pair, &all)?;
            let fit = Fit { reduced, promised: Some(done.loss) };
            let (reduced, held) = self.guarded(&pair, fit, (done.form, done.variance), None)?;
            if let Some(note) = held.as_ref().and_then(HeldOut::note) {
                self.walked.notes.push(format!("`{}`, on the trunk of `{}`: {note}", reader.node, site.layer));
            }
            self.step(UnitStep { site: pair.site, kind: StepKind::Approximate, reduced })?;
        }
        Ok(())
    }

    /// Neurons chosen and refitted over `N(0, I)` on the inputs of their layer.
    fn closed_form(&self, pair: &Pair, keep: usize) -> Result<(Reduced, UnitRefit, Moments)> {
        let inputs = Prior::Iso.moments(self.original, &pair.site.layer, pair.rows.ncols())?;
        let moments = Signal::normal(self.backend, &inputs)?.moments(self.backend, pair, pair, None)?;
        let chosen = greedy::select_for(&moments, &moments.sketched(SKETCH, self.options.seed), keep);
        let mut kept = chosen.order;
        kept.sort_unstable();
        let (variance, known) = (moments.target_variance, moments.select(&kept));
        drop(moments);
        let (reduced, loss) = read_in_closed_form(pair, &kept, &known, self.options.synth.ridge)?;
        Ok((reduced, UnitRefit { form: RefitForm::Gaussian, inputs: 0, variance, curve: chosen.loss, loss }, known))
    }
}

/// The units `kept` of a pair with a refit of known moments, and its mean squared error.
fn read_in_closed_form(pair: &Pair, kept: &[usize], known: &Moments, ridge: f64) -> Result<(Reduced, f64)> {
    let (next, bias) = known.refit(ridge)?;
    let next_bias = narrow(&bias.insert_axis(ndarray::Axis(0))).into_iter().collect();
    Ok((pair.read_by(kept, narrow(&next), next_bias), known.loss(&next)))
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
