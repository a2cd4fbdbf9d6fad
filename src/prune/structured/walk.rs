//! Reduces the layers of a network one by one, from the input to the output.

use serde::Serialize;

use super::guard::{Fit, HeldOut, Judging, judged};
use super::lossless::{Lossless, lossless};
use super::moments::Moments;
use super::options::Refit;
use super::reduce::{Seen, reduce};
use super::signal::{Signal, kept_units, narrow};
use super::unseen::Unseen;
use super::{UnitMethod, UnitOptions, allocate};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::{
    Head, Network, Op, Pair, Reduced, Refused, Site, StepKind, UnitPlan, UnitStep, apply_step, coupled_sites, sites,
};
use crate::prune::Observer;
use crate::prune::synth::{Parted, Refitter, SynthOptions, UnitRefit};

/// What became of one layer.
#[derive(Debug, Clone, Serialize)]
pub struct UnitLayer {
    /// Name of the node.
    pub name: String,
    /// Other layers that have the same units, along a residual trunk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<String>,
    /// The nodes that read its units.
    pub next: String,
    /// Units before.
    pub before: usize,
    /// Units that went without changing a value.
    pub lossless: Lossless,
    /// Units after.
    pub after: usize,
    /// `E ||y - y~||^2 / sum_j Var(y_j)` of the values `y` of the next layer, over the prior distribution or the calibration
    /// samples, where the run looked at them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// What `synth-refit` did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit: Option<UnitRefit>,
    /// How a refit did on inputs that it has not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
}

/// The plan of a structured method for a network, and the network that it leaves.
#[derive(Debug)]
pub struct Walked {
    /// The steps.
    pub plan: UnitPlan,
    /// The network after the last step.
    pub network: Network,
    /// One entry per prunable layer.
    pub layers: Vec<UnitLayer>,
    /// Layers whose units cannot be removed.
    pub refused: Vec<Refused>,
    /// Where a refit was not what was asked for, and why.
    pub notes: Vec<String>,
}

/// Reduces every prunable layer of a network; `calibration` are inputs of the network, or of its first prunable layer.
///
/// # Errors
///
/// [`Error::Unsupported`] for a network without a hidden layer whose units can be removed; [`Error::Argument`] for
/// numbers of units that the layers do not have, and for a refit on data without data; [`Error::Data`] for calibration
/// data of another width; what the backend returns.
pub fn reduce_units<B: Backend>(
    backend: &B,
    network: &Network,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    observer: &dyn Observer,
) -> Result<Walked> {
    let (sites, refused) = prunable(network, options)?;
    let mut keeps = allocate::keeps(&sites, options)?;
    if let Some(linkage) = options.method.threshold() {
        keeps = allocate::one_threshold(network, &sites, &keeps, linkage)?;
    }
    if options.method.last_layer_only() {
        // The layers before it stay as they are.
        keeps.iter_mut().zip(&sites).rev().skip(1).for_each(|(keep, site)| *keep = site.units());
    }
    let convolves = |site: &Site| {
        let mut names = site.writers().map(|(name, _)| name).chain(site.readers.iter().map(|one| one.node.as_str()));
        names.any(|name| network.node(name).is_ok_and(|node| matches!(node.op, Op::Conv { .. })))
    };
    let fits = match options.method {
        UnitMethod::Thinet => true,
        method => method.chooses() && options.refit == Refit::Data,
    };
    // Moments in closed form, and samples of neurons by themselves, are those of ReLU.
    let fits = fits && sites.iter().any(|site| convolves(site) || site.curved);
    let parted = calibration.filter(|_| options.refit == Refit::Data).map(Parted::new);
    let calibration = parted.as_ref().map(|parted| &parted.seen as &dyn RowSource).or(calibration);
    let refitter = match options.method {
        UnitMethod::SynthRefit => Some(refitter(backend, network, &sites, &keeps, calibration, options)?),
        _ if fits => Some(refitter(backend, network, &sites, &keeps, calibration, options)?),
        _ => None,
    };
    let mut notes = Vec::new();
    let seen = refitter.as_ref().map(Refitter::inputs);
    let unseen = noted(Unseen::of(network, parted.as_ref(), seen, options), &mut notes)?.flatten();
    let second = noted(Unseen::second(network, options), &mut notes)?.flatten();
    let of_judge = unseen.as_ref().map(|unseen| judged(network, unseen.rows().shape()[1])).transpose()?;
    let judging = match (&unseen, &of_judge) {
        (Some(unseen), Some(network)) => {
            let inputs = [Some(unseen.rows()), second.as_ref().map(Unseen::rows)];
            noted(Judging::new(backend, network, inputs, options.seed), &mut notes)?
        }
        _ => None,
    };
    let mut walk = Walk {
        backend,
        original: network,
        options,
        calibration,
        signal: None,
        refitter,
        judging,
        radius: options.radius,
        walked: Walked { plan: UnitPlan::default(), network: network.clone(), layers: Vec::new(), refused, notes },
    };
    for (done, (site, keep)) in sites.iter().zip(keeps).enumerate() {
        observer.step(done, sites.len(), &site.layer)?;
        let before = done.checked_sub(1).and_then(|last| sites.get(last));
        walk.layer(site, before, keep)?;
    }
    if let Some(judging) = walk.judging.filter(|_| walk.walked.layers.iter().any(|layer| layer.held_out.is_some())) {
        judging.check_outputs(network, &mut walk.walked)?;
    }
    observer.step(sites.len(), sites.len(), "done")?;
    Ok(walk.walked)
}

