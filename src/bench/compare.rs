//! The host against a graphics adapter on the same work.

use std::time::Instant;

use serde::Serialize;

use super::data::array;
use super::measure::{Stats, measure, median};
use super::peak::{fma_peak, read_peak};
use super::scaling::Growth;
use super::workload::{Prepared, Unit, Workload, drained};
use crate::backend::{Backend, Cpu, Device, DeviceKind, Gpu};
use crate::error::Result;
use crate::prune::{Observer, Timing};
use crate::report::{Heading, Memory};

/// Relative deviation within which two check values are equal: each is a mean of f32 results that round differently.
const CHECK_TOLERANCE: f64 = 1e-4;

/// Entries that the read of main memory passes over: 256 MiB, beyond the caches of all but server packages.
const READ_ENTRIES: usize = 64 << 20;

/// Settings of a bench.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BenchOptions {
    /// Timed runs of each workload, after a warm-up.
    pub runs: usize,
    /// What the first size of every shape is divided by.
    pub divisor: usize,
    /// Seed of the data.
    pub seed: u64,
    /// Whether to look for the size from which the adapter is faster.
    pub crossover: bool,
}

/// The peaks of the host, medians over the run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Peaks {
    /// Floating-point operations per second in registers, in billions; absent if no workload computes.
    pub fma_gflops: Option<f64>,
    /// Bytes per second that all threads read from main memory, in billions; absent if no workload is bound by it.
    pub read_gbytes: Option<f64>,
}

/// One workload on one device.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Median, spread and number of runs.
    #[serde(flatten)]
    pub stats: Stats,
    /// Billions of the workload's unit per second.
    pub rate: f64,
    /// The rate over the peak of the host, measured between the same runs; absent for an adapter of its own.
    pub peak_share: Option<f64>,
    /// The check value.
    pub check: f64,
}

/// A transfer.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Transfer {
    /// Seconds.
    pub seconds: f64,
    /// Bytes.
    pub bytes: usize,
}

/// Operands to the device and results from it, once each and outside of the timed runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Timed {
    /// To the device.
    pub upload: Transfer,
    /// From the device.
    pub download: Transfer,
}

/// From which size the adapter is faster.
#[derive(Debug, Clone, Serialize)]
pub struct Crossover {
    /// First size of the shape, seconds of the host, seconds of the adapter; ascending, down to the first size at which
    /// the adapter is not faster.
    pub points: Vec<(usize, f64, f64)>,
    /// The smallest of these sizes from which on the adapter is faster; absent if it is not at the largest.
    pub from: Option<usize>,
}

impl Crossover {
    fn of(points: Vec<(usize, f64, f64)>) -> Self {
        let faster = points.iter().rev().take_while(|(_, cpu, gpu)| gpu < cpu);
        let from = faster.last().map(|point| point.0);
        Self { points, from }
    }
}

/// One workload on the devices of a bench.
#[derive(Debug, Clone, Serialize)]
pub struct WorkloadReport {
    /// Short name.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// What the rate counts.
    pub unit: Unit,
    /// Operations or bytes of one run.
    pub work: f64,
    /// On the host.
    pub cpu: Measured,
    /// On the adapter.
    pub gpu: Option<Measured>,
    /// Transfers of the adapter; where there is none, copies of the host.
    pub transfers: Timed,
    /// Where the adapter becomes faster.
    pub crossover: Option<Crossover>,
    /// The check value of the host, by which other programs are compared.
    pub check: f64,
    /// Whether the adapter found the same value.
    pub checks_equal: Option<bool>,
    /// Peaks of the host between the runs.
    pub peaks: Peaks,
}

/// The report of `bench`.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// What every report begins with; the device is the adapter where there is one.
    #[serde(flatten)]
    pub heading: Heading,
    /// The host.
    pub cpu: Device,
    /// The adapter.
    pub gpu: Option<Device>,
    /// Threads of the host.
    pub threads: usize,
    /// Settings.
    pub options: BenchOptions,
    /// The workloads.
    pub workloads: Vec<WorkloadReport>,
    /// Cost against size, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaling: Vec<Growth>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

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
    let mut memory = ndarray::Array2::zeros((0, 0));
    let mut reports = Vec::with_capacity(workloads.len());
    for (done, workload) in workloads.iter().enumerate() {
        observer.step(done, workloads.len(), workload.id);
        reports.push(one(cpu, gpu, workload, options, &mut memory, timing)?);
    }
    observer.step(workloads.len(), workloads.len(), "done");
    Ok(reports)
}

/// One device's part of a report.
struct Side {
    measured: Measured,
    transfers: Timed,
    peaks: Peaks,
    unit: Unit,
    work: f64,
}

fn one(
    cpu: &Cpu,
    gpu: Option<&Gpu>,
    workload: &Workload,
    options: BenchOptions,
    memory: &mut ndarray::Array2<f32>,
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
        (check - other).abs() <= CHECK_TOLERANCE * check.abs().max(other.abs())
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
    memory: &mut ndarray::Array2<f32>,
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
        Unit::Flops => Peaks { fma_gflops: peak, read_gbytes: None },
        Unit::Bytes => Peaks { fma_gflops: None, read_gbytes: peak },
    };
    let measured = Measured { stats, rate, peak_share: peak.map(|peak| rate / peak), check: check(&results) };
    let upload = Transfer { seconds: upload.0, bytes: upload.1 };
    Ok(Side { measured, transfers: Timed { upload, download: fetched }, peaks, unit, work })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossover_is_where_the_adapter_stays_faster() {
        let from = |points: &[(usize, f64, f64)]| Crossover::of(points.to_vec()).from;
        assert_eq!(from(&[(1, 1.0, 2.0), (2, 2.0, 1.0), (4, 4.0, 2.0)]), Some(2));
        assert_eq!(from(&[(1, 2.0, 1.0), (2, 1.0, 2.0), (4, 4.0, 2.0)]), Some(4));
        assert_eq!(from(&[(1, 2.0, 1.0), (2, 1.0, 2.0)]), None);
        assert_eq!(from(&[(1, 2.0, 1.0), (2, 2.0, 1.0)]), Some(1));
    }
}
