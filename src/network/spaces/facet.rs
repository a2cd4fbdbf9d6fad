//! Values with their labels.
//!
//! A value of shape `n_1 x ... x n_k` (one sample, the batch an axis of length one) has *facets*: each is an array of labels
//! that varies along some of its axes and is constant along the others, where it has length one. No two facets vary along the
//! same axis. An element goes when one of its labels goes: hidden channel `h` of a mixer's tokens is the label of one facet,
//! channel `c` that of another.
//!
//! A facet that varies along several axes together, such as `heads x dimensions`, shrinks along one of them: every line along
//! it loses equally many elements, of its own choice.

use super::classes::{Balance, Classes, NONE};
use super::grid::{Grid, factors};

/// Labels that vary along some axes of a value.
#[derive(Debug, Clone)]
pub(super) struct Facet {
    pub(super) labels: Grid<u32>,
    /// The axis that shrinks when labels go.
    pub(super) along: usize,
}

/// A value that is computed for each input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    pub(crate) shape: Vec<usize>,
    pub(super) facets: Vec<Facet>,
}

impl Facet {
    /// Labels along one axis of a value.
    pub(super) fn line(rank: usize, axis: usize, labels: Vec<u32>) -> Self {
        let mut shape = vec![1; rank];
        shape[axis] = labels.len();
        Self { labels: Grid { shape, items: labels }, along: axis }
    }

    pub(super) fn varies(&self, axis: usize) -> bool {
        self.labels.shape[axis] > 1
    }

    pub(super) fn axes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.labels.shape.len()).filter(|axis| self.varies(*axis))
    }

    /// Whether it varies along several axes together.
    pub(super) fn is_joint(&self) -> bool {
        self.axes().count() > 1
    }

    /// The labels along its one axis.
    pub(super) fn line_labels(&self) -> &[u32] {
        &self.labels.items
    }

    /// The same with one label for each class, constant where it can be; nothing if it does not vary.
    pub(super) fn settled(mut self, classes: &mut Classes) -> Option<Self> {
        self.labels.items.iter_mut().for_each(|label| *label = classes.root(*label));
        if self.labels.items.iter().all(|label| classes.reason(*label).is_some()) {
            // What cannot go needs no labels.
            return None;
        }
        let axes: Vec<usize> = self.axes().collect();
        for axis in axes {
            let (before, length, after) = self.labels.around(axis);
            let items = &self.labels.items;
            let constant = (0..before).all(|block| {
                let first = block * length * after;
                (1..length).all(|at| items[first..first + after] == items[first + at * after..first + (at + 1) * after])
            });
            if constant {
                self.labels = self.labels.taken(axis, &[0]);
            }
        }
        if self.labels.shape.get(self.along).is_none_or(|length| *length < 2) {
            match self.last(0..self.labels.shape.len()) {
                Some(axis) => self.along = axis,
                None => {
                    // One unit is all there is.
                    classes.freeze(&self.labels.items, "has no other units");
                    return None;
                }
            }
        }
        Some(self)
    }

    /// Of some axes the last along which it varies: what a unit's channels, heads or groups are split into.
    fn last(&self, mut among: std::ops::Range<usize>) -> Option<usize> {
        among.rfind(|axis| self.varies(*axis))
    }

    /// Makes one unit of all labels along some axes.
    pub(super) fn collapsed(mut self, axes: impl Iterator<Item = usize>, classes: &mut Classes) -> Option<Self> {
        for axis in axes {
            let (before, length, after) = self.labels.around(axis);
            for block in 0..before {
                let first = block * length * after;
                for at in 1..length {
                    for place in 0..after {
                        let (a, b) = (self.labels.items[first + place], self.labels.items[first + at * after + place]);
                        if a != b {
                            classes.tie(a, b);
                        }
                    }
                }
            }
            self.labels = self.labels.taken(axis, &[0]);
        }
        self.settled(classes)
    }

    /// How many labels stay in each line along the axis that shrinks; nothing if they are not equally many, or none.
    fn kept(&self, stays: &dyn Fn(u32) -> bool) -> Option<usize> {
        let (before, length, after) = self.labels.around(self.along);
        let count = |block: usize, place: usize| {
            let label = |at: usize| self.labels.items[(block * length + at) * after + place];
            (0..length).filter(|at| label(*at) == NONE || stays(label(*at))).count()
        };
        let kept = count(0, 0);
        let even = (0..before).all(|block| (0..after).all(|place| count(block, place) == kept));
        (even && kept > 0).then_some(kept)
    }

    /// Asks for equally many labels in each line along the axis that shrinks. Which axis that is, is known last where labels
    /// are those of heads.
    pub(super) fn balance(&self, classes: &mut Classes) {
        if !classes.by_heads {
            self.even(classes);
        }
    }

    /// [`Self::balance`], in any case.
    pub(super) fn even(&self, classes: &mut Classes) {
        if !self.is_joint() {
            return;
        }
        let (before, length, after) = self.labels.around(self.along);
        let mut buckets = Vec::with_capacity(self.labels.items.len());
        for (at, label) in self.labels.items.iter().enumerate() {
            let bucket = at / (length * after) * after + at % after;
            buckets.push((*label, u32::try_from(bucket).unwrap_or(u32::MAX)));
        }
        debug_assert_eq!(buckets.len(), before * length * after);
        classes.balances.push(Balance { buckets });
    }
}

impl Flow {
    /// A value without units.
    pub(super) fn plain(shape: Vec<usize>) -> Self {
        Self { shape, facets: Vec::new() }
    }