/// What judges refits, or a note that says why nothing does.
fn noted<T>(found: Result<T>, notes: &mut Vec<String>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Unsupported { problem } | Error::Data { problem }) => {
            notes.push(format!("refits are not checked on inputs unseen: {problem}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The layers whose units may go, at least one, and those whose units stay, with the reasons.
pub(super) fn prunable(network: &Network, options: &UnitOptions) -> Result<(Vec<Site>, Vec<Refused>)> {
    let (mut sites, mut refused) = if options.couple_trunk { coupled_sites(network)? } else { sites(network)? };
    if let Some(trunk) = sites.iter().find(|site| !site.tied.is_empty() && !options.method.takes_trunks(options.refit))
    {
        let problem = format!(
            "`{}` with the refit `{}` does not reduce the trunk that `{}` writes to; norms, `tropnnc` and `synth-refit` do",
            options.method.name(),
            options.refit.name(),
            trunk.layer
        );
        return Err(Error::Unsupported { problem });
    }
    if let Some(site) = sites.iter().find(|site| site.curved)
        && !options.method.takes_curves()
    {
        let problem = format!(
            "`{}` is made for rectifiers, `{}` has another activation; norms, `thinet` and `synth-refit` take any",
            options.method.name(),
            site.layer
        );
        return Err(Error::Unsupported { problem });
    }
    if options.head_only {
        let head = Head::of(network)?;
        let inside = |site: &Site| head.layers.iter().any(|layer| layer.name == site.layer);
        let outside = sites.iter().filter(|site| !inside(site)).map(|site| site.layer.clone());
        let reason = "the data are inputs of the head, which other layers would change".to_owned();
        refused.extend(outside.map(|layer| Refused { layer, reason: reason.clone() }));
        sites.retain(inside);
    }
    if sites.is_empty() {
        let reasons: Vec<String> = refused.iter().map(|one| format!("`{}`: {}", one.layer, one.reason)).collect();
        let problem = format!("the network has no hidden ReLU layer whose units could go: {}", reasons.join("; "));
        return Err(Error::Unsupported { problem });
    }
    Ok((sites, refused))
}

/// The networks side by side, on calibration samples or as many synthetic inputs as the layers ask for.
pub(super) fn refitter<'a, B: Backend>(
    backend: &'a B,
    network: &'a Network,
    sites: &[Site],
    keeps: &[usize],
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
) -> Result<Refitter<'a, B>> {
    let synth = SynthOptions { seed: options.seed, ..options.synth };
    if options.refit == Refit::Data || options.method == UnitMethod::Thinet {
        let inputs = calibration.ok_or_else(|| without_samples(options.method))?;
        return Refitter::new(backend, network, inputs, synth);
    }
    let mut unknowns = Vec::new();
    for (site, keep) in sites.iter().zip(keeps) {
        // Convolutions read an input many times, linear layers once.
        for reader in &site.readers {
            if matches!(network.node(&reader.node)?.op, Op::Linear { .. }) {
                unknowns.push(keep * reader.columns.per_unit);
            }
        }
    }
    Refitter::synthetic(backend, network, synth.count(unknowns), synth)
}

pub(super) struct Walk<'a, B: Backend> {
    pub(super) backend: &'a B,
    pub(super) original: &'a Network,
    pub(super) options: &'a UnitOptions,
    calibration: Option<&'a dyn RowSource>,
    /// The input of the next layer of the chain.
    signal: Option<Signal<B>>,
    /// The networks side by side, for `synth-refit`, and for `thinet` and refits on samples where there are convolutions.
    pub(super) refitter: Option<Refitter<'a, B>>,
    /// What judges refits, where there are any.
    pub(super) judging: Option<Judging<'a, B>>,
    /// Norm of the input of the next layer at most, where the inputs have one.
    radius: Option<f64>,
    pub(super) walked: Walked,
}

