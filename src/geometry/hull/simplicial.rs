//! The boundary of a full-dimensional hull as simplices, built by inserting points (Barber, Dobkin, Huhdanpaa, *The
//! Quickhull Algorithm for Convex Hulls*, 1996) with exact predicates, so that no degenerate input breaks it.

use std::collections::HashMap;

use super::predicate::orientation;

/// Tells on which side of a hyperplane a point lies, exactly.
pub(crate) trait Orientation {
    /// Above zero where point `q` lies beyond the simplex of `d` points, as seen from points where it is negative; the
    /// sign is that of the determinant of the rows `p_i - q`.
    fn side(&self, simplex: &[usize], q: usize) -> f64;
}

/// Points in f64, `dimension` coordinates each.
pub(super) struct Rows<'a> {
    pub(super) dimension: usize,
    pub(super) points: &'a [f64],
}

impl<'a> Rows<'a> {
    fn point(&self, point: usize) -> &'a [f64] {
        &self.points[point * self.dimension..(point + 1) * self.dimension]
    }
}

impl Orientation for Rows<'_> {
    fn side(&self, vertices: &[usize], point: usize) -> f64 {
        match *vertices {
            [a, b] => orientation(&[self.point(a), self.point(b)], self.point(point)),
            [a, b, c] => orientation(&[self.point(a), self.point(b), self.point(c)], self.point(point)),
            _ => {
                let simplex: Vec<&[f64]> = vertices.iter().map(|v| self.point(*v)).collect();
                orientation(&simplex, self.point(point))
            }
        }
    }
}

/// A simplex of the boundary. Seen from outside, `orientation(vertices, point)` is positive.
#[derive(Debug)]
pub(crate) struct Simplex {
    /// `d` points.
    pub(crate) vertices: Vec<usize>,
    /// Across from vertex `i` lies simplex `neighbours[i]`.
    pub(crate) neighbours: Vec<usize>,
    /// Points above this simplex, each with its determinant.
    outside: Vec<(usize, f64)>,
    alive: bool,
}

/// Points and the simplices over them.
pub(crate) struct Simplicial<P> {
    dimension: usize,
    predicate: P,
    simplices: Vec<Simplex>,
}

impl<P: Orientation> Simplicial<P> {
    /// The hull of `count` points of `R^dimension` that starts from the `dimension + 1` affinely independent points of
    /// `start`.
    pub(crate) fn new(predicate: P, count: usize, dimension: usize, start: &[usize]) -> Self {
        let mut hull = Self { dimension, predicate, simplices: Vec::new() };
        for omitted in 0..start.len() {
            let mut vertices: Vec<usize> = start.to_vec();
            let inner = vertices.remove(omitted);
            let mut neighbours: Vec<usize> = (0..start.len()).filter(|i| *i != omitted).collect();
            if hull.side(&vertices, inner) > 0.0 {
                vertices.swap(0, 1);
                neighbours.swap(0, 1);
            }
            hull.simplices.push(Simplex { vertices, neighbours, outside: Vec::new(), alive: true });
        }
        let others = (0..count).filter(|point| !start.contains(point)).collect();
        hull.distribute(others, 0);
        let mut waiting: Vec<usize> = (0..hull.simplices.len()).collect();
        while let Some(simplex) = waiting.pop() {
            if hull.simplices[simplex].alive && !hull.simplices[simplex].outside.is_empty() {
                let first = hull.simplices.len();
                hull.insert(simplex);
                waiting.extend(first..hull.simplices.len());
            }
        }
        hull
    }

    /// The simplices of the boundary, with neighbours as places in the result.
    pub(crate) fn finish(self) -> Vec<Simplex> {
        let mut places = Vec::with_capacity(self.simplices.len());
        let mut next = 0;
        for simplex in &self.simplices {
            places.push(next);
            next += usize::from(simplex.alive);
        }
        let mut alive: Vec<Simplex> = self.simplices.into_iter().filter(|simplex| simplex.alive).collect();
        alive.iter_mut().for_each(|simplex| simplex.neighbours.iter_mut().for_each(|n| *n = places[*n]));
        alive
    }

    fn side(&self, vertices: &[usize], point: usize) -> f64 {
        self.predicate.side(vertices, point)
    }

    /// Gives each point to the first simplex from `first` on that it lies above; the others are inside.
    fn distribute(&mut self, points: Vec<usize>, first: usize) {
        for point in points {
            for simplex in first..self.simplices.len() {
                let side = self.side(&self.simplices[simplex].vertices, point);
                if side > 0.0 {
                    self.simplices[simplex].outside.push((point, side));
                    break;
                }
            }
        }
    }

    /// Inserts the farthest point above `seed`: what it sees goes, and a cone over the horizon comes.
    fn insert(&mut self, seed: usize) {
        let outside = &self.simplices[seed].outside;
        let apex =
            outside.iter().fold(
                (outside[0].0, f64::NEG_INFINITY),
                |best, (point, side)| {
                    if *side > best.1 { (*point, *side) } else { best }
                },
            );
        let apex = apex.0;
        let mut visible = vec![seed];
        self.simplices[seed].alive = false;
        // Pairs of a visible simplex and the place of a neighbour that is not visible.
        let mut horizon = Vec::new();
        let mut at = 0;
        while at < visible.len() {
            for i in 0..self.dimension {
                let neighbour = self.simplices[visible[at]].neighbours[i];
                if !self.simplices[neighbour].alive {
                    continue;
                }
                if self.side(&self.simplices[neighbour].vertices, apex) > 0.0 {
                    self.simplices[neighbour].alive = false;
                    visible.push(neighbour);
                } else {
                    horizon.push((visible[at], i));
                }
            }
            at += 1;
        }
        let first = self.simplices.len();
        // A ridge of the cone, by its vertices without the apex, and the simplex that waits for its neighbour there.
        let mut open: HashMap<Vec<usize>, (usize, usize)> = HashMap::new();
        for (seen, i) in horizon {
            let new = self.simplices.len();
            let beyond = self.simplices[seen].neighbours[i];
            let mut vertices = self.simplices[seen].vertices.clone();
            vertices[i] = apex;
            let mut neighbours = vec![beyond; self.dimension];
            if let Some(back) = self.simplices[beyond].neighbours.iter_mut().find(|n| **n == seen) {
                *back = new;
            }
            for j in (0..self.dimension).filter(|j| *j != i) {
                let mut ridge: Vec<usize> =
                    (0..self.dimension).filter(|k| *k != i && *k != j).map(|k| vertices[k]).collect();
                ridge.sort_unstable();
                match open.remove(&ridge) {
                    Some((other, place)) => {
                        neighbours[j] = other;
                        self.simplices[other].neighbours[place] = new;
                    }
                    None => {
                        open.insert(ridge, (new, j));
                    }
                }
            }
            self.simplices.push(Simplex { vertices, neighbours, outside: Vec::new(), alive: true });
        }
        let mut orphans = Vec::new();
        for simplex in visible {
            orphans.extend(self.simplices[simplex].outside.drain(..).map(|entry| entry.0).filter(|p| *p != apex));
        }
        self.distribute(orphans, first);
    }
}
