//! Labels and bounds, and which pairs they leave to be computed.

use rayon::prelude::*;

use super::super::cluster_means::Sizes;
use super::super::contraction::{PanelWidth, arch};
use super::super::matrix::HostMatrix;
use super::centres::Centres;
use super::count;
use super::rounding::{Rounding, below, square};
use super::scores::{Best, NONE};

/// The share of pairs from which on all of them are computed: packing points once for all panels then costs less.
const MOST: f64 = 0.6;

/// Labels and bounds of all points.
pub(super) struct Search<'a> {
    pub(super) points: &'a HostMatrix,
    pub(super) labels: Vec<u32>,
    pub(super) clusters: usize,
    /// Columns of a panel.
    pub(super) width: usize,
    /// `|x_i|^2`.
    pub(super) squares: Vec<f64>,
    /// The distance of a point to its own centre at most.
    pub(super) upper: Vec<f64>,
    /// The computed value of the own centre, unless it has moved since.
    pub(super) value: Vec<Option<f32>>,
    /// `n x k`: the distance to each centre at least.
    pub(super) lower: Vec<f32>,
    /// Which centres the last iteration moved; all of them before the first.
    moved: Vec<bool>,
    pub(super) rounding: Rounding,
}

impl<'a> Search<'a> {
    pub(super) fn new(points: &'a HostMatrix, clusters: usize, rounding: Rounding) -> Self {
        let (n, (width, _)) = (points.shape()[0], arch().dispatch(PanelWidth));
        let squares = (0..n).into_par_iter().map(|i| Sizes::of(points.row(i), points.row(i)).square).collect();
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
            rounding,
        }
    }

    /// Gives each point its label, and returns which clusters gained or lost one.
    pub(super) fn assign(&mut self, centres: &Centres) -> Vec<bool> {
        let longest = centres.sizes.iter().fold(0.0_f64, |longest, square| longest.max(*square)).sqrt();
        // A computed value lies that close to the exact one.
        let slack: Vec<f64> = self.squares.iter().map(|square| self.rounding.slack(*square, longest)).collect();
        if self.labels.is_empty() {
            self.labels = vec![u32::MAX; self.squares.len()];
            return self.first(centres, &slack);
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

    /// Gives all points their labels, and returns which clusters gained or lost one.
    pub(super) fn label_all(&mut self, best: Vec<Best>, slack: &[f64]) -> Vec<bool> {
        let mut stale = vec![false; self.clusters];
        for (i, best) in best.into_iter().enumerate() {
            self.label(i, best, slack[i], &mut stale);
        }
        stale
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
    pub(super) fn moved(&mut self, change: &[Sizes]) {
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
