//! Weights go: the unstructured methods and the row protocol.

use std::collections::BTreeMap;

use tropix::Error;
use tropix::certify::Pairing;
use tropix::network::{ApplyOptions, Head, format};
use tropix::number::fixed;
use tropix::prune::structured::Refit;
use tropix::prune::{Method, PruneOptions, Target, Timing, prune};
use tropix::report::html::prune_page;
use tropix::report::{
    Files, Heading, Memory, NetworkWeights, PruneReport, hidden_neurons, layers, layers_table, prune_certificate_text,
    prune_table, sparse_refits_table, tuning_table, verification_text, weights,
};

use super::{Prepared, certificate, finetune, limits, names, protocol, written};
use crate::args::{Globals, PruneArgs};
use crate::calibration::Calibration;
use crate::device::with_backend;
use crate::{fitting, input, output, page};

pub(super) fn run(
    globals: &Globals,
    args: &PruneArgs,
    prepared: &Prepared,
    method: Method,
    target: Target,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let Prepared { model, declined, data, backend, .. } = prepared;
    let read = || Calibration::read(globals, &args.moments, &args.synth, &args.data, &model.network);
    let calibration = timing.phase("load", read)?;
    let refit = args.refit.map_or(Refit::None, |refit| refit.0);
    fitting::check_effects(globals, &args.moments, &[refit], &calibration)?;
    let options = PruneOptions {
        method,
        seed: globals.seed,
        target,
        alternating: protocol(&args.protocol),
        apply: ApplyOptions { compact: !args.no_compact, min_keep: usize::try_from(args.min_keep)? },
        verify: globals.verify,
    };
    let (outcome, tuned) = with_backend!(backend, backend => {
        let read = || data.as_ref().map(|data| input::features(backend, model, data)).transpose();
        let features = timing.phase("features", read)?.flatten();
        let samples = data.as_ref().map(|data| input::for_head(data, features.as_ref()));
        let head = Head::of(&model.network)?;
        let told = (globals, &args.synth);
        let drawn = || fitting::Inputs::of(backend, (model, &head), told, &calibration, refit);
        let inputs = timing.phase("draw", drawn)?;
        let fitting = inputs.as_ref().map(fitting::Inputs::fitting);
        let outcome = prune(backend, &model.network, samples, &options, fitting, timing)?;
        let tuned = finetune::run(globals, args, prepared, backend, &outcome.applied.network, timing)?;
        (outcome, tuned)
    });
    let network = tuned.as_ref().map_or(&outcome.applied.network, |tuned| &tuned.network);

    let pairings = |head: &Head| Pairing::of_applied(head, &outcome.applied.layers);
    let radius = prepared.radius(args)?.filter(|_| !args.no_certify);
    let certified = timing.phase("certify", || certificate(&model.network, network, pairings, radius, &args.bounds))?;
    let layers = layers(&outcome.applied, &outcome.kept);
    let method = options.method.name();
    let saved = match args.output.as_ref().filter(|_| !args.dry_run) {
        Some(output) => {
            let note = serde_json::json!({ "method": method, "rate": outcome.rate, "seed": globals.seed,
                "finetune": tuned.as_ref().map(|tuned| tuned.report.scope) });
            let extra = BTreeMap::from([("tropix.report".to_owned(), note.to_string())]);
            let save = || format::save(model, network, output, globals.force, &extra);
            Some(timing.phase("write", save)?)
        }
        None => None,
    };
    let mut warnings = input::warnings(model, [data, &prepared.training].into_iter().flatten());
    warnings.extend(calibration.warnings.iter().cloned());
    let known = warnings.len();
    for layer in outcome.refits.iter().filter(|layer| layer.fell_back) {
        let (name, inputs) = (&layer.name, layer.inputs);
        warnings.push(format!("`{name}` is not refitted: on {inputs} inputs unseen a refit does no better than none"));
    }
    for layer in outcome.applied.layers.iter().filter(|layer| layer.held_back) {
        warnings.push(format!("every neuron of `{}` would go; {} stay", layer.name, args.min_keep));
    }
    warnings.extend(limits::of_weights(target));
    let report = PruneReport {
        heading: Heading::new("prune", globals.seed, backend.device()),
        method,
        options: (options.method == Method::Tropical).then_some(options.alternating),
        model: Files { input: args.model.model.display().to_string(), output: written(args) },
        files: names(saved.as_ref()),
        data: data.as_ref().map(|data| data.applied.clone()),
        weights: weights(&outcome),
        network_weights: NetworkWeights::of(&model.network, &outcome),
        neurons: hidden_neurons(&layers),
        file_bytes: prepared.file_bytes(args, saved.as_ref(), network),
        accuracy: tuned.as_ref().map(|tuned| tuned.accuracy.clone()).or(outcome.accuracy.clone()),
        finetune: tuned.as_ref().map(|tuned| tuned.report.clone()),
        layers,
        refit,
        prior: fitting::assumed(&[refit], &calibration),
        refits: outcome.refits.clone(),
        declined: declined.clone(),
        certificate: certified,
        alternation: outcome.alternation.clone(),
        verification: outcome.verification.clone(),
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    page::result(globals, &args.page, &report, text(&report), || prune_page(&report))?;
    for warning in &report.warnings[known..] {
        output::note(globals, &format!("warning: {warning}"));
    }
    match &report.verification {
        Some(found) if !found.ok => {
            let problem = format!("the reference disagrees\n{}", verification_text(found));
            Err(Error::CheckFailed { problem }.into())
        }
        _ => Ok(()),
    }
}

fn text(report: &PruneReport) -> String {
    let device = &report.heading.device;
    let mut text = format!(
        "{} at rate {:.4}{}{}{} on {} ({}), seed {}\n{}\n{}",
        report.method,
        report.weights.rate,
        if report.is_of_a_part() { " of the layers that it prunes" } else { "" },
        if report.refit == Refit::None { String::new() } else { format!(", refit {}", report.refit.name()) },
        report.prior.map(|prior| format!(", prior {prior}")).unwrap_or_default(),
        device.name,
        device.backend,
        report.heading.seed,
        prune_table(report),
        layers_table(&report.layers),
    );
    if !report.refits.is_empty() {
        text.push_str(&format!("\n{}", sparse_refits_table(&report.refits)));
    }
    for declined in &report.declined {
        text.push_str(&format!("\nnot pruned: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    for block in &report.alternation {
        let objective: Vec<String> = block.objective.iter().map(|value| fixed(*value, 6)).collect();
        text.push_str(&format!(
            "\nblock `{}`, `{}`: lambda {}, {} rows removed, {} neurons at zero that the other order keeps, \
             objective by half-step {}",
            block.layers[0],
            block.layers[1],
            fixed(block.lambda, 6),
            block.removed_rows,
            block.killed_early,
            objective.join(" ")
        ));
    }
    if let Some(tuned) = &report.finetune {
        text.push_str(&format!("\n{}", tuning_table(tuned)));
    }
    if let Some(certificate) = &report.certificate {
        text.push_str(&format!("\n{}", prune_certificate_text(certificate)));
    }
    if let Some(applied) = &report.data {
        text.push_str(&format!("\ndata: {applied}"));
    }
    if let Some(found) = &report.verification {
        text.push_str(&format!("\n{}", verification_text(found)));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    if !report.files.is_empty() {
        text.push_str(&format!("\nwrote {}", report.files.join(", ")));
    }
    text
}
