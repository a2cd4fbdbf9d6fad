//! The share of a data set whose class is certified unchanged.

use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;
use serde::Serialize;

use super::chain::Chain;
use super::depth::HeadCertificate;
use super::radial::Rounding;
use crate::backend::RowSource;
use crate::error::{Error, Result};

/// Samples that are evaluated together.
const CHUNK: usize = 128;

/// What a certificate says of the classes of a data set.
#[derive(Debug, Clone, Serialize)]
pub struct Labels {
    /// Samples.
    pub samples: usize,
    /// Samples outside the ball, of which the certificate says nothing.
    pub outside: usize,
    /// Samples whose class is certified from the margin of the original alone: every input in the ball with such a margin
    /// keeps its class.
    pub by_ball: usize,
    /// Samples whose class is certified at the norms that their own activations have in the original.
    pub by_norms: usize,
    /// Samples whose class is in fact the same; at least both of the above.
    pub unchanged: usize,
    /// The largest error of each output on the samples in the ball, a lower bound of the one on the ball.
    #[serde(skip)]
    pub errors: Vec<f64>,
}

/// Whether the class of `logits` stays the largest when output `j` moves by at most `errors[j]`, and its own by its own.
fn certified(logits: ArrayView1<'_, f64>, margins: ArrayView1<'_, f64>, errors: &[f64]) -> bool {
    let top = first_largest(logits);
    (0..logits.len()).all(|other| {
        // What rounding may have changed in the logits counts against the margin.
        let rounding = margins[top] + margins[other];
        other == top || logits[top] - logits[other] > (errors[top] + errors[other] + rounding) * (1.0 + 1e-12)
    })
}

/// Arg max, ties to the lowest class.
fn first_largest(logits: ArrayView1<'_, f64>) -> usize {
    let better = |best: (usize, f64), next: (usize, &f64)| if *next.1 > best.1 { (next.0, *next.1) } else { best };
    logits.iter().enumerate().fold((0, f64::NEG_INFINITY), better).0
}

/// Norms of the rows, rounded up.
fn norms(rows: &Array2<f64>) -> Vec<f64> {
    let rounding = Rounding::new(rows.ncols()).eta;
    rows.rows().into_iter().map(|row| row.dot(&row).sqrt() * (1.0 + rounding)).collect()
}

/// The rows `first .. first + count` of a source, in f64.
pub(super) fn rows(source: &dyn RowSource, first: usize, count: usize) -> Result<Array2<f64>> {
    let width = source.shape()[1];
    let mut values = vec![0.0_f32; count * width];
    source.read_rows(first, &mut values)?;
    Array2::from_shape_vec((count, width), values.into_iter().map(f64::from).collect())
        .map_err(|error| Error::Internal { what: error.to_string() })
}

/// The largest norm of a sample, rounded up: the radius of a ball that holds them all.
///
/// # Errors
///
/// What reading the samples returns.
pub fn data_radius(source: &dyn RowSource) -> Result<f64> {
    let count = source.shape()[0];
    let largest = |first: usize| -> Result<f64> {
        Ok(norms(&rows(source, first, CHUNK.min(count - first))?).into_iter().fold(0.0, f64::max))
    };
    let found: Vec<f64> = (0..count).into_par_iter().step_by(CHUNK).map(largest).collect::<Result<_>>()?;
    Ok(found.into_iter().fold(0.0, f64::max))
}

/// Counts the samples whose class is certified.
pub(super) fn labels(
    certificate: &HeadCertificate,
    original: &Chain,
    compressed: &Chain,
    source: &dyn RowSource,
) -> Result<Labels> {
    let samples = source.shape()[0];
    let everywhere = certificate.errors(certificate.radius);
    let nothing = || Labels {
        samples: 0,
        outside: 0,
        by_ball: 0,
        by_norms: 0,
        unchanged: 0,
        errors: vec![0.0; original.outputs()],
    };
    let count = |first: usize| -> Result<Labels> {
        let points = rows(source, first, CHUNK.min(samples - first))?;
        let signals = original.signals(&points);
        let (logits, margins) = original.evaluate(&points);
        let (others, other_margins) = compressed.evaluate(&points);
        // What goes into each hidden layer: the sample, then the activations before it.
        let mut entering = vec![norms(&points)];
        for (signal, step) in signals.iter().zip(certificate.layers.iter().skip(1)) {
            // The activations are off by at most gamma times `|W| |x|`, whose norm is at most the root of the width times
            // the bound of their own.
            let width = (signal.ncols().max(points.ncols()) as f64).sqrt();
            let off = Rounding::new(signal.ncols()).eta * width * step.certificate.radius;
            entering.push(norms(signal).into_iter().map(|norm| norm + off).collect());
        }
        let mut found = nothing();
        for (at, logits) in logits.rows().into_iter().enumerate() {
            found.samples += 1;
            found.unchanged += usize::from(first_largest(logits) == first_largest(others.row(at)));
            let radii: Vec<f64> = entering.iter().map(|norms| norms[at]).collect();
            if radii[0] > certificate.radius {
                found.outside += 1;
                continue;
            }
            found.by_ball += usize::from(certified(logits, margins.row(at), &everywhere));
            let within = certificate.layers.iter().zip(&radii).all(|(step, norm)| *norm <= step.certificate.radius);
            if within {
                let own = certificate.errors_within(&radii);
                found.by_norms += usize::from(certified(logits, margins.row(at), &own));
            }
            for (j, error) in found.errors.iter_mut().enumerate() {
                let value = (logits[j] - others[[at, j]]).abs() - margins[[at, j]] - other_margins[[at, j]];
                *error = error.max(value);
            }
        }
        Ok(found)
    };
    let parts: Vec<Labels> = (0..samples).into_par_iter().step_by(CHUNK).map(count).collect::<Result<_>>()?;
    Ok(parts.into_iter().fold(nothing(), |mut all, part| {
        all.samples += part.samples;
        all.outside += part.outside;
        all.by_ball += part.by_ball;
        all.by_norms += part.by_norms;
        all.unchanged += part.unchanged;
        all.errors.iter_mut().zip(part.errors).for_each(|(error, found)| *error = error.max(found));
        all
    }))
}
