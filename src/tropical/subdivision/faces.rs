//! Vertices and edges of polytopes with integer coordinates.

use std::collections::BTreeSet;

use super::lattice::Lattice;
use crate::geometry::hull::{Orientation as _, Simplex, Simplicial};

/// The vertices of a polytope and its edges, both as points of a lattice.
#[derive(Debug, Default)]
pub(super) struct Faces {
    pub(super) vertices: BTreeSet<usize>,
    pub(super) edges: BTreeSet<[usize; 2]>,
}

impl Faces {
    /// The faces of the hull of some points, which are distinct, without rounding.
    ///
    /// Facets of the hull are simplices joined where they lie in one hyperplane; their vertices and edges are those of the
    /// hull, and are found in the same way in one dimension less.
    pub(super) fn of(lattice: &Lattice, points: &[usize]) -> Self {
        let all: Vec<usize> = (0..lattice.dimension).collect();
        let own = lattice.select(points, &all);
        let basis = own.basis();
        let rank = basis.columns.len();
        let mut found = Self::default();
        let pair = |a: usize, b: usize| [points[a].min(points[b]), points[a].max(points[b])];
        if rank == 0 {
            found.vertices.extend(points.first());
        } else if rank == 1 {
            let key = |i: &usize| own.row(*i)[basis.columns[0]].clone();
            let ends = [(0..points.len()).min_by_key(key), (0..points.len()).max_by_key(key)];
            if let [Some(a), Some(b)] = ends {
                found.vertices.extend(pair(a, b));
                found.edges.insert(pair(a, b));
            }
        } else if points.len() == rank + 1 {
            found.vertices.extend(points);
            found.edges.extend((0..points.len()).flat_map(|a| (0..a).map(move |b| (a, b))).map(|(a, b)| pair(a, b)));
        } else {
            let rows: Vec<usize> = (0..points.len()).collect();
            let own = own.select(&rows, &basis.columns);
            let simplices = Simplicial::new(&own, own.len(), rank, &basis.points).finish();
            for group in coplanar(&own, &simplices, |_| true) {
                let members: Vec<usize> = members(&simplices, &group).into_iter().map(|i| points[i]).collect();
                let facet = Self::of(lattice, &members);
                found.vertices.extend(facet.vertices);
                found.edges.extend(facet.edges);
            }
        }
        found
    }
}

/// The points of some simplices, ascending.
pub(super) fn members(simplices: &[Simplex], group: &[usize]) -> Vec<usize> {
    let found: BTreeSet<usize> = group.iter().flat_map(|s| simplices[*s].vertices.iter().copied()).collect();
    found.into_iter().collect()
}

/// Groups of the simplices that count, joined with neighbours that lie in the same hyperplane.
pub(super) fn coplanar(lattice: &Lattice, simplices: &[Simplex], counts: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let mut taken = vec![false; simplices.len()];
    let mut groups = Vec::new();
    for seed in (0..simplices.len()).filter(|s| counts(*s)) {
        if taken[seed] {
            continue;
        }
        taken[seed] = true;
        let plane = &simplices[seed].vertices;
        let mut group = vec![seed];
        let mut at = 0;
        while at < group.len() {
            for neighbour in &simplices[group[at]].neighbours {
                let on = || simplices[*neighbour].vertices.iter().all(|v| lattice.side(plane, *v) == 0.0);
                if !taken[*neighbour] && counts(*neighbour) && on() {
                    taken[*neighbour] = true;
                    group.push(*neighbour);
                }
            }
            at += 1;
        }
        groups.push(group);
    }
    groups
}
