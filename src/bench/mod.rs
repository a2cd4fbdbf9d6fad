//! Measurements: the workloads by which tropix compares the host with a graphics adapter and itself with other programs.
//!
//! A workload is a row of [`WORKLOADS`]; it runs on any [`Backend`](crate::backend::Backend) from the seeded data of
//! [`value`], and returns a check value that another program computes from the same data. A time is the median of at
//! least five runs after a warm-up, with operands on the device; transfers are timed apart. Rates stand beside the peaks
//! of the same run: FMA in registers for what computes, a parallel read of main memory for what reads.

mod compare;
mod curve;
mod data;
mod geometry;
mod kmeans;
mod measure;
mod peak;
mod report;
mod scaling;
mod table;
mod tune;
mod workload;

pub use compare::compare;
pub use data::{array, value};
pub use measure::{Stats, measure};
pub use peak::{add_max_peak, fma_peak, read_peak};
pub use report::{BenchOptions, BenchReport, Crossover, Measured, Peaks, Transfer, Transfers, WorkloadReport};
pub use scaling::{Growth, GrowthPoint, ScalingOptions, exponent, memory_of, scaling};
pub use table::{scaling_table, workloads_table};
pub use tune::{Tried, TuneReport, tune};
pub use workload::{Download, Operation, Prepared, Results, Unit, WORKLOADS, Workload};
