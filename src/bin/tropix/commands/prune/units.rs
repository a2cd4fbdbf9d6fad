//! Neurons go: the structured methods.

use std::collections::BTreeMap;

use tropix::backend::RowSource;
use tropix::certify::{data_radius, plan_bound};
use tropix::network::{Head, Network, UnitStep, format};
use tropix::prune::Timing;
use tropix::prune::structured::{UnitLayer, UnitMethod, UnitOptions, Walked, prune_units};
use tropix::report::{Declined, Files, Heading, Memory, UnitCertificate, UnitReport, tuning_table, units_table};
use tropix::train::Scope;
use tropix::{Error, Result};

use super::{Prepared, finetune, written};
use crate::args::{Globals, PruneArgs};
use crate::calibration::{Calibration, check, check_prior};
use crate::device::with_backend;
use crate::{input, output};

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
        ..UnitOptions::new(method, args.keep.unwrap_or(1.0))
    };
    let samples = data.as_ref().map(input::borrowed);
    let rows = calibration.rows();
    let rows = rows.as_ref().map(|rows| rows as &dyn RowSource);
    let progress = output::Progress::new(globals);
    let original = input::normalised(&model.network, &args.data);
    let (outcome, tuned) = with_backend!(backend, backend => {
        let (parameters, verify) = (args.target_params, globals.verify);
        let mut outcome =
            prune_units(backend, &original, samples, rows, &options, parameters, verify, timing, &progress)?;
        outcome.walked.network.normalize.clone_from(&model.network.normalize);
        let tuned = finetune::run(globals, args, prepared, backend, &outcome.walked.network, timing)?;
        (outcome, tuned)
    });
    let network = tuned.as_ref().map_or(&outcome.walked.network, |tuned| &tuned.network);
    let scope = tuned.as_ref().map(|tuned| tuned.report.scope);
    let saved = match args.output.as_ref().filter(|_| !args.dry_run) {
        Some(output) => {
            let save = || format::save(model, network, output, globals.force, &note(&options, scope));
            Some(timing.phase("write", save)?.bytes)
        }
        None => None,
    };
    let certificate = match data {
        Some(data) => {
            timing.phase("certify", || certificate(&model.network, &outcome.walked, network, &data.inputs))?
        }
        None => None,
    };
    let report = UnitReport {
        heading: Heading::new("prune", globals.seed, backend.device()),
        method: options.method.name(),
        why,
        refit,
        prior: options.prior.name(),
        model: Files { input: args.model.model.display().to_string(), output: written(args) },
        data: data.as_ref().map(|data| data.applied.clone()),
        parameters: UnitReport::parameters(&model.network, network),
        neurons: UnitReport::neurons(&outcome.walked),
        file_bytes: prepared.file_bytes(args, saved, network),
        accuracy: tuned.as_ref().map(|tuned| tuned.accuracy.clone()).or(outcome.accuracy.clone()),
        finetune: tuned.as_ref().map(|tuned| tuned.report.clone()),
        layers: outcome.walked.layers.clone(),
        declined: outcome.walked.refused.iter().map(|one| Declined::of(&model.network, one.clone())).collect(),
        certificate,
        verification: outcome.verification.clone(),
        warnings: [model.warnings.clone(), calibration.warnings.clone(), forms(&outcome.walked)].concat(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    output::result(globals, &report, &text(&report))?;
    match &report.verification {
        Some(checks) if checks.iter().any(|check| check.share_of_bound > 1.0) => {
            let problem = format!("logits leave their bound\n{}", verification(checks));
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

/// The certificate of the linear layers, where they begin at the input and the plan touches nothing else.
fn certificate(
    network: &Network,
    walked: &Walked,
    reduced: &Network,
    samples: &dyn RowSource,
) -> Result<Option<UnitCertificate>> {
    let (original, reduced) = (Head::of(network)?, Head::of(reduced)?);
    let inside = |step: &UnitStep| original.layers.iter().any(|layer| layer.name == step.site.layer);
    if !original.whole || !reduced.whole || !walked.plan.steps.iter().all(inside) {
        return Ok(None);
    }
    let radius = data_radius(samples)?;
    let errors = plan_bound(&original, &reduced, &walked.plan, radius)?.errors(radius);
    let error = errors.into_iter().fold(0.0, f64::max);
    Ok(error.is_finite().then_some(UnitCertificate { radius, error }))
}

fn verification([before, after]: &[tropix::prune::LogitCheck; 2]) -> String {
    format!("reference, before: {}\nreference, after:  {}", output::logits(before), output::logits(after))
}

fn text(report: &UnitReport) -> String {
    let device = &report.heading.device;
    let mut text = format!(
        "{}, refit {} on {} ({}), seed {}{}\n{}",
        report.method,
        report.refit.name(),
        device.name,
        device.backend,
        report.heading.seed,
        report.why.map(|why| format!("\n{why}")).unwrap_or_default(),
        units_table(report),
    );
    for declined in &report.declined {
        text.push_str(&format!("\nnot pruned: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    for note in &report.warnings {
        text.push_str(&format!("\n{note}"));
    }
    if let Some(UnitCertificate { radius, error }) = &report.certificate {
        text.push_str(&format!(
            "\ncertified: no logit moves by more than {error:.4} for inputs of norm up to {radius:.4}"
        ));
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
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    if let Some(output) = &report.model.output {
        text.push_str(&format!("\nwrote {output}"));
    }
    text
}
