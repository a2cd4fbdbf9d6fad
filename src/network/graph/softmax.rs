//! Softmax: which values it compares, and whether the order of classes is that of what enters it.

use std::collections::HashMap;
use std::ops::Range;

use ndarray::Array2;

use super::{Network, Node, Op};

/// A softmax over values that are not all those of one sample: it may change which class is the largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalization {
    /// As in [`Op::Softmax`].
    axes: Range<usize>,
    /// The shape of one sample.
    shape: Vec<usize>,
}

impl Normalization {
    /// The normalization of a softmax of samples of `shape`; none if every value of a sample is divided by the same sum, for
    /// then the largest value stays the largest.
    #[must_use]
    pub fn of(axes: &Range<usize>, shape: &[usize]) -> Option<Self> {
        let compared = |(axis, length): (usize, &usize)| *length == 1 || axes.contains(&(axis + 1));
        let all = shape.iter().enumerate().all(compared);
        (!all).then(|| Self { axes: axes.clone(), shape: shape.to_vec() })
    }

    /// `x_i - log sum_j exp(x_j)` for rows of `x` that are all samples of a run: in the order of the softmax.
    pub fn apply(&self, x: &mut Array2<f64>) {
        let mut sums: HashMap<(usize, usize), (f64, f64)> = HashMap::new();
        for ((row, column), value) in x.indexed_iter() {
            let (largest, sum) = sums.entry(self.group(row, column)).or_insert((f64::NEG_INFINITY, 0.0));
            if *value > *largest {
                *sum *= (*largest - value).exp();
                *largest = *value;
            }
            *sum += (value - *largest).exp();
        }
        for ((row, column), value) in x.indexed_iter_mut() {
            if let Some((largest, sum)) = sums.get(&self.group(row, column)) {
                *value -= largest + sum.ln();
            }
        }
    }

    /// What the values of one sum have in common: the sample, and the column with its `axes` set to zero.
    fn group(&self, row: usize, column: usize) -> (usize, usize) {
        let (mut rest, mut step, mut kept) = (column, 1, 0);
        for (axis, length) in self.shape.iter().enumerate().rev() {
            let at = rest % length;
            if !self.axes.contains(&(axis + 1)) {
                kept += at * step;
            }
            (rest, step) = (rest / length, step * length);
        }
        (if self.axes.contains(&0) { 0 } else { row }, kept)
    }
}

impl Network {
    /// Whether nothing but changes of shape lies between the output of a node and that of the network.
    pub(in crate::network) fn ends_in(&self, node: &Node) -> bool {
        let mut name = node.name.as_str();
        loop {
            let mut readers = self.consumers(name);
            match (readers.next(), readers.next()) {
                (None, _) => return self.nodes.last().is_some_and(|last| last.name == name),
                (Some(next), None) if matches!(next.op, Op::Flatten | Op::Reshape { .. } | Op::Identity) => {
                    name = &next.name;
                }
                _ => return false,
            }
        }
    }

    /// Whether a softmax leaves the classes of each sample in their order; not if its shape is not known.
    pub(in crate::network) fn keeps_order(&self, node: &Node) -> bool {
        let Op::Softmax { axes, .. } = &node.op else { return false };
        let place = self.nodes.iter().position(|other| other.name == node.name);
        let shape = place.zip(self.shapes().ok()).and_then(|(at, mut shapes)| shapes.get_mut(at)?.take());
        // Of an input of unknown shape, all that is known is that classes are axis 1.
        shape.map_or(axes.contains(&1), |shape| Normalization::of(axes, &shape).is_none())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn classes_keep_their_order_where_all_values_of_a_sample_are_compared() {
        let cases: [(Range<usize>, &[usize], bool); 7] = [
            (1..2, &[5], true),
            (0..2, &[5], true),
            (0..1, &[5], false),
            (1..2, &[5, 1, 1], true),
            (1..2, &[5, 2, 1], false),
            (1..4, &[5, 2, 2], true),
            (3..4, &[5, 1, 2], false),
        ];
        for (axes, shape, keeps) in cases {
            assert_eq!(Normalization::of(&axes, shape).is_none(), keeps, "{axes:?} of {shape:?}");
        }
    }

    /// Columns 0 and 1 of two samples: exp gives 1, 3 and 3, 1; the samples of each class sum to 4.
    #[test]
    fn a_softmax_over_samples_divides_each_class_by_its_sum() {
        let normalization = Normalization { axes: 0..1, shape: vec![2] };
        let three = 3_f64.ln();
        let mut x = array![[0.0, three], [three, 0.0]];
        normalization.apply(&mut x);
        let expected = array![[0.25_f64.ln(), 0.75_f64.ln()], [0.75_f64.ln(), 0.25_f64.ln()]];
        assert!((x - expected).iter().all(|difference| difference.abs() < 1e-15));
    }

    #[test]
    fn a_softmax_over_channels_divides_each_place_by_its_sum() {
        let normalization = Normalization { axes: 1..2, shape: vec![2, 1, 2] };
        let three = 3_f64.ln();
        // Channel 0 holds places 0 and 1, channel 1 after it.
        let mut x = array![[0.0, three, three, three]];
        normalization.apply(&mut x);
        let expected = array![[0.25_f64.ln(), 0.5_f64.ln(), 0.75_f64.ln(), 0.5_f64.ln()]];
        assert!((x - expected).iter().all(|difference| difference.abs() < 1e-15));
    }
}
