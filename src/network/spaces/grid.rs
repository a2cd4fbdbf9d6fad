//! Row-major arrays of any rank, and the operations that only move their elements.

/// An array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid<T> {
    pub(in crate::network) shape: Vec<usize>,
    pub(in crate::network) items: Vec<T>,
}

impl Grid<u32> {
    /// The number of each element in an array of a shape.
    pub(in crate::network) fn numbered(shape: &[usize]) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length))?;
        let count = u32::try_from(count).ok().filter(|count| *count < u32::MAX)?;
        Some(Self { shape: shape.to_vec(), items: (0..count).collect() })
    }
}

impl<T: Copy> Grid<T> {
    /// An array of one row.
    pub(in crate::network) fn row(items: Vec<T>) -> Self {
        Self { shape: vec![items.len()], items }
    }

    /// The same elements in another shape, if their number fits.
    pub(in crate::network) fn reshaped(self, shape: Vec<usize>) -> Option<Self> {
        (shape.iter().product::<usize>() == self.items.len()).then_some(Self { shape, ..self })
    }

    /// Axis `i` of the result is axis `order[i]`.
    pub(in crate::network) fn transposed(&self, order: &[usize]) -> Self {
        let steps = strides(&self.shape);
        let shape: Vec<usize> = order.iter().map(|axis| self.shape[*axis]).collect();
        let steps: Vec<usize> = order.iter().map(|axis| steps[*axis]).collect();
        let items = places(&shape, &steps).map(|at| self.items[at]).collect();
        Self { shape, items }
    }

    /// The elements at `indices` of an axis, in their order.
    pub(in crate::network) fn taken(&self, axis: usize, indices: &[usize]) -> Self {
        let (before, length, after) = self.around(axis);
        let mut items = Vec::with_capacity(before * indices.len() * after);
        for block in 0..before {
            for index in indices {
                let first = (block * length + index) * after;
                items.extend_from_slice(&self.items[first..first + after]);
            }
        }
        let mut shape = self.shape.clone();
        shape[axis] = indices.len();
        Self { shape, items }
    }

    /// Elements before an axis, along it and behind it.
    pub(in crate::network) fn around(&self, axis: usize) -> (usize, usize, usize) {
        let product = |axes: &[usize]| axes.iter().product::<usize>();
        (product(&self.shape[..axis]), self.shape[axis], product(&self.shape[axis + 1..]))
    }

    /// Arrays behind each other along an axis; their other axes are alike.
    pub(in crate::network) fn concatenated(parts: &[Self], axis: usize) -> Option<Self> {
        let first = parts.first()?;
        let alike = |part: &&Self| {
            let axes = part.shape.iter().zip(&first.shape).enumerate();
            part.shape.len() == first.shape.len() && axes.into_iter().all(|(at, (a, b))| at == axis || a == b)
        };
        if !parts.iter().all(|part| alike(&part)) {
            return None;
        }
        let (before, _, after) = first.around(axis);
        let mut items = Vec::with_capacity(parts.iter().map(|part| part.items.len()).sum());
        for block in 0..before {
            for part in parts {
                let length = part.shape[axis] * after;
                items.extend_from_slice(&part.items[block * length..(block + 1) * length]);
            }
        }
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        Some(Self { shape, items })
    }

    /// The array repeated along axes of length one, axes before its own added, as numpy does it.
    pub(in crate::network) fn broadcast(&self, shape: &[usize]) -> Option<Self> {
        if self.shape == shape {
            return Some(self.clone());
        }
        let ahead = shape.len().checked_sub(self.shape.len())?;
        let own = strides(&self.shape);
        let mut steps = vec![0; shape.len()];
        for (axis, length) in self.shape.iter().enumerate() {
            match *length {
                length if length == shape[ahead + axis] => steps[ahead + axis] = own[axis],
                1 => {}
                _ => return None,
            }
        }
        Some(Self { shape: shape.to_vec(), items: places(shape, &steps).map(|at| self.items[at]).collect() })
    }
}

/// How far apart neighbours along each axis lie.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        steps[axis - 1] = steps[axis] * shape[axis];
    }
    steps
}

/// The place of each element of an array of `shape` in one whose axes have these steps.
fn places<'a>(shape: &'a [usize], steps: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let total: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    (0..total).map(move |_| {
        let here = at;
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += steps[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= steps[axis] * shape[axis];
            index[axis] = 0;
        }
        here
    })
}

/// The shape that arrays have together, as numpy broadcasts them.
pub(crate) fn broadcast_shape(shapes: &[&[usize]]) -> Option<Vec<usize>> {
    let rank = shapes.iter().map(|shape| shape.len()).max()?;
    let mut out = vec![1; rank];
    for shape in shapes {
        let ahead = rank - shape.len();
        for (axis, length) in shape.iter().enumerate() {
            match (out[ahead + axis], *length) {
                (_, 1) => {}
                (1, length) => out[ahead + axis] = length,
                (known, length) if known == length => {}
                _ => return None,
            }
        }
    }
    Some(out)
}

/// Neighbouring axes of two shapes of the same elements that hold the same of them: each pair of ranges is as short as can
/// be.
pub(in crate::network) fn factors(
    from: &[usize],
    to: &[usize],
) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let (mut groups, mut i, mut j) = (Vec::new(), 0, 0);
    while i < from.len() || j < to.len() {
        let (first_i, first_j) = (i, j);
        let take = |axes: &[usize], at: &mut usize| {
            let length = axes.get(*at).copied();
            *at += usize::from(length.is_some());
            length.unwrap_or(1)
        };
        let (mut a, mut b) = (take(from, &mut i), take(to, &mut j));
        while a != b {
            if a < b && i < from.len() {
                a *= take(from, &mut i);
            } else if b < a && j < to.len() {
                b *= take(to, &mut j);
            } else {
                // Different numbers of elements: the rest belongs together.
                (i, j) = (from.len(), to.len());
                break;
            }
        }
        groups.push((first_i..i, first_j..j));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_by_hand() {
        let grid = Grid { shape: vec![2, 3], items: vec![0, 1, 2, 3, 4, 5] };
        assert_eq!(grid.transposed(&[1, 0]).items, [0, 3, 1, 4, 2, 5]);
        assert_eq!(grid.taken(1, &[2, 0]).items, [2, 0, 5, 3]);
        assert_eq!(grid.taken(0, &[1]).items, [3, 4, 5]);
        let both = Grid::concatenated(&[grid.clone(), grid.taken(1, &[1])], 1);
        assert_eq!(both.map(|both| both.items), Some(vec![0, 1, 2, 1, 3, 4, 5, 4]));
        let row = Grid { shape: vec![2, 1], items: vec![7, 8] };
        assert_eq!(row.broadcast(&[2, 2, 2]).map(|wide| wide.items), Some(vec![7, 7, 8, 8, 7, 7, 8, 8]));
        assert_eq!(row.broadcast(&[3, 2]), None);
    }

    #[test]
    fn reshapes_fall_into_factors() {
        assert_eq!(factors(&[1, 6, 4], &[1, 2, 3, 4]), [(0..1, 0..1), (1..2, 1..3), (2..3, 3..4)]);
        assert_eq!(factors(&[2, 3, 4], &[6, 4]), [(0..2, 0..1), (2..3, 1..2)]);
        assert_eq!(factors(&[4, 3], &[3, 4]), [(0..2, 0..2)]);
        assert_eq!(factors(&[5], &[5, 1]), [(0..1, 0..1), (1..1, 1..2)]);
    }
}
