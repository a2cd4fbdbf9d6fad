//! The first iteration: all pairs, but those of two points that are centres only once.
//!
//! ```text
//!                seeds       other centres
//!   seeds        upper       all             the distance of c_k to c_j bounds that of c_j to c_k as well
//!   others       all         all
//! ```
//!
//! Columns are the centres in that order; rows of seeds begin with the panel of their own column.

use rayon::prelude::*;

use super::super::affine::padded;
use super::super::contraction::{Sum, Tile, contract, tiles};
use super::super::operand::{Columns, Packed};
use super::centres::Centres;
use super::count;
use super::pairs::ROWS;
use super::rounding::least_distance;
use super::scores::{Best, NONE, Scores};
use super::search::Search;
use super::seeds::Seeds;
use crate::backend::Transpose;

/// Which row of the product bounds a point.
#[derive(Debug, Clone, Copy)]
enum Row {
    /// The seed with that place among the columns.
    Seed(usize),
    /// The row with that number after all seeds.
    Other(usize),
}

impl Search<'_> {
    pub(super) fn first(&mut self, centres: &Centres, slack: &[f64]) -> Vec<bool> {
        let seeds = Seeds::of(self.points, centres, self.rounding);
        if seeds.points.is_empty() {
            return self.all(centres, slack);
        }
        let (mut columns, mut picked) = (Vec::<u32>::new(), Vec::new());
        let mut rows = vec![Row::Other(0); self.labels.len()];
        for (point, centre) in &seeds.points {
            // Copies of a seed share its row.
            if columns.last() != Some(centre) {
                columns.push(*centre);
                picked.push(*point);
            }
            rows[*point as usize] = Row::Seed(columns.len() - 1);
        }
        let seeded = columns.len();
        let mut is_seed = vec![false; self.clusters];
        columns.iter().for_each(|k| is_seed[*k as usize] = true);
        columns.extend((0..count(self.clusters)).filter(|k| !is_seed[*k as usize]));
        seeds.others.iter().enumerate().for_each(|(at, i)| rows[*i as usize] = Row::Other(at));
        picked.extend(&seeds.others);
        let offsets: Vec<f32> = columns.iter().map(|k| centres.offsets[*k as usize]).collect();
        let offsets = padded(&offsets, 0.0);

        let all = self.points.view(Transpose::No);
        let packed = Packed::new(centres.values.view(Transpose::No).pick(&columns));
        let mut tiles = self.triangle(seeded, &offsets);
        let (triangle, rest) = (tiles.len(), tiles_of(&seeds.others, seeded, &packed, &offsets, all));
        tiles.extend(rest);
        contract::<Sum, _>(all.pick(&picked), Columns::Packed(&packed), &mut tiles);

        let (triangle, rest) = tiles.split_at(triangle);
        let bands: Vec<&[Tile<Scores<'_>>]> = rest.chunk_by(|a, b| a.rows == b.rows).collect();
        let height = bands.first().and_then(|band| band.first()).map_or(1, |tile| tile.rows.len());
        let squares = &self.squares;
        let lower = self.lower.par_chunks_mut(self.clusters).enumerate();
        let best: Vec<Best> = lower
            .map(|(i, lower)| match rows[i] {
                Row::Seed(at) => {
                    let tile = &triangle[at / ROWS];
                    let values = tile.fold.row(at - tile.rows.start);
                    for (value, k) in values.iter().zip(&columns[tile.columns.clone()]) {
                        lower[*k as usize] = least_distance(squares[i], *value, slack[i]);
                    }
                    for (other, k) in columns[..tile.columns.start].iter().enumerate() {
                        let tile = &triangle[other / ROWS];
                        let value = tile.fold.row(other - tile.rows.start)[at - tile.columns.start];
                        let other = picked[other] as usize;
                        lower[*k as usize] = least_distance(squares[other], value, slack[other]);
                    }
                    Best { value: values[at - tile.columns.start], centre: columns[at] }
                }
                Row::Other(at) => {
                    let mut best = NONE;
                    for tile in bands[at / height] {
                        let values = tile.fold.row(at + seeded - tile.rows.start);
                        for (value, k) in values.iter().zip(&columns[tile.columns.clone()]) {
                            best.meet(*value, *k);
                            lower[*k as usize] = least_distance(squares[i], *value, slack[i]);
                        }
                    }
                    best
                }
            })
            .collect();
        self.label_all(best, slack)
    }

    /// One tile for each band of seeds, from the panel of its first column on.
    fn triangle<'o>(&self, seeded: usize, offsets: &'o [f32]) -> Vec<Tile<Scores<'o>>> {
        let bands = (0..seeded).step_by(ROWS).map(|first| {
            let columns = first / self.width * self.width..self.clusters;
            Tile { rows: first..seeded.min(first + ROWS), fold: Scores::new(offsets, columns.clone()), columns }
        });
        bands.collect()
    }
}

/// The tiles of all rows after the seeds.
fn tiles_of<'o>(
    others: &[u32],
    seeded: usize,
    packed: &Packed,
    offsets: &'o [f32],
    points: super::super::operand::View<'_>,
) -> Vec<Tile<Scores<'o>>> {
    let mut tiles = tiles(points.pick(others), Columns::Packed(packed), |_, columns| Scores::new(offsets, columns));
    tiles.iter_mut().for_each(|tile| tile.rows = tile.rows.start + seeded..tile.rows.end + seeded);
    tiles
}
