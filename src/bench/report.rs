//! What a bench reports.

use serde::Serialize;

use super::measure::Stats;
use super::scaling::Growth;
use super::workload::Unit;
use crate::backend::{Device, StartUp};
use crate::prune::Timing;
use crate::report::{Heading, Memory};

/// Settings of a bench.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BenchOptions {
    /// Timed runs of each workload, after a warm-up.
    pub runs: usize,
    /// What the first size of every shape is divided by.
    pub divisor: usize,
    /// Seed of the data.
    pub seed: u64,
    /// Whether the adapter stores operands in f16.
    pub f16: bool,
    /// Whether to look for the size from which the adapter is faster.
    pub crossover: bool,
}

/// The peaks of the host, medians over the run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Peaks {
    /// Floating-point operations per second in registers, in billions; absent if no workload computes.
    pub fma_gflops: Option<f64>,
    /// Additions and maxima per second in registers, in billions; absent if no workload is max-plus.
    pub add_max_gops: Option<f64>,
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
    /// Iterations that were made, of a method that iterates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
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
pub struct Transfers {
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
    pub(super) fn of(points: Vec<(usize, f64, f64)>) -> Self {
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
    pub transfers: Transfers,
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
    /// What it took to get the adapter ready, pipelines of the workloads included.
    pub start_up: Option<StartUp>,
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
