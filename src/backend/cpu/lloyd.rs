//! Lloyd's method with bounds: after the first iteration only those pairs of a point and a centre are computed in which
//! the centre could win.
//!
//! ```text
//! first iteration     every pair, tile by tile
//! every further one
//!   each centre moved by delta_k, so that
//!     upper_i        the distance to the own centre at most        grows by its delta
//!     lower_ik       to each other one at least                    shrinks by its delta
//!   moved centres     that could win, and the own one of such a point
//!   others            that could still win against the new value of an own centre that moved away
//! ```
//!
//! The bounds are Elkan's (*Using the triangle inequality to accelerate k-means*, ICML 2003). The centres that some point
//! wants are packed side by side, and each panel of them is contracted with the points that want one of it: as fast as a
//! product, and each sum in the order that it has in one. A pair is skipped only where rounding cannot change the
//! computed winner: labels, and with them centres, are those of the plain method, bit by bit.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::Cpu;
use super::affine::padded;
use super::cluster_means::{Members, Sizes, mean};
use super::contraction::{Fold, PanelWidth, Sum, Tile, arch, contract, tiles, unit_roundings};
use super::direct::is_direct;
use super::matrix::HostMatrix;
use super::narrow::is_narrow;
use super::operand::{Columns, Packed};
use super::tropical_eval::largest;
use crate::backend::{Lloyd, Transpose, check};
use crate::error::Result;

/// Rows of a tile of picked points.
const ROWS: usize = 96;

/// The share of pairs from which on all of them are computed: packing points once for all panels then costs less.
const MOST: f64 = 0.6;

/// Bytes that lower bounds may take.
const MEMORY: usize = 512 << 20;

pub(super) fn lloyd(
    backend: &Cpu,
    points: &HostMatrix,
    centres: &HostMatrix,
    iterations: usize,
) -> Result<Lloyd<HostMatrix, Vec<u32>>> {
    check::lloyd(points.shape(), centres.shape(), iterations)?;
    let ([n, d], [k, _], x) = (points.shape(), centres.shape(), points.view(Transpose::No));
    // These take their sums in another order, in which a few points have no part.
    let other = is_narrow(x) || is_direct(x, centres.view(Transpose::No)) || n == 0 || d == 0;
    if other || n.saturating_mul(k) > MEMORY / size_of::<f32>() {
        return crate::backend::lloyd::plain(backend, points, centres, iterations);
    }
    let mut centres = Centres::of(centres)?;
    let mut search = if iterations > 1 { Some(Search::new(points, k)) } else { None };
    let mut moved = Vec::with_capacity(iterations);
    let (mut labels, mut members) = (Vec::new(), Members::of(&[], k));
    for _ in 0..iterations {
        let stale = match &mut search {
            Some(search) => {
                let stale = search.assign(&centres);
                labels.clone_from(&search.labels);
                stale
            }
            None => {
                labels = largest::<Sum>("lloyd", points, &centres.values, Some(&centres.offsets))?.1;
                vec![true; k]
            }
        };
        members = Members::of(&labels, k);
        let change = centres.update(points, &members, &stale)?;
        #[expect(clippy::cast_possible_truncation, reason = "results are f32")]
        let rounded: Vec<f32> = change.iter().map(|sizes| sizes.moved as f32).collect();
        let settled = rounded.iter().all(|moved| *moved == 0.0);
        moved.push(HostMatrix::row_vector(rounded));
        if settled {
            break;
        }
        if let Some(search) = &mut search {
            search.moved(&change);
        }
    }
    Ok(Lloyd { labels, centres: centres.values, counts: members.counts(), moved })
}

/// Centres with what every iteration needs of them.
struct Centres {
    values: HostMatrix,
    /// `|c|^2`.
    sizes: Vec<f64>,
    /// `-|c|^2 / 2`.
    offsets: Vec<f32>,
}

impl Centres {
    fn of(given: &HostMatrix) -> Result<Self> {
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
    fn update(&mut self, points: &HostMatrix, members: &Members, stale: &[bool]) -> Result<Vec<Sizes>> {
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

/// Keeps the computed values of a tile.
struct Scores<'a> {
    /// Of the columns of the product, padded.
    offsets: &'a [f32],
    columns: Range<usize>,
    /// Columns with room for the padding of the last panel.
    stride: usize,
    values: Vec<f32>,
}

impl<'a> Scores<'a> {
    fn new(offsets: &'a [f32], columns: Range<usize>) -> Self {
        let stride = columns.len().next_multiple_of(64);
        Self { offsets, columns, stride, values: Vec::new() }
    }

    /// The values of a row of the tile.
    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.stride..][..self.columns.len()]
    }
}

