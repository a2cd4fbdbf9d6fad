//! Centres and how they move.

use rayon::prelude::*;

use super::super::cluster_means::{Members, Sizes, mean};
use super::super::matrix::HostMatrix;
use crate::error::Result;

/// Centres with what every iteration needs of them.
pub(super) struct Centres {
    pub(super) values: HostMatrix,
    /// `|c|^2`.
    pub(super) sizes: Vec<f64>,
    /// `-|c|^2 / 2`.
    pub(super) offsets: Vec<f32>,
}

impl Centres {
    pub(super) fn of(given: &HostMatrix) -> Result<Self> {
        let mut values = HostMatrix::unwritten("lloyd", given.shape())?;
        values.values_mut().copy_from_slice(given.values());
        let squares = (0..given.shape()[0]).into_par_iter().map(|k| Sizes::of(given.row(k), given.row(k)).square);
        Ok(Self::new(values, squares.collect()))
    }

    fn new(values: HostMatrix, sizes: Vec<f64>) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "results are f32")]
        let offsets: Vec<f32> = sizes.iter().map(|square| (-0.5 * square) as f32).collect();
        Self { values, offsets, sizes }
    }

    /// Moves the centres of `stale` clusters to the means of their members, and returns by how much.
    pub(super) fn update(&mut self, points: &HostMatrix, members: &Members, stale: &[bool]) -> Result<Vec<Sizes>> {
        let mut next = HostMatrix::unwritten("lloyd", self.values.shape())?;
        let (width, before, sizes) = (self.values.shape()[1].max(1), &self.values, &self.sizes);
        let rows = next.values_mut().par_chunks_mut(width).enumerate();
        let change: Vec<Sizes> = rows
            .map(|(k, out)| {
                if stale[k] {
                    mean(points, members.of_cluster(k), before.row(k), out);
                    Sizes::of(before.row(k), out)
                } else {
                    out.copy_from_slice(before.row(k));
                    Sizes { moved: 0.0, square: sizes[k] }
                }
            })
            .collect();
        *self = Self::new(next, change.iter().map(|sizes| sizes.square).collect());
        Ok(change)
    }
}
