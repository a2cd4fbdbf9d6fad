//! Vertices at random: the patterns of random directions, with a statement of what is missing.

use serde::Serialize;

use super::exact::Reduced;
use crate::backend::Backend;
use crate::error::Result;
use crate::geometry::directions::directions;
use crate::geometry::patterns::{Patterns, complement, flip, is_set};
use crate::geometry::zonotope::Zonotope;

/// Angle between a direction and a hyperplane below which the direction counts as lying on it.
const TIE: f64 = 1e-12;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SampleOptions {
    /// Seed of the directions.
    pub seed: u64,
    /// Directions that one call of the backend takes.
    pub batch: usize,
    /// Directions in all, at most.
    pub directions: u64,
    /// Stop once the estimated share of directions with a pattern not yet seen is at most this, and at least 1,000
    /// directions were drawn.
    pub missing_mass: f64,
    /// Stop after so many directions in a row without a new pattern.
    pub misses: u64,
    /// Stop when this many bytes of patterns and vertices are reached.
    pub memory: u64,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { seed: 0, batch: 1 << 14, directions: 1 << 22, missing_mass: 1e-5, misses: 1 << 18, memory: 1 << 30 }
    }
}

/// Why the enumeration stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// The number of vertices has reached its upper bound: there are no others.
    Complete,
    /// The estimate of the missing mass is small enough.
    MissingMass,
    /// So many directions in a row gave nothing new.
    Misses,
    /// All directions are spent.
    Directions,
    /// The memory is spent.
    Memory,
}

/// Patterns found at random, and what is known of the others.
#[derive(Debug, Clone)]
pub struct SampledPatterns {
    /// The patterns, each of a vertex; with a pattern its opposite.
    pub patterns: Patterns,
    /// Directions drawn.
    pub directions: u64,
    /// Directions that lay on a hyperplane within rounding and were left out.
    pub discarded: u64,
    /// Pairs of opposite vertices met exactly once, `f_1`.
    pub once: u64,
    /// Estimate `f_1 / T` of the share of directions whose vertices are not in the list (Good 1953, Turing).
    pub missing_mass: f64,
    /// Directions since the last new pattern, `m`.
    pub misses: u64,
    /// `ln(100) / m`: had more than this share of the directions been missing after the last new pattern, `m` misses in a
    /// row would have had a probability below 1 %.
    pub missing_bound: f64,
    /// Largest possible number of vertices.
    pub bound: u128,
    /// Why it stopped.
    pub stop: Stop,
}

/// Enumerates vertices by random directions (Stinson, Gleich, Constantine, *A randomized algorithm for enumerating
/// zonotope vertices*, arXiv 1602.06620): a direction `u` gives the pattern `1[<g_i, u> > 0]` and, free, its opposite.
///
/// The backend computes patterns in f32; one that is new is computed again from its direction in f64, so that every
/// pattern of the list is that of a vertex. Vertices with narrow normal cones are the last to be found, and many may be
/// missing even where the missing mass is small: it is a share of directions, not of vertices.
///
/// # Errors
///
/// What the backend returns.
pub fn sample_patterns<B: Backend>(
    backend: &B,
    zonotope: &Zonotope,
    options: SampleOptions,
) -> Result<SampledPatterns> {
    let reduced = Reduced::of(zonotope);
    let (count, rank, bound) = (reduced.count(), reduced.rank, reduced.bound());
    let mut found = Patterns::new(count);
    let mut hits: Vec<u32> = Vec::new();
    let (mut drawn, mut discarded, mut misses, mut once) = (0_u64, 0_u64, 0_u64, 0_u64);
    let each = 8 * (reduced.words() + zonotope.dimension()) as u64 + 128;
    if count <= 1 {
        found.insert(&vec![0; count]);
    }
    let generators = (count > 1).then(|| backend.upload(&reduced.matrix())).transpose()?;
    let stop = loop {
        let Some(generators) = &generators else { break Stop::Complete };
        let missing = once as f64 / drawn.max(1) as f64;
        if 2 * found.len() as u128 >= bound {
            break Stop::Complete;
        } else if drawn >= options.directions {
            break Stop::Directions;
        } else if drawn >= 1000 && missing <= options.missing_mass {
            break Stop::MissingMass;
        } else if misses >= options.misses {
            break Stop::Misses;
        } else if found.len() as u64 * each >= options.memory {
            break Stop::Memory;
        }
        // A batch has at most 2^32 directions, so that its size fits on any host.
        let batch = usize::try_from(options.directions - drawn).unwrap_or(usize::MAX).min(options.batch.max(1));
        let u = directions(batch, rank, options.seed, "vertices", drawn);
        let patterns = backend.activation_patterns(generators, None, &backend.upload(&u)?)?;
        let mut words = backend.download_indices(&patterns)?;
        for (pattern, u) in words.chunks_exact_mut(found.words()).zip(u.rows()) {
            drawn += 1;
            canonical(pattern, count);
            let mut at = found.find(pattern);
            if at.is_none() {
                let u: Vec<f64> = u.iter().map(|entry| f64::from(*entry)).collect();
                if !reduced.pattern_of(&u, pattern) {
                    discarded += 1;
                    continue;
                }
                canonical(pattern, count);
                at = found.find(pattern);
            }
            if let Some(at) = at {
                once -= u64::from(hits[at] == 1);
                hits[at] = hits[at].saturating_add(1);
                misses += 1;
            } else {
                found.insert(pattern);
                hits.push(1);
                once += 1;
                misses = 0;
            }
        }
    };
    let complete = stop == Stop::Complete;
    Ok(SampledPatterns {
        patterns: reduced.expand_all(&found),
        directions: drawn,
        discarded,
        once,
        missing_mass: if complete { 0.0 } else { once as f64 / drawn.max(1) as f64 },
        misses,
        missing_bound: if complete { 0.0 } else { (100.0_f64.ln() / misses as f64).min(1.0) },
        bound,
        stop,
    })
}

/// The one of a pattern and its opposite in which generator 0 is not active.
fn canonical(pattern: &mut [u32], count: usize) {
    if is_set(pattern, 0) {
        complement(pattern, count);
    }
}

impl Reduced {
    /// The pattern of a unit direction; `false` if it lies on a hyperplane within rounding.
    fn pattern_of(&self, u: &[f64], pattern: &mut [u32]) -> bool {
        pattern.fill(0);
        for (at, generator) in self.vectors.chunks_exact(self.rank).enumerate() {
            let value: f64 = generator.iter().zip(u).map(|(a, b)| a * b).sum();
            if value.abs() <= TIE {
                return false;
            }
            if value > 0.0 {
                flip(pattern, at);
            }
        }
        true
    }
}