impl Fold for Scores<'_> {
    fn begin(&mut self, rows: usize) {
        self.values = vec![0.0; rows * self.stride];
    }

    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        let (offsets, _) = S::as_simd_f32s(&self.offsets[column..][..V * S::F32_LANES]);
        for (r, product) in product.iter().enumerate() {
            let at = (row + r) * self.stride + column - self.columns.start;
            let (values, _) = S::as_mut_simd_f32s(&mut self.values[at..][..V * S::F32_LANES]);
            for (v, value) in values.iter_mut().enumerate() {
                *value = simd.add_f32s(product[v], offsets[v]);
            }
        }
    }
}

/// A computed value and the centre that has it.
#[derive(Debug, Clone, Copy)]
struct Best {
    value: f32,
    centre: u32,
}

const NONE: Best = Best { value: f32::NEG_INFINITY, centre: u32::MAX };

impl Best {
    /// Takes another value; of equal ones the lower centre's stays.
    #[inline(always)]
    fn meet(&mut self, value: f32, centre: u32) {
        if value > self.value || (value == self.value && centre < self.centre) {
            *self = Self { value, centre };
        }
    }
}

/// Labels and bounds of all points.
struct Search<'a> {
    points: &'a HostMatrix,
    labels: Vec<u32>,
    clusters: usize,
    /// Columns of a panel.
    width: usize,
    /// `|x_i|^2`.
    squares: Vec<f64>,
    /// The distance of a point to its own centre at most.
    upper: Vec<f64>,
    /// The computed value of the own centre, unless it has moved since.
    value: Vec<Option<f32>>,
    /// `n x k`: the distance to each centre at least.
    lower: Vec<f32>,
    /// Which centres the last iteration moved; all of them before the first.
    moved: Vec<bool>,
    /// Units of rounding in a computed value.
    gamma: f64,
}

impl<'a> Search<'a> {
    fn new(points: &'a HostMatrix, clusters: usize) -> Self {
        let (n, (width, _)) = (points.shape()[0], arch().dispatch(PanelWidth));
        let squares = (0..n).into_par_iter().map(|i| Sizes::of(points.row(i), points.row(i)).square).collect();
        // The offset rounds once and its addition once.
        let roundings = unit_roundings(points.shape()[1]) + 2.0;
        let unit = f64::from(f32::EPSILON) / 2.0;
        Self {
            points,
            labels: Vec::new(),
            clusters,
            width,
            squares,
            upper: vec![0.0; n],
            value: vec![None; n],
            lower: vec![0.0; n * clusters],
            moved: vec![true; clusters],
            gamma: roundings * unit / (1.0 - roundings * unit),
        }
    }

    /// Gives each point its label, and returns which clusters gained or lost one.
    fn assign(&mut self, centres: &Centres) -> Vec<bool> {
        let longest = centres.sizes.iter().fold(0.0_f64, |longest, square| longest.max(*square)).sqrt();
        // A computed value lies that close to the exact one.
        let slack: Vec<f64> =
            self.squares.iter().map(|square| self.gamma * (square.sqrt() * longest + longest * longest)).collect();
        if self.labels.is_empty() {
            self.labels = vec![u32::MAX; self.squares.len()];
            return self.all(centres, &slack);
        }
        // Centres that did not move lost against each other before: only moved ones can win against an own one that did
        // not, or that all of these were certainly behind.
        let wanted: Vec<Vec<u32>> = (0..self.labels.len()).into_par_iter().map(|i| self.wanted(i, slack[i])).collect();
        let Some(jobs) = self.jobs(&wanted) else { return self.all(centres, &slack) };
        let mut best: Vec<Best> = (0..self.labels.len())
            .map(|i| self.value[i].map_or(NONE, |value| Best { value, centre: self.labels[i] }))
            .collect();
        self.some(centres, &jobs, &slack, &mut best);
        // A new value of the own centre, or a better one, bounds those that did not move.
        let still = |i: usize| {
            let (row, own) = (self.row(i), self.labels[i]);
            if self.value[i].is_some() || wanted[i].is_empty() {
                return Vec::new();
            }
            let least = self.least(i, best[i].value, slack[i]);
            let could = |k: &u32| !self.moved[*k as usize] && *k != own && square(row[*k as usize]) <= least;
            (0..count(self.clusters)).filter(could).collect()
        };
        let others: Vec<Vec<u32>> = (0..self.labels.len()).into_par_iter().map(still).collect();
        let Some(jobs) = self.jobs(&others) else { return self.all(centres, &slack) };
        self.some(centres, &jobs, &slack, &mut best);
        let mut stale = vec![false; self.clusters];
        for i in 0..wanted.len() {
            if !wanted[i].is_empty() {
                self.label(i, best[i], slack[i], &mut stale);
            }
        }
        stale
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.lower[i * self.clusters..][..self.clusters]
    }