impl<B: Backend> Walk<'_, B> {
    /// Whether the run looks at what flows through the layers.
    fn looks(&self) -> bool {
        self.refitter.is_none() && (self.options.refit != Refit::None || self.options.method.looks())
    }

    fn layer(&mut self, site: &Site, before: Option<&Site>, keep: usize) -> Result<()> {
        let mut pair = Pair::read(&self.walked.network, site)?;
        let follows = before.is_none_or(|before| before.feeds(&site.layer));
        // Constants reach every place of a linear layer alike; padding keeps them from that in a convolution.
        let linear = self.is_linear(site)?;
        let radius = self.radius.filter(|_| follows && linear && !site.leaky && site.tied.is_empty());
        self.radius = radius.map(|radius| largest_norm(&pair, radius));
        let mut free = Lossless::default();
        if self.options.lossless
            && self.refitter.is_none()
            && site.norm.is_none()
            && site.tied.is_empty()
            // A leaky unit is never off and never constant.
            && !site.leaky
            && let Some((reduced, found)) = lossless(&pair, radius, linear)
        {
            free = found;
            let step = UnitStep { site: pair.site.clone(), kind: StepKind::Lossless, reduced };
            pair = step.reduced.clone().into_pair(&pair);
            self.step(step)?;
        }
        if let Some(refitter) = &self.refitter {
            let scarce = linear
                && self.options.method == UnitMethod::SynthRefit
                && !site.leaky
                && site.tied.is_empty()
                && pair.block() == 1
                && keep < pair.units()
                && refitter.is_scarce(&pair, keep);
            return self.fitted(site, pair, keep, scarce);
        }
        let original = Pair::read(self.original, site)?;
        let signal = if self.looks() { Some(self.signal(&pair, before)?) } else { None };
        let moments = signal.as_ref().map(|signal| signal.moments(self.backend, &original, &pair, None)).transpose()?;
        let mut layer = UnitLayer {
            name: site.layer.clone(),
            tied: site.tied.iter().map(|tied| tied.layer.clone()).collect(),
            next: site.next(),
            before: original.units(),
            lossless: free,
            after: pair.units(),
            loss: None,
            refit: None,
            held_out: None,
        };
        if keep >= pair.units() {
            if let (Some(signal), Some(moments)) = (signal, &moments) {
                self.signal = Some(signal.advance(self.backend, &original, (pair.rows.view(), &pair.bias), moments)?);
            }
            self.walked.layers.push(layer);
            return Ok(());
        }
        let seen = Seen { signal: signal.as_ref(), moments: moments.as_ref(), kernel: self.kernel(&site.layer)? };
        let mut reduced = reduce(self.backend, &pair, keep, &seen, self.options)?;
        layer.after = reduced.units();
        if let (Some(signal), Some(moments)) = (signal, moments) {
            let units = (reduced.rows.view(), reduced.bias.as_slice());
            let known = match kept_units(&pair, &reduced) {
                Some(kept) => moments.select(&kept),
                None => signal.moments(self.backend, &original, &pair, Some(units))?.last(reduced.units()),
            };
            self.signal = Some(signal.advance(self.backend, &original, units, &known)?);
            layer.loss = Some(self.refit(&pair, &mut reduced, &known, &mut layer.held_out)?);
            self.note(&layer);
        }
        self.step(UnitStep { site: pair.site.clone(), kind: StepKind::Approximate, reduced })?;
        self.walked.layers.push(layer);
        Ok(())
    }

    /// Carries out a step.
    pub(super) fn step(&mut self, step: UnitStep) -> Result<()> {
        apply_step(&mut self.walked.network, &step)?;
        if let Some(refitter) = &mut self.refitter {
            refitter.note(&step);
        }
        if let Some(judging) = &mut self.judging {
            judging.note(&step);
        }
        self.walked.plan.steps.push(step);
        Ok(())
    }

    /// Notes where a layer did not get the refit that was asked for.
    pub(super) fn note(&mut self, layer: &UnitLayer) {
        if let Some(note) = layer.held_out.as_ref().and_then(HeldOut::note) {
            self.walked.notes.push(format!("`{}`, read by `{}`: {note}", layer.name, layer.next));
        }
    }

    /// Gives the next layer new weights, if the options ask for it, and returns the share of its variance that is lost.
    fn refit(
        &mut self,
        pair: &Pair,
        reduced: &mut Reduced,
        known: &Moments,
        held_out: &mut Option<HeldOut>,
    ) -> Result<f64> {
        let lost = |reduced: &Reduced| known.loss(&reduced.next.mapv(f64::from));
        let ridge = self.options.ridge;
        if self.options.refit != Refit::None {
            let plain = reduced.clone();
            let mut refitted = |ridge: f64| {
                let (next, bias) = known.refit(ridge)?;
                let next_bias = narrow(&bias.insert_axis(ndarray::Axis(0))).into_iter().collect();
                Ok(Reduced { next: narrow(&next).into_shared(), next_bias, ..plain.clone() })
            };
            *reduced = refitted(ridge)?;
            if let Some(judging) = &mut self.judging {
                // Beyond the first layer a distribution promises the error of normal inputs, which it may not have.
                let promised = (self.options.refit == Refit::Data).then(|| lost(reduced));
                let fit = Fit { reduced: reduced.clone(), promised };
                let (of, sizes) = ((&self.walked.network, pair), (ridge, known.target_variance));
                let (chosen, held) = judging.choose(of, fit, plain.clone(), sizes, &mut refitted)?;
                (*reduced, *held_out) = (chosen, Some(held));
            }
        }
        Ok(if known.target_variance > 0.0 { lost(reduced) / known.target_variance } else { 0.0 })
    }

    /// Weights of a unit for each input channel, one of a neuron for each input.
    pub(super) fn kernel(&self, name: &str) -> Result<usize> {
        Ok(match &self.original.node(name)?.op {
            Op::Conv { weight, .. } => weight.dimensions().iter().skip(2).product(),
            _ => 1,
        })
    }

    /// Whether all layers around the units are linear.
    fn is_linear(&self, site: &Site) -> Result<bool> {
        let mut names =
            site.writers().map(|(name, _)| name).chain(site.readers.iter().map(|reader| reader.node.as_str()));
        names.try_fold(true, |all, name| Ok(all && matches!(self.original.node(name)?.op, Op::Linear { .. })))
    }

    /// What flows into a layer: what comes out of the one before, if it reads that one, else the prior or the samples.
    fn signal(&mut self, pair: &Pair, before: Option<&Site>) -> Result<Signal<B>> {
        if !self.is_linear(&pair.site)? {
            let problem = format!(
                "`{}` or `{}` is a convolution, the moments of this method are of neurons; use `synth-refit`",
                pair.site.layer,
                pair.site.next()
            );
            return Err(Error::Unsupported { problem });
        }
        if pair.site.leaky {
            let layer = &pair.site.layer;
            let problem = format!(
                "`{layer}` has a leaky ReLU, the moments of this method are of ReLU; use `synth-refit` or `tropnnc`"
            );
            return Err(Error::Unsupported { problem });
        }
        let follows = before.is_some_and(|before| before.feeds(&pair.site.layer));
        if let Some(signal) = self.signal.take().filter(|_| follows) {
            return Ok(signal);
        }
        let width = pair.rows.ncols();
        if self.options.refit == Refit::Data || self.options.method.needs_data() {
            let inputs = self.calibration.ok_or_else(|| without_samples(self.options.method))?;
            if before.is_some() || inputs.shape()[1] != width {
                let [_, given] = inputs.shape();
                let problem = format!("calibration samples of {given} values, `{}` takes {width}", pair.site.layer);
                return Err(Error::Data { problem });
            }
        }
        // Values that an earlier layer gives to several have lost those that went.
        let whole = matches!(&self.original.node(&pair.site.layer)?.op,
            Op::Linear { weight, .. } if weight.matrix_shape()[1] == width);
        let network = if whole { self.original } else { &self.walked.network };
        samples_or_prior(self.backend, network, self.calibration, self.options, &pair.site.layer)
    }
}

