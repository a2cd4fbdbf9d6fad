//! One ranking of units over all spaces.
//!
//! Scores of different spaces are of different sizes, so each is divided by the mean of its space, as Torch-Pruning does it
//! (`normalizer="mean"`; Fang et al., *`DepGraph`*, arXiv 2301.12900), and by the parameters that go with a unit of the space:
//!
//! ```text
//! r_u = s_u / (mean_v s_v) / c,   c = mean over the units of the elements of all weights that lie along them
//! ```
//!
//! Units with the least `r` go first. What has to keep equally many goes together, one unit of each set at a time.

use super::SpaceOptions;
use crate::network::spaces::{OperatorGraph, Space, UnitPart};

/// What a space has to give: for each cell, or for all that are balanced, levels from the least.
pub(super) struct Ladder {
    /// The cells that lose together.
    cells: Vec<usize>,
    /// Units of each of these cells that go with a level.
    each: Vec<usize>,
    /// The value of each level, ascending.
    levels: Vec<f64>,
    /// Levels that may go.
    most: usize,
}

/// Parameters that go with a unit, in the mean over a space.
#[expect(clippy::cast_precision_loss, reason = "numbers of parameters, for a mean")]
fn cost(graph: &OperatorGraph, space: &Space) -> f64 {
    let of_part = |(at, part): (usize, &UnitPart)| {
        let Some(weights) = graph.weights(part.constant) else { return 0.0 };
        let length = weights.dimensions().get(part.axis).copied().unwrap_or(1).max(1);
        let places: usize = space.units.iter().map(|unit| unit.places[at].len()).sum();
        (places * (weights.len() / length)) as f64 / part.groups.max(1) as f64
    };
    let all: f64 = space.parts.iter().enumerate().map(of_part).sum();
    (all / space.units.len().max(1) as f64).max(1.0)
}

/// The ladders of a space. `before` are the units that each cell had at first, of which so large a share may go.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a number of units, a mean"
)]
pub(super) fn ladders(
    graph: &OperatorGraph,
    space: &Space,
    scores: &[f64],
    before: &[usize],
    options: &SpaceOptions,
) -> Vec<Ladder> {
    let mean = (scores.iter().sum::<f64>() / scores.len().max(1) as f64).max(f64::MIN_POSITIVE);
    let unit = mean * cost(graph, space);
    let sorted = |cell: &[usize]| {
        let mut own: Vec<f64> = cell.iter().map(|unit| scores[*unit]).collect();
        own.sort_by(f64::total_cmp);
        own
    };
    // A share of what was there at first stays, whatever is left by now.
    let least =
        |first: usize| ((first as f64 * (1.0 - options.max_ratio)).ceil() as usize).max(options.min_keep).max(1);
    if space.grain == 0 {
        let of_cell = |(at, cell): (usize, &Vec<usize>)| {
            let levels: Vec<f64> = sorted(cell).into_iter().map(|score| score / unit).collect();
            let most = cell.len().saturating_sub(least(before.get(at).copied().unwrap_or(cell.len())));
            Ladder { cells: vec![at], each: vec![1], levels, most }
        };
        return space.cells.iter().enumerate().map(of_cell).collect();
    }
    let each: Vec<usize> = space.cells.iter().map(|cell| cell.len() / space.grain).collect();
    let cells: Vec<Vec<f64>> = space.cells.iter().map(|cell| sorted(cell)).collect();
    let level = |at: usize| {
        let gone = cells.iter().zip(each.iter().copied()).flat_map(|(cell, each)| &cell[at * each..(at + 1) * each]);
        gone.sum::<f64>() / each.iter().sum::<usize>().max(1) as f64 / unit
    };
    let first = before.iter().zip(&each).map(|(before, each)| before / (*each).max(1)).max().unwrap_or(space.grain);
    let most = space.grain.saturating_sub(least(first).max(2));
    vec![Ladder {
        cells: (0..space.cells.len()).collect(),
        each: each.clone(),
        levels: (0..space.grain).map(level).collect(),
        most,
    }]
}

