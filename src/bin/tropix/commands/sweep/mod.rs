//! `tropix sweep`.

mod units;

use std::path::PathBuf;

use tropix::Error;
use tropix::network::Head;
use tropix::network::dataset::Dataset;
use tropix::network::format::{ModelFile, check_output, write_text};
use tropix::prune::structured::Refit;
use tropix::prune::{Method, Timing, evaluate, sweep};
use tropix::report::html::sweep_page;
use tropix::report::{Files, Heading, Memory, SweepReport, accuracy_table, curves_csv, curves_svg, curves_table};

use super::prune::protocol;
use crate::args::{Globals, MethodArg, SweepArgs};
use crate::calibration::Calibration;
use crate::device::{choose, with_backend};
use crate::{fitting, input, output, page};

pub(crate) fn run(globals: &Globals, args: &SweepArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let data = timing.phase("load", || input::data_for(globals, &args.data, &model.network))?;
    let Some(data) = data else {
        return Err(Error::Argument { argument: "data", problem: input::missing("a sweep needs data") }.into());
    };
    let inputs = input::paths(&model, Some(&data));
    files(args).try_for_each(|file| check_output(file, &inputs, globals.force))?;
    page::check(globals, &args.page)?;
    if args.keep.is_empty() {
        elements(globals, args, &model, &data, timing)
    } else {
        units::run(globals, args, &model, &data, timing)
    }
}

/// What is written beside the table.
fn files(args: &SweepArgs) -> impl Iterator<Item = &PathBuf> {
    [&args.csv, &args.svg].into_iter().flatten()
}

/// Unstructured methods and the row protocol x rates x seeds.
fn elements(
    globals: &Globals,
    args: &SweepArgs,
    model: &ModelFile,
    data: &Dataset,
    timing: &mut Timing,
) -> anyhow::Result<()> {
    let head = Head::of(&model.network)?;
    let methods: Vec<Method> = if args.methods.is_empty() {
        // The row protocol needs a block.
        Method::ALL.into_iter().filter(|method| *method != Method::Tropical || head.layers.len() > 1).collect()
    } else {
        let elements = args.methods.iter().map(|method| match method {
            MethodArg::Elements(method) => Ok(*method),
            method => {
                let problem = format!("`{}` removes neurons; rates are of weights", method.name());
                Err(Error::Argument { argument: "methods", problem })
            }
        });
        elements.collect::<Result<_, _>>()?
    };
    let refits: Vec<Refit> = args.refits.iter().map(|refit| refit.0).collect();
    let refits = if refits.is_empty() { vec![Refit::None] } else { refits };
    let read = || Calibration::read(globals, &args.moments, &args.synth, &args.data, &model.network);
    let calibration = timing.phase("load", read)?;
    fitting::check_effects(globals, &args.moments, &refits, &calibration)?;
    let seeds = args.seeds.from(globals.seed);
    let backend = timing.phase("start device", || choose(globals))?;
    let (accuracy, curves) = with_backend!(&backend, backend => {
        // The layers before the head stay: what they make of the data serves every method, seed and rate.
        let features = timing.phase("features", || input::features(backend, model, data))?;
        let samples = input::for_head(data, features.as_ref());
        let accuracy = evaluate(backend, &head, None, samples, &mut Timing::default())?;
        let progress = output::Progress::new(globals);
        let options = protocol(&args.protocol);
        let told = (globals, &args.synth);
        let drawn = |refit: &Refit| fitting::Inputs::of(backend, (model, &head), told, &calibration, *refit);
        let inputs = timing.phase("draw", || refits.iter().map(drawn).collect::<tropix::Result<Vec<_>>>())?;
        let fittings: Vec<_> = inputs.iter().map(|inputs| inputs.as_ref().map(fitting::Inputs::fitting)).collect();
        let rates = &args.rates.0;
        let curves =
            sweep(backend, &head, samples, &methods, rates, &seeds, options, &fittings, timing, &progress)?;
        (accuracy, curves)
    });
    let title = input::stem(&args.model);
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
        prior: fitting::assumed(&refits, &calibration),
        warnings: input::warnings(model, Some(data)),
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
    for file in files(args) {
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    page::result(globals, &args.page, &report, text, || sweep_page(&report, &title))
}
