//! Fine-tuning of what pruning has left.

use tropix::backend::Backend;
use tropix::network::dataset::Dataset;
use tropix::network::{Head, Network};
use tropix::prune::{Accuracy, Timing, check_network, evaluate_network};
use tropix::report::logits_text;
use tropix::train::{Scope, TrainOptions, TuningReport, finetune};
use tropix::{Error, Result};

use super::Prepared;
use crate::args::{DataArgs, Globals, PruneArgs};
use crate::{input, output};

/// The data to measure on and those to train on, without a common sample as far as files tell.
pub(super) fn samples(
    globals: &Globals,
    args: &PruneArgs,
    network: &Network,
    data: Option<Dataset>,
    options: Option<&(Scope, TrainOptions)>,
) -> Result<(Option<Dataset>, Option<Dataset>)> {
    let Some((scope, options)) = options else { return Ok((data, None)) };
    let Some(data) = data else {
        let problem = input::missing("fine-tuning needs labelled data");
        return Err(Error::Argument { argument: "data", problem });
    };
    let labelled = |data: &Dataset| match (&data.labels, data.paths.first()) {
        (None, Some(file)) => {
            Err(Error::Format { file: file.clone(), problem: "holds no `labels`, which fine-tuning needs".to_owned() })
        }
        _ => Ok(()),
    };
    labelled(&data)?;
    // Nothing to train is found before any work.
    if *scope != Scope::All {
        Head::of(network)?;
    }
    let spec = DataArgs { data: args.tuning.train.clone(), ..args.data.clone() };
    match input::data_for(globals, &spec, network)? {
        Some(training) => {
            labelled(&training)?;
            Ok((Some(data), Some(training)))
        }
        None => {
            data.split(args.tuning.holdout, options.seed).map(|[training, held_out]| (Some(held_out), Some(training)))
        }
    }
}

/// A network after fine-tuning.
pub(super) struct Tuned {
    pub(super) network: Network,
    /// Beside the network before pruning.
    pub(super) accuracy: Accuracy,
    pub(super) report: TuningReport,
}

/// Fine-tunes a pruned network, if that is asked for.
pub(super) fn run<B: Backend>(
    globals: &Globals,
    args: &PruneArgs,
    prepared: &Prepared,
    backend: &B,
    pruned: &Network,
    timing: &mut Timing,
) -> anyhow::Result<Option<Tuned>> {
    let Some(options) = args.tuning.options(globals.seed)? else { return Ok(None) };
    let (Some(data), Some(training)) = (&prepared.data, &prepared.training) else {
        return Err(Error::Internal { what: "fine-tuning without samples".to_owned() }.into());
    };
    let model = &prepared.model;
    let (held_out, training) = (input::borrowed(data), input::borrowed(training));
    let progress = output::Progress::new(globals);
    let source = model.onnx.as_deref();
    let tuned = finetune(backend, pruned, source, training, held_out, (options.0, &options.1), timing, &progress)?;
    if globals.verify {
        let check = || check_network(backend, &tuned.network, Some(held_out), globals.seed);
        let check = timing.phase("verify", check)?;
        if check.share_of_bound > 1.0 {
            let problem = format!("logits after fine-tuning leave their bound: {}", logits_text(&check));
            return Err(Error::CheckFailed { problem }.into());
        }
    }
    let accuracy = evaluate_network(backend, &tuned.network, Some(&model.network), held_out, timing)?;
    Ok(Some(Tuned { network: tuned.network, accuracy, report: tuned.report }))
}
