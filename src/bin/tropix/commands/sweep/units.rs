//! Structured methods x refits x shares kept x seeds.

use std::path::Path;

use ndarray::Array2;
use tropix::Error;
use tropix::backend::RowSource;
use tropix::network::dataset::{Dataset, First};
use tropix::network::format::{ModelFile, write_text, written_bytes};
use tropix::network::{Network, Op, Runtime, coupled_sites, head_for};
use tropix::prune::structured::{Refit, UnitAxes, UnitCost, UnitMethod, UnitOptions, summaries, sweep_units};
use tropix::prune::{Timing, evaluate_network, latency};
use tropix::report::html::unit_sweep_page;
use tropix::report::{
    Files, Heading, Memory, UnitSweepReport, accuracy_table, unit_costs_table, unit_runs_csv, unit_runs_table,
    units_svg,
};

use super::super::prune::note;
use crate::args::{Globals, MethodArg, SweepArgs};
use crate::calibration::{Calibration, check, check_effects};
use crate::device::{choose, with_backend};
use crate::{input, output, page};

pub(super) fn run(
    globals: &Globals,
    args: &SweepArgs,
    model: &ModelFile,
    data: &Dataset,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let network = &model.network;
    if network.nodes.iter().any(|node| node.op.name() == "graph") {
        let problem =
            "a sweep works on layers, and this model is known as a graph of operators alone: prune it once for each \
                       share, or by `tropix batch`"
                .to_owned();
        return Err(Error::Unsupported { problem }.into());
    }
    let read = || Calibration::read(globals, &args.moments, &args.synth, &args.data, network);
    let calibration = timing.phase("load", read)?;
    let backend = timing.phase("start device", || choose(globals))?;
    let of_head = |data: &Dataset| -> tropix::Result<Option<Array2<f32>>> {
        with_backend!(&backend, backend => input::features(backend, model, data))
    };
    let [features, calibration_features] = if args.head {
        let calibrated = || calibration.samples.as_ref().map(of_head).transpose();
        timing.phase("features", || Ok::<_, Error>([of_head(data)?, calibrated()?.flatten()]))?
    } else {
        [None, None]
    };
    // Where data are inputs of the head, nothing before it changes.
    let width = features.as_ref().map_or(data.inputs.shape()[1], Array2::ncols);
    let head_only = head_for(network, width).is_some_and(|head| !head.whole);
    if features.is_some() && !head_only {
        let problem =
            format!("the head takes {width} values like the whole network, which tells neither from the other");
        return Err(Error::Unsupported { problem }.into());
    }
    let axes = axes(globals, args, network, head_only, &calibration)?;
    check_effects(globals, &args.moments, network, &axes.runs, &calibration)?;
    let base = UnitOptions {
        prior: calibration.prior.clone(),
        ridge: args.synth.ridge,
        synth: args.synth.options(),
        couple_trunk: args.couple_trunk,
        head_only,
        ..UnitOptions::new(UnitMethod::GreedyGaussian, 1.0)
    };
    let timed = args.latency.map(usize::from);
    if head_only && timed.is_some() {
        let problem = "the data are inputs of the head; latencies are of whole networks".to_owned();
        return Err(Error::Argument { argument: "latency", problem }.into());
    }
    let start = |network: &Network| Runtime::new(network, model.onnx.as_deref());
    let original = timed.map(|runs| Ok::<_, Error>((runs, start(network)?))).transpose()?;
    let (normalised, told) = input::normalised(model, &args.data)?;
    if let Some(told) = told {
        output::note(globals, &told);
    }
    let cost = |options: &UnitOptions, reduced: &Network| -> tropix::Result<UnitCost> {
        let network = &Network { normalize: network.normalize.clone(), ..reduced.clone() };
        let seconds =
            original.as_ref().map(|(runs, original)| latency([original, &start(network)?], &data.inputs, 1, *runs));
        Ok(UnitCost {
            file_bytes: written_bytes(model, network, &args.model.model, &note(options, None))?,
            multiply_adds: network.multiply_adds(),
            latency: seconds.transpose()?,
        })
    };
    let rows = match &calibration_features {
        Some(source) => Some(First { source, rows: calibration.count }),
        None => calibration.rows(),
    };
    let rows = rows.as_ref().map(|rows| rows as &dyn RowSource);
    let (accuracy, runs) = with_backend!(&backend, backend => {
        let samples = input::for_head(data, features.as_ref());
        let accuracy = evaluate_network(backend, network, None, samples, &mut Timing::default())?;
        let progress = output::Progress::new(globals);
        (accuracy, sweep_units(backend, &normalised, samples, rows, &axes, &base, &cost, timing, &progress)?)
    });
    let summaries = summaries(&runs);
    let title = input::stem(&args.model);
    if let Some(file) = &args.csv {
        write_text(file, &unit_runs_csv(&runs))?;
    }
    if let Some(file) = &args.svg {
        write_text(file, &units_svg(&format!("{title}: whole neurons removed"), data.labels.is_some(), &summaries))?;
    }
    let file_bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let of_model = model.paths.iter().filter(|path| Some(*path) != args.model.arch.as_ref());
    let report = UnitSweepReport {
        heading: Heading::new("sweep", globals.seed, backend.device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        data: data.applied.clone(),
        accuracy,
        parameters: network.tensors().map(|tensor| tensor.len() as u64).sum(),
        cost: UnitCost {
            file_bytes: of_model.map(|path| file_bytes(path)).sum(),
            multiply_adds: network.multiply_adds(),
            latency: None,
        },
        summaries,
        runs,
        warnings: [input::warnings(model, Some(data)), calibration.warnings.clone()].concat(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let device = &report.heading.device;
    let mut text = format!(
        "{title} on {} ({})\n{}\n{}\n{}\n{}",
        device.name,
        device.backend,
        accuracy_table(&report.accuracy, false),
        unit_runs_table(&report.runs),
        unit_costs_table(&report),
        output::costs(&report.timing, report.memory.peak_bytes),
    );
    for file in super::files(args) {
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    page::result(globals, &args.page, &report, text, || unit_sweep_page(&report, &title))
}

/// What is run: by default every method and refit that the network and the samples allow.
fn axes(
    globals: &Globals,
    args: &SweepArgs,
    network: &Network,
    head_only: bool,
    calibration: &Calibration,
) -> tropix::Result<UnitAxes> {
    let convolutions = !head_only && network.nodes.iter().any(|node| matches!(node.op, Op::Conv { .. }));
    let outputs = network.output_lengths().ok().and_then(|lengths| lengths.last().copied().flatten());
    let refits: Vec<Refit> = if args.refits.is_empty() {
        let can = |refit: &Refit| *refit != Refit::Data || calibration.samples.is_some();
        Refit::ALL.into_iter().filter(can).collect()
    } else {
        args.refits.iter().map(|refit| refit.0).collect()
    };
    let methods = if args.methods.is_empty() {
        // Zonotopes are clustered for one output only.
        let zonotope = |method: UnitMethod| method == UnitMethod::MisiakosZonotope && outputs != Some(1);
        let can = |method: &UnitMethod| {
            (calibration.samples.is_some() || !method.needs_data()) && !zonotope(*method)
            // Synthetic inputs are for the whole network, of which the data may only fit the head.
            && (!head_only || *method != UnitMethod::SynthRefit)
        };
        UnitMethod::ALL.into_iter().filter(can).collect()
    } else {
        let methods = args.methods.iter().map(|method| match method {
            MethodArg::Units(method) => Ok(*method),
            MethodArg::Spaces(importance) => {
                let problem = format!("`{}` is no method of sweeps", importance.name());
                Err(Error::Argument { argument: "methods", problem })
            }
            MethodArg::Elements(method) => {
                let problem = format!("`{}` removes weights; give `--rates`", method.name());
                Err(Error::Argument { argument: "methods", problem })
            }
        });
        methods.collect::<Result<Vec<_>, _>>()?
    };
    let trunks = args.couple_trunk && coupled_sites(network)?.0.iter().any(|site| !site.tied.is_empty());
    let asked = (!args.methods.is_empty(), !args.refits.is_empty());
    let mut runs = Vec::new();
    for method in methods {
        let takes = |refit: &Refit| {
            method.takes(*refit)
                && (!convolutions || method.takes_convolutions(*refit))
                && (!trunks || method.takes_trunks(*refit))
        };
        let own: Vec<Refit> = refits.iter().copied().filter(takes).collect();
        if own.is_empty() && asked.0 {
            let refits: Vec<&str> = refits.iter().map(|refit| refit.name()).collect();
            let what = if trunks { "trunks" } else { "convolutions" };
            let problem = format!("`{}` does not reduce {what} with refit {}", method.name(), refits.join(" or "));
            return Err(Error::Unsupported { problem });
        }
        own.iter().try_for_each(|refit| check(method, *refit, calibration))?;
        runs.extend(own.into_iter().map(|refit| (method, refit)));
    }
    if runs.is_empty() {
        let problem = "no method goes with these refits".to_owned();
        return Err(Error::Argument { argument: "refits", problem });
    }
    let seeds = args.seeds.from(globals.seed);
    Ok(UnitAxes { runs, keeps: args.keep.clone(), seeds })
}
