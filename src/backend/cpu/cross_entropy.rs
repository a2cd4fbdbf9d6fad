//! Cross-entropy of the softmax and its gradient, a row at a time.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{CrossEntropy, check};
use crate::error::Result;

/// Logits of one task.
const TASK: usize = 1 << 12;

#[expect(clippy::cast_precision_loss, reason = "batches have far fewer than 2^24 samples")]
pub(super) fn cross_entropy(logits: &HostMatrix, labels: &[u32]) -> Result<CrossEntropy<HostMatrix>> {
    let [n, k] = check::cross_entropy(logits.shape(), labels.len())?;
    check::labels(labels, k)?;
    let mut losses = HostMatrix::unwritten("cross_entropy", [n, 1])?;
    let mut gradient = HostMatrix::unwritten("cross_entropy", [n, k])?;
    let share = 1.0 / n as f32;
    let rows = gradient.values_mut().par_chunks_mut(k).zip(losses.values_mut()).zip(labels).enumerate();
    rows.with_min_len(TASK / k + 1).for_each(|(i, ((gradient, loss), label))| {
        let (logits, label) = (logits.row(i), *label as usize);
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (slot, z) in gradient.iter_mut().zip(logits) {
            *slot = (z - largest).exp();
            sum += *slot;
        }
        *loss = sum.ln() + (largest - logits[label]);
        let scale = share / sum;
        gradient.iter_mut().for_each(|slot| *slot *= scale);
        gradient[label] -= share;
    });
    Ok(CrossEntropy { losses, gradient })
}
