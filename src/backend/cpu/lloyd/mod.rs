//! Lloyd's method with bounds: only those pairs of a point and a centre are computed in which the centre could win.
//!
//! ```text
//! first iteration     points that are centres         have their label where no other centre is within rounding of them
//!                     all others                      every pair, tile by tile
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
//!
//! [`search`] holds labels and bounds, [`pairs`] computes values, [`seeds`] knows the points that are centres, and
//! [`rounding`] says how far computed values lie from exact ones.

mod centres;
mod first;
mod pairs;
mod rounding;
mod scores;
mod search;
mod seeds;

use centres::Centres;
use rounding::Rounding;
use search::Search;
use seeds::Seeds;

use super::Cpu;
use super::cluster_means::Members;
use super::contraction::Sum;
use super::direct::is_direct;
use super::matrix::HostMatrix;
use super::narrow::is_narrow;
use super::tropical_eval::maxima;
use crate::backend::{Lloyd, Transpose, check};
use crate::error::Result;

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
    let plain = || crate::backend::lloyd::plain(backend, points, centres, iterations);
    // These take their sums in another order, in which a few points have no part.
    let other = is_narrow(x) || is_direct(x, centres.view(Transpose::No)) || n == 0 || d == 0;
    if other || n.saturating_mul(k) > MEMORY / size_of::<f32>() {
        return plain();
    }
    let mut centres = Centres::of(centres)?;
    let rounding = Rounding::of(d);
    let mut search = if iterations > 1 { Some(Search::new(points, k, rounding)) } else { None };
    let points_fit = search.as_ref().is_none_or(|search| rounding.holds(&search.squares));
    if !points_fit || !rounding.holds(&centres.sizes) {
        return plain();
    }
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
                labels = once(points, &centres, rounding);
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

/// Labels alone, without bounds for a further iteration.
fn once(points: &HostMatrix, centres: &Centres, rounding: Rounding) -> Vec<u32> {
    let (x, seeds) = (points.view(Transpose::No), Seeds::of(points, centres, rounding));
    let (_, arguments) = maxima::<Sum>(x.pick(&seeds.others), centres.values.columns_for(x), Some(&centres.offsets));
    let mut labels = vec![0; points.shape()[0]];
    seeds.others.iter().zip(arguments).for_each(|(i, label)| labels[*i as usize] = label);
    seeds.points.iter().for_each(|(i, label)| labels[*i as usize] = *label);
    labels
}

#[expect(clippy::cast_possible_truncation, reason = "`lloyd` has as many labels as points and centres, which fit")]
fn count(i: usize) -> u32 {
    i as u32
}
