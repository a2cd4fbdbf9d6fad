//! Which units stay, and which fit of what reads them: by the least squares of [`crate::prune::synth`] over all readers together.
//! A fit that does worse than none on inputs that it has not seen is dropped.

use ndarray::Array2;
use ndarray::{ArrayView1, Axis};

use super::reader::ReaderOf;
use super::refit::Refitter;
use crate::backend::Backend;
use crate::error::Result;
use crate::network::spaces::{Role, Space};
use crate::prune::synth::{ReadMoments as Moments, choose_in_cells, refit_moments};

/// What became of the fit of a space.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct SpaceRefit {
    /// Readers that were refitted.
    pub readers: usize,
    /// Readers whose weights stayed, because a fit of them did no better on inputs that it had not seen, or they are read in a
    /// way that is not computed.
    pub left: usize,
    /// `E ||z - z~||^2 / E ||z - E z||^2` on inputs that the fit has not seen, over all readers.
    pub loss: f64,
}

/// The fits of some readers, as they are made.
#[derive(Default)]
struct Fits {
    readers: usize,
    left: usize,
    lost: f64,
    variance: f64,
}

impl Fits {
    fn outcome(&self) -> SpaceRefit {
        let loss = if self.variance > 0.0 { self.lost / self.variance } else { 0.0 };
        SpaceRefit { readers: self.readers, left: self.left, loss }
    }
}

impl SpaceRefit {
    /// Both together: the larger loss of the two.
    pub(super) fn and(self, other: Self) -> Self {
        let (readers, left) = (self.readers + other.readers, self.left + other.left);
        Self { readers, left, loss: self.loss.max(other.loss) }
    }
}

impl<B: Backend> Refitter<'_, B> {
    /// Chooses the units of a space that stay, so many of each cell, and refits what reads them. Without a reader that a fit
    /// can be made for, nothing is chosen.
    pub(super) fn select(&mut self, space: &Space, keeps: &[usize]) -> Result<Option<(Vec<usize>, SpaceRefit)>> {
        let readers = self.readers(space);
        let found = self.seen(&readers)?;
        let Some(kept) = self.best(space, keeps, &readers, &found) else { return Ok(None) };
        let mut fits = Fits { left: self.unread(space, &readers, &found), ..Fits::default() };
        for (reader, moments) in readers.iter().zip(&found) {
            if let Some(moments) = moments {
                self.settle(reader, moments, (&kept, &kept), &mut fits)?;
            }
        }
        let gone = (0..space.units.len()).filter(|unit| kept.binary_search(unit).is_err());
        self.gone.extend(gone.map(|unit| space.units[unit].class));
        Ok(Some((kept, fits.outcome())))
    }

    /// Fits all readers of a space to the units that are left.
    pub(super) fn again(&mut self, space: &Space, kept: &[usize]) -> Result<Option<SpaceRefit>> {
        let readers = self.readers(space);
        let found = self.moments(&readers, Some(kept))?;
        let mut fits = Fits { left: self.unread(space, &readers, &found), ..Fits::default() };
        let all: Vec<usize> = (0..kept.len()).collect();
        for (reader, moments) in readers.iter().zip(&found) {
            if let Some(moments) = moments {
                self.settle(reader, moments, (&all, kept), &mut fits)?;
            }
        }
        Ok((fits.readers + fits.left > 0).then(|| fits.outcome()))
    }

    /// What readers see of all units.
    pub(super) fn seen(&self, readers: &[ReaderOf<'_>]) -> Result<Vec<Option<[Moments; 2]>>> {
        if readers.is_empty() { Ok(Vec::new()) } else { self.moments(readers, None) }
    }

    /// The units that least squares choose, so many of each cell; nothing where no reader tells.
    pub(super) fn best(
        &self,
        space: &Space,
        keeps: &[usize],
        readers: &[ReaderOf<'_>],
        found: &[Option<[Moments; 2]>],
    ) -> Option<Vec<usize>> {
        let problems: Vec<(&Moments, usize)> = (found.iter().zip(readers))
            .filter_map(|(moments, reader)| Some((&moments.as_ref()?[0], reader.block())))
            .collect();
        if problems.is_empty() {
            return None;
        }
        let cells: Vec<(&[usize], usize)> =
            space.cells.iter().zip(keeps).map(|(cell, keep)| (cell.as_slice(), *keep)).collect();
        let mut kept = choose_in_cells(&problems, &cells, self.ridge).order;
        kept.sort_unstable();
        Some(kept)
    }

    /// Writes the fit of a reader, or the columns that it has where these do better on inputs unseen. `at` are the units among
    /// those of the moments, `kept` the same among all.
    fn settle(
        &mut self,
        reader: &ReaderOf<'_>,
        [seen, unseen]: &[Moments; 2],
        (at, kept): (&[usize], &[usize]),
        fits: &mut Fits,
    ) -> Result<()> {
        let q = reader.block();
        let fitted = refit_moments(seen, q, at, self.ridge);
        let plain = self.columns(reader, kept);
        let [with, without] = [&fitted.next, &plain].map(|next| loss(unseen, q, at, next));
        fits.variance += unseen.variance();
        fits.lost += with.min(without);
        if with <= without {
            fits.readers += 1;
            return self.write(reader, kept, &fitted.next, &fitted.shift);
        }
        fits.left += 1;
        // The mean of what went can be made good for all the same.
        self.write(reader, kept, &plain, &mean_shift(seen, q, at, &plain))
    }

    /// Readers of a space that no fit is made for.
    fn unread(&self, space: &Space, readers: &[ReaderOf<'_>], found: &[Option<[Moments; 2]>]) -> usize {
        let fitted = found.iter().flatten().count().min(readers.len());
        space.of_role(Role::Reader).count() - fitted
    }
}

/// `E |z - C~ p_S|^2` after the best shift.
fn loss(moments: &Moments, q: usize, kept: &[usize], next: &Array2<f64>) -> f64 {
    let columns: Vec<usize> = kept.iter().flat_map(|unit| unit * q..(unit + 1) * q).collect();
    let gram = moments.gram.select(Axis(0), &columns).select(Axis(1), &columns);
    let target = moments.target.select(Axis(1), &columns);
    moments.variance() - 2.0 * (next * &target).sum() + (&next.dot(&gram) * next).sum()
}

/// What the mean of the outputs lacks.
fn mean_shift(moments: &Moments, q: usize, kept: &[usize], next: &Array2<f64>) -> Vec<f64> {
    let columns = kept.iter().flat_map(|unit| unit * q..(unit + 1) * q);
    let means: Vec<f64> = columns.map(|column| moments.mean[column]).collect();
    let lacks = |(row, wanted): (ArrayView1<'_, f64>, &f64)| {
        wanted - row.iter().zip(&means).map(|(value, mean)| value * mean).sum::<f64>()
    };
    next.rows().into_iter().zip(&moments.target_mean).map(lacks).collect()
}
