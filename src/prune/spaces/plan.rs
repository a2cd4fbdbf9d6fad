//! How many units of each cell of each space stay.

use super::heads::Members;
use super::pass::scored;
use super::{Importance, SpaceOptions, choose, rank};
use crate::error::Result;
use crate::network::spaces::{OperatorGraph, Space};

/// Heads that stay, by their share. Those that are units of a trunk, `spaces` of units say, stay where trunks do.
pub(super) fn of_heads(
    graph: &OperatorGraph,
    (heads, spaces): (&[Space], &[Space]),
    share: f64,
    options: &SpaceOptions,
) -> Vec<Vec<usize>> {
    let plain = SpaceOptions { round_to: 1, min_keep: 1, ..SpaceOptions::default() };
    let of_trunk = |space: &Space| {
        let members = Members::of(space);
        let has = |own: &Space| own.units.iter().any(|unit| members.head(own, unit).is_some());
        spaces.iter().any(|own| own.is_trunk() && has(own))
    };
    let keep = |space: &Space| {
        let stays = is_ignored(graph, space, options) || (options.leave_trunks && of_trunk(space));
        choose::keeps(space, if stays { 1.0 } else { share }, &plain)
    };
    heads.iter().map(keep).collect()
}

/// The spaces before the first step, and how many units of each are left.
pub(super) struct First {
    pub(super) spaces: Vec<Space>,
    pub(super) left: Vec<usize>,
}

impl First {
    pub(super) fn of(spaces: &[Space]) -> Self {
        Self { spaces: spaces.to_vec(), left: spaces.iter().map(|space| space.units.len()).collect() }
    }

    /// Notes that units of a space went.
    pub(super) fn lost(&mut self, space: &Space, units: usize) {
        if let Some(at) = self.spaces.iter().position(|first| first.is_along(space)) {
            self.left[at] -= units;
        }
    }

    /// A space as it was; itself if its sets are others now.
    fn space<'s>(&'s self, space: &'s Space) -> &'s Space {
        let same = |first: &&Space| first.is_along(space) && first.cells.len() == space.cells.len();
        self.spaces.iter().find(same).unwrap_or(space)
    }
}

/// Units that stay, by their share of those that were there at `first`: of each space, or of all together where one ranking is
/// asked for.
pub(super) fn of_units(
    graph: &OperatorGraph,
    (spaces, first): (&[Space], &First),
    share: f64,
    options: &SpaceOptions,
    score: &dyn Fn(&Space, Importance) -> Result<Vec<f64>>,
) -> Result<Vec<Vec<usize>>> {
    let stays = |space: &Space| is_left(graph, space, options);
    if !options.global {
        let share = share.max(1.0 - options.max_ratio);
        let keep = |space: &Space| {
            let share = if stays(space) { 1.0 } else { share };
            let wanted = choose::keeps(first.space(space), share, options);
            space.cells.iter().zip(wanted).map(|(cell, wanted)| wanted.min(cell.len())).collect()
        };
        return Ok(spaces.iter().map(keep).collect());
    }
    let mut ranked = Vec::with_capacity(spaces.len());
    for space in spaces {
        let ladders = if stays(space) {
            Vec::new()
        } else {
            let scores = score(space, scored(options.importance))?;
            let before: Vec<usize> = first.space(space).cells.iter().map(Vec::len).collect();
            rank::ladders(graph, space, &scores, &before, options)
        };
        ranked.push((space, ladders));
    }
    // A space of which one unit is left is none any more, and still counts.
    let may = first.spaces.iter().zip(&first.left).filter(|(space, _)| !stays(space));
    let (units, left) = may.fold((0, 0), |sum, (space, left)| (sum.0 + space.units.len(), sum.1 + left));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a number of units"
    )]
    let wanted = (units as f64 * share).round() as usize;
    Ok(rank::keeps(&ranked, left.saturating_sub(wanted), options))
}

/// Whether a space keeps all its units.
fn is_left(graph: &OperatorGraph, space: &Space, options: &SpaceOptions) -> bool {
    is_ignored(graph, space, options) || (options.leave_trunks && space.is_trunk())
}

fn is_ignored(graph: &OperatorGraph, space: &Space, options: &SpaceOptions) -> bool {
    space.parts.iter().any(|part| options.ignore.contains(&graph.operators[part.operator].name))
}
