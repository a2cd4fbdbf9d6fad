//! Decision regions of a network of any depth on a rectangle of a plane, exactly: cells on which the network is affine,
//! cut where the class changes.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use super::PlanarNetwork;
use crate::error::{Error, Result};
use crate::geometry::clip::{Bounds, Point, half_plane};

/// A convex piece of a decision region on which the network is affine.
#[derive(Debug, Clone, Serialize)]
pub struct ClassCell {
    /// The class.
    pub class: usize,
    /// Corners, counterclockwise.
    pub polygon: Vec<Point>,
}

/// A piece of the decision boundary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BoundarySegment {
    /// Its ends.
    pub ends: [Point; 2],
    /// The classes on both sides, ascending.
    pub classes: [usize; 2],
}

/// Regions and boundary on a rectangle.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DecisionRegions {
    /// Cells, which tile the rectangle.
    pub cells: Vec<ClassCell>,
    /// The boundary.
    pub boundary: Vec<BoundarySegment>,
    /// Activation cells: pieces on which the network is affine, before they are cut by class.
    pub linear_cells: usize,
}

/// Relative size of a value below which a corner counts as lying on a line.
const ON_LINE: f64 = 1e-12;

/// Subdivides a rectangle, layer by layer: a cell on which the network is affine so far is cut by each neuron's kink,
/// and at the end by the differences of the logits.
///
/// Exact up to the rounding of f64; a corner within 1e-12 of a line, relative to the terms of its value, counts as on
/// it. Cells of the first layer are refined in parallel and joined in order.
///
/// # Errors
///
/// [`Error::Unsupported`] as soon as there are more than `most` affine cells.
pub fn decision_regions(network: &PlanarNetwork, bounds: &Bounds, most: usize) -> Result<DecisionRegions> {
    let Some(first) = network.layers.first() else { return Ok(DecisionRegions::default()) };
    let map = Array2::from_shape_fn((first.0.nrows(), 3), |(i, t)| if t < 2 { first.0[[i, t]] } else { first.1[i] });
    let work = Work { network, most, count: &AtomicUsize::new(0) };
    if network.layers.len() == 1 {
        let mut found = DecisionRegions::default();
        by_class(&map, &bounds.corners(), &mut found);
        return Ok(found);
    }
    let cells = work.cut(&map, bounds.corners())?;
    let parts = cells.into_par_iter().map_init(
        || work.scratch(),
        |scratch, cell| {
            let mut found = DecisionRegions::default();
            work.below(0, &map, cell, scratch, &mut found)?;
            Ok(found)
        },
    );
    let mut joined = DecisionRegions::default();
    for part in parts.collect::<Result<Vec<DecisionRegions>>>()? {
        joined.cells.extend(part.cells);
        joined.boundary.extend(part.boundary);
        joined.linear_cells += part.linear_cells;
    }
    Ok(joined)
}

/// Affine functions of active neurons, `3 x m`, and after the next layer, `m x 3`. Taken again for every cell: allocated anew between the polygons
/// that stay, they would leave the memory in pieces.
struct Scratch {
    active: Array2<f64>,
    next: Array2<f64>,
}

struct Work<'a> {
    network: &'a PlanarNetwork,
    most: usize,
    count: &'a AtomicUsize,
}

