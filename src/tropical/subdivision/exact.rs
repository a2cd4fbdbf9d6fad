//! The dual subdivision without rounding.

use std::collections::{BTreeMap, BTreeSet};

use super::dual::dual;
use super::faces::{Faces, coplanar, members};
use super::lattice::Lattice;
use super::size::check_size;
use super::{Cell, DualSubdivision, Edge};
use crate::error::{Error, Result};
use crate::geometry::hull::{Orientation as _, Simplex, Simplicial};
use crate::tropical::polynomial::Polynomial;

/// Units in the last place within which two points of a hypersurface are one.
const SAME: f64 = 4.0 * f64::EPSILON;

/// A cell before its faces are known.
struct Part {
    /// Monomials on its hyperplane.
    points: Vec<usize>,
    /// As many of them as span it.
    independent: Vec<usize>,
    dual: Vec<f64>,
}

impl DualSubdivision {
    /// The subdivision of a polynomial, exact for its numbers: those of at most 15 digits as decimals, others as the
    /// doubles they are. Which monomials lie on one hyperplane is decided by integers.
    ///
    /// Monomials below the upper hull, or on it but no vertex, are in no list; facets that stand upright are left out;
    /// a Newton polytope of lower dimension is treated within its affine hull. Cells whose dual points are the same in f64
    /// are one.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the hull may be larger than [`Self::MOST_SIMPLICES`]; [`Error::OutOfRange`] for a dual
    /// point beyond f64.
    pub fn of(polynomial: &Polynomial) -> Result<Self> {
        let count = polynomial.monomials();
        let all: Vec<usize> = (0..count).collect();
        let (exponents, power) = lattice(polynomial);
        let basis = exponents.basis();
        let rank = basis.columns.len();
        if count == 1 || rank == 0 {
            let none = Some(Vec::new());
            return Ok(Self {
                rank: 0,
                vertices: vec![0],
                cells: Vec::new(),
                edges: Vec::new(),
                flat: true,
                ties: none,
            });
        }
        check_size(count, rank + 1)?;
        let heights: Vec<Vec<f64>> = polynomial.coefficients().iter().map(|c| vec![*c]).collect();
        let (heights, height_power) = Lattice::of(&heights, 1);
        let places = exponents.select(&all, &basis.columns);
        let lifted = places.beside(&heights);
        let lifted_basis = lifted.basis();
        let flat = lifted_basis.columns.len() == rank;
        let at = |independent: &[usize]| dual(&exponents, &heights, independent, height_power - power);
        let parts = if flat {
            vec![Part { points: all, dual: at(&basis.points), independent: basis.points }]
        } else {
            let simplices = Simplicial::new(&lifted, count, rank + 1, &lifted_basis.points).finish();
            upper_parts(&places, &lifted, &simplices, at)
        };
        if let Some(part) = parts.iter().find(|part| part.dual.iter().any(|x| !x.is_finite())) {
            let what = format!("the point where the monomials {:?} are equal", part.independent);
            return Err(Error::OutOfRange { what });
        }
        let mut cells = Vec::new();
        let mut around: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
        let mut ties: BTreeSet<usize> = BTreeSet::new();
        for (number, part) in parts.iter().enumerate() {
            let faces = Faces::of(&places, &part.points);
            ties.extend(part.points.iter().filter(|i| !faces.vertices.contains(i)));
            faces.edges.iter().for_each(|ends| around.entry(*ends).or_default().push(number));
            let vertices = if rank == 2 { walk(&places, &faces) } else { faces.vertices.into_iter().collect() };
            cells.push(Cell { vertices, dual: part.dual.clone() });
        }
        let vertices: BTreeSet<usize> = cells.iter().flat_map(|cell| cell.vertices.iter().copied()).collect();
        let rest: Vec<usize> = (0..count).filter(|i| !vertices.contains(i) && !ties.contains(i)).collect();
        if !flat {
            ties.extend(rest.into_iter().filter(|i| on_a_cell(polynomial, &lifted, &parts, *i)));
        }
        let ties = ties.into_iter().filter(|i| !vertices.contains(i)).collect();
        let edges = around.into_iter().map(|(ends, cells)| Edge { ends, cells }).collect();
        Ok(Self { rank, vertices: vertices.into_iter().collect(), cells, edges, flat, ties: Some(ties) })
    }
}

fn lattice(polynomial: &Polynomial) -> (Lattice, i32) {
    let rows: Vec<Vec<f64>> = polynomial.exponents().rows().into_iter().map(|row| row.to_vec()).collect();
    Lattice::of(&rows, polynomial.dimension())
}

