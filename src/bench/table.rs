//! Tables of measurements.

use super::report::{Measured, Transfer, WorkloadReport};
use super::scaling::Growth;
use crate::backend::Device;
use crate::report::rows_table;

fn seconds(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 1.0 => format!("{seconds:.3} s"),
        _ if seconds >= 1e-3 => format!("{:.3} ms", seconds * 1e3),
        _ => format!("{:.1} us", seconds * 1e6),
    }
}

fn shape(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ")
}

fn columns(measured: &Measured, unit: &str) -> [String; 4] {
    let share = measured.peak_share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default();
    let stats = measured.stats;
    [seconds(stats.median_s), format!("{:.0} %", stats.spread * 100.0), format!("{:.1} {unit}", measured.rate), share]
}

/// Workloads on the host and, where there is one, on an adapter; a software adapter is marked in the header. For an
/// adapter, a second table of its transfers and of the size from which it is faster.
#[must_use]
pub fn workloads_table(workloads: &[WorkloadReport], gpu: Option<&Device>) -> String {
    let adapter = match gpu {
        Some(device) if device.software => "GPU (SOFTWARE)",
        _ => "GPU",
    };
    let mut header = vec!["workload", "shape", "CPU", "spread", "rate", "of peak"];
    if gpu.is_some() {
        header.extend([adapter, "spread", "rate", "of peak", "GPU / CPU"]);
    }
    header.push("check");
    let rows = workloads.iter().map(|workload| {
        let unit = workload.unit.name();
        let mut row = vec![format!("{} {}", workload.id, workload.title).trim_end().to_owned(), shape(&workload.shape)];
        row.extend(columns(&workload.cpu, unit));
        if let Some(gpu) = &workload.gpu {
            row.extend(columns(gpu, unit));
            row.push(format!("{:.2}", gpu.stats.median_s / workload.cpu.stats.median_s));
        }
        let differs = if workload.checks_equal == Some(false) { " DIFFERS" } else { "" };
        let iterations = workload.cpu.iterations.map(|made| format!(", iterations: {made}")).unwrap_or_default();
        row.push(format!("{:.6e}{iterations}{differs}", workload.check));
        row
    });
    let table = rows_table(&header, rows);
    if gpu.is_none() {
        return table;
    }
    let transfer = |transfer: &Transfer| {
        let megabytes = transfer.bytes as f64 / 1e6;
        [format!("{megabytes:.1} MB"), seconds(transfer.seconds)]
    };
    let rows = workloads.iter().map(|workload| {
        let mut row = vec![workload.id.to_owned()];
        row.extend(transfer(&workload.transfers.upload));
        row.extend(transfer(&workload.transfers.download));
        row.push(workload.crossover.as_ref().map_or_else(String::new, |crossover| {
            let largest = workload.shape.first().copied().unwrap_or(0);
            crossover.from.map_or_else(|| format!("none up to {largest}"), |from| format!("{from} rows"))
        }));
        row
    });
    let faster = format!("{adapter} faster from");
    format!("{table}\n{}", rows_table(&[adapter, "upload", "takes", "download", "takes", &faster], rows))
}

/// How cost grows with each size.
#[must_use]
pub fn scaling_table(scaling: &[Growth]) -> String {
    let header = ["operation", "device", "from", "doubled", "to", "first", "last", "time ~ size^", "memory ~ size^"];
    rows_table(
        &header,
        scaling.iter().map(|growth| {
            let (first, last) = (growth.points.first(), growth.points.last());
            let cost = |point: Option<&super::GrowthPoint>| point.map(|p| seconds(p.median_s)).unwrap_or_default();
            vec![
                growth.operation.to_owned(),
                growth.device.clone(),
                shape(&growth.shape),
                growth.dimension.to_owned(),
                last.map(|point| point.size.to_string()).unwrap_or_default(),
                cost(first),
                cost(last),
                format!("{:.2}", growth.time_exponent),
                growth.memory_exponent.map(|exponent| format!("{exponent:.2}")).unwrap_or_default(),
            ]
        }),
    )
}
