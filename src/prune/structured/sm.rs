//! SM: the two zonotopes of each class are approximated by vertices that samples reach.

use std::collections::HashMap;

use ndarray::{Array2, Axis};
use rand::RngExt;

use super::moments::number;
use super::signal::{Signal, narrow};
use crate::backend::Backend;
use crate::error::Result;
use crate::network::{Pair, Reduced};
use crate::rng;

/// Which of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// A vertex less a random earlier unit.
    Heuristic,
    /// Disjoint sets of units, each of which becomes one.
    Stable,
}

/// Units of one class and sign that a unit of the result adds up, with their factors.
type Part = Vec<(usize, f64)>;

/// Gives each class units of its own, `keep` in all, for its positive and for its negative generators in proportion to
/// their numbers (Smyrnis, Maragos, *Multiclass neural network minimization via tropical Newton polytope approximation*,
/// ICML 2020, after its published program).
///
/// The generators of class `l` and sign `s` are `g_i = max(s c_li, 0) (a_i, b_i)`. A sample reaches the vertex that adds up
/// those of the units that are on; it counts `classes - 1` times where the network gives it class `l`, else once. In the
/// order of their counts, ties to the vertex that is reached first,
///
/// * the heuristic version takes the first vertex as a unit, then the i-th vertex less a random earlier unit of the class
///   and sign, from the stream `sm/<layer>` of the seed;
/// * the stable version takes what earlier units leave of a vertex, and splits earlier ones at its border, so that every
///   unit of the network is part of one of the result at most.
///
/// New units have outgoing weights 1 or -1 to their class alone, and biases of the classes make up for the difference of
/// the means over the samples. There are fewer than `keep` units where samples reach fewer vertices.
pub(super) fn sm<B: Backend>(
    backend: &B,
    pair: &Pair,
    signal: &Signal<B>,
    keep: usize,
    version: Version,
    seed: u64,
) -> Result<Reduced> {
    let (d, classes) = (pair.rows.ncols(), pair.next.nrows());
    let features = signal.features(backend, (pair.rows.view(), &pair.bias))?;
    let next = pair.next.mapv(f64::from);
    let bias: Vec<f64> = pair.next_bias.iter().map(|b| f64::from(*b)).collect();
    let logits = features.dot(&next.t());
    let class_of = |row: usize| {
        let value = |class: usize| logits[[row, class]] + bias[class];
        (1..classes).fold(0, |best, class| if value(class) > value(best) { class } else { best })
    };
    let labels: Vec<usize> = (0..features.nrows()).map(class_of).collect();
    let sides: Vec<(usize, f64)> = (0..classes).flat_map(|class| [(class, 1.0), (class, -1.0)]).collect();
    let own = |(class, sign): (usize, f64)| -> Vec<usize> {
        (0..pair.units()).filter(|i| next[[class, *i]] * sign > 0.0).collect()
    };
    let counts: Vec<usize> = sides.iter().map(|side| own(*side).len()).collect();
    let mut generator = rng::stream(seed, &format!("sm/{}", pair.site.layer));
    let mut units: Vec<(usize, f64, Part)> = Vec::new();
    for (side, share) in sides.iter().zip(shares(&counts, keep)) {
        let weight = |row: usize| if labels[row] == side.0 { classes.saturating_sub(1).max(1) } else { 1 };
        let vertices = vertices(&features, &own(*side), weight);
        let parts = match version {
            Version::Heuristic => differences(&vertices, share, |earlier| generator.random_range(0..earlier)),
            Version::Stable => disjoint(&vertices, share),
        };
        units.extend(parts.into_iter().map(|part| (side.0, side.1, part)));
    }
    let mut incoming = Array2::<f64>::zeros((units.len(), d + 1));
    let mut outgoing = Array2::<f32>::zeros((classes, units.len()));
    for (k, (class, sign, part)) in units.iter().enumerate() {
        let mut row = incoming.row_mut(k);
        for (i, factor) in part {
            let size = factor * next[[*class, *i]].abs();
            row.iter_mut().zip(pair.rows.row(*i)).for_each(|(sum, a)| *sum += size * f64::from(*a));
            row[d] += size * f64::from(pair.bias[*i]);
        }
        outgoing[[*class, k]] = if *sign > 0.0 { 1.0 } else { -1.0 };
    }
    let incoming = narrow(&incoming);
    let (rows, own_bias) = (incoming.slice(ndarray::s![.., ..d]).to_owned(), incoming.column(d).to_vec());
    let mean = |values: &Array2<f64>| values.sum_axis(Axis(0)) / number(values.nrows().max(1));
    let now = mean(&signal.features(backend, (rows.view(), &own_bias))?);
    let gap = mean(&logits) - outgoing.mapv(f64::from).dot(&now);
    #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
    let next_bias = bias.iter().zip(&gap).map(|(bias, gap)| (bias + gap) as f32).collect();
    let (assignment, lambda) = (vec![None; pair.units()], vec![0.0; pair.units()]);
    let (rows, next) = (rows.into_shared(), outgoing.into_shared());
    Ok(Reduced { rows, bias: own_bias, next, next_bias, assignment, lambda })
}

