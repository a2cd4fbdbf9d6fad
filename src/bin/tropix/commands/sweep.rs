//! `tropix sweep`.

use std::path::PathBuf;

use tropix::Error;
use tropix::backend::RowSource;
use tropix::network::Head;
use tropix::network::dataset::Dataset;
use tropix::network::format::{ModelFile, check_output, write_text};
use tropix::prune::structured::{Refit, UnitAxes, UnitMethod, UnitOptions, summaries, sweep_units};
use tropix::prune::{Method, Timing, evaluate, sweep};
use tropix::report::{
    Files, Heading, Memory, SweepReport, UnitSweepReport, accuracy_table, curves_csv, curves_svg, curves_table,
    unit_runs_csv, unit_runs_table, units_svg,
};

use super::prune::protocol;
use crate::args::{Globals, MethodArg, SweepArgs};
use crate::calibration::{Calibration, check};
use crate::device::{choose, with_backend};
use crate::{input, output};

pub(crate) fn run(globals: &Globals, args: &SweepArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let head = Head::of(&model.network)?;
    let Some(data) = timing.phase("load", || input::data(&args.data, &model.network, &head))? else {
        return Err(Error::Argument { argument: "data", problem: "a sweep needs data".to_owned() }.into());
    };
    let inputs = input::paths(&model, Some(&data));
    let files: Vec<&PathBuf> = [&args.csv, &args.svg].into_iter().flatten().collect();
    files.iter().try_for_each(|file| check_output(file, &inputs, globals.force))?;
    if !args.keep.is_empty() {
        return units(globals, args, &model, &head, &data, timing);
    }
    let methods: Vec<Method> = if args.methods.is_empty() {
        // The row protocol needs a block.
        Method::ALL.into_iter().filter(|method| *method != Method::Tropical || head.layers.len() > 1).collect()
    } else {
        let elements = args.methods.iter().map(|method| match method {
            MethodArg::Elements(method) => Ok(*method),
            MethodArg::Units(method) => {
                let problem = format!("`{}` removes neurons; rates are of weights", method.name());
                Err(Error::Argument { argument: "methods", problem })
            }
        });
        elements.collect::<Result<_, _>>()?
    };
    let seeds = if args.seeds.is_empty() { vec![globals.seed] } else { args.seeds.clone() };
    let backend = timing.phase("start device", || choose(globals))?;
    let (accuracy, curves) = with_backend!(&backend, backend => {
        let accuracy = evaluate(backend, &head, None, input::borrowed(&data), &mut Timing::default())?;
        let progress = output::Progress::new(globals);
        let options = protocol(&args.protocol);
        let samples = input::borrowed(&data);
        let curves = sweep(backend, &head, samples, &methods, &args.rates.0, &seeds, options, timing, &progress)?;
        (accuracy, curves)
    });
    let title = args.model.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(file) = &args.csv {
        write_text(file, &curves_csv(&curves))?;
    }
    if let Some(file) = &args.svg {
        write_text(file, &curves_svg(&format!("{title}: pruning curves"), &curves))?;
    }
    let report = SweepReport {
        heading: Heading::new("sweep", globals.seed, backend.device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        data: data.applied.clone(),
        accuracy,
        curves,
        warnings: model.warnings.clone(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let device = &report.heading.device;
    let mut text = format!(
        "{title} on {} ({}), {} rates\n{}\n{}\n{}",
        device.name,
        device.backend,
        args.rates.0.len(),
        accuracy_table(&report.accuracy, false),
        curves_table(&report.curves),
        output::costs(&report.timing, report.memory.peak_bytes),
    );
    for file in files {
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    output::result(globals, &report, &text)
}

/// Structured methods x refits x shares kept x seeds.
fn units(
    globals: &Globals,
    args: &SweepArgs,
    model: &ModelFile,
    head: &Head,
    data: &Dataset,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let read = || Calibration::read(globals, &args.moments, &args.synth, &args.data, &model.network);
    let calibration = timing.phase("load", read)?;
    let methods = if args.methods.is_empty() {
        // Zonotopes are clustered for one output only.
        let zonotope = |method: &UnitMethod| *method == UnitMethod::MisiakosZonotope && head.classes() > 1;
        let can = |method: &UnitMethod| {
            (calibration.samples.is_some() || !method.needs_data()) && !zonotope(method)
            // Synthetic inputs are for the whole network, of which the data may only fit the head.
            && (head.whole || *method != UnitMethod::SynthRefit)
        };
        UnitMethod::ALL.into_iter().filter(can).collect()
    } else {
        let methods = args.methods.iter().map(|method| match method {
            MethodArg::Units(method) => Ok(*method),
            MethodArg::Elements(method) => {
                let problem = format!("`{}` removes weights; give `--rates`", method.name());
                Err(Error::Argument { argument: "methods", problem })
            }
        });
        methods.collect::<Result<Vec<_>, _>>()?
    };
    let refits: Vec<Refit> = if args.refits.is_empty() {
        let can = |refit: &Refit| *refit != Refit::Data || calibration.samples.is_some();
        Refit::ALL.into_iter().filter(can).collect()
    } else {
        args.refits.iter().map(|refit| refit.0).collect()
    };
    for method in &methods {
        refits
            .iter()
            .filter(|refit| method.takes(**refit))
            .try_for_each(|refit| check(*method, *refit, &calibration))?;
    }
    let seeds = if args.seeds.is_empty() { vec![globals.seed] } else { args.seeds.clone() };
    let axes = UnitAxes { methods, refits, keeps: args.keep.clone(), seeds };
    let base = UnitOptions {
        prior: calibration.prior.clone(),
        ridge: args.synth.ridge,
        synth: args.synth.options(),
        head_only: !head.whole,
        ..UnitOptions::new(UnitMethod::GreedyGaussian, 1.0)
    };
    let backend = timing.phase("start device", || choose(globals))?;
    let rows = calibration.rows();
    let rows = rows.as_ref().map(|rows| rows as &dyn RowSource);
    let (accuracy, runs) = with_backend!(&backend, backend => {
        let samples = input::borrowed(data);
        let accuracy = evaluate(backend, head, None, samples, &mut Timing::default())?;
        let progress = output::Progress::new(globals);
        (accuracy, sweep_units(backend, &model.network, samples, rows, &axes, &base, timing, &progress)?)
    });
    let summaries = summaries(&runs);
    let title = args.model.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(file) = &args.csv {
        write_text(file, &unit_runs_csv(&runs))?;
    }
    if let Some(file) = &args.svg {
        write_text(file, &units_svg(&format!("{title}: whole neurons removed"), data.labels.is_some(), &summaries))?;
    }
    let report = UnitSweepReport {
        heading: Heading::new("sweep", globals.seed, backend.device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        data: data.applied.clone(),
        accuracy,
        prior: base.prior.name(),
        summaries,
        runs,
        warnings: [model.warnings.clone(), calibration.warnings.clone()].concat(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let device = &report.heading.device;
    let mut text = format!(
        "{title} on {} ({})\n{}\n{}\n{}",
        device.name,
        device.backend,
        accuracy_table(&report.accuracy, false),
        unit_runs_table(&report.runs),
        output::costs(&report.timing, report.memory.peak_bytes),
    );
    for file in [&args.csv, &args.svg].into_iter().flatten() {
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    output::result(globals, &report, &text)
}
