//! Neurons go: the structured methods.

use std::collections::BTreeMap;

use tropix::backend::RowSource;
use tropix::certify::{BoundOptions, Pairing, PruneCertificate, head_bound, plan_bound, steps_certificate};
use tropix::network::{Head, Network, Op, UnitPlan, UnitStep, format};
use tropix::prune::Timing;
use tropix::prune::structured::{Allocation, UnitLayer, UnitMethod, UnitOptions, UnitTarget, Walked, prune_units};
use tropix::report::html::units_page;
use tropix::report::{
    Declined, Files, Heading, Memory, UnitReport, logits_text, outcome_text, prune_certificate_text, rivals_text,
    tuning_table, units_table,
};
use tropix::train::Scope;
use tropix::{Error, Result};

use super::{Prepared, certificate, finetune, limits, names, written};
use crate::args::{AllocateArg, BoundArg, Globals, PruneArgs};
use crate::calibration::{Calibration, check, check_effects, check_prior};
use crate::device::with_backend;
use crate::{input, output, page};

pub(super) fn run(
    globals: &Globals,
    args: &PruneArgs,
    prepared: &Prepared,
    method: Option<UnitMethod>,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let Prepared { model, data, backend, .. } = prepared;
    let calibration =
        timing.phase("load", || Calibration::read(globals, &args.moments, &args.synth, &args.data, &model.network))?;
    let (method, refit, why) = match method {
        Some(method) => (method, args.refit.map_or_else(|| calibration.usual_refit(method), |refit| refit.0), None),
        None => {
            let (method, refit, why) = calibration.default_method(&model.network);
            (method, args.refit.map_or(refit, |refit| refit.0), Some(why))
        }
    };
    check_prior(method, &calibration)?;
    check(method, refit, &calibration)?;
    check_effects(globals, &args.moments, &model.network, &[(method, refit)], &calibration)?;
    let options = UnitOptions {
        refit,
        prior: calibration.prior.clone(),
        ridge: args.synth.ridge,
        lossless: !args.no_lossless,
        radius: args.radius,
        seed: globals.seed,
        layers: args.layer.clone(),
        round_to: usize::try_from(args.round_to)?,
        min_keep: usize::try_from(args.min_keep)?,
        synth: args.synth.options(),
        couple_trunk: args.couple_trunk,
        ..UnitOptions::new(method, args.keep.unwrap_or(1.0))
    };
    let samples = data.as_ref().map(input::borrowed);
    let rows = calibration.rows();
    let rows = rows.as_ref().map(|rows| rows as &dyn RowSource);
    let progress = output::Progress::new(globals);
    let (original, told) = input::normalised(model, &args.data)?;
    if let Some(told) = told.filter(|_| options.assumed(&original).is_some()) {
        output::note(globals, &told);
    }
    let radius = prepared.radius(args)?;
    let allocate = args.allocate.unwrap_or(AllocateArg::Uniform);
    let bounded = args.max_error.is_some() || allocate == AllocateArg::Certificate;
    let bound = bounded.then(|| error_bound(&model.network, radius, &args.bounds)).transpose()?;
    let missing = || Error::Internal { what: "a certified error without its bound".to_owned() };
    let target = match (args.max_error, args.target_params) {
        (Some(most), _) => UnitTarget::Error { most, bound: bound.as_ref().ok_or_else(missing)? },
        (None, Some(most)) => UnitTarget::Parameters(most),
        (None, None) => UnitTarget::Keep,
    };
    let allocation = match allocate {
        AllocateArg::Uniform => Allocation::Uniform,
        AllocateArg::Loss => Allocation::Loss,
        AllocateArg::Certificate => Allocation::Error(bound.as_ref().ok_or_else(missing)?),
    };
    let budget = (target, allocation);
    let (outcome, tuned) = with_backend!(backend, backend => {
        let verify = globals.verify;
        let mut outcome = prune_units(backend, &original, samples, rows, &options, budget, verify, timing, &progress)?;
        outcome.walked.network.normalize.clone_from(&model.network.normalize);
        let tuned = finetune::run(globals, args, prepared, backend, &outcome.walked.network, timing)?;
        (outcome, tuned)
    });
    let network = tuned.as_ref().map_or(&outcome.walked.network, |tuned| &tuned.network);
    let scope = tuned.as_ref().map(|tuned| tuned.report.scope);
    let saved = match args.output.as_ref().filter(|_| !args.dry_run) {
        Some(output) => {
            let save = || format::save(model, network, output, globals.force, &note(&options, scope));
            Some(timing.phase("write", save)?)
        }
        None => None,
    };
    let pairings = |head: &Head| Pairing::of_plan(head, &outcome.walked.plan);
    let radius = radius.filter(|_| !args.no_certify);
    let certified = timing.phase("certify", || {
        if touches_only_the_head(&model.network, &outcome.walked)? {
            return certificate(&model.network, network, pairings, radius, &args.bounds).map(|found| (found, None));
        }
        if tuned.is_some() {
            // The steps of the plan do not lead to weights that were trained.
            return Ok((None, Some("no certificate: the network was fine-tuned".to_owned())));
        }
        steps(&model.network, &outcome.walked.plan, radius, &args.bounds)
    });
    let (certified, uncertified) = certified?;
    let report = UnitReport {
        heading: Heading::new("prune", globals.seed, backend.device()),
        method: options.method.name(),
        why,
        refit,
        allocation: allocate.name(),
        max_error: args.max_error,
        prior: options.assumed(&original),
        model: Files { input: args.model.model.display().to_string(), output: written(args) },
        files: names(saved.as_ref()),
        data: data.as_ref().map(|data| data.applied.clone()),
        parameters: UnitReport::parameters(&model.network, network),
        neurons: UnitReport::neurons(&outcome.walked),
        file_bytes: prepared.file_bytes(args, saved.as_ref(), network),
        accuracy: tuned.as_ref().map(|tuned| tuned.accuracy.clone()).or(outcome.accuracy.clone()),
        finetune: tuned.as_ref().map(|tuned| tuned.report.clone()),
        layers: outcome.walked.layers.clone(),
        declined: outcome.walked.refused.iter().map(|one| Declined::of(&model.network, one.clone())).collect(),
        certificate: certified,
        uncertified,
        verification: outcome.verification.clone(),
        outcome: outcome.outcome.clone(),
        rivals: outcome.rivals.clone(),
        warnings: [
            input::warnings(model, [data, &prepared.training].into_iter().flatten()),
            calibration.warnings.clone(),
            forms(&outcome.walked),
            outcome.walked.notes.clone(),
            limits::of_units(globals, args, &outcome.walked.layers),
        ]
        .concat(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    page::result(globals, &args.page, &report, text(&report), || units_page(&report))?;
    match &report.verification {
        Some(checks) if checks.iter().any(|check| check.share_of_bound > 1.0) => {
            let problem = format!("logits leave their bound\n{}", verification(checks));
            return Err(Error::CheckFailed { problem }.into());
        }
        _ => {}
    }
    match &report.outcome {
        Some(check) if !check.agrees() => {
            let problem = format!("the reference leaves another network\n{}", outcome_text(check));
            Err(Error::CheckFailed { problem }.into())
        }
        _ => Ok(()),
    }
}

/// The layers whose least squares are not over all units at all places, and what they are over instead.
fn forms(walked: &Walked) -> Vec<String> {
    let note = |layer: &UnitLayer| {
        let refit = layer.refit.as_ref()?;
        let (name, next) = (&layer.name, &layer.next);
        Some(format!("`{name}`, read by `{next}`: {}", refit.form.note()?))
    };
    walked.layers.iter().filter_map(note).collect()
}

/// What the written file says of the run.
pub(crate) fn note(options: &UnitOptions, finetune: Option<Scope>) -> BTreeMap<String, String> {
    let (method, refit) = (options.method.name(), options.refit.name());
    let note = serde_json::json!({ "method": method, "refit": refit, "seed": options.seed, "finetune": finetune });
    BTreeMap::from([("tropix.report".to_owned(), note.to_string())])
}

/// A certified bound of the largest change of a logit on the ball of `radius`.
///
/// Without bounds that are asked for it is the quick one of [`plan_bound`].
fn error_bound(network: &Network, radius: Option<f64>, bounds: &[BoundArg]) -> Result<impl Fn(&Walked) -> Result<f64>> {
    let original = Head::of(network)?;
    if !original.whole {
        let first =
            network.nodes.iter().find(|node| !matches!(node.op, Op::Linear { .. } | Op::Flatten | Op::Identity));
        let first = first.map(|node| format!("; this one has `{}` ({}): take `--keep`", node.name, node.op.name()));
        let problem = format!(
            "a certified error needs a network of linear layers from its input on{}",
            first.unwrap_or_default()
        );
        return Err(Error::Unsupported { problem });
    }
    let Some(radius) = radius else {
        let problem = "a certified error holds on a ball of inputs: give it, or `--data` to take it from".to_owned();
        return Err(Error::Argument { argument: "radius", problem });
    };
    let options = BoundOptions { bounds: BoundArg::chosen(bounds), ..BoundOptions::default() };
    Ok(move |walked: &Walked| {
        let reduced = Head::of(&walked.network)?;
        let found = if options.bounds.is_empty() {
            plan_bound(&original, &reduced, &walked.plan, radius)?
        } else {
            let pairings = Pairing::of_plan(&original, &walked.plan);
            head_bound(&original, &reduced, radius, Some(&pairings), &options)?
        };
        let errors = found.errors(radius);
        Ok(errors.into_iter().fold(0.0, |most: f64, error| if error.is_nan() { error } else { most.max(error) }))
    })
}

/// The certificate of a plan for convolutions, or why there is none.
fn steps(
    network: &Network,
    plan: &UnitPlan,
    radius: Option<f64>,
    bounds: &[BoundArg],
) -> Result<(Option<PruneCertificate>, Option<String>)> {
    let Some(radius) = radius else { return Ok((None, None)) };
    let chosen = BoundArg::chosen(bounds);
    match steps_certificate(network, plan, radius, (!chosen.is_empty()).then_some(chosen.as_slice())) {
        Ok(found) => Ok((found.error.is_finite().then_some(found), None)),
        Err(Error::Unsupported { problem }) => Ok((None, Some(problem))),
        Err(error) => Err(error),
    }
}

/// Whether the plan reduces linear layers of the head alone.
fn touches_only_the_head(network: &Network, walked: &Walked) -> Result<bool> {
    let Ok(head) = Head::of(network) else { return Ok(false) };
    let inside = |step: &UnitStep| head.layers.iter().any(|layer| layer.name == step.site.layer);
    Ok(walked.plan.steps.iter().all(inside))
}

fn verification([before, after]: &[tropix::prune::LogitCheck; 2]) -> String {
    format!("reference, before: {}\nreference, after:  {}", logits_text(before), logits_text(after))
}

fn text(report: &UnitReport) -> String {
    let device = &report.heading.device;
    let mut text = format!(
        "{}, refit {}{}{} on {} ({}), seed {}{}\n{}",
        report.method,
        report.refit.name(),
        report.prior.map(|prior| format!(", prior {prior}")).unwrap_or_default(),
        if report.allocation == AllocateArg::Uniform.name() {
            String::new()
        } else {
            format!(", allocated by {}", report.allocation)
        },
        device.name,
        device.backend,
        report.heading.seed,
        report.why.map(|why| format!("\n{why}")).unwrap_or_default(),
        units_table(report),
    );
    for declined in &report.declined {
        text.push_str(&format!("\nnot pruned: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    if let Some(rivals) = &report.rivals {
        text.push_str(&format!("\n{}", rivals_text(rivals)));
    }
    for note in &report.warnings {
        text.push_str(&format!("\n{note}"));
    }
    if let Some(certificate) = &report.certificate {
        text.push_str(&format!("\n{}", prune_certificate_text(certificate)));
    }
    if let Some(reason) = &report.uncertified {
        text.push_str(&format!("\n{reason}"));
    }
    if let Some(tuned) = &report.finetune {
        text.push_str(&format!("\n{}", tuning_table(tuned)));
    }
    if let Some(applied) = &report.data {
        text.push_str(&format!("\ndata: {applied}"));
    }
    if let Some(checks) = &report.verification {
        text.push_str(&format!("\n{}", verification(checks)));
    }
    if let Some(check) = &report.outcome {
        text.push_str(&format!("\n{}", outcome_text(check)));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    if !report.files.is_empty() {
        text.push_str(&format!("\nwrote {}", report.files.join(", ")));
    }
    text
}