/// Units of each cell of each space that stay when `gone` units go, or as many as may: those of the least levels.
pub(super) fn keeps(spaces: &[(&Space, Vec<Ladder>)], gone: usize, options: &SpaceOptions) -> Vec<Vec<usize>> {
    let mut order: Vec<(f64, usize, usize, usize)> = Vec::new();
    for (at, (_, ladders)) in spaces.iter().enumerate() {
        for (number, ladder) in ladders.iter().enumerate() {
            let levels = ladder.levels.iter().take(ladder.most).enumerate();
            order.extend(levels.map(|(level, value)| (*value, at, number, level)));
        }
    }
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    let mut taken: Vec<Vec<usize>> = spaces.iter().map(|(_, ladders)| vec![0; ladders.len()]).collect();
    let mut left = gone;
    for (_, at, number, level) in order {
        let units: usize = spaces[at].1[number].each.iter().sum();
        // Levels of a ladder go from the least: one that is too large ends it.
        if units <= left && taken[at][number] == level {
            taken[at][number] += 1;
            left -= units;
        }
    }
    let step = options.round_to.max(1);
    let of_space = |((space, ladders), taken): (&(&Space, Vec<Ladder>), &Vec<usize>)| {
        let mut keeps: Vec<usize> = space.cells.iter().map(Vec::len).collect();
        for (ladder, taken) in ladders.iter().zip(taken) {
            let (all, stays) = (ladder.levels.len(), ladder.levels.len() - taken);
            // Up to a multiple, so that no space loses more than it may.
            let stays = if all >= step { stays.div_ceil(step) * step } else { all }.min(all);
            for (cell, each) in ladder.cells.iter().zip(&ladder.each) {
                keeps[*cell] = stays * each;
            }
        }
        keeps
    };
    spaces.iter().zip(&taken).map(of_space).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::network::spaces::Unit;

    fn space(cells: &[usize], grain: usize) -> Space {
        let mut next = 0..;
        let cells: Vec<Vec<usize>> = cells.iter().map(|length| next.by_ref().take(*length).collect()).collect();
        let units = (0..cells.iter().map(Vec::len).sum()).map(|_| Unit { places: Vec::new(), class: 0 }).collect();
        Space { name: String::new(), parts: Vec::new(), units, cells, grain, coupled: false }
    }

    fn ranked(spaces: &[(Space, &[f64])], gone: usize, options: &SpaceOptions) -> Vec<Vec<usize>> {
        // Without weights every unit costs one parameter.
        let graph = OperatorGraph {
            values: Vec::new(),
            operators: Vec::new(),
            constants: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            declared: BTreeMap::new(),
            opset: 17,
        };
        let of = |(space, scores): &(Space, &[f64])| {
            let before: Vec<usize> = space.cells.iter().map(Vec::len).collect();
            ladders(&graph, space, scores, &before, options)
        };
        let ladders: Vec<(&Space, Vec<Ladder>)> = spaces.iter().map(|pair| (&pair.0, of(pair))).collect();
        keeps(&ladders, gone, options)
    }

    #[test]
    fn the_least_of_all_spaces_go_in_units_of_their_means() {
        // In units of the means: 0.2 0.4 1.6 1.8 and 0.9 0.9 1.1 1.1; ten times as large changes nothing.
        let [a, b]: [&[f64]; 2] = [&[1.0, 2.0, 8.0, 9.0], &[90.0, 90.0, 110.0, 110.0]];
        let spaces = [(space(&[4], 0), a), (space(&[4], 0), b)];
        let options = SpaceOptions::default();
        let gone = |gone: usize, options: &SpaceOptions| ranked(&spaces, gone, options).concat();
        assert_eq!(gone(0, &options), [4, 4]);
        assert_eq!(gone(2, &options), [2, 4]);
        assert_eq!(gone(3, &options), [2, 3]);
        assert_eq!(gone(4, &options), [2, 2]);
        // One of each stays.
        assert_eq!(gone(8, &options), [1, 1]);
        let quarter = SpaceOptions { max_ratio: 0.25, ..SpaceOptions::default() };
        assert_eq!(gone(4, &quarter), [3, 3]);
        let even = SpaceOptions { round_to: 2, ..SpaceOptions::default() };
        assert_eq!(gone(3, &even), [2, 4]);
    }

    #[test]
    fn sets_that_are_balanced_lose_one_unit_each() {
        // Two heads of three dimensions: levels 1 + 3, 2 + 4, 5 + 9 over the mean of 4, two units each.
        let heads: &[f64] = &[1.0, 2.0, 5.0, 9.0, 4.0, 3.0];
        let others: &[f64] = &[3.0, 3.0, 3.0, 3.0];
        let spaces = [(space(&[3, 3], 3), heads), (space(&[4], 0), others)];
        let options = SpaceOptions::default();
        // Of three one is left over, and goes to the other space.
        let gone = |gone: usize| ranked(&spaces, gone, &options);
        assert_eq!(gone(2), [vec![2, 2], vec![4]]);
        assert_eq!(gone(3), [vec![2, 2], vec![3]]);
        // Two dimensions of a head stay in any case.
        assert_eq!(gone(10), [vec![2, 2], vec![1]]);
    }
}
