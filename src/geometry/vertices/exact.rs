//! Exact enumeration: what it costs, and the way from distinct directions in their span back to the generators.

use ndarray::Array2;

use super::complement::product;
use super::rays::Arrangement;
use super::vertex_bound;
use crate::error::{Error, Result};
use crate::geometry::patterns::{Patterns, flip, is_set};
use crate::geometry::simplified::Simplified;
use crate::geometry::zonotope::{Zonotope, norm};

/// Relative length below which a generator adds no dimension to the span.
const DEPENDENT: f64 = 1e-10;

/// A zonotope without what does not make vertices: zero and parallel generators, and directions outside of the span.
pub(super) struct Reduced {
    /// Unit generators in coordinates of their span, one after the other.
    pub(super) vectors: Vec<f64>,
    /// Dimension of the span.
    pub(super) rank: usize,
    part_of: Vec<Option<(usize, bool)>>,
    count: usize,
}

impl Reduced {
    pub(super) fn of(zonotope: &Zonotope) -> Self {
        let Simplified { zonotope, part_of } = zonotope.simplified();
        let generators = zonotope.generators();
        let unit: Vec<Vec<f64>> = generators
            .rows()
            .into_iter()
            .map(|row| {
                let length = norm(row);
                row.iter().map(|entry| entry / length).collect()
            })
            .collect();
        let basis = span(&unit, zonotope.dimension());
        let vectors = unit.iter().flat_map(|vector| basis.iter().map(|axis| product(axis, vector))).collect();
        Self { vectors, rank: basis.len(), part_of, count: generators.nrows() }
    }

    /// Generators that differ in direction.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The largest possible number of vertices.
    pub(super) fn bound(&self) -> u128 {
        vertex_bound(self.count, self.rank)
    }

    /// Words of a pattern of all generators.
    pub(super) fn words(&self) -> usize {
        self.part_of.len().div_ceil(32)
    }

    /// The unit generators in f32.
    pub(super) fn matrix(&self) -> Array2<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
        Array2::from_shape_fn((self.count, self.rank), |(i, k)| self.vectors[i * self.rank + k] as f32)
    }

    /// The pattern of all generators from that of the distinct directions; `opposite` turns the latter over.
    pub(super) fn expand(&self, reduced: &[u32], opposite: bool, out: &mut [u32]) {
        out.fill(0);
        for (generator, part) in self.part_of.iter().enumerate() {
            if let Some((direction, turned)) = part
                && (is_set(reduced, *direction) != opposite) != *turned
            {
                flip(out, generator);
            }
        }
    }

    /// All patterns from one of each opposite pair.
    pub(super) fn expand_all(&self, half: &Patterns) -> Patterns {
        let mut all = Patterns::new(self.part_of.len());
        let mut words = vec![0; all.words()];
        for opposite in [false, true] {
            for pattern in 0..half.len() {
                self.expand(half.row(pattern), opposite, &mut words);
                all.insert(&words);
            }
        }
        all
    }
}

/// An orthonormal basis of the span of unit vectors, by Gram and Schmidt with the longest remainder first.
fn span(unit: &[Vec<f64>], space: usize) -> Vec<Vec<f64>> {
    let mut rest = unit.to_vec();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    while basis.len() < space {
        let longest = rest.iter().map(|vector| product(vector, vector)).enumerate();
        let Some((at, square)) = longest.reduce(|best, next| if next.1 > best.1 { next } else { best }) else { break };
        if square.sqrt() <= DEPENDENT {
            break;
        }
        let mut axis = rest[at].clone();
        // Twice: the first pass leaves what the rounding of earlier ones left.
        for _ in 0..2 {
            for other in &basis {
                let share = product(&axis, other);
                axis.iter_mut().zip(other).for_each(|(entry, other)| *entry -= share * other);
            }
            let length = product(&axis, &axis).sqrt();
            axis.iter_mut().for_each(|entry| *entry /= length);
        }
        for vector in &mut rest {
            let share = product(vector, &axis);
            vector.iter_mut().zip(&axis).for_each(|(entry, axis)| *entry -= share * axis);
        }
        basis.push(axis);
    }
    basis
}

/// What the vertices of a zonotope may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VertexEstimate {
    /// Generators that are neither zero nor parallel to another one.
    pub directions: usize,
    /// Dimension of their span.
    pub rank: usize,
    /// The largest possible number of vertices, [`vertex_bound`], attained in general position.
    pub vertices: u128,
    /// Bytes of so many patterns and vertices.
    pub bytes: u128,
}

impl VertexEstimate {
    /// The estimate for a zonotope, in `O(p (d + log p))`.
    #[must_use]
    pub fn of(zonotope: &Zonotope) -> Self {
        Self::reduced(zonotope, &Reduced::of(zonotope))
    }

    pub(super) fn reduced(zonotope: &Zonotope, reduced: &Reduced) -> Self {
        // Words of a pattern twice (the reduced list and the expanded one), its place in tables, and a point.
        let words = zonotope.generators().nrows().div_ceil(32) + reduced.count().div_ceil(32);
        let each = 4 * words + 64 + 8 * zonotope.dimension();
        let vertices = reduced.bound();
        let bytes = vertices.saturating_mul(each as u128);
        Self { directions: reduced.count(), rank: reduced.rank, vertices, bytes }
    }
}

/// All activation patterns of the generators, `1[<g_i, u> > 0]` for `u` in general position: one for each vertex.
///
/// Zero generators are never active, parallel ones together. By rays of the arrangement, in the span of the generators:
/// degenerate arrangements (more hyperplanes through a ray than its dimension asks for) are handled exactly as far as
/// rounding tells them apart, about 1e-13 between unit vectors. Order of the list: not specified, but the same in every run.
///
/// `memory`: bytes that patterns and vertices may take.
///
/// # Errors
///
/// [`Error::TooManyVertices`] before any work if [`VertexEstimate`] exceeds `memory`.
pub fn zonotope_patterns(zonotope: &Zonotope, memory: u64) -> Result<Patterns> {
    let reduced = Reduced::of(zonotope);
    let estimate = VertexEstimate::reduced(zonotope, &reduced);
    if estimate.bytes > u128::from(memory) {
        return Err(Error::TooManyVertices { vertices: estimate.vertices, bytes: estimate.bytes, limit: memory });
    }
    let half = Arrangement::new(reduced.vectors.clone(), reduced.rank).half_patterns();
    Ok(reduced.expand_all(&half))
}
