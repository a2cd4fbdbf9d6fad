//! Units of any graph go, by the weights around them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tropix::backend::RowSource;
use tropix::network::dataset::{Dataset, Inputs};
use tropix::network::format::{self, ModelFile, OnnxSource, Saved, check_output};
use tropix::network::{Op, Site, coupled_sites};
use tropix::prune::spaces::{Importance, SpaceOptions, SpaceRun, find_spaces, prune_spaces};
use tropix::prune::synth::{Prior, SyntheticInputs, distil};
use tropix::prune::{Accuracy, Timing, evaluate_models};
use tropix::report::html::spaces_page;
use tropix::report::svg::graph_svg;
use tropix::report::{
    Change, DistilReport, Files, Heading, Memory, SpaceReport, accuracy_table, spaces_table, tuning_table,
};
use tropix::train::finetune_spaces;
use tropix::{Error, Result};

use super::{finetune, names, written};
use crate::args::{DataArgs, FinetuneArg, Globals, MethodArg, PriorArg, PruneArgs, StatisticsArg};
use crate::device::{AnyBackend, choose, with_backend};
use crate::effect::refuse;
use crate::{input, output, page};

/// Options that are about layers of neurons.
const LAYERS: &[&str] = &[
    "--layer",
    "--refit",
    "--target-params",
    "--max-error",
    "--allocate",
    "--radius",
    "--bounds",
    "--no-certify",
    "--no-lossless",
    "--no-compact",
    "--strict",
    "--verify",
    "--moments",
];

/// What one space loses at most in one ranking over all: the cheapest units of a network may all lie in one layer.
const MAX_RATIO: f64 = 0.9;

/// Options of synthetic inputs.
const SYNTHETIC: &[&str] = &["--prior", "--inputs"];

/// Options of refits.
const REFIT: &[&str] = &[
    "--norm-statistics",
    "--distil-steps",
    "--keep-inputs",
    "--prior",
    "--inputs",
    "--ridge",
    "--calib",
    "--calib-samples",
];

/// The importance of units that is asked for, if the run is one on the graph of operators: of an ONNX model, by a method that
/// takes any graph, without an option that is about layers of neurons. `synth-refit` goes by layers where these hold all units:
/// backends compute them.
pub(super) fn asked(globals: &Globals, args: &PruneArgs, model: &ModelFile) -> Result<Option<Importance>> {
    let named = args.method.and_then(|method| method.importance());
    let whole = model.network.nodes.iter().any(|node| matches!(&node.op, Op::Carried { op, .. } if op == "graph"));
    let onnx = |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx"));
    let graph = model.onnx.is_some() && args.output.as_ref().is_none_or(onnx);
    let here = args.no_trunk || !args.ignore.is_empty() || args.heads.is_some() || args.global || args.steps > 1;
    // Layers know no open lengths: sizes would be written for the one that is given.
    let open = model.onnx.as_ref().is_some_and(|source| source.has_open_axes());
    let here = here || args.max_ratio.is_some() || open;
    let here = here || matches!(args.method, Some(MethodArg::Spaces(_)));
    // Gradients are those of graphs.
    let here = here || args.synth.prior == Some(PriorArg::Distilled) || args.distil.norm_statistics.is_some();
    // Of a graph that layers hold only in part, the default takes all.
    let unnamed = args.method.is_none() && (whole || here || graph);
    let importance = named.or(unnamed.then_some(Importance::SynthRefit));
    let Some(importance) = importance.filter(|_| graph) else {
        if !whole && !here {
            return Ok(None);
        }
        return Err(misplaced(args, model, importance.is_some()));
    };
    let by_layers = LAYERS.iter().any(|option| globals.run.gives(option));
    // Linear layers at the output are looked for among layers; `all` weights are those of any graph.
    let at_output =
        matches!(args.tuning.finetune, Some(FinetuneArg::Biases | FinetuneArg::Head | FinetuneArg::Classifier));
    let by_layers = by_layers || at_output;
    let by_layers = by_layers || (importance == Importance::SynthRefit && !here && layers_hold_all(model)?);
    if by_layers && !whole && !here {
        return Ok(None);
    }
    if !model.onnx.as_ref().is_some_and(|source| source.has_batch_norms()) {
        refuse(globals, &["--norm-statistics"], "without batch norms")?;
    }
    refuse(globals, LAYERS, "on units of any graph: it is about layers of neurons")?;
    if at_output {
        let problem = "linear layers at the output are not looked for in a graph of operators: take `all`".to_owned();
        return Err(Error::Argument { argument: "--finetune", problem });
    }
    if importance != Importance::SynthRefit {
        refuse(globals, REFIT, "without `synth-refit`")?;
    } else if args.moments.calib.is_some() {
        refuse(globals, SYNTHETIC, "with `--calib`: no inputs are drawn")?;
    }
    Ok(Some(importance))
}

