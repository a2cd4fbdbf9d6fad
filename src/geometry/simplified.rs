//! Zonotopes from fewer generators: what is zero or parallel merges.

use ndarray::{Array1, Array2};
use rand::RngExt;

use super::zonotope::{Zonotope, dot, norm};
use crate::rng;

/// Relative size below which a generator counts as zero and two directions as the same.
const PARALLEL: f64 = 1e-12;

/// A zonotope without zero or parallel generators, and where the old generators went.
#[derive(Debug, Clone, PartialEq)]
pub struct Simplified {
    /// The same set with fewer generators.
    pub zonotope: Zonotope,
    /// For each old generator the new one that it is part of, and whether it points the other way; `None` for zero ones.
    pub part_of: Vec<Option<(usize, bool)>>,
}

impl Zonotope {
    /// The same set without zero generators, parallel ones added up; one that points the other way goes into the shift.
    ///
    /// A generator is zero up to 1e-12 times the longest, two are parallel if their unit vectors differ by at most 1e-12.
    /// Takes `O(p (d + log p))` and more only where many directions nearly agree.
    #[must_use]
    pub fn simplified(&self) -> Simplified {
        let [p, d] = [self.generators().nrows(), self.dimension()];
        let norms: Vec<f64> = self.generators().rows().into_iter().map(norm).collect();
        let longest = norms.iter().copied().fold(0.0, f64::max);
        // The sizes of inner products with one generic vector sort directions, parallel ones next to each other.
        let mut stream = rng::stream(0, "simplified");
        let generic = Array1::from_shape_simple_fn(d, || stream.random_range(0.5..1.5));
        let mut order: Vec<(f64, usize)> = (0..p)
            .filter(|i| norms[*i] > PARALLEL * longest)
            .map(|i| ((dot(self.generators().row(i), generic.view()) / norms[i]).abs(), i))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let window = PARALLEL * norm(generic.view());
        let mut first: Vec<Option<(usize, bool)>> = vec![None; p];
        for (at, (key, i)) in order.iter().enumerate() {
            if first[*i].is_some() {
                continue;
            }
            first[*i] = Some((*i, false));
            for (_, j) in order[at + 1..].iter().take_while(|(other, _)| other - key <= window) {
                if first[*j].is_none() {
                    first[*j] = self.alignment(*i, *j, &norms).map(|turned| (*i, turned));
                }
            }
        }
        // New generators in the order of the lowest of their parts.
        let mut lowest = vec![usize::MAX; p];
        for (i, part) in first.iter().enumerate() {
            if let Some((group, _)) = part {
                lowest[*group] = lowest[*group].min(i);
            }
        }
        let mut heads: Vec<usize> = lowest.iter().copied().filter(|i| *i != usize::MAX).collect();
        heads.sort_unstable();
        let mut place = vec![0; p];
        heads.iter().enumerate().for_each(|(new, head)| place[*head] = new);
        let (mut shift, mut generators) = (self.shift().clone(), Array2::zeros((heads.len(), d)));
        let mut part_of = vec![None; p];
        for (i, part) in first.iter().enumerate() {
            let Some((group, turned)) = *part else {
                // Half of a tiny generator is its middle.
                shift += &(&self.generators().row(i) / 2.0);
                continue;
            };
            let head = lowest[group];
            let turned = turned != first[head].is_some_and(|(_, turned)| turned);
            let new = place[head];
            part_of[i] = Some((new, turned));
            let mut sum = generators.row_mut(new);
            if turned {
                sum -= &self.generators().row(i);
                shift += &self.generators().row(i);
            } else {
                sum += &self.generators().row(i);
            }
        }
        Simplified { zonotope: Self { shift, generators }, part_of }
    }

    /// Whether two generators are parallel, and if so whether they point opposite ways.
    fn alignment(&self, i: usize, j: usize, norms: &[f64]) -> Option<bool> {
        let (a, b) = (self.generators().row(i), self.generators().row(j));
        let turned = dot(a, b) < 0.0;
        let sign = if turned { -1.0 } else { 1.0 };
        let gap: f64 = a.iter().zip(b).map(|(a, b)| (a / norms[i] - sign * b / norms[j]).powi(2)).sum();
        (gap.sqrt() <= PARALLEL).then_some(turned)
    }
}