    /// A centre whose squared distance exceeds this has a smaller computed value than `value`.
    fn least(&self, i: usize, value: f32, slack: f64) -> f64 {
        self.squares[i] - 2.0 * f64::from(value) + 2.0 * slack
    }

    /// The moved centres that could win a point, and its own one where its value is not known.
    fn wanted(&self, i: usize, slack: f64) -> Vec<u32> {
        let (row, own) = (self.row(i), self.labels[i]);
        let least =
            self.value[i].map_or(self.upper[i] * self.upper[i] + 4.0 * slack, |value| self.least(i, value, slack));
        let away = self.value[i].is_none() && self.moved[own as usize];
        // What an own centre left may be nearer than it now.
        let could = |k: &u32| *k != own && (away || self.moved[*k as usize]) && square(row[*k as usize]) <= least;
        let mut found: Vec<u32> = (0..count(self.clusters)).filter(could).collect();
        if !found.is_empty() && self.value[i].is_none() {
            found.retain(|k| self.moved[*k as usize]);
            found.push(own);
        }
        found
    }

    /// The centres that are wanted and, for each panel of them, the points that want one; nothing where that is most of
    /// all pairs.
    fn jobs(&self, wanted: &[Vec<u32>]) -> Option<(Vec<u32>, Vec<Vec<u32>>)> {
        let mut place = vec![u32::MAX; self.clusters];
        wanted.iter().flatten().for_each(|k| place[*k as usize] = 0);
        let columns: Vec<u32> = (0..count(self.clusters)).filter(|k| place[*k as usize] == 0).collect();
        columns.iter().enumerate().for_each(|(at, k)| place[*k as usize] = count(at));
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); columns.len().div_ceil(self.width)];
        for (i, wanted) in wanted.iter().enumerate() {
            for k in wanted {
                let list = &mut lists[place[*k as usize] as usize / self.width];
                if list.last() != Some(&count(i)) {
                    list.push(count(i));
                }
            }
        }
        let pairs = lists.iter().map(Vec::len).sum::<usize>() * self.width;
        ((pairs as f64) <= MOST * (self.labels.len() * self.clusters) as f64).then_some((columns, lists))
    }

    /// Computes all pairs.
    fn all(&mut self, centres: &Centres, slack: &[f64]) -> Vec<bool> {
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
        let mut stale = vec![false; self.clusters];
        for (i, best) in best.into_iter().enumerate() {
            self.label(i, best, slack[i], &mut stale);
        }
        stale
    }

    /// Computes the pairs of each panel of `columns` with the points of its list.
    fn some(
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

    fn label(&mut self, i: usize, best: Best, slack: f64, stale: &mut [bool]) {
        let before = std::mem::replace(&mut self.labels[i], best.centre);
        if before != best.centre {
            for cluster in [before, best.centre] {
                if let Some(stale) = stale.get_mut(cluster as usize) {
                    *stale = true;
                }
            }
        }
        self.value[i] = Some(best.value);
        self.upper[i] = (self.squares[i] - 2.0 * (f64::from(best.value) - slack)).max(0.0).sqrt();
    }

    /// Loosens the bounds by what the centres moved.
    fn moved(&mut self, change: &[Sizes]) {
        // A distance rounds, and so does its square root.
        let moves: Vec<f64> = change.iter().map(|sizes| sizes.moved.sqrt() * (1.0 + 1e-9)).collect();
        let moving: Vec<usize> = (0..moves.len()).filter(|k| moves[*k] > 0.0).collect();
        self.moved = moves.iter().map(|by| *by > 0.0).collect();
        let own = self.upper.par_iter_mut().zip(&mut self.value).zip(&self.labels);
        let rows = own.zip(self.lower.par_chunks_mut(self.clusters));
        rows.with_min_len(64).for_each(|(((upper, value), label), lower)| {
            let by = moves[*label as usize];
            if by > 0.0 {
                *upper = (*upper + by) * (1.0 + 1e-12);
                *value = None;
            }
            for k in &moving {
                lower[*k] = below(f64::from(lower[*k]) - moves[*k]);
            }
        });
    }
}

fn square(distance: f32) -> f64 {
    f64::from(distance) * f64::from(distance)
}

/// The distance to a centre of that computed value at least.
fn least_distance(square: f64, value: f32, slack: f64) -> f32 {
    below((square - 2.0 * (f64::from(value) + slack)).max(0.0).sqrt())
}

/// The next f32 below a distance, at least 0.
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest, and then down")]
fn below(distance: f64) -> f32 {
    (distance as f32).next_down().max(0.0)
}

#[expect(clippy::cast_possible_truncation, reason = "`lloyd` has as many labels as points and centres, which fit")]
fn count(i: usize) -> u32 {
    i as u32
}
