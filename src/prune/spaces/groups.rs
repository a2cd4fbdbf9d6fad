//! Sets of units of one space that lie along the same axes: queries with keys, and values, of an attention whose layers are
//! written as one.

use std::collections::BTreeMap;

use super::choose;
use super::fit::SpaceRefit;
use super::refit::Refitter;
use crate::backend::Backend;
use crate::error::Result;
use crate::network::spaces::{Linear, Role, Space, Unit, sides};

/// A part of a space, as a space of its own.
pub(super) struct Group {
    pub(super) space: Space,
    /// The units and the cells of the whole space.
    pub(super) units: Vec<usize>,
    pub(super) cells: Vec<usize>,
}

/// The sets of a space. Cells are alike where their units have as many places in the same axes.
pub(super) fn groups(space: &Space) -> Vec<Group> {
    let alike = |cell: &Vec<usize>| -> Vec<usize> {
        let first = cell.first().and_then(|unit| space.units.get(*unit));
        first.map_or_else(Vec::new, |unit| unit.places.iter().map(Vec::len).collect())
    };
    let mut sets: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (at, cell) in space.cells.iter().enumerate() {
        sets.entry(alike(cell)).or_default().push(at);
    }
    let group = |(counts, cells): (Vec<usize>, Vec<usize>)| {
        let units: Vec<usize> = cells.iter().flat_map(|cell| space.cells[*cell].iter().copied()).collect();
        let parts: Vec<usize> = (0..space.parts.len()).filter(|part| counts[*part] > 0).collect();
        let unit = |unit: &usize| {
            let own = &space.units[*unit];
            Unit { places: parts.iter().map(|part| own.places[*part].clone()).collect(), class: own.class }
        };
        let mut next = 0;
        let cell = |cell: &usize| {
            let first = next;
            next += space.cells[*cell].len();
            (first..next).collect()
        };
        let space = Space {
            name: space.name.clone(),
            parts: parts.iter().map(|part| space.parts[*part].clone()).collect(),
            cells: cells.iter().map(cell).collect(),
            units: units.iter().map(unit).collect(),
            ..*space
        };
        Group { space, units, cells }
    };
    sets.into_iter().map(group).collect()
}

impl<B: Backend> Refitter<'_, B> {
    /// Leaves so many units of each cell of a space, and refits what reads them: sums of units where any basis does, pairs of sums
    /// where two values are multiplied, else those that least squares choose, or without a reader those of the highest `score`.
    pub(super) fn space(
        &mut self,
        space: &Space,
        keeps: &[usize],
        score: &dyn Fn(&Space) -> Result<Vec<f64>>,
    ) -> Result<(Vec<usize>, Option<SpaceRefit>)> {
        self.point = self.point(space);
        let groups = groups(space);
        let plain = groups.len() == 1
            && Linear::of(self.base, self.analysis, space).is_none()
            && sides(self.base, self.analysis, space).is_none();
        if plain && let Some((kept, refit)) = self.select(space, keeps)? {
            return Ok((kept, Some(refit)));
        }
        let mut chosen = Vec::with_capacity(groups.len());
        for group in &groups {
            let own: Vec<usize> = group.cells.iter().map(|cell| keeps[*cell]).collect();
            chosen.push(self.chosen(&group.space, &own, score)?);
        }
        for (group, kept) in groups.iter().zip(&chosen) {
            let gone = (0..group.units.len()).filter(|unit| kept.binary_search(unit).is_err());
            self.gone.extend(gone.map(|unit| group.space.units[unit].class));
        }
        let mut outcome: Option<SpaceRefit> = None;
        for (group, kept) in groups.iter().zip(&chosen) {
            if group.space.of_role(Role::Reader).next().is_none() {
                continue;
            }
            if let Some(found) = self.again(&group.space, kept)? {
                outcome = Some(outcome.map_or(found, |before| before.and(found)));
            }
        }
        let own = groups.iter().zip(&chosen).flat_map(|(group, kept)| kept.iter().map(|unit| group.units[*unit]));
        let mut kept: Vec<usize> = own.collect();
        kept.sort_unstable();
        Ok((kept, outcome))
    }

    /// The units of a group that stay, or the places of the sums that stay for them.
    fn chosen(
        &mut self,
        space: &Space,
        keeps: &[usize],
        score: &dyn Fn(&Space) -> Result<Vec<f64>>,
    ) -> Result<Vec<usize>> {
        if keeps.iter().sum::<usize>() == space.units.len() {
            return Ok((0..space.units.len()).collect());
        }
        let readers = self.readers(space);
        if let Some(kept) = self.project(space, keeps, &readers)? {
            return Ok(kept);
        }
        if let Some(kept) = self.pairs(space, keeps)? {
            return Ok(kept);
        }
        let found = self.seen(&readers)?;
        if let Some(kept) = self.best(space, keeps, &readers, &found) {
            return Ok(kept);
        }
        let gone = choose::leaving(space, &score(space)?, keeps);
        Ok((0..space.units.len()).filter(|unit| gone.binary_search(unit).is_err()).collect())
    }
}
