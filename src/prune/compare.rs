//! Two networks on the same data, as a user of their files runs them.

use std::time::Instant;

use serde::Serialize;

use super::Data;
use crate::backend::RowSource;
use crate::error::{Error, Result};
use crate::network::Runtime;

/// What two networks say of the same samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Number of samples.
    pub samples: usize,
    /// The share of samples whose label comes first, of each network, if labels are known.
    pub top1: Option<[f64; 2]>,
    /// The share of samples on which the networks agree.
    pub agreement: f64,
    /// The largest difference of an output.
    pub difference: Difference,
    /// The mean over the samples of the largest difference of an output.
    pub mean_difference: f64,
}

/// A difference of outputs and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// `abs(a - b)`.
    pub value: f64,
    /// The sample.
    pub sample: usize,
    /// The output.
    pub output: usize,
}

/// Compares the outputs of two networks on data.
///
/// # Errors
///
/// [`Error::Data`] if they take inputs or give outputs of other lengths, and what [`Runtime::outputs`] returns.
pub fn compare_outputs(runtimes: [&Runtime; 2], data: Data<'_>) -> Result<Comparison> {
    let [(a, classes), (b, other)] = [runtimes[0].outputs(data.inputs)?, runtimes[1].outputs(data.inputs)?];
    if classes != other || classes == 0 {
        return Err(Error::Data { problem: format!("the networks give {classes} and {other} outputs") });
    }
    let samples = data.inputs.shape()[0];
    let mut found = Difference { value: 0.0, sample: 0, output: 0 };
    let (mut agreeing, mut right, mut sum) = (0, [0, 0], 0.0);
    for (sample, (a, b)) in a.chunks_exact(classes).zip(b.chunks_exact(classes)).enumerate() {
        let mut largest = 0.0_f64;
        for (output, (a, b)) in a.iter().zip(b).enumerate() {
            let value = (f64::from(*a) - f64::from(*b)).abs();
            largest = largest.max(value);
            if value > found.value {
                found = Difference { value, sample, output };
            }
        }
        sum += largest;
        let answers = [first_largest(a), first_largest(b)];
        agreeing += usize::from(answers[0] == answers[1]);
        if let Some(label) = data.labels.and_then(|labels| labels.get(sample)) {
            for (right, answer) in right.iter_mut().zip(answers) {
                *right += usize::from(usize::try_from(*label) == Ok(answer));
            }
        }
    }
    Ok(Comparison {
        samples,
        top1: data.labels.map(|_| right.map(|right| share(right, samples))),
        agreement: share(agreeing, samples),
        difference: found,
        mean_difference: if samples == 0 { 0.0 } else { sum / count(samples) },
    })
}

/// The index of the largest value, the lowest of several.
fn first_largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}

fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { count(part) / count(all) }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Seconds of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Samples in a run.
    pub batch: usize,
    /// The median of each network.
    pub median: [f64; 2],
    /// Half the distance between the quartiles.
    pub spread: [f64; 2],
    /// The first median over the second: how many times faster the second network is.
    pub ratio: f64,
}

/// The first rows of some data.
struct First<'a>(&'a dyn RowSource, usize);

impl RowSource for First<'_> {
    fn shape(&self) -> [usize; 2] {
        [self.1, self.0.shape()[1]]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.0.read_rows(first, out)
    }
}

/// Times runs of both networks by turns on the first `batch` samples, after one that is not counted.
///
/// # Errors
///
/// What [`Runtime::outputs`] returns.
pub fn latency(runtimes: [&Runtime; 2], inputs: &dyn RowSource, batch: usize, runs: usize) -> Result<Latency> {
    let inputs = First(inputs, batch.min(inputs.shape()[0]));
    let mut seconds = [Vec::with_capacity(runs), Vec::with_capacity(runs)];
    for run in 0..=runs {
        for (runtime, seconds) in runtimes.iter().zip(&mut seconds) {
            let start = Instant::now();
            runtime.outputs(&inputs)?;
            if run > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let quantile = |sorted: &[f64], of_four: usize| {
        let at = (sorted.len().saturating_sub(1) * of_four).div_ceil(4);
        sorted.get(at).copied().unwrap_or_default()
    };
    let [a, b] = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        (quantile(&seconds, 2), (quantile(&seconds, 3) - quantile(&seconds, 1)) / 2.0)
    });
    let ratio = if b.0 > 0.0 { a.0 / b.0 } else { 1.0 };
    Ok(Latency { batch: inputs.1, median: [a.0, b.0], spread: [a.1, b.1], ratio })
}
