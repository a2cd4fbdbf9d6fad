//! How many units of each space stay, and which.

use super::SpaceOptions;
use crate::network::spaces::Space;

/// Units of a cell that stay: the share of them, a multiple of `round_to` where that leaves any, at least `min_keep`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a number of units"
)]
fn kept(cell: usize, share: f64, options: &SpaceOptions) -> usize {
    let wanted = ((cell as f64 * share).round() as usize).max(1);
    let step = options.round_to.max(1);
    let rounded = if cell >= step { ((wanted as f64 / step as f64).round() as usize).max(1) * step } else { cell };
    rounded.max(options.min_keep).min(cell)
}

/// Units of each cell that stay. Cells that are balanced keep the same share of themselves.
pub(super) fn keeps(space: &Space, share: f64, options: &SpaceOptions) -> Vec<usize> {
    let keep = |cell: &Vec<usize>| match space.grain {
        0 => kept(cell.len(), share, options),
        // With one unit to a set, the axis that tells units of a set apart would be lost.
        grain => cell.len() / grain * kept(grain, share, options).max(2.min(grain)),
    };
    space.cells.iter().map(keep).collect()
}

/// The units of a space that go, ascending: of each cell those with the least scores, ties to the higher index.
pub(super) fn leaving(space: &Space, scores: &[f64], keeps: &[usize]) -> Vec<usize> {
    let mut gone = Vec::new();
    for (cell, keep) in space.cells.iter().zip(keeps) {
        let mut order = cell.clone();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        gone.extend_from_slice(&order[*keep..]);
    }
    gone.sort_unstable();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_hand() {
        let options = SpaceOptions::default();
        assert_eq!([3, 4, 5, 64].map(|cell| kept(cell, 0.5, &options)), [2, 2, 3, 32]);
        let options = SpaceOptions { round_to: 8, ..SpaceOptions::default() };
        assert_eq!([4, 8, 20, 64].map(|cell| kept(cell, 0.5, &options)), [4, 8, 8, 32]);
        let options = SpaceOptions { min_keep: 3, ..SpaceOptions::default() };
        assert_eq!([2, 4].map(|cell| kept(cell, 0.1, &options)), [2, 3]);
    }
}
