//! Cost against size: one size of a shape doubles while the others stay, and a line through the logarithms of size and
//! cost gives the exponent.

use serde::Serialize;

use super::measure::measure;
use super::workload::{Operation, drained};
use crate::backend::{Backend, DeviceKind};
use crate::error::Result;
use crate::prune::{Observer, Timing};
use crate::report::{peak_bytes, reset_peak, resident_bytes};

/// The cost at one size.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GrowthPoint {
    /// The size that doubles.
    pub size: usize,
    /// Median seconds.
    pub median_s: f64,
    /// Peak resident memory of operands, results and all between, in bytes; absent where the system does not tell, and
    /// for adapters.
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

/// Doubles each size of the contraction's operations `doublings` times and fits exponents of time and memory.
///
/// # Errors
///
/// What the backend returns.
pub fn scaling<B: Backend>(
    backend: &B,
    divisor: usize,
    doublings: u32,
    runs: usize,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Vec<Growth>> {
    let mut grown = Vec::new();
    for (operation, work, names, shape) in CASES {
        let mut shape = shape;
        shape[0] = (shape[0] / divisor.max(1)).max(1);
        for (at, dimension) in names.into_iter().enumerate() {
            observer.step(grown.len(), CASES.len() * names.len(), operation);
            let points = timing.phase(&format!("scaling {operation} {dimension}"), || {
                (0..=doublings)
                    .map(|doubling| {
                        let mut shape = shape;
                        shape[at] <<= doubling;
                        point(backend, work, shape, shape[at], runs)
                    })
                    .collect::<Result<Vec<GrowthPoint>>>()
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
    observer.step(grown.len(), grown.len(), "done");
    Ok(grown)
}

fn point<B: Backend>(
    backend: &B,
    operation: Operation,
    shape: [usize; 3],
    size: usize,
    runs: usize,
) -> Result<GrowthPoint> {
    let before = resident_bytes();
    let prepared = operation.prepare(backend, &shape, 0)?;
    // The copy from which operands were uploaded is gone: it must not count.
    let known = matches!(backend.device().kind, DeviceKind::Cpu | DeviceKind::Reference) && reset_peak();
    drop((prepared.run)()?);
    drained(backend)?;
    let memory_bytes = before.zip(peak_bytes()).filter(|_| known).map(|(before, peak)| peak.saturating_sub(before));
    let stats = measure(runs, || (prepared.run)().map(drop), || drained(backend), || ())?;
    Ok(GrowthPoint { size, median_s: stats.median_s, memory_bytes })
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
