//! Facets from simplices: neighbours that lie in one hyperplane belong together.

use super::Facet;
use super::simplicial::Simplex;
use crate::geometry::frame::dot;

/// Unit normal and size of a simplex from `d` rows of points: the generalised cross product of its edges.
pub(super) fn normal(rows: &[&[f64]]) -> (Vec<f64>, f64) {
    let d = rows.len();
    let edges: Vec<Vec<f64>> =
        rows[1..].iter().map(|row| row.iter().zip(rows[0]).map(|(x, o)| x - o).collect()).collect();
    // minors[mask]: determinant of the last rows over the columns in `mask`.
    let mut minors = vec![1.0; 1 << d];
    for mask in (1_usize..1 << d).filter(|mask| (mask.count_ones() as usize) < d) {
        let row = &edges[d - 1 - mask.count_ones() as usize];
        let (mut sum, mut sign) = (0.0, 1.0);
        for j in (0..d).filter(|j| mask >> j & 1 == 1) {
            sum += sign * row[j] * minors[mask ^ (1 << j)];
            sign = -sign;
        }
        minors[mask] = sum;
    }
    let all = (1 << d) - 1;
    let mut normal: Vec<f64> =
        (0..d).map(|j| if j % 2 == 0 { minors[all ^ (1 << j)] } else { -minors[all ^ (1 << j)] }).collect();
    let size = dot(&normal, &normal).sqrt();
    if size > 0.0 {
        normal.iter_mut().for_each(|x| *x /= size);
    }
    (normal, size)
}

/// Groups simplices into facets: from large to small, each takes its neighbours as far as their vertices lie within
/// `distance` of its own hyperplane. Only the seed's plane counts, so that chains of nearly flat neighbours do not
/// bend, and slivers, whose own normals mean nothing, go to a facet beside them.
///
/// `inner`: a point inside, which tells the outer side.
pub(super) fn facets(
    simplices: &[Simplex],
    point: impl Fn(usize) -> Vec<f64>,
    inner: &[f64],
    distance: f64,
) -> Vec<Facet> {
    let planes: Vec<(Vec<f64>, f64)> = simplices
        .iter()
        .map(|simplex| {
            let rows: Vec<Vec<f64>> = simplex.vertices.iter().map(|v| point(*v)).collect();
            normal(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
        .collect();
    let mut order: Vec<usize> = (0..simplices.len()).collect();
    order.sort_by(|a, b| planes[*b].1.total_cmp(&planes[*a].1).then(a.cmp(b)));
    let mut taken = vec![false; simplices.len()];
    let mut facets = Vec::new();
    for seed in order {
        if taken[seed] {
            continue;
        }
        taken[seed] = true;
        let mut normal = planes[seed].0.clone();
        let origin = point(simplices[seed].vertices[0]);
        let mut offset = dot(&normal, &origin);
        if dot(&normal, inner) > offset {
            normal.iter_mut().for_each(|x| *x = -*x);
            offset = -offset;
        }
        let near = |v: &usize| (dot(&normal, &point(*v)) - offset).abs() <= distance;
        let mut group = vec![seed];
        let mut at = 0;
        while at < group.len() {
            for neighbour in &simplices[group[at]].neighbours {
                if !taken[*neighbour] && simplices[*neighbour].vertices.iter().all(near) {
                    taken[*neighbour] = true;
                    group.push(*neighbour);
                }
            }
            at += 1;
        }
        let mut vertices: Vec<usize> = group.iter().flat_map(|s| simplices[*s].vertices.iter().copied()).collect();
        vertices.sort_unstable();
        vertices.dedup();
        facets.push(Facet { normal, offset, vertices });
    }
    facets
}
