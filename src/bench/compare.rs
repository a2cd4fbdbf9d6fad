//! The host against a graphics adapter on the same work.

use std::time::Instant;

use ndarray::Array2;

use super::data::array;
use super::measure::{measure, median};
use super::peak::{add_max_peak, fma_peak, read_peak};
use super::report::{BenchOptions, Crossover, Measured, Peaks, Transfer, Transfers, WorkloadReport};
use super::workload::{Prepared, Unit, Workload, drained};
use crate::backend::{Backend, Cpu, DeviceKind, Gpu};
use crate::error::Result;
use crate::prune::{Observer, Timing};

/// Relative deviation within which two check values are equal: each is a mean of f32 results that round differently.
const CHECK_TOLERANCE: f64 = 1e-4;
/// The same where operands are rounded to f16.
const F16_TOLERANCE: f64 = 1e-2;

/// Entries that the read of main memory passes over: 256 MiB, beyond the caches of all but server packages.
const READ_ENTRIES: usize = 64 << 20;

/// Runs workloads on the host and, where there is one, on an adapter.
///
/// # Errors
///
/// What the backends return.
pub fn compare(
    cpu: &Cpu,
    gpu: Option<&Gpu>,
    workloads: &[Workload],
    options: BenchOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Vec<WorkloadReport>> {
    let mut memory = Array2::zeros((0, 0));
    let mut reports = Vec::with_capacity(workloads.len());
    for (done, workload) in workloads.iter().enumerate() {
        observer.step(done, workloads.len(), workload.id)?;
        reports.push(one(cpu, gpu, workload, options, &mut memory, timing)?);
    }
    observer.step(workloads.len(), workloads.len(), "done")?;
    Ok(reports)
}

/// One device's part of a report.
struct Side {
    measured: Measured,
    transfers: Transfers,
    peaks: Peaks,
    unit: Unit,
    work: f64,
}

fn one(
    cpu: &Cpu,
    gpu: Option<&Gpu>,
    workload: &Workload,
    options: BenchOptions,
    memory: &mut Array2<f32>,
    timing: &mut Timing,
) -> Result<WorkloadReport> {
    let shape = workload.scaled(options.divisor);
    let host = side(cpu, workload, &shape, options, memory, timing)?;
    let device = gpu.map(|gpu| side(gpu, workload, &shape, options, memory, timing)).transpose()?;
    let crossover = match (gpu, &device) {
        (Some(gpu), Some(device)) if options.crossover => {
            let medians = (host.measured.stats.median_s, device.measured.stats.median_s);
            Some(crossover(cpu, gpu, workload, options, medians, timing)?)
        }
        _ => None,
    };
    let check = host.measured.check;
    let equal = |device: &Side| {
        let other = device.measured.check;
        let tolerance = if options.f16 { F16_TOLERANCE } else { CHECK_TOLERANCE };
        (check - other).abs() <= tolerance * check.abs().max(other.abs())
    };
    Ok(WorkloadReport {
        id: workload.id,
        title: workload.title,
        shape,
        unit: host.unit,
        work: host.work,
        transfers: device.as_ref().map_or(host.transfers, |device| device.transfers),
        checks_equal: device.as_ref().map(equal),
        crossover,
        check,
        peaks: host.peaks,
        cpu: host.measured,
        gpu: device.map(|device| device.measured),
    })
}

fn side<B: Backend>(
    backend: &B,
    workload: &Workload,
    shape: &[usize],
    options: BenchOptions,
    memory: &mut Array2<f32>,
    timing: &mut Timing,
) -> Result<Side> {
    let name = |phase: &str| format!("{} {} {phase}", workload.id, backend.device().backend);
    let Prepared { upload, work, unit, run, check } =
        timing.phase(&name("prepare"), || workload.operation.prepare(backend, shape, options.seed))?;
    // A software adapter runs on the host and has the host's peak; what another one can do is not known here.
    let device = backend.device();
    let on_host = !matches!(device.kind, DeviceKind::Gpu) || device.software;
    if on_host && unit == Unit::Bytes && memory.is_empty() {
        *memory = array(options.seed, 0, [1, READ_ENTRIES])?;
    }
    let mut peaks = Vec::new();
    let between = || {
        if on_host {
            peaks.push(match (unit, memory.as_slice()) {
                (Unit::Bytes, Some(memory)) => read_peak(memory),
                (Unit::AddMax, _) => add_max_peak(),
                _ => fma_peak(),
            });
        }
    };
    let work_once = || run().map(drop);
    let stats = timing.phase(&name("runs"), || measure(options.runs, work_once, || drained(backend), between))?;
    let download = run()?;
    drained(backend)?;
    let start = Instant::now();
    let results = timing.phase(&name("download"), download)?;
    let fetched = Transfer { seconds: start.elapsed().as_secs_f64(), bytes: results.bytes() };
    peaks.sort_by(f64::total_cmp);
    let peak = (!peaks.is_empty()).then(|| median(&peaks) / 1e9);
    let rate = work / stats.median_s / 1e9;
    let peaks = match unit {
        Unit::Flops => Peaks { fma_gflops: peak, ..Peaks::default() },
        Unit::AddMax => Peaks { add_max_gops: peak, ..Peaks::default() },
        Unit::Bytes => Peaks { read_gbytes: peak, ..Peaks::default() },
    };
    let peak_share = peak.map(|peak| rate / peak);
    let measured = Measured { stats, rate, peak_share, check: check(&results), iterations: results.iterations };
    let upload = Transfer { seconds: upload.0, bytes: upload.1 };
    Ok(Side { measured, transfers: Transfers { upload, download: fetched }, peaks, unit, work })
}

/// Halves the first size until the adapter is not faster any more; `medians` are those of the full size.
fn crossover(
    cpu: &Cpu,
    gpu: &Gpu,
    workload: &Workload,
    options: BenchOptions,
    medians: (f64, f64),
    timing: &mut Timing,
) -> Result<Crossover> {
    let size = |divisor: usize| workload.scaled(divisor).first().copied().unwrap_or(1);
    let mut divisor = options.divisor;
    let mut points = vec![(size(divisor), medians.0, medians.1)];
    while points.last().is_some_and(|(size, host, adapter)| adapter < host && *size > 1) {
        divisor *= 2;
        let shape = workload.scaled(divisor);
        let name = format!("{} crossover", workload.id);
        let (host, adapter) = timing.phase(&name, || -> Result<_> {
            Ok((seconds(cpu, workload, &shape, options)?, seconds(gpu, workload, &shape, options)?))
        })?;
        points.push((size(divisor), host, adapter));
    }
    points.reverse();
    Ok(Crossover::of(points))
}

fn seconds<B: Backend>(backend: &B, workload: &Workload, shape: &[usize], options: BenchOptions) -> Result<f64> {
    let prepared = workload.operation.prepare(backend, shape, options.seed)?;
    let work = || (prepared.run)().map(drop);
    Ok(measure(options.runs, work, || drained(backend), || ())?.median_s)
}