/// Why a run on the graph of operators cannot be: the model, where it is to go, or the method.
fn misplaced(args: &PruneArgs, model: &ModelFile, fits: bool) -> Error {
    let (argument, problem) = if model.onnx.is_none() {
        let given = [
            ("--heads", args.heads.is_some()),
            ("--global", args.global),
            ("--steps", args.steps > 1),
            ("--max-ratio", args.max_ratio.is_some()),
            ("--ignore", !args.ignore.is_empty()),
            ("--no-trunk", args.no_trunk),
        ];
        let option = given.iter().find(|(_, given)| *given).map_or("--method", |(option, _)| option);
        (option, "is for ONNX models: `tropix convert MODEL -o MODEL.onnx` writes one".to_owned())
    } else if fits {
        ("--output", "a graph of operators is written as ONNX alone: name it NAME.onnx".to_owned())
    } else {
        let names: Vec<&str> = Importance::ALL.iter().map(|one| one.name()).collect();
        let name = args.method.map_or("", MethodArg::name);
        let problem = format!(
            "`{name}` works on layers, and here units of a graph of operators are to go: take {}",
            names.join(", ")
        );
        ("--method", problem)
    };
    Error::Argument { argument, problem }
}

/// Whether layers of neurons and channels, trunks among them, are all that can go from a model.
fn layers_hold_all(model: &ModelFile) -> Result<bool> {
    let Some(source) = &model.onnx else { return Ok(true) };
    let units: usize = find_spaces(source)?.spaces.spaces.iter().map(|space| space.units.len()).sum();
    let (sites, _) = coupled_sites(&model.network)?;
    Ok(units <= sites.iter().map(Site::units).sum())
}

/// The inputs of a refit, and what distilling them did.
type RefitInputs = (Option<Box<dyn RowSource>>, Option<DistilReport>);

/// Inputs for a refit: calibration samples, or synthetic ones.
fn inputs(
    globals: &Globals,
    args: &PruneArgs,
    model: &ModelFile,
    importance: Importance,
    backend: &AnyBackend,
) -> anyhow::Result<RefitInputs> {
    if importance == Importance::SynthRefit && args.moments.calib.is_some() {
        let spec = DataArgs { data: args.moments.calib.clone(), ..args.data.clone() };
        let samples = input::data_for(globals, &spec, &model.network)?;
        let missing = || Error::Internal { what: "calibration samples that are not there".to_owned() };
        let source = samples.ok_or_else(missing)?.inputs;
        let rows = source.shape()[0].min(usize::try_from(args.moments.calib_samples)?);
        return Ok((Some(Box::new(Samples { source, rows })), None));
    }
    match (synthetic(globals, args, model, importance)?, &model.onnx) {
        (Some(drawn), Some(source)) if args.synth.prior == Some(PriorArg::Distilled) => {
            let (options, progress) = (args.distil.options(), output::Progress::new(globals));
            let distilled = with_backend!(backend, backend => distil(backend, source, &drawn, &options, &progress)?);
            let report = DistilReport::of(&distilled, &options);
            if let Some(path) = &args.distil.keep_inputs {
                let about = serde_json::to_string(&report)?;
                format::save_samples(
                    path,
                    &distilled.inputs.view(),
                    None,
                    &model.network.input,
                    &about,
                    globals.force,
                )?;
            }
            Ok((Some(Box::new(distilled)), Some(report)))
        }
        (drawn, _) => Ok((drawn.map(|inputs| Box::new(inputs) as Box<dyn RowSource>), None)),
    }
}