/// The monomials at the vertices of the Newton polytope, ascending, without rounding.
#[must_use]
pub fn newton_vertices(polynomial: &Polynomial) -> Vec<usize> {
    if polynomial.monomials() == 1 {
        return vec![0];
    }
    let all: Vec<usize> = (0..polynomial.monomials()).collect();
    Faces::of(&lattice(polynomial).0, &all).vertices.into_iter().collect()
}

/// The upper facets of a lifted hull, of which neighbours with the same dual point are one.
fn upper_parts(
    places: &Lattice,
    lifted: &Lattice,
    simplices: &[Simplex],
    at: impl Fn(&[usize]) -> Vec<f64>,
) -> Vec<Part> {
    // The determinant of `p_i - q` for `q` straight above a vertex, by its one entry in the row of that vertex.
    let sign = if places.dimension.is_multiple_of(2) { -1.0 } else { 1.0 };
    let rises = |simplex: &Simplex| sign * places.side(&simplex.vertices[1..], simplex.vertices[0]) > 0.0;
    let upper: Vec<bool> = simplices.iter().map(rises).collect();
    let groups = coplanar(lifted, simplices, |s| upper[s]);
    let duals: Vec<Vec<f64>> = groups.iter().map(|group| at(&simplices[group[0]].vertices)).collect();
    let mut owner = vec![usize::MAX; simplices.len()];
    for (number, group) in groups.iter().enumerate() {
        group.iter().for_each(|s| owner[*s] = number);
    }
    // The lowest group of those that are one.
    let mut first: Vec<usize> = (0..groups.len()).collect();
    let root = |first: &[usize], mut group: usize| {
        while first[group] != group {
            group = first[group];
        }
        group
    };
    for (s, simplex) in simplices.iter().enumerate().filter(|(s, _)| upper[*s]) {
        for neighbour in simplex.neighbours.iter().filter(|n| upper[**n]) {
            let [a, b] = [owner[s], owner[*neighbour]];
            if a != b && same(&duals[a], &duals[b]) {
                let [a, b] = [root(&first, a), root(&first, b)];
                first[a.max(b)] = a.min(b);
            }
        }
    }
    let mut joined: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        joined.entry(root(&first, number)).or_default().extend(group);
    }
    let part = |(number, group): (usize, Vec<usize>)| Part {
        points: members(simplices, &group),
        independent: simplices[groups[number][0]].vertices.clone(),
        dual: duals[number].clone(),
    };
    let mut parts: Vec<Part> = joined.into_iter().map(part).collect();
    parts.sort_by(|a, b| a.points.cmp(&b.points));
    parts
}

/// Whether f64 hardly tells two points apart.
fn same(a: &[f64], b: &[f64]) -> bool {
    let size = a.iter().chain(b).fold(0.0_f64, |most, x| most.max(x.abs()));
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= SAME * size)
}

/// The vertices of a polygon counterclockwise, by its edges, from the lowest on.
fn walk(places: &Lattice, faces: &Faces) -> Vec<usize> {
    let mut beside: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for [a, b] in &faces.edges {
        beside.entry(*a).or_default().push(*b);
        beside.entry(*b).or_default().push(*a);
    }
    let Some((start, next)) = beside.iter().next() else { return Vec::new() };
    let mut order = vec![*start, next[0]];
    while let [.., before, at] = *order.as_slice() {
        match beside[&at].iter().find(|v| **v != before) {
            Some(next) if next != start && order.len() < beside.len() => order.push(*next),
            _ => break,
        }
    }
    if order.len() > 2 && places.side(&order[..2], order[2]) < 0.0 {
        order[1..].reverse();
    }
    order
}

/// Whether a monomial that is no corner of a simplex lies on the hyperplane of a cell.
fn on_a_cell(polynomial: &Polynomial, lifted: &Lattice, parts: &[Part], i: usize) -> bool {
    let size = |i: usize, x: &[f64]| {
        let terms = polynomial.exponents().row(i).iter().zip(x).map(|(a, x)| (a * x).abs()).sum::<f64>();
        terms + polynomial.coefficients()[i].abs()
    };
    parts.iter().any(|part| {
        let top = part.independent[0];
        let [own, other] = [i, top].map(|i| polynomial.monomial(i, &part.dual));
        // Far below in f64 is below; the rest is for integers.
        let far = 1e-9 * (size(i, &part.dual) + size(top, &part.dual));
        let below = other - own > far;
        !below && lifted.side(&part.independent, i) == 0.0
    })
}