/// The input of a linear layer that follows no other: calibration samples where the options work on them, else
/// the prior.
pub(super) fn samples_or_prior<B: Backend>(
    backend: &B,
    network: &Network,
    calibration: Option<&dyn RowSource>,
    options: &UnitOptions,
    layer: &str,
) -> Result<Signal<B>> {
    match calibration {
        Some(inputs) if options.refit == Refit::Data || options.method.needs_data() => Signal::samples(backend, inputs),
        _ => {
            let node = network.node(layer)?;
            let Op::Linear { weight, .. } = &node.op else {
                return Err(Error::Internal { what: format!("`{layer}` is not linear") });
            };
            let value = node.inputs.first().map_or(Network::INPUT, String::as_str);
            Signal::normal(backend, &options.prior.moments(network, value, weight.matrix_shape()[1])?)
        }
    }
}

fn without_samples(method: UnitMethod) -> Error {
    Error::Argument { argument: "calib", problem: format!("`{}` needs calibration samples", method.name()) }
}

/// `||relu(A x + b)|| <= (sum_i max(0, r ||a_i|| + b_i)^2)^(1/2)` for `||x|| <= r`.
fn largest_norm(pair: &Pair, radius: f64) -> f64 {
    let rows = pair.rows.rows().into_iter().zip(&pair.bias);
    let reach = rows.map(|(row, bias)| {
        let size = row.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>().sqrt();
        (radius * size + f64::from(*bias)).max(0.0).powi(2)
    });
    reach.sum::<f64>().sqrt()
}