/// Shares of `keep` in proportion to `counts`, by the largest remainders, ties to the first.
fn shares(counts: &[usize], keep: usize) -> Vec<usize> {
    let total = counts.iter().sum::<usize>().max(1);
    let mut shares: Vec<usize> = counts.iter().map(|count| keep * count / total).collect();
    let mut order: Vec<usize> = (0..counts.len()).filter(|at| counts[*at] > 0).collect();
    order.sort_by(|a, b| (keep * counts[*b] % total).cmp(&(keep * counts[*a] % total)).then(a.cmp(b)));
    let left = keep.saturating_sub(shares.iter().sum());
    order.iter().cycle().take(if order.is_empty() { 0 } else { left }).for_each(|at| shares[*at] += 1);
    shares
}

/// The sets of units that samples switch on, by descending weight.
fn vertices(features: &Array2<f64>, own: &[usize], weight: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut found: HashMap<Vec<usize>, (usize, usize)> = HashMap::new();
    for (row, h) in features.rows().into_iter().enumerate() {
        let on: Vec<usize> = own.iter().copied().filter(|i| h[*i] > 0.0).collect();
        if !on.is_empty() {
            found.entry(on).or_insert((0, row)).0 += weight(row);
        }
    }
    let mut found: Vec<(Vec<usize>, (usize, usize))> = found.into_iter().collect();
    found.sort_by(|(_, a), (_, b)| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(vertex, _)| vertex).collect()
}

/// The first vertex, and every further one less an earlier part.
fn differences(vertices: &[Vec<usize>], count: usize, mut draw: impl FnMut(usize) -> usize) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for vertex in vertices.iter().take(count) {
        let mut part: Part = vertex.iter().map(|i| (*i, 1.0)).collect();
        if !parts.is_empty() {
            for (i, factor) in parts[draw(parts.len())].clone() {
                match part.iter_mut().find(|entry| entry.0 == i) {
                    Some(entry) => entry.1 -= factor,
                    None => part.push((i, -factor)),
                }
            }
            part.retain(|entry| entry.1 != 0.0);
        }
        parts.push(part);
    }
    parts
}

/// Disjoint sets of which the vertices are unions, as far as `count` sets reach.
fn disjoint(vertices: &[Vec<usize>], count: usize) -> Vec<Part> {
    let mut sets: Vec<Vec<usize>> = Vec::new();
    for vertex in vertices {
        for at in 0..sets.len() {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                sets[at].iter().copied().partition(|i| vertex.binary_search(i).is_ok());
            if !inside.is_empty() && !outside.is_empty() && sets.len() < count {
                sets[at] = outside;
                sets.push(inside);
            }
        }
        let new: Vec<usize> = vertex.iter().copied().filter(|i| !sets.iter().any(|set| set.contains(i))).collect();
        if !new.is_empty() && sets.len() < count {
            sets.push(new);
        }
        if sets.len() >= count {
            break;
        }
    }
    sets.into_iter().map(|set| set.into_iter().map(|i| (i, 1.0)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::{differences, disjoint, shares};

    #[test]
    fn shares_are_proportional_and_add_up() {
        assert_eq!(shares(&[3, 3, 0, 2], 4), [2, 1, 0, 1]);
        assert_eq!(shares(&[1, 1, 1], 1), [1, 0, 0]);
        assert_eq!(shares(&[0, 0], 3), [0, 0]);
    }

    #[test]
    fn stable_sets_are_disjoint_and_make_up_the_vertices() {
        let vertices = vec![vec![0, 1, 2], vec![1, 2, 3], vec![2, 4]];
        let sets = disjoint(&vertices, 10);
        let mut all: Vec<usize> = sets.iter().flatten().map(|(i, _)| *i).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        for vertex in &vertices {
            let of = |set: &&Vec<(usize, f64)>| set.iter().all(|(i, _)| vertex.contains(i));
            assert_eq!(sets.iter().filter(of).map(Vec::len).sum::<usize>(), vertex.len(), "{sets:?}");
        }
        assert_eq!(disjoint(&vertices, 2), [vec![(0, 1.0)], vec![(1, 1.0), (2, 1.0)]]);
    }

    #[test]
    fn a_vertex_less_an_earlier_unit_is_their_difference() {
        let parts = differences(&[vec![0, 1], vec![1, 2], vec![0]], 3, |earlier| earlier - 1);
        assert_eq!(parts, [vec![(0, 1.0), (1, 1.0)], vec![(2, 1.0), (0, -1.0)], vec![(0, 2.0), (2, -1.0)]]);
    }
}
