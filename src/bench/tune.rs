//! Which variant of the contraction is fastest on an adapter, for many rows and for few.

use serde::Serialize;

use super::measure::measure;
use super::workload::{Operation, drained};
use crate::backend::{Gpu, GpuOptions, Tuning, Variant};
use crate::error::{Error, Result};
use crate::prune::Observer;

/// One variant on one shape.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// The variant.
    pub variant: Variant,
    /// What was computed, as a bench names it.
    pub operation: &'static str,
    /// Rows, inner length, columns.
    pub shape: [usize; 3],
    /// Median seconds; absent where the adapter cannot run the variant.
    pub median_s: Option<f64>,
}

/// What came of trying all variants.
#[derive(Debug, Clone, Serialize)]
pub struct TuneReport {
    /// Every measurement.
    pub tried: Vec<Tried>,
    /// The fastest.
    pub tuning: Tuning,
}

const VARIANTS: [Variant; 3] = [Variant::Workgroup, Variant::Direct, Variant::Broadcast];
const MANY: &[(&str, Operation, [usize; 3])] =
    &[("tropical_eval", Operation::TropicalEval, [8192, 64, 1024]), ("affine", Operation::Affine, [1024, 512, 512])];
const FEW: &[(&str, Operation, [usize; 3])] = &[
    ("support_function", Operation::SupportFunction, [4, 64, 65_536]),
    ("affine", Operation::Affine, [8, 2048, 1024]),
];

/// Times every variant on an adapter and finds, for many and for few rows, the one with the smallest product of medians.
///
/// # Errors
///
/// What the adapter returns; a variant that it does not have is passed over.
pub fn tune(options: &GpuOptions, runs: usize, observer: &dyn Observer) -> Result<TuneReport> {
    let mut tried = Vec::new();
    let mut best = Vec::new();
    let total = 2 * VARIANTS.len();
    for cases in [MANY, FEW] {
        let mut fastest: Option<(f64, Variant)> = None;
        for variant in VARIANTS {
            observer.step(tried.len() / cases.len(), total, &format!("{variant:?}").to_lowercase())?;
            let medians = medians(options, variant, cases, runs)?;
            let score: Option<f64> = medians.iter().map(|median| median.map(f64::ln)).sum();
            if let Some(score) = score
                && fastest.is_none_or(|(lowest, _)| score < lowest)
            {
                fastest = Some((score, variant));
            }
            for ((operation, _, shape), median_s) in cases.iter().zip(medians) {
                tried.push(Tried { variant, operation, shape: *shape, median_s });
            }
        }
        let none = || Error::Unsupported { problem: "the adapter runs no variant of the contraction".to_owned() };
        best.push(fastest.ok_or_else(none)?.1);
    }
    observer.step(total, total, "done")?;
    Ok(TuneReport { tried, tuning: Tuning { many_rows: best[0], few_rows: best[1] } })
}

fn medians(
    options: &GpuOptions,
    variant: Variant,
    cases: &[(&str, Operation, [usize; 3])],
    runs: usize,
) -> Result<Vec<Option<f64>>> {
    let gpu = match Gpu::new(&GpuOptions { variant: Some(variant), ..options.clone() }) {
        Ok(gpu) => gpu,
        Err(Error::Argument { .. }) => return Ok(vec![None; cases.len()]),
        Err(error) => return Err(error),
    };
    let time = |(_, operation, shape): &(&str, Operation, [usize; 3])| {
        let prepared = operation.prepare(&gpu, shape, 0)?;
        let stats = measure(runs, || (prepared.run)().map(drop), || drained(&gpu), || {})?;
        Ok(Some(stats.median_s))
    };
    cases.iter().map(time).collect()
}
