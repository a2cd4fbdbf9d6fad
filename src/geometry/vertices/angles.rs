//! The cells of lines through the origin of the plane.

use crate::geometry::patterns::{Patterns, complement, flip, is_set};

/// Lists one of each opposite pair of sign vectors of the lines `<g_i, u> = 0`, that in which vector 0 is not active.
///
/// `vectors`: pairs of coordinates, no two of them parallel. Turned into the upper half-plane and sorted by angle, the
/// vectors become active one after the other as `u` turns from below to above.
pub(super) fn half_patterns_of_plane(vectors: &[f64], found: &mut Patterns) {
    let count = found.generators();
    let mut pattern = vec![0; found.words()];
    let mut order: Vec<(f64, usize)> = Vec::with_capacity(count);
    for (at, vector) in vectors.chunks_exact(2).enumerate() {
        let below = vector[1] < 0.0 || (vector[1] == 0.0 && vector[0] < 0.0);
        let [x, y] = if below { [-vector[0], -vector[1]] } else { [vector[0], vector[1]] };
        if below {
            flip(&mut pattern, at);
        }
        order.push((y.atan2(x), at));
    }
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (_, next) in order {
        let turned = is_set(&pattern, 0);
        if turned {
            complement(&mut pattern, count);
        }
        found.insert(&pattern);
        if turned {
            complement(&mut pattern, count);
        }
        flip(&mut pattern, next);
    }
}
