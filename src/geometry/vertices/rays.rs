//! All activation patterns of a zonotope, from the rays of its arrangement, in any small dimension.

use super::angles::half_patterns_of_plane;
use super::complement::{Complement, product};
use crate::geometry::patterns::{Patterns, complement, flip, is_set};

/// Length of the part outside of the span of the others below which a unit vector counts as dependent on them.
const DEPENDENT: f64 = 1e-9;

/// Unit vectors that span their space, no two of them parallel.
pub(super) struct Arrangement {
    count: usize,
    dimension: usize,
    /// Vector after vector.
    vectors: Vec<f64>,
}

impl Arrangement {
    /// Normalises vectors of `dimension` entries.
    pub(super) fn new(mut vectors: Vec<f64>, dimension: usize) -> Self {
        for vector in vectors.chunks_exact_mut(dimension.max(1)) {
            let length = product(vector, vector).sqrt();
            vector.iter_mut().for_each(|entry| *entry /= length);
        }
        Self { count: vectors.len() / dimension.max(1), dimension, vectors }
    }

    fn vector(&self, at: usize) -> &[f64] {
        &self.vectors[at * self.dimension..(at + 1) * self.dimension]
    }

    /// The sign vectors of all cells of the arrangement `<g_i, u> = 0`, one of each opposite pair: that in which vector 0
    /// is not active.
    ///
    /// Every cell is a pointed cone, so that it has a ray: a line in which `d - 1` independent hyperplanes meet. For each
    /// `(d - 1)`-subset of vectors, the cells at its ray have the signs of the ray, and on the hyperplanes through it the
    /// signs of the cells of these alone: all `2^(d - 1)` if there are no more than `d - 1`, otherwise those of the smaller
    /// arrangement that they make in the complement of the ray. `C(p, d - 1) (p + 2^(d - 1))` steps in general position,
    /// a constant times the number of cells.
    pub(super) fn half_patterns(&self) -> Patterns {
        let mut search = Search {
            arrangement: self,
            chosen: Vec::with_capacity(self.dimension),
            found: Patterns::new(self.count),
            seen: Patterns::new(self.count),
            plane: vec![[0.0; 2]; self.count],
            zeros: Vec::new(),
        };
        match self.dimension {
            0 | 1 => {
                search.found.insert(&vec![0; self.count.div_ceil(32)]);
            }
            2 => half_patterns_of_plane(&self.vectors, &mut search.found),
            _ => search.below(0, &Complement::whole(self.dimension), 1.0),
        }
        search.found
    }
}

struct Search<'a> {
    arrangement: &'a Arrangement,
    chosen: Vec<usize>,
    found: Patterns,
    /// The sets of hyperplanes through the degenerate rays met so far.
    seen: Patterns,
    /// Coordinates of all vectors in the complement of all chosen ones but the last.
    plane: Vec<[f64; 2]>,
    zeros: Vec<usize>,
}

impl Search<'_> {
    /// Goes through all subsets that add vectors from `start` on to the chosen ones. `unsure`: the sum of the inverse
    /// lengths that have been divided by, which magnify the rounding.
    fn below(&mut self, start: usize, complement: &Complement, unsure: f64) {
        let arrangement = self.arrangement;
        if complement.dimension() == 2 {
            self.rays(start, complement, unsure);
            return;
        }
        for next in start..arrangement.count {
            if let (length, Some(rest)) = complement.without(arrangement.vector(next))
                && length > DEPENDENT
            {
                self.chosen.push(next);
                self.below(next + 1, &rest, unsure + 1.0 / length);
                self.chosen.pop();
            }
        }
    }

    /// The rays in a plane, the complement of all chosen vectors but the last.
    fn rays(&mut self, start: usize, complement: &Complement, unsure: f64) {
        let arrangement = self.arrangement;
        let (e, f) = (complement.vector(0), complement.vector(1));
        for (place, vector) in self.plane.iter_mut().zip(arrangement.vectors.chunks_exact(arrangement.dimension)) {
            *place = [product(e, vector), product(f, vector)];
        }
        for last in start..arrangement.count {
            let [x, y] = self.plane[last];
            let length = x.hypot(y);
            if length > DEPENDENT {
                self.chosen.push(last);
                let tolerance = 64.0 * f64::EPSILON * (unsure + 1.0 / length);
                self.ray([-y / length, x / length], complement, tolerance);
                self.chosen.pop();
            }
        }
    }

    /// The cells at one ray, given by its coordinates in the plane.
    fn ray(&mut self, [x, y]: [f64; 2], plane: &Complement, tolerance: f64) {
        let mut pattern = vec![0; self.found.words()];
        self.zeros.clear();
        for (at, [a, b]) in self.plane.iter().enumerate() {
            let value = x * a + y * b;
            if value.abs() <= tolerance {
                self.zeros.push(at);
            } else if value > 0.0 {
                flip(&mut pattern, at);
            }
        }
        // Rounding does not take the chosen ones away from the ray.
        for chosen in &self.chosen {
            if !self.zeros.contains(chosen) {
                if is_set(&pattern, *chosen) {
                    flip(&mut pattern, *chosen);
                }
                self.zeros.push(*chosen);
            }
        }
        if self.zeros.len() + 1 == self.arrangement.dimension {
            self.all_signs(&mut pattern);
        } else {
            let ray: Vec<f64> = plane.vector(0).iter().zip(plane.vector(1)).map(|(e, f)| x * e + y * f).collect();
            self.local_signs(&ray, &mut pattern);
        }
    }

    fn all_signs(&mut self, pattern: &mut [u32]) {
        self.insert(pattern);
        for code in 1..1_usize << self.zeros.len() {
            // Gray's code: one bit turns over from step to step.
            flip(pattern, self.zeros[code.trailing_zeros() as usize]);
            self.insert(pattern);
        }
    }

    /// The signs that the hyperplanes through a ray take together around it.
    fn local_signs(&mut self, ray: &[f64], pattern: &mut [u32]) {
        let mut through = vec![0; self.found.words()];
        self.zeros.sort_unstable();
        self.zeros.iter().for_each(|zero| flip(&mut through, *zero));
        if !self.seen.insert(&through).1 {
            return;
        }
        let arrangement = self.arrangement;
        let (_, Some(around)) = Complement::whole(arrangement.dimension).without(ray) else { return };
        let vectors = self.zeros.iter().flat_map(|zero| around.coordinates(arrangement.vector(*zero))).collect();
        let local = Arrangement::new(vectors, arrangement.dimension - 1).half_patterns();
        for cell in 0..local.len() {
            for opposite in [false, true] {
                for (at, zero) in self.zeros.iter().enumerate() {
                    if is_set(pattern, *zero) != (local.is_active(cell, at) != opposite) {
                        flip(pattern, *zero);
                    }
                }
                self.insert(pattern);
            }
        }
    }

    fn insert(&mut self, pattern: &mut [u32]) {
        let bits = self.arrangement.count;
        let turned = is_set(pattern, 0);
        if turned {
            complement(pattern, bits);
        }
        self.found.insert(pattern);
        if turned {
            complement(pattern, bits);
        }
    }
}
