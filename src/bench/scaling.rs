//! Cost against size: one size of a shape doubles while the others stay, and a line through the logarithms of size and
//! cost gives the exponent.

use serde::Serialize;

use super::data::Streamed;
use super::measure::measure;
use super::workload::{Operation, drained};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::prune::{Observer, Timing};
use crate::report::{peak_bytes, resident_bytes};

/// The cost at one size.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GrowthPoint {
    /// The size that doubles.
    pub size: usize,
    /// Median seconds.
    pub median_s: f64,
    /// Peak resident memory of operands, results and all between, in bytes; absent where it is not known.
    pub memory_bytes: Option<u64>,
}

/// How the cost of an operation grows with one of its sizes.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// The operation.
    pub operation: &'static str,
    /// The device.
    pub device: String,
    /// The size that doubles, as the contract of the operation names it.
    pub dimension: &'static str,
    /// The shape at which doubling begins.
    pub shape: [usize; 3],
    /// Costs, ascending in size.
    pub points: Vec<GrowthPoint>,
    /// `b` of `seconds = a size^b`.
    pub time_exponent: f64,
    /// `b` of `bytes = a size^b`.
    pub memory_exponent: Option<f64>,
}

/// Operations, the names of their sizes, and the shape at which doubling begins: large enough that starting up does not
/// count.
const CASES: [(&str, Operation, [&str; 3], [usize; 3]); 3] = [
    ("tropical_eval", Operation::TropicalEval, ["points", "d", "monomials"], [32_768, 32, 512]),
    ("affine", Operation::Affine, ["samples", "inputs", "outputs"], [4096, 256, 256]),
    ("row_scores", Operation::RowScores, ["neurons", "inputs", "classes"], [2048, 2048, 2048]),
];

/// The slope of the least-squares line through `(ln size, ln cost)`; `None` for fewer than two sizes or a cost of 0.
#[must_use]
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    if points.iter().any(|(size, cost)| *size <= 0.0 || *cost <= 0.0) {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|(size, cost)| (size.ln(), cost.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let squares: f64 = logs.iter().map(|point| (point.0 - x).powi(2)).sum();
    let products: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (squares > 0.0).then(|| products / squares)
}

/// Settings of [`scaling`].
#[derive(Debug, Clone, Copy)]
pub struct ScalingOptions {
    /// What the first size of each shape is divided by.
    pub divisor: usize,
    /// How often a size doubles.
    pub doublings: u32,
    /// Timed runs of each size, after a warm-up.
    pub runs: usize,
}

/// Doubles each size of three operations and fits exponents of time and memory.
///
/// `memory` says how much one operation of a shape takes: what [`memory_of`] finds in a process of its own, because
/// memory that an allocator keeps for later would hide that of the next measurement.
///
/// # Errors
///
/// What the backend returns.
pub fn scaling<B: Backend>(
    backend: &B,
    options: ScalingOptions,
    memory: impl Fn(&str, [usize; 3]) -> Option<u64>,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Vec<Growth>> {
    let mut grown = Vec::new();
    for (operation, work, names, mut shape) in CASES {
        shape[0] = (shape[0] / options.divisor.max(1)).max(1);
        for (at, dimension) in names.into_iter().enumerate() {
            observer.step(grown.len(), CASES.len() * names.len(), operation)?;
            let point = |doubling: u32| {
                let mut shape = shape;
                shape[at] <<= doubling;
                let median_s = seconds(backend, work, shape, options.runs)?;
                Ok(GrowthPoint { size: shape[at], median_s, memory_bytes: memory(operation, shape) })
            };
            let points = timing.phase(&format!("scaling {operation} {dimension}"), || {
                (0..=options.doublings).map(point).collect::<Result<Vec<GrowthPoint>>>()
            })?;
            let times: Vec<(f64, f64)> = points.iter().map(|p| (p.size as f64, p.median_s)).collect();
            let bytes: Option<Vec<(f64, f64)>> =
                points.iter().map(|p| p.memory_bytes.map(|bytes| (p.size as f64, bytes as f64))).collect();
            grown.push(Growth {
                operation,
                device: backend.device().name.clone(),
                dimension,
                shape,
                time_exponent: exponent(&times).unwrap_or(0.0),
                memory_exponent: bytes.as_deref().and_then(exponent),
                points,
            });
        }
    }
    observer.step(grown.len(), grown.len(), "done")?;
    Ok(grown)
}

fn seconds<B: Backend>(backend: &B, operation: Operation, shape: [usize; 3], runs: usize) -> Result<f64> {
    let prepared = operation.prepare(backend, &shape, 0)?;
    Ok(measure(runs, || (prepared.run)().map(drop), || drained(backend), || ())?.median_s)
}

/// The memory that one run of a named operation adds to this process: operands, results and all between. True in a
/// process that has done nothing else; `None` where the system does not tell.
///
/// # Errors
///
/// [`Error::Argument`] for a name that [`scaling`] does not use; what the backend returns.
pub fn memory_of<B: Backend>(backend: &B, operation: &str, shape: [usize; 3]) -> Result<Option<u64>> {
    let Some((_, work, ..)) = CASES.into_iter().find(|case| case.0 == operation) else {
        return Err(Error::Argument { argument: "operation", problem: format!("there is no `{operation}`") });
    };
    let before = resident_bytes();
    let shapes = work.operands(shape).0;
    let upload = |(operand, shape): (u64, &[usize; 2])| backend.upload(&Streamed { seed: 0, operand, shape: *shape });
    let operands: Vec<B::Matrix> = (1..).zip(&shapes).map(upload).collect::<Result<_>>()?;
    let results = work.start(backend, &operands)?;
    drained(backend)?;
    drop(results);
    Ok(before.zip(peak_bytes()).map(|(before, peak)| peak.saturating_sub(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_is_its_power() {
        let power = |b: f64| (0..5).map(|i| 2.0_f64.powi(i)).map(|x| (x, 3.0 * x.powf(b))).collect::<Vec<_>>();
        for b in [0.0, 0.5, 1.0, 2.0] {
            assert!(exponent(&power(b)).is_some_and(|found| (found - b).abs() < 1e-12), "{b}");
        }
        assert_eq!(exponent(&[(1.0, 2.0)]), None);
        assert_eq!(exponent(&[(1.0, 2.0), (2.0, 0.0)]), None);
    }
}
