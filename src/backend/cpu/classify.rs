//! Arg max of the logits and rank of the label.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Classified, check};
use crate::error::{Error, Result};

pub(super) fn classify(logits: &HostMatrix, labels: Option<&[u32]>) -> Result<Classified<Vec<u32>>> {
    let n = check::classify(logits.shape(), labels.map(<[u32]>::len))?;
    let row = |i: usize| -> Result<(u32, u32)> {
        let logits = logits.row(i);
        let rank = labels.map_or(Ok(0), |labels| rank(logits, labels[i]))?;
        Ok((class(logits), rank))
    };
    let pairs: Result<Vec<_>> = (0..n).into_par_iter().with_min_len(256).map(row).collect();
    let (class, rank) = pairs?.into_iter().unzip();
    Ok(Classified { class, rank })
}

/// The lowest class with the largest logit.
pub(super) fn class(logits: &[f32]) -> u32 {
    let best = logits
        .iter()
        .zip(0..)
        .fold((f32::NEG_INFINITY, 0), |best, (value, class)| if *value > best.0 { (*value, class) } else { best });
    best.1
}

/// How many classes come before `label`.
pub(super) fn rank(logits: &[f32], label: u32) -> Result<u32> {
    let Some(own) = logits.get(label as usize) else {
        let problem = format!("label {label} for {} classes", logits.len());
        return Err(Error::Argument { argument: "labels", problem });
    };
    let before = logits.iter().zip(0..).filter(|(value, class)| *value > own || (*value == own && *class < label));
    Ok(before.map(|_| 1).sum())
}
