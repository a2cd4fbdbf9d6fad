//! The cells of affine lines in the plane: activation patterns of a layer with two inputs.

use ndarray::{ArrayView1, ArrayView2};

use crate::error::{Error, Result};
use crate::geometry::patterns::{Patterns, flip, is_set};

/// Relative size below which a row counts as zero, two lines as parallel or the same, and crossings on a line as one.
const SAME: f64 = 1e-11;

/// The activation patterns of the lines `<a_j, x> + c_j = 0`: the sign vectors `1[<a_j, x> + c_j > 0]` of all cells, each
/// once. In general position there are `1 + p + C(p, 2)`.
///
/// `rows`: `p x 2`, `constants`: `p`. Parallel, coincident and concurrent lines are told within a relative 1e-11; a row of
/// zeros is no line and active iff its constant is above zero.
///
/// Every cell has an edge on some line. Walking along each line through its sorted crossings visits every edge, and each
/// step turns over the bits of the lines that it crosses: `O(p^2 log p)` for the walk and a pattern per edge and side. These are the upper
/// vertices of the zonotope with the generators `(a_j, c_j)` in space (2002.08838, section 3, with biases).
///
/// # Errors
///
/// [`Error::Argument`] for other shapes or entries that are not finite.
pub fn plane_patterns(rows: ArrayView2<'_, f64>, constants: ArrayView1<'_, f64>) -> Result<Patterns> {
    let p = rows.nrows();
    if rows.ncols() != 2 || constants.len() != p {
        let problem = format!("{p} x {} with {} constants: expected p x 2 and p", rows.ncols(), constants.len());
        return Err(Error::Argument { argument: "rows", problem });
    }
    if rows.iter().chain(constants).any(|value| !value.is_finite()) {
        return Err(Error::Argument { argument: "rows", problem: "an entry is not finite".to_owned() });
    }
    let largest = rows.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
    let mut patterns = Patterns::new(p);
    let mut constant = vec![0; p.div_ceil(32)];
    let mut lines = Vec::with_capacity(p);
    for (index, (row, c)) in rows.rows().into_iter().zip(constants).enumerate() {
        let size = row[0].hypot(row[1]);
        if size <= SAME * largest {
            if *c > 0.0 {
                flip(&mut constant, index);
            }
        } else {
            lines.push(Line { index, normal: [row[0] / size, row[1] / size], offset: -c / size });
        }
    }
    let extent = lines.iter().fold(0.0_f64, |most, line| most.max(line.offset.abs()));
    if lines.is_empty() {
        patterns.insert(&constant);
    }
    let mut walked = vec![false; p];
    for line in &lines {
        if !walked[line.index] {
            walk(line, &lines, extent, &constant, &mut walked, &mut patterns);
        }
    }
    Ok(patterns)
}

/// `{x: <normal, x> = offset}` with a unit normal.
struct Line {
    index: usize,
    normal: [f64; 2],
    offset: f64,
}

/// Lists the cells on both sides of every edge of one line.
fn walk(line: &Line, lines: &[Line], extent: f64, constant: &[u32], walked: &mut [bool], patterns: &mut Patterns) {
    let [a, b] = line.normal;
    let along = [-b, a];
    // Where the walk begins, far out against `along`; the lines that it crosses; the lines that are this one.
    let (mut pattern, mut crossings, mut own) = (constant.to_vec(), Vec::with_capacity(lines.len()), Vec::new());
    for other in lines {
        let [x, y] = other.normal;
        let (slope, aligned) = (x * along[0] + y * along[1], x * a + y * b);
        // On the line, the value of the other is `slope t + rest`.
        let rest = aligned * line.offset - other.offset;
        if slope.abs() > SAME {
            crossings.push((-rest / slope, other.index));
            if slope < 0.0 {
                flip(&mut pattern, other.index);
            }
        } else if rest.abs() <= SAME * extent {
            own.push((other.index, aligned > 0.0));
            walked[other.index] = true;
        } else if rest > 0.0 {
            flip(&mut pattern, other.index);
        }
    }
    crossings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut both_sides = |pattern: &mut Vec<u32>| {
        for side in [true, false] {
            for (index, forward) in &own {
                if is_set(pattern, *index) != (*forward == side) {
                    flip(pattern, *index);
                }
            }
            patterns.insert(pattern);
        }
    };
    both_sides(&mut pattern);
    let mut rest = crossings.as_slice();
    while let [(first, _), ..] = rest {
        // Lines through one point are crossed at once: between them there is no edge.
        let reach = first + SAME * extent.max(first.abs());
        let count = rest.iter().take_while(|(at, _)| *at <= reach).count();
        let (here, beyond) = rest.split_at(count);
        here.iter().for_each(|(_, index)| flip(&mut pattern, *index));
        both_sides(&mut pattern);
        rest = beyond;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;

    fn count(rows: &Array2<f64>, constants: &Array1<f64>) -> Result<usize> {
        Ok(plane_patterns(rows.view(), constants.view())?.len())
    }

    #[test]
    fn degenerate_lines_are_counted_by_hand() -> Result<()> {
        let rows = array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        // A triangle; three lines through one point; two of them parallel; two of them the same, once turned.
        assert_eq!(count(&rows, &array![0.0, 0.0, -1.0])?, 7);
        assert_eq!(count(&rows, &array![1.0, -3.0, -2.0])?, 6);
        assert_eq!(count(&array![[1.0, 0.0], [-2.0, 0.0], [1.0, 1.0]], &array![0.0, 1.0, 0.0])?, 6);
        assert_eq!(count(&array![[1.0, 0.0], [-2.0, 0.0], [1.0, 1.0]], &array![1.0, -2.0, 0.0])?, 4);
        // Rows of zeros, and nothing at all.
        let patterns = plane_patterns(array![[0.0, 0.0], [0.0, 0.0]].view(), array![1.0, -1.0].view())?;
        assert_eq!((patterns.len(), patterns.row(0)), (1, [1].as_slice()));
        assert_eq!(count(&Array2::zeros((0, 2)), &Array1::zeros(0))?, 1);
        Ok(())
    }

    #[test]
    fn other_shapes_and_nan_are_refused() {
        assert!(plane_patterns(Array2::zeros((1, 3)).view(), Array1::zeros(1).view()).is_err());
        assert!(plane_patterns(Array2::zeros((2, 2)).view(), Array1::zeros(1).view()).is_err());
        assert!(plane_patterns(array![[f64::NAN, 0.0]].view(), array![0.0].view()).is_err());
    }
}