    /// Keeps all units.
    pub(super) fn freeze(&self, classes: &mut Classes, why: &str) {
        self.facets.iter().for_each(|facet| classes.freeze(&facet.labels.items, why));
    }

    /// Adds a facet that may not vary or may share an axis with another one: then both stay as they are.
    pub(super) fn with(mut self, facet: Option<Facet>, classes: &mut Classes) -> Self {
        let Some(facet) = facet else { return self };
        let shares = |other: &Facet| facet.axes().any(|axis| other.varies(axis));
        if let Some(at) = self.facets.iter().position(shares) {
            let other = self.facets.remove(at);
            classes.freeze(&other.labels.items, "mixes two kinds of units on one axis");
            classes.freeze(&facet.labels.items, "mixes two kinds of units on one axis");
            return self;
        }
        self.facets.push(facet);
        self
    }

    /// Axes of length one in front.
    pub(super) fn lifted(mut self, rank: usize) -> Self {
        let ahead = rank.saturating_sub(self.shape.len());
        if ahead > 0 {
            let ones = std::iter::repeat_n(1, ahead);
            self.shape.splice(0..0, ones.clone());
            for facet in &mut self.facets {
                facet.labels.shape.splice(0..0, ones.clone());
                facet.along += ahead;
            }
        }
        self
    }

    /// The same elements in another shape.
    pub(super) fn reshaped(self, to: &[usize], classes: &mut Classes) -> Self {
        let groups = factors(&self.shape, to);
        let mut out = Self::plain(to.to_vec());
        for mut facet in self.facets {
            // Lines that lie across the axes that are merged would come to lie in another order: they lose the same ones.
            let group = groups.iter().find(|(own, theirs)| own.contains(&facet.along) && own.len() > theirs.len());
            if let Some((own, _)) = group.filter(|(own, _)| (facet.along + 1..own.end).any(|axis| facet.varies(axis))) {
                match facet.clone().collapsed(facet.along + 1..own.end, classes) {
                    Some(tied) => facet = tied,
                    None => continue,
                }
            }
            let before = facet.axes().count();
            let mut full = facet.labels.shape.clone();
            let mut after = vec![1; to.len()];
            let mut along = 0..to.len();
            for (own, theirs) in &groups {
                if own.clone().any(|axis| facet.varies(axis)) {
                    full[own.clone()].copy_from_slice(&self.shape[own.clone()]);
                    after[theirs.clone()].copy_from_slice(&to[theirs.clone()]);
                }
                if own.contains(&facet.along) {
                    along = theirs.clone();
                }
            }
            let moved = facet.labels.broadcast(&full).and_then(|labels| labels.reshaped(after));
            let Some(labels) = moved else {
                classes.freeze(&facet.labels.items, "has another shape");
                continue;
            };
            let Some(mut facet) = (Facet { labels, along: along.end.saturating_sub(1) }).settled(classes) else {
                continue;
            };
            facet.along = facet.last(along).unwrap_or(facet.along);
            if facet.axes().count() > before {
                facet.balance(classes);
            }
            out = out.with(Some(facet), classes);
        }
        out
    }

    /// Axis `i` of the result is axis `order[i]`.
    pub(super) fn transposed(&self, order: &[usize]) -> Self {
        let facet = |facet: &Facet| Facet {
            labels: facet.labels.transposed(order),
            along: order.iter().position(|axis| *axis == facet.along).unwrap_or(0),
        };
        Self {
            shape: order.iter().map(|axis| self.shape[*axis]).collect(),
            facets: self.facets.iter().map(facet).collect(),
        }
    }

    /// The elements at some places of an axis. A place may be asked for again only where `again` says so.
    pub(super) fn taken(&self, axis: usize, places: &[usize], classes: &mut Classes) -> Self {
        let mut out = Self::plain(self.shape.clone());
        out.shape[axis] = places.len();
        for facet in &self.facets {
            if !facet.varies(axis) {
                out.facets.push(facet.clone());
                continue;
            }
            let taken = Facet { labels: facet.labels.taken(axis, places), along: facet.along };
            if axis == facet.along {
                if places.len() == 1 {
                    classes.freeze(&taken.labels.items, "takes one unit out");
                    continue;
                }
                if let Some(first) = places.first().filter(|first| **first > 0 && facet.is_joint()) {
                    let ahead: Vec<usize> = (0..*first).collect();
                    Facet { labels: facet.labels.taken(axis, &ahead), along: axis }.balance(classes);
                }
                taken.balance(classes);
            }
            out.facets.extend(taken.settled(classes));
        }
        out
    }

    /// How long each axis is when the labels that `stays` does not name have gone; none if what is left has no shape.
    pub(super) fn shape_of(&self, stays: &dyn Fn(u32) -> bool) -> Option<Vec<usize>> {
        let mut shape = self.shape.clone();
        for facet in &self.facets {
            shape[facet.along] = facet.kept(stays)?;
        }
        Some(shape)
    }

    /// The places along an axis that stay; all of them where no unit lies along it.
    pub(super) fn stays_along(&self, axis: usize, stays: &dyn Fn(u32) -> bool) -> Vec<bool> {
        match self.facets.iter().find(|facet| facet.along == axis) {
            None => vec![true; self.shape[axis]],
            Some(facet) => {
                let (_, length, after) = facet.labels.around(axis);
                (0..length)
                    .map(|at| facet.labels.items[at * after])
                    .map(|label| label == NONE || stays(label))
                    .collect()
            }
        }
    }
}