impl Work<'_> {
    fn scratch(&self) -> Vec<Scratch> {
        let sizes = self.network.layers.windows(2).map(|pair| [pair[0].1.len(), pair[1].1.len()]);
        let of =
            |[active, next]: [usize; 2]| Scratch { active: Array2::zeros((3, active)), next: Array2::zeros((next, 3)) };
        sizes.map(of).collect()
    }

    /// Goes on with the next layer in a cell on which the values before the activation of `layer` are the affine
    /// functions `map` (`m x 3`) and no neuron changes sign.
    fn below(
        &self,
        layer: usize,
        map: &Array2<f64>,
        cell: Vec<Point>,
        scratch: &mut [Scratch],
        found: &mut DecisionRegions,
    ) -> Result<()> {
        let Some((own, rest)) = scratch.split_first_mut() else { return Ok(()) };
        let centre = centre(&cell);
        for (row, mut active) in map.rows().into_iter().zip(own.active.columns_mut()) {
            if row[0] * centre[0] + row[1] * centre[1] + row[2] <= 0.0 {
                active.fill(0.0);
            } else {
                active.assign(&row);
            }
        }
        let (weights, bias) = &self.network.layers[layer + 1];
        // A general product would pack the weights anew for every cell.
        for ((weights, bias), mut next) in weights.rows().into_iter().zip(bias).zip(own.next.rows_mut()) {
            next.iter_mut().zip(own.active.rows()).for_each(|(next, active)| *next = weights.dot(&active));
            next[2] += bias;
        }
        if layer + 2 < self.network.layers.len() {
            let cells = self.cut(&own.next, cell)?;
            return cells.into_iter().try_for_each(|cell| self.below(layer + 1, &own.next, cell, rest, found));
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.most {
            return Err(self.too_many());
        }
        by_class(&own.next, &cell, found);
        Ok(())
    }

    /// Cuts a cell by the zeros of affine functions.
    fn cut(&self, map: &Array2<f64>, polygon: Vec<Point>) -> Result<Vec<Vec<Point>>> {
        let mut cells = vec![polygon];
        for row in map.rows() {
            let (normal, offset) = ([row[0], row[1]], row[2]);
            for at in 0..cells.len() {
                let signs = signs(&cells[at], normal, offset);
                if signs[0] && signs[1] {
                    let negative = half_plane(&cells[at], normal.map(|x| -x), -offset);
                    let positive = half_plane(&cells[at], normal, offset);
                    if !negative.is_empty() && !positive.is_empty() {
                        cells[at] = positive;
                        cells.push(negative);
                    }
                }
            }
            if cells.len() > self.most {
                return Err(self.too_many());
            }
        }
        Ok(cells)
    }

    fn too_many(&self) -> Error {
        let problem = format!(
            "the network has more than {} affine cells in this window; a smaller window has fewer, a grid of samples has no \
             limit",
            self.most
        );
        Error::Unsupported { problem }
    }
}

/// Whether an affine function takes values clearly above and clearly below zero at the corners of a polygon.
fn signs(polygon: &[Point], normal: Point, offset: f64) -> [bool; 2] {
    let mut found = [false; 2];
    for [x, y] in polygon {
        let [a, b] = [normal[0] * x, normal[1] * y];
        let (value, size) = (a + b + offset, a.abs() + b.abs() + offset.abs());
        if value.abs() > ON_LINE * size {
            found[usize::from(value > 0.0)] = true;
        }
    }
    found
}

/// The classes of a cell on which the logits are affine.
fn by_class(map: &Array2<f64>, polygon: &[Point], found: &mut DecisionRegions) {
    found.linear_cells += 1;
    let classes = map.nrows();
    let difference = |i: usize, l: usize| ([0, 1].map(|t| map[[i, t]] - map[[l, t]]), map[[i, 2]] - map[[l, 2]]);
    for class in 0..classes {
        let mut part = polygon.to_vec();
        for other in (0..classes).filter(|other| *other != class) {
            let (normal, offset) = difference(class, other);
            let [below, above] = signs(&part, normal, offset);
            if below && above {
                part = half_plane(&part, normal, offset);
            } else if below || (!above && other < class) {
                // Where two logits are equal on the whole cell, the lower class has it.
                part.clear();
            }
            if part.is_empty() {
                break;
            }
        }
        if part.is_empty() {
            continue;
        }
        // Edges on which a higher class is as large; lower ones have listed theirs.
        for (at, p) in part.iter().enumerate() {
            let q = part[(at + 1) % part.len()];
            let equal = |other: &usize| {
                let (normal, offset) = difference(class, *other);
                let near = |[x, y]: Point| {
                    let [a, b] = [normal[0] * x, normal[1] * y];
                    (a + b + offset).abs() <= 1e-9 * (a.abs() + b.abs() + offset.abs())
                };
                normal != [0.0; 2] && near(*p) && near(q)
            };
            if let Some(other) = (class + 1..classes).find(equal)
                && *p != q
            {
                found.boundary.push(BoundarySegment { ends: [*p, q], classes: [class, other] });
            }
        }
        found.cells.push(ClassCell { class, polygon: part });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of corners")]
fn centre(polygon: &[Point]) -> Point {
    let count = polygon.len().max(1) as f64;
    polygon.iter().fold([0.0; 2], |sum, p| [sum[0] + p[0] / count, sum[1] + p[1] / count])
}
