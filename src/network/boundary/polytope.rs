//! The decision-boundary polytope.

use std::collections::HashMap;

use ndarray::{Array2, s};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::geometry::{Patterns, cell_bound, plane_patterns};
use crate::network::tropicalize::BoundaryMap;
use crate::tropical::{DualSubdivision, Piece, Polynomial, hypersurface};

/// What an edge of the polytope stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// Between vertices of different classes: dual to a piece of the decision boundary.
    Mixed,
    /// Between a vertex that several classes share and one that some of them do not have: dual to the border of a
    /// region in which the classifier is undecided.
    DeadBorder,
    /// Between vertices of the same classes: the hypersurface has a piece there, the boundary has none.
    Surplus,
}

/// `delta(R)`: the upper faces of `conv U_i (Z_i + (shift, b_i))`, projected (2002.08838, theorem 2, with biases and
/// for `k` classes).
#[derive(Debug, Clone)]
pub struct BoundaryPolytope {
    /// `R`: a monomial for each lifted point of each class, equal ones merged.
    pub polynomial: Polynomial,
    /// The classes that attain each monomial, ascending. Several: the logits of these classes are equal wherever the
    /// monomial is the largest.
    pub classes: Vec<Vec<usize>>,
    /// For each monomial the pattern of each of its classes.
    pub patterns: Vec<Vec<usize>>,
    /// The dual subdivision of `R`.
    pub subdivision: DualSubdivision,
    /// What each edge of the subdivision stands for.
    pub kinds: Vec<EdgeKind>,
}

/// A piece of the hypersurface of `R`, in two dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoundaryPiece {
    /// Where it lies and which monomials meet there.
    #[serde(flatten)]
    pub piece: Piece,
    /// What it is.
    pub edge: EdgeKind,
    /// The classes on both sides.
    pub classes: [Vec<usize>; 2],
}

/// Lifted points up to which a polytope is built.
const MOST_POINTS: usize = 4_000_000;

/// All activation patterns of a map with two inputs.
///
/// # Errors
///
/// [`Error::Unsupported`] for another number of inputs, or for more than about four million vertices, with the
/// estimate.
pub fn patterns_of(map: &BoundaryMap) -> Result<Patterns> {
    let n = map.shift.len();
    if n != 2 {
        let problem =
            format!("all activation patterns are listed for two inputs, not for {n}; restrict the network to a plane");
        return Err(Error::Unsupported { problem });
    }
    let points = cell_bound(map.generators.nrows(), 2).saturating_mul(map.biases.len() as u128);
    if points > MOST_POINTS as u128 {
        let problem = format!(
            "{} neurons and {} classes give up to {points} vertices, about {} GB; the limit is {MOST_POINTS}: prune first, or \
             look at a window",
            map.generators.nrows(),
            map.biases.len(),
            points.saturating_mul(400) / 1_000_000_000
        );
        return Err(Error::Unsupported { problem });
    }
    plane_patterns(map.generators.slice(s![.., ..2]), map.generators.column(2))
}

impl BoundaryPolytope {
    /// The polytope over a list of activation patterns. Exact if the list holds all patterns of the arrangement
    /// `{A_j x + c_j = 0}` ([`patterns_of`]); with fewer it lies inside.
    ///
    /// All class zonotopes have parallel generators and so share one list: pattern `s` gives the point
    /// `v_i(s) = sum_j s_j w_ij (A_j, c_j) + (shift, b_i)` of class `i`. Points of one pattern that differ by less than
    /// 1e-12 of their terms count as one.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for patterns of another number of neurons, [`Error::Data`] without patterns, and what
    /// [`DualSubdivision::of_rounded`] returns.
    pub fn new(map: &BoundaryMap, patterns: &Patterns) -> Result<Self> {
        let (k, n) = (map.biases.len(), map.shift.len());
        if patterns.generators() != map.generators.nrows() {
            let problem = format!("of {} neurons for {}", patterns.generators(), map.generators.nrows());
            return Err(Error::Argument { argument: "patterns", problem });
        }
        let mut points =
            Points { places: HashMap::new(), values: Vec::new(), classes: Vec::new(), patterns: Vec::new() };
        let mut lifted = vec![vec![0.0; n + 1]; k];
        for pattern in 0..patterns.len() {
            let mut size = 0.0;
            for (class, point) in lifted.iter_mut().enumerate() {
                point.iter_mut().zip(map.shift.iter().chain([&map.biases[class]])).for_each(|(x, y)| *x = *y);
                size = point.iter().fold(size, |most: f64, x| most.max(x.abs()));
                for j in patterns.active(pattern) {
                    let weight = map.weights[[class, j]];
                    point.iter_mut().zip(map.generators.row(j)).for_each(|(x, g)| *x += weight * g);
                    size = point.iter().fold(size, |most, x| most.max(x.abs()));
                }
            }
            for class in 0..k {
                let (before, rest) = lifted.split_at_mut(class);
                let same = |other: &&Vec<f64>| other.iter().zip(&rest[0]).all(|(x, y)| (x - y).abs() <= 1e-12 * size);
                if let Some(other) = before.iter().find(same) {
                    rest[0].clone_from(other);
                }
                points.add(&lifted[class], class, pattern);
            }
        }
        points.finish(n)
    }