/// The first rows of calibration samples.
struct Samples {
    source: Inputs,
    rows: usize,
}

impl RowSource for Samples {
    fn shape(&self) -> [usize; 2] {
        [self.rows, self.source.shape()[1]]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.source.read_rows(first, out)
    }
}

/// Whether batch norms take their statistics from the inputs of a refit: those that are made up are of another scale than data.
fn batch_statistics(args: &PruneArgs) -> bool {
    let made_up = args.moments.calib.is_none();
    args.distil.norm_statistics.map_or(made_up, |whose| whose == StatisticsArg::Batch)
}

/// Synthetic inputs for a refit.
fn synthetic(
    globals: &Globals,
    args: &PruneArgs,
    model: &ModelFile,
    importance: Importance,
) -> Result<Option<SyntheticInputs>> {
    /// Inputs that a refit draws where nothing is said: each gives rows at many places.
    const INPUTS: usize = 1000;
    /// The same where each is moved many times.
    const DISTILLED: usize = 500;
    if importance != Importance::SynthRefit {
        return Ok(None);
    }
    let (network, note) = input::normalised(model, &args.data)?;
    if let Some(note) = note {
        output::note(globals, &note);
    }
    let options = args.synth.options();
    let prior = options.prior.unwrap_or_else(|| Prior::of(&network));
    let usual = if args.synth.prior == Some(PriorArg::Distilled) { DISTILLED } else { INPUTS };
    SyntheticInputs::new(&network, prior, options.inputs.unwrap_or(usual), options.seed).map(Some)
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
    let data = timing.phase("load", || input::data_for(globals, &args.data, &model.network))?;
    let tuning = args.tuning.options(globals.seed)?;
    let read = || finetune::samples(globals, args, &model.network, data, tuning.as_ref());
    let (data, training) = timing.phase("load", read)?;
    let mut read = input::paths(model, data.as_ref());
    read.extend(training.iter().flat_map(|training| training.paths.clone()));
    if let Some(output) = &args.output {
        for output in format::outputs(model, output)? {
            check_output(&output, &read, globals.force)?;
        }
    }
    page::check(globals, &args.page)?;
    let options = SpaceOptions {
        importance,
        keep: args.keep.unwrap_or(1.0),
        heads: args.heads,
        global: args.global,
        max_ratio: args.max_ratio.unwrap_or(if args.global { MAX_RATIO } else { 1.0 }),
        steps: usize::from(args.steps),
        round_to: usize::try_from(args.round_to)?,
        min_keep: usize::try_from(args.min_keep)?,
        leave_trunks: args.no_trunk,
        ignore: args.ignore.clone(),
        seed: globals.seed,
        ridge: args.synth.ridge,
        batch_statistics: batch_statistics(args),
    };
    let backend = timing.phase("start device", || choose(globals))?;
    if let Some(path) = &args.distil.keep_inputs {
        check_output(path, &read, globals.force)?;
    }
    let (inputs, distilled) = timing.phase("inputs", || inputs(globals, args, model, importance, &backend))?;
    let inputs = inputs.as_deref();
    let progress = output::Progress::new(globals);
    let mut parts = timing.beside();
    let mut run = with_backend!(&backend, backend => {
        timing.phase("prune", || prune_spaces(backend, source, inputs, &options, &progress, &mut parts))?
    });
    timing.absorb(parts);
    let tuned = match (&tuning, &data, &training) {
        (Some((_, options)), Some(data), Some(training)) => {
            let (training, held_out) = (input::borrowed(training), input::borrowed(data));
            Some(with_backend!(&backend, backend => {
                finetune_spaces(backend, &mut run, training, held_out, options, timing, &progress)?
            }))
        }
        _ => None,
    };
    let note = serde_json::json!({ "method": importance.name(), "keep": options.keep, "heads": options.heads,
        "seed": options.seed, "finetune": tuned.as_ref().map(|tuned| tuned.scope) });
    let metadata = BTreeMap::from([("tropix.report".to_owned(), note.to_string())]);
    let saved = match args.output.as_ref().filter(|_| !args.dry_run) {
        Some(output) => Some(timing.phase("write", || run.save(model, output, globals.force, &metadata))?),
        None => None,
    };
    let accuracy = match &data {
        Some(data) => Some(accuracy(args, model, (&run, saved.as_ref()), &backend, data, timing)?),
        None => None,
    };
    let before = model.paths.iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum();
    let [parameters, neurons] = SpaceReport::changes(&run);
    let report = SpaceReport {
        heading: Heading::new("prune", globals.seed, backend.device()),
        method: importance.name(),
        keep: options.keep,
        global: options.global,
        steps: options.steps,
        model: Files { input: args.model.model.display().to_string(), output: written(args) },
        files: names(saved.as_ref()),
        parameters,
        neurons,
        file_bytes: Change { before, after: saved.as_ref().map_or(4 * parameters.after, |saved| saved.bytes) },
        accuracy,
        data: data.as_ref().map(|data| data.applied.clone()),
        spaces: run.spaces.clone(),
        heads: run.heads.clone(),
        distilled,
        finetune: tuned,
        frozen: run.frozen.clone(),
        carried: run.carried.clone(),
        warnings: input::warnings(model, data.iter().chain(&training)),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let network = match &args.page.report {
        Some(_) => Some(drawing(args, source)?),
        None => None,
    };
    page::result(globals, &args.page, &report, text(&report), || spaces_page(&report, network.as_deref()))
}

/// The operators as they were, in the colours of their spaces.
fn drawing(args: &PruneArgs, source: &OnnxSource) -> Result<String> {
    let found = find_spaces(source)?;
    Ok(graph_svg(&input::stem(&args.model), &found.operators, &found.spaces))
}

/// Accuracy before and after. What was not written is written aside for it.
fn accuracy(
    args: &PruneArgs,
    model: &ModelFile,
    (run, saved): (&SpaceRun, Option<&Saved>),
    backend: &AnyBackend,
    data: &Dataset,
    timing: &mut Timing,
) -> anyhow::Result<Accuracy> {
    let aside = tempfile::tempdir()?;
    let path = match (saved, &args.output) {
        (Some(_), Some(output)) => output.clone(),
        _ => {
            let path = aside.path().join("pruned.onnx");
            run.save(model, &path, false, &BTreeMap::new())?;
            path
        }
    };
    let smaller = format::load_shaped(&path, None, &args.shapes.input_shape)?;
    let samples = input::borrowed(data);
    let found = with_backend!(backend, backend => evaluate_models(backend, &smaller, Some(model), samples, timing)?);
    Ok(found.0)
}

fn text(report: &SpaceReport) -> String {
    let how = if report.global { " of all units" } else { "" };
    let steps = if report.steps > 1 { format!(" in {} steps", report.steps) } else { String::new() };
    let mut text = format!("{}, keep {}{how}{steps}\n{}", report.method, report.keep, spaces_table(report));
    if let Some(distilled) = &report.distilled {
        text.push_str(&format!("\n{distilled}"));
    }
    for heads in &report.heads {
        text.push_str(&format!("\nheads of `{}`: {} -> {}", heads.name, heads.before, heads.after));
    }
    for frozen in &report.frozen {
        text.push_str(&format!("\nkept: {} of `{}`: {}", frozen.units, frozen.name, frozen.reason));
    }
    for carried in &report.carried {
        text.push_str(&format!("\n{carried}"));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\n{warning}"));
    }
    if let Some(tuned) = &report.finetune {
        text.push_str(&format!("\n{}", tuning_table(tuned)));
    }
    if let (Some(accuracy), Some(data)) = (&report.accuracy, &report.data) {
        text.push_str(&format!("\n{}\ndata: {data}", accuracy_table(accuracy, true)));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    if !report.files.is_empty() {
        text.push_str(&format!("\nwrote {}", report.files.join(", ")));
    }
    text
}
