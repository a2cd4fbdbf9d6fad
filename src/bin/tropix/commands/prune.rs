//! `tropix prune`.

use std::collections::BTreeMap;

use tropix::Error;
use tropix::network::format::{self, check_output};
use tropix::network::{ApplyOptions, Head};
use tropix::prune::{AlternatingOptions, Method, PruneOptions, Target, Timing, prune};
use tropix::report::{
    Change, Files, Heading, Memory, PruneReport, hidden_neurons, layers, layers_table, prune_table, weights,
};

use crate::args::{Globals, ProtocolArgs, PruneArgs};
use crate::device::{choose, with_backend};
use crate::{input, output};

pub(crate) fn protocol(args: &ProtocolArgs) -> AlternatingOptions {
    AlternatingOptions {
        objective: args.objective.into(),
        bias_in_generator: !args.no_bias_in_generator,
        kept: args.kept_weights.into(),
        first: args.order.into(),
        half_steps: usize::from(args.half_steps),
    }
}

pub(crate) fn run(globals: &Globals, args: &PruneArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let target = match (args.rate, args.lambda) {
        (Some(rate), _) => Target::Rate(rate),
        (None, lambda) => Target::Lambda(lambda.unwrap_or(0.0)),
    };
    if let Some(output) = &args.output {
        check_output(output, std::slice::from_ref(&args.model.model), globals.force)?;
    }
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let head = Head::of(&model.network)?;
    let declined = input::declined(&model.network, &head);
    if args.strict
        && let Some(first) = declined.first()
    {
        let problem = format!("`{}` ({}) cannot be pruned: {}", first.name, first.op, first.reason);
        return Err(Error::Unsupported { problem }.into());
    }
    let data = timing.phase("load", || input::data(&args.data, &model.network, &head))?;
    if let Some(output) = &args.output {
        let inputs = input::paths(&model, data.as_ref());
        for output in format::outputs(&model, output)? {
            check_output(&output, &inputs, globals.force)?;
        }
    }
    let backend = timing.phase("start device", || choose(globals))?;
    let options = PruneOptions {
        method: args.method.0,
        seed: globals.seed,
        target,
        alternating: protocol(&args.protocol),
        apply: ApplyOptions { compact: !args.no_compact, min_keep: usize::try_from(args.min_keep)? },
        verify: globals.verify,
    };
    let samples = data.as_ref().map(input::borrowed);
    let outcome = with_backend!(&backend, backend => prune(backend, &model.network, samples, &options, timing))?;

    let layers = layers(&outcome.applied, &outcome.kept);
    let method = options.method.name();
    let before = model.paths.iter().filter(|path| Some(*path) != args.model.arch.as_ref());
    let before = before.map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum();
    let after = match args.output.as_ref().filter(|_| !args.dry_run) {
        Some(output) => {
            let note = serde_json::json!({ "method": method, "rate": outcome.rate, "seed": globals.seed });
            let extra = BTreeMap::from([("tropix.pruned".to_owned(), note.to_string())]);
            timing
                .phase("write", || format::save(&model, &outcome.applied.network, output, globals.force, &extra))?
                .bytes
        }
        None => outcome.applied.network.tensors().map(|tensor| tensor.byte_len() as u64).sum(),
    };
    let mut warnings = model.warnings.clone();
    for layer in outcome.applied.layers.iter().filter(|layer| layer.held_back) {
        warnings.push(format!("every neuron of `{}` would go; {} stay", layer.name, args.min_keep));
    }
    let report = PruneReport {
        heading: Heading::new("prune", globals.seed, backend.device()),
        method,
        options: (options.method == Method::Tropical).then_some(options.alternating),
        model: Files {
            input: args.model.model.display().to_string(),
            output: args.output.as_ref().filter(|_| !args.dry_run).map(|path| path.display().to_string()),
        },
        data: data.as_ref().map(|data| data.applied.clone()),
        weights: weights(&outcome),
        neurons: hidden_neurons(&layers),
        file_bytes: Change { before, after },
        accuracy: outcome.accuracy.clone(),
        layers,
        declined,
        alternation: outcome.alternation.clone(),
        verification: outcome.verification.clone(),
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    output::result(globals, &report, &text(&report))?;
    for warning in &report.warnings[model.warnings.len()..] {
        output::note(globals, &format!("warning: {warning}"));
    }
    match &report.verification {
        Some(found) if !found.ok => {
            let problem = format!("the reference disagrees\n{}", output::verification(found));
            Err(Error::CheckFailed { problem }.into())
        }
        _ => Ok(()),
    }
}

fn text(report: &PruneReport) -> String {
    let device = &report.heading.device;
    let mut text = format!(
        "{} at rate {:.4} on {} ({}), seed {}\n{}\n{}",
        report.method,
        report.weights.rate,
        device.name,
        device.backend,
        report.heading.seed,
        prune_table(report),
        layers_table(&report.layers),
    );
    for declined in &report.declined {
        text.push_str(&format!("\nnot pruned: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    for block in &report.alternation {
        let objective: Vec<String> = block.objective.iter().map(|value| format!("{value:.6}")).collect();
        text.push_str(&format!(
            "\nblock `{}`, `{}`: lambda {:.6}, {} rows removed, {} neurons at zero that the other order keeps, \
             objective by half-step {}",
            block.layers[0],
            block.layers[1],
            block.lambda,
            block.removed_rows,
            block.killed_early,
            objective.join(" ")
        ));
    }
    if let Some(applied) = &report.data {
        text.push_str(&format!("\ndata: {applied}"));
    }
    if let Some(found) = &report.verification {
        text.push_str(&format!("\n{}", output::verification(found)));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    if let Some(output) = &report.model.output {
        text.push_str(&format!("\nwrote {output}"));
    }
    text
}
