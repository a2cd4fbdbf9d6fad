//! The vertices of a zonotope in the plane, in order, by sorting its generators by angle.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::geometry::polygon::{ConvexPolygon, cross, dot};
use crate::geometry::zonotope::Zonotope;

/// Relative size of a cross product, or of a generator, below which it counts as zero.
const PARALLEL: f64 = 1e-12;

/// The exact polygon of a zonotope in the plane: `2 m` vertices for `m` generators that differ in direction, a segment for
/// `m = 1`, a point for none. `O(p log p)`.
///
/// Generators are turned into the upper half-plane, which moves the lowest vertex to the shift plus what was turned,
/// sorted by angle, and added up; the other half follows by symmetry.
///
/// # Errors
///
/// [`Error::Argument`] for a zonotope that does not lie in dimension 2.
pub fn zonotope_polygon(zonotope: &Zonotope) -> Result<ConvexPolygon> {
    if zonotope.dimension() != 2 {
        let problem = format!("a polygon needs a zonotope in dimension 2, not {}", zonotope.dimension());
        return Err(Error::Argument { argument: "zonotope", problem });
    }
    let (mut low, mut upper) = ([Sum::new(zonotope.shift()[0]), Sum::new(zonotope.shift()[1])], Vec::new());
    let generators = zonotope.generators();
    upper.reserve_exact(generators.nrows());
    let longest = generators.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
    for row in generators.rows() {
        let [x, y] = [row[0], row[1]];
        if x.abs().max(y.abs()) <= PARALLEL * longest {
            // Half of a tiny generator is its middle.
            low[0].add(x / 2.0);
            low[1].add(y / 2.0);
        } else if y < 0.0 || (y == 0.0 && x < 0.0) {
            low[0].add(x);
            low[1].add(y);
            upper.push(slope([-x, -y]));
        } else {
            upper.push(slope([x, y]));
        }
    }
    upper.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1[0].total_cmp(&b.1[0])));
    let mut merged: Vec<[f64; 2]> = Vec::with_capacity(upper.len());
    for (_, generator) in upper {
        match merged.last_mut() {
            Some(last) if parallel(*last, generator) => *last = [last[0] + generator[0], last[1] + generator[1]],
            _ => merged.push(generator),
        }
    }
    // A generator just below the half-turn may be parallel to one just above zero.
    if let [first, .., last] = merged.as_mut_slice()
        && parallel(*first, [-last[0], -last[1]])
    {
        *first = [first[0] - last[0], first[1] - last[1]];
        low[0].add(last[0]);
        low[1].add(last[1]);
        merged.pop();
    }
    let mut vertices = Vec::with_capacity(2 * merged.len().max(1));
    let mut at = low;
    vertices.push(value(&at));
    for generator in &merged {
        at[0].add(generator[0]);
        at[1].add(generator[1]);
        vertices.push(value(&at));
    }
    // The top closes the first half; every other vertex below it has its opposite.
    let (bottom, top) = (value(&low), value(&at));
    let opposite = |v: &[f64; 2]| [bottom[0] + (top[0] - v[0]), bottom[1] + (top[1] - v[1])];
    let other: Vec<[f64; 2]> = vertices[1..vertices.len().max(2) - 1].iter().map(opposite).collect();
    vertices.extend(other);
    Ok(ConvexPolygon::from_ordered(vertices))
}

/// A generator of the upper half-plane with a key that grows with its angle from 0 to 2.
fn slope([x, y]: [f64; 2]) -> (f64, [f64; 2]) {
    let key = if x > 0.0 { y / (x + y) } else { 1.0 - x / (y - x) };
    (key, [x, y])
}

fn parallel(a: [f64; 2], b: [f64; 2]) -> bool {
    dot(a, b) > 0.0 && cross(a, b).abs() <= PARALLEL * a[0].hypot(a[1]) * b[0].hypot(b[1])
}

/// A running sum that keeps what rounding takes away (Neumaier 1974).
#[derive(Clone, Copy)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn new(start: f64) -> Self {
        Self { sum: start, lost: 0.0 }
    }

    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }
}

fn value(point: &[Sum; 2]) -> [f64; 2] {
    [point[0].sum + point[0].lost, point[1].sum + point[1].lost]
}
