//! Units of any graph go, by the weights around them.

use std::collections::BTreeMap;

use tropix::backend::RowSource;
use tropix::network::Op;
use tropix::network::format::{ModelFile, check_output};
use tropix::prune::Timing;
use tropix::prune::spaces::{Importance, SpaceOptions, prune_spaces};
use tropix::prune::synth::{Prior, SyntheticInputs};
use tropix::report::{Change, Files, Heading, Memory, SpaceReport, spaces_table};
use tropix::{Error, Result};

use super::{names, written};
use crate::args::{Globals, PruneArgs};
use crate::device::{choose, with_backend};
use crate::{input, output};

/// The importance of units that is asked for, if the run is one on the graph of operators: of an ONNX model, by the weights
/// around units, and with no option that is about layers of neurons.
pub(super) fn asked(args: &PruneArgs, model: &ModelFile) -> Result<Option<Importance>> {
    let importance = args.method.and_then(|method| method.importance());
    let whole = model.network.nodes.iter().any(|node| matches!(&node.op, Op::Carried { op, .. } if op == "graph"));
    let onnx = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"));
    let graph = model.onnx.is_some() && args.output.as_ref().is_none_or(onnx);
    let layers = [
        (!args.layer.is_empty(), "layer"),
        (args.refit.is_some(), "refit"),
        (args.target_params.is_some(), "target-params"),
        (args.max_error.is_some(), "max-error"),
        (args.allocate.is_some(), "allocate"),
        (args.radius.is_some(), "radius"),
        (args.data.data.is_some(), "data"),
        (args.no_lossless, "no-lossless"),
        (args.strict, "strict"),
    ];
    let about_layers = layers.into_iter().find(|(given, _)| *given).map(|(_, name)| name);
    let only_here = args.no_trunk || !args.ignore.is_empty();
    match (importance, about_layers) {
        (Some(importance), None) if graph => Ok(Some(importance)),
        (Some(_), Some(argument)) if whole || only_here => {
            let problem = "is about layers of neurons, and not all of this network is computed".to_owned();
            Err(Error::Argument { argument, problem })
        }
        (None, _) if whole && args.method.is_none() && graph => Ok(Some(Importance::SynthRefit)),
        (None, _) if whole => {
            let names: Vec<&str> = Importance::ALL.iter().map(|one| one.name()).collect();
            let problem = format!("not all of this network is computed; it takes the methods {}", names.join(", "));
            Err(Error::Argument { argument: "method", problem })
        }
        (Some(importance), _) if matches!(args.method, Some(crate::args::MethodArg::Spaces(_))) => {
            let problem = format!("`{}` works on ONNX models alone, and writes them", importance.name());
            Err(Error::Argument { argument: "method", problem })
        }
        _ if only_here => {
            let argument = if args.no_trunk { "no-trunk" } else { "ignore" };
            let problem = "is for methods that choose units of ONNX models by their weights".to_owned();
            Err(Error::Argument { argument, problem })
        }
        _ => Ok(None),
    }
}

/// Synthetic inputs for a refit.
fn synthetic(args: &PruneArgs, model: &ModelFile, importance: Importance) -> Result<Option<SyntheticInputs>> {
    /// Inputs that a refit draws where nothing is said: each gives rows at many places.
    const INPUTS: usize = 1000;
    if importance != Importance::SynthRefit {
        return Ok(None);
    }
    let network = input::normalised(&model.network, &args.data);
    let options = args.synth.options();
    let prior = options.prior.unwrap_or_else(|| Prior::of(&network));
    SyntheticInputs::new(&network, prior, options.inputs.unwrap_or(INPUTS), options.seed).map(Some)
}

pub(super) fn run(
    globals: &Globals,
    args: &PruneArgs,
    model: &ModelFile,
    importance: Importance,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let missing = || Error::Internal { what: "a graph without its model".to_owned() };
    let source = model.onnx.as_deref().ok_or_else(missing)?;
    if let Some(output) = &args.output {
        for output in tropix::network::format::outputs(model, output)? {
            check_output(&output, &model.paths, globals.force)?;
        }
    }
    let options = SpaceOptions {
        importance,
        keep: args.keep.unwrap_or(1.0),
        round_to: usize::try_from(args.round_to)?,
        min_keep: usize::try_from(args.min_keep)?,
        leave_trunks: args.no_trunk,
        ignore: args.ignore.clone(),
        seed: globals.seed,
        ridge: args.synth.ridge,
    };
    let backend = timing.phase("start device", || choose(globals))?;
    let inputs = synthetic(args, model, importance)?;
    let inputs = inputs.as_ref().map(|inputs| inputs as &dyn RowSource);
    let progress = output::Progress::new(globals);
    let run = with_backend!(&backend, backend => {
        timing.phase("prune", || prune_spaces(backend, source, inputs, &options, &progress))?
    });
    let note = serde_json::json!({ "method": importance.name(), "keep": options.keep, "seed": options.seed });
    let metadata = BTreeMap::from([("tropix.report".to_owned(), note.to_string())]);
    let saved = match args.output.as_ref().filter(|_| !args.dry_run) {
        Some(output) => Some(timing.phase("write", || run.save(model, output, globals.force, &metadata))?),
        None => None,
    };
    let before = model.paths.iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum();
    let [parameters, neurons] = SpaceReport::changes(&run);
    let report = SpaceReport {
        heading: Heading::new("prune", globals.seed, backend.device()),
        method: importance.name(),
        keep: options.keep,
        model: Files { input: args.model.model.display().to_string(), output: written(args) },
        files: names(saved.as_ref()),
        parameters,
        neurons,
        file_bytes: Change { before, after: saved.as_ref().map_or(4 * parameters.after, |saved| saved.bytes) },
        accuracy: None,
        spaces: run.spaces.clone(),
        frozen: run.frozen.clone(),
        carried: run.carried.clone(),
        warnings: model.warnings.clone(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    output::result(globals, &report, &text(&report))
}

fn text(report: &SpaceReport) -> String {
    let mut text = format!("{}, keep {}\n{}", report.method, report.keep, spaces_table(report));
    for frozen in &report.frozen {
        text.push_str(&format!("\nkept: {} of `{}`: {}", frozen.units, frozen.name, frozen.reason));
    }
    for carried in &report.carried {
        text.push_str(&format!("\n{carried}"));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\n{warning}"));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    if !report.files.is_empty() {
        text.push_str(&format!("\nwrote {}", report.files.join(", ")));
    }
    text
}