    /// The pieces of the hypersurface of `R` for two inputs, one for each edge of the subdivision. Those of mixed edges
    /// are the decision boundary, exactly.
    #[must_use]
    pub fn pieces(&self) -> Vec<BoundaryPiece> {
        let pieces = hypersurface(&self.polynomial, &self.subdivision);
        pieces
            .into_iter()
            .zip(&self.kinds)
            .map(|(piece, edge)| BoundaryPiece {
                classes: piece.monomials.map(|i| self.classes[i].clone()),
                piece,
                edge: *edge,
            })
            .collect()
    }

    /// The vertices that several classes share: regions with inner points where the logits of these classes are equal
    /// and largest, so that the decision boundary is not a hypersurface there. The statement of theorem 2 of the paper
    /// needs that there is none.
    #[must_use]
    pub fn dead_regions(&self) -> Vec<usize> {
        self.subdivision.vertices.iter().copied().filter(|v| self.classes[*v].len() > 1).collect()
    }

    /// Number of edges of a kind.
    #[must_use]
    pub fn count(&self, kind: EdgeKind) -> usize {
        self.kinds.iter().filter(|k| **k == kind).count()
    }
}

/// Lifted points, merged by exponent.
struct Points {
    places: HashMap<Vec<u64>, usize>,
    values: Vec<f64>,
    classes: Vec<Vec<usize>>,
    patterns: Vec<Vec<usize>>,
}

impl Points {
    fn add(&mut self, point: &[f64], class: usize, pattern: usize) {
        let (exponent, height) = (&point[..point.len() - 1], point[point.len() - 1]);
        let key = exponent.iter().map(|x| (x + 0.0).to_bits()).collect();
        let next = self.classes.len();
        let place = *self.places.entry(key).or_insert(next);
        let at = place * point.len() + point.len() - 1;
        if place == next {
            self.values.extend_from_slice(point);
        } else if height < self.values[at] {
            return;
        }
        if place == next || height > self.values[at] {
            self.values[at] = height;
            self.classes.resize(self.classes.len().max(place + 1), Vec::new());
            self.patterns.resize(self.patterns.len().max(place + 1), Vec::new());
            self.classes[place] = vec![class];
            self.patterns[place] = vec![pattern];
        } else if let Err(slot) = self.classes[place].binary_search(&class) {
            self.classes[place].insert(slot, class);
            self.patterns[place].insert(slot, pattern);
        }
    }

    fn finish(self, n: usize) -> Result<BoundaryPolytope> {
        let count = self.classes.len();
        let exponents = Array2::from_shape_fn((count, n), |(i, t)| self.values[i * (n + 1) + t]);
        let heights: Vec<f64> = (0..count).map(|i| self.values[i * (n + 1) + n]).collect();
        let polynomial = Polynomial::new(&exponents, &heights)?;
        let subdivision = DualSubdivision::of_rounded(&polynomial)?;
        let kind = |[a, b]: [usize; 2]| {
            let (a, b): (&Vec<usize>, &Vec<usize>) = (&self.classes[a], &self.classes[b]);
            match (a == b, a.iter().any(|class| b.contains(class))) {
                (true, _) => EdgeKind::Surplus,
                (false, true) => EdgeKind::DeadBorder,
                (false, false) => EdgeKind::Mixed,
            }
        };
        let kinds = subdivision.edges.iter().map(|edge| kind(edge.ends)).collect();
        Ok(BoundaryPolytope { polynomial, classes: self.classes, patterns: self.patterns, subdivision, kinds })
    }
}
