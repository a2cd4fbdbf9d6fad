//! `tropix bench`.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde::Serialize;
use tropix::Error;
use tropix::backend::{Backend as _, Cpu, Gpu, GpuOptions, Tuning, Variant, cache_folder};
use tropix::bench::{
    BenchOptions, BenchReport, ScalingOptions, TuneReport, WORKLOADS, Workload, compare, memory_of, scaling,
    scaling_table, tune, workloads_table,
};
use tropix::prune::Timing;
use tropix::report::{Heading, Memory, rows_table};

use crate::args::{BenchArgs, DeviceChoice, Globals};
use crate::device::{AnyBackend, choose_storing};
use crate::output;

/// What `--quick` divides the first size of every shape by.
const QUICK: usize = 16;

pub(crate) fn run(globals: &Globals, args: &BenchArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let chosen = chosen(&args.workload)?;
    let cpu = Cpu::new();
    if let [operation, sizes @ ..] = &args.memory_of[..] {
        let sizes = sizes.iter().map(|size| size.parse()).collect::<Result<Vec<usize>, _>>()?;
        let shape: [usize; 3] = sizes.try_into().unwrap_or_default();
        let bytes = memory_of(&cpu, operation, shape)?;
        return output::value(globals, &bytes);
    }
    if args.tune {
        return tune_adapter(globals, usize::from(args.runs));
    }
    let gpu: Option<Arc<Gpu>> = match timing.phase("start device", || choose_storing(globals, args.f16))? {
        AnyBackend::Gpu(gpu) => Some(gpu),
        AnyBackend::Cpu(_) => None,
        AnyBackend::Reference(_) => {
            let problem = "the reference is not made to be fast; choose auto, cpu or gpu:NAME".to_owned();
            return Err(Error::Argument { argument: "device", problem }.into());
        }
    };
    let device = gpu.as_ref().map(|gpu| gpu.device().clone());
    let mut warnings = Vec::new();
    if let Some(device) = device.as_ref().filter(|device| device.software) {
        warnings.push(format!(
            "`{}` is a SOFTWARE adapter: it runs on the host processor and says nothing of a GPU's speed",
            device.name
        ));
    }
    for warning in &warnings {
        output::note(globals, &format!("warning: {warning}"));
    }
    let options = BenchOptions {
        runs: usize::from(args.runs),
        divisor: if args.quick { QUICK } else { 1 },
        seed: globals.seed,
        crossover: true,
        f16: args.f16,
    };
    let progress = output::Progress::new(globals);
    let (mut workloads, mut growth) = (Vec::new(), Vec::new());
    if args.scaling {
        let (divisor, doublings) = if args.quick { (8, 2) } else { (1, 4) };
        let settings = ScalingOptions { divisor, doublings, runs: options.runs };
        let memory = |operation: &str, shape| memory_apart(globals, operation, shape);
        growth = scaling(&cpu, settings, memory, timing, &progress)?;
        if let Some(gpu) = &gpu {
            // The memory of an adapter is not that of this process.
            growth.extend(scaling(&**gpu, settings, |_: &str, _| None, timing, &progress)?);
        }
    } else {
        workloads = compare(&cpu, gpu.as_deref(), &chosen, options, timing, &progress)?;
    }
    let report = BenchReport {
        heading: Heading::new("bench", globals.seed, device.as_ref().unwrap_or(cpu.device())),
        cpu: cpu.device().clone(),
        start_up: gpu.as_ref().map(|gpu| gpu.start_up()),
        gpu: device,
        threads: threads(globals),
        options,
        workloads,
        scaling: growth,
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    output::result(globals, &report, &text(&report))?;
    match report.workloads.iter().find(|workload| workload.checks_equal == Some(false)) {
        Some(workload) => {
            let problem = format!("{}: host and adapter find different values", workload.id);
            Err(Error::CheckFailed { problem }.into())
        }
        None => Ok(()),
    }
}

#[derive(Serialize)]
struct TuneResult {
    #[serde(flatten)]
    heading: Heading,
    #[serde(flatten)]
    report: TuneReport,
    file: Option<String>,
}

/// Tries the variants on the adapter of `--device` and writes the fastest to the cache folder.
fn tune_adapter(globals: &Globals, runs: usize) -> anyhow::Result<()> {
    let DeviceChoice::Gpu(name) = &globals.device else {
        let problem = "tuning needs an adapter: `--device gpu` or `gpu:NAME`".to_owned();
        return Err(Error::Argument { argument: "device", problem }.into());
    };
    let options = GpuOptions { adapter: name.clone(), ..GpuOptions::default() };
    let gpu = Gpu::new(&options)?;
    let report = tune(&options, runs, &output::Progress::new(globals))?;
    let folder = cache_folder();
    if let Some(folder) = &folder {
        report.tuning.save(folder, gpu.adapter())?;
    }
    let lower = |variant: Variant| format!("{variant:?}").to_lowercase();
    let rows = report.tried.iter().map(|tried| {
        let [n, d, m] = tried.shape;
        let median = tried.median_s.map_or_else(|| "-".to_owned(), |seconds| format!("{:.3} ms", seconds * 1e3));
        vec![tried.operation.to_owned(), format!("{n} x {d} x {m}"), lower(tried.variant), median]
    });
    let Tuning { many_rows, few_rows } = report.tuning;
    let mut text = format!(
        "{}\n{}\nfastest: {} from {} rows on, {} below",
        gpu.device().name,
        rows_table(&["operation", "shape", "variant", "median"], rows),
        lower(many_rows),
        Tuning::MANY,
        lower(few_rows)
    );
    let file = folder.map(|folder| folder.join("tuning.json").display().to_string());
    text.push_str(&file.as_ref().map_or("\nno cache folder: not kept".to_owned(), |file| format!("\nkept in {file}")));
    let heading = Heading::new("bench", globals.seed, gpu.device());
    output::result(globals, &TuneResult { heading, report, file }, &text)
}

/// The memory of one operation on the host, found by a process of its own.
fn memory_apart(globals: &Globals, operation: &str, [n, d, m]: [usize; 3]) -> Option<u64> {
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.args(["bench", "--device", "cpu", "--memory-of", &format!("{operation},{n},{d},{m}"), "--json"]);
    command.args(["--threads", &threads(globals).to_string()]);
    // What the environment asks of this command, such as a trace, is not asked of that one.
    command.env_remove("TROPIX_PROFILE").stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    serde_json::from_slice(&output.stdout).ok()?
}

/// Threads of the host path.
fn threads(globals: &Globals) -> usize {
    let all = || std::thread::available_parallelism().map_or(1, usize::from);
    globals.threads.map_or_else(all, usize::from)
}

/// The workloads whose names begin as asked for; all of them by default.
fn chosen(wanted: &[String]) -> Result<Vec<Workload>, Error> {
    let begins = |id: &str, part: &str| id.to_lowercase().starts_with(&part.to_lowercase());
    if let Some(part) = wanted.iter().find(|part| !WORKLOADS.iter().any(|workload| begins(workload.id, part))) {
        let known: Vec<&str> = WORKLOADS.iter().map(|workload| workload.id).collect();
        let problem = format!("there is no `{part}`, but {}", known.join(", "));
        return Err(Error::Argument { argument: "workload", problem });
    }
    let asked = |id: &str| wanted.is_empty() || wanted.iter().any(|part| begins(id, part));
    Ok(WORKLOADS.iter().filter(|workload| asked(workload.id)).copied().collect())
}

fn text(report: &BenchReport) -> String {
    let mut text = format!("CPU: {}, {}, {} threads", report.cpu.name, report.cpu.backend, report.threads);
    if let Some(gpu) = &report.gpu {
        text.push_str(&format!("\nGPU: {}, {}", gpu.name, gpu.backend));
        if report.options.f16 {
            text.push_str(", operands in f16");
        }
        if let Some(start_up) = &report.start_up {
            text.push_str(&format!("; {start_up}"));
        }
    }
    for warning in &report.warnings {
        text.push_str(&format!("\n{warning}"));
    }
    if !report.scaling.is_empty() {
        return format!("{text}\n{}", scaling_table(&report.scaling));
    }
    let peak = |of: fn(&tropix::bench::Peaks) -> Option<f64>| {
        let mut found: Vec<f64> = report.workloads.iter().filter_map(|workload| of(&workload.peaks)).collect();
        found.sort_by(f64::total_cmp);
        found.get(found.len() / 2).copied()
    };
    let (fma, read) = (peak(|peaks| peaks.fma_gflops), peak(|peaks| peaks.read_gbytes));
    let add_max = peak(|peaks| peaks.add_max_gops);
    let peaks: Vec<String> =
        [(fma, "FMA", "GFLOP/s"), (add_max, "add and max", "Gop/s"), (read, "reading memory", "GB/s")]
            .iter()
            .filter_map(|(peak, what, unit)| peak.map(|peak| format!("{what} {peak:.1} {unit}")))
            .collect();
    format!(
        "{text}\nmeasured peaks: {}\n{}\n{}",
        peaks.join(", "),
        workloads_table(&report.workloads, report.gpu.as_ref()),
        format_args!("median and spread of {} runs, operands on the device", report.options.runs)
    )
}
