//! `tropix compare`.

use ndarray::Array2;
use tropix::Error;
use tropix::backend::{Backend as _, Cpu};
use tropix::certify::{data_radius, network_bound};
use tropix::network::format::ModelFile;
use tropix::network::{Head, Network, Runtime};
use tropix::prune::{Timing, compare_outputs, latency};
use tropix::report::html::compare_page;
use tropix::report::{Change, CompareReport, Heading, Memory, compare_table};

use crate::args::{CompareArgs, Globals, ModelArgs};
use crate::{input, output, page};

/// Samples of the timed runs: one, as an application asks, and many.
const BATCHES: [usize; 2] = [1, 64];

pub(crate) fn run(globals: &Globals, args: &CompareArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let load = |path: &std::path::PathBuf| -> tropix::Result<ModelFile> {
        input::model(globals, &ModelArgs { model: path.clone(), arch: args.arch.clone() })
    };
    let (a, b) = timing.phase("load", || Ok::<_, Error>((load(&args.a)?, load(&args.b)?)))?;
    let data = timing.phase("load", || input::read(globals, &args.data, a.network.normalize.clone()))?;
    let Some(data) = data.map(|data| input::warned(globals, data)) else {
        return Err(Error::Argument { argument: "data", problem: input::missing("a comparison needs data") }.into());
    };
    page::check(globals, &args.page)?;
    let classes = a.network.output_lengths().ok().and_then(|lengths| lengths.last().copied().flatten());
    data.check_against(a.network.input.iter().product(), classes.unwrap_or(usize::MAX))?;
    let start = |model: &ModelFile| Runtime::new(&model.network, model.onnx.as_deref());
    let (first, second) = timing.phase("start", || Ok::<_, Error>((start(&a)?, start(&b)?)))?;
    let samples = input::borrowed(&data);
    let comparison = timing.phase("evaluate", || compare_outputs([&first, &second], samples))?;
    let radius = |head: &Head| {
        if head.whole {
            return data_radius(samples.inputs);
        }
        let (values, width) = first.values(samples.inputs, head.input(&a.network)?)?;
        let features = Array2::from_shape_vec((comparison.samples, width), values);
        data_radius(&features.map_err(|error| Error::Internal { what: error.to_string() })?)
    };
    let certificate = timing.phase("certify", || network_bound(&a.network, &b.network, radius))?;
    let mut latencies = Vec::new();
    for batch in BATCHES.map(|batch| batch.min(comparison.samples)) {
        let measure = || latency([&first, &second], samples.inputs, batch, usize::from(args.runs));
        latencies.push(timing.phase("latency", measure)?);
    }
    latencies.dedup_by_key(|latency| latency.batch);
    let change = |of: &dyn Fn(&ModelFile) -> u64| Change { before: of(&a), after: of(&b) };
    let bytes = |model: &ModelFile| {
        let files = model.paths.iter().filter(|path| Some(*path) != args.arch.as_ref());
        files.map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum()
    };
    let cost = |network: &Network| network.multiply_adds();
    let report = CompareReport {
        heading: Heading::new("compare", globals.seed, Cpu::new().device()),
        models: [args.a.display().to_string(), args.b.display().to_string()],
        data: data.applied.clone(),
        comparison,
        certificate,
        file_bytes: change(&bytes),
        parameters: change(&|model| model.network.parameters()),
        multiply_adds: cost(&a.network).zip(cost(&b.network)).map(|(before, after)| Change { before, after }),
        latency: latencies,
        warnings: [input::warnings(&a, Some(&data)), b.warnings.clone()].concat(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let text = format!(
        "{}\ndata: {}\n{}",
        compare_table(&report),
        report.data,
        output::costs(&report.timing, report.memory.peak_bytes)
    );
    page::result(globals, &args.page, &report, text, || compare_page(&report))
}
