//! Computed values: of all pairs, and of those that the bounds leave.

use rayon::prelude::*;

use super::super::affine::padded;
use super::super::contraction::{Sum, Tile, contract, tiles};
use super::super::operand::{Columns, Packed};
use super::centres::Centres;
use super::count;
use super::rounding::least_distance;
use super::scores::{Best, NONE, Scores};
use super::search::Search;
use crate::backend::Transpose;

/// Rows of a tile of picked points.
pub(super) const ROWS: usize = 96;

impl Search<'_> {
    /// Computes all pairs.
    pub(super) fn all(&mut self, centres: &Centres, slack: &[f64]) -> Vec<bool> {
        let x = self.points.view(Transpose::No);
        let y = centres.values.columns_for(x);
        let offsets = padded(&centres.offsets, 0.0);
        let mut tiles = tiles(x, y, |_, columns| Scores::new(&offsets, columns));
        contract::<Sum, _>(x, y, &mut tiles);
        let bands: Vec<&[Tile<Scores<'_>>]> = tiles.chunk_by(|a, b| a.rows == b.rows).collect();
        let height = bands.first().and_then(|band| band.first()).map_or(1, |tile| tile.rows.len());
        let squares = &self.squares;
        let rows = self.lower.par_chunks_mut(self.clusters).enumerate();
        let best: Vec<Best> = rows
            .map(|(i, lower)| {
                let mut best = NONE;
                for tile in bands[i / height] {
                    let values = tile.fold.row(i - tile.rows.start);
                    for ((lower, value), k) in
                        lower[tile.columns.clone()].iter_mut().zip(values).zip(tile.columns.clone())
                    {
                        best.meet(*value, count(k));
                        *lower = least_distance(squares[i], *value, slack[i]);
                    }
                }
                best
            })
            .collect();
        self.label_all(best, slack)
    }

    /// Computes the pairs of each panel of `columns` with the points of its list.
    pub(super) fn some(
        &mut self,
        centres: &Centres,
        (columns, lists): &(Vec<u32>, Vec<Vec<u32>>),
        slack: &[f64],
        best: &mut [Best],
    ) {
        let picked = lists.concat();
        if picked.is_empty() {
            return;
        }
        let x = self.points.view(Transpose::No).pick(&picked);
        let packed = Packed::new(centres.values.view(Transpose::No).pick(columns));
        let offsets: Vec<f32> = columns.iter().map(|k| centres.offsets[*k as usize]).collect();
        let offsets = padded(&offsets, 0.0);
        let (mut tiles, mut start) = (Vec::new(), 0);
        for (panel, list) in lists.iter().enumerate() {
            let own = panel * self.width..columns.len().min((panel + 1) * self.width);
            let end = start + list.len();
            for first in (start..end).step_by(ROWS) {
                let fold = Scores::new(&offsets, own.clone());
                tiles.push(Tile { rows: first..end.min(first + ROWS), columns: own.clone(), fold });
            }
            start = end;
        }
        contract::<Sum, _>(x, Columns::Packed(&packed), &mut tiles);
        for tile in &tiles {
            for (row, i) in picked[tile.rows.clone()].iter().map(|i| *i as usize).enumerate() {
                for (value, k) in tile.fold.row(row).iter().zip(&columns[tile.columns.clone()]) {
                    best[i].meet(*value, *k);
                    self.lower[i * self.clusters + *k as usize] = least_distance(self.squares[i], *value, slack[i]);
                }
            }
        }
    }
}
