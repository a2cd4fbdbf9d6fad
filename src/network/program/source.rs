//! Where numbers that depend on no input stand in the weights of a file.

use std::rc::Rc;

use crate::network::spaces::ValueId;

/// Numbers that depend on no input.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub(super) values: Rc<Vec<f32>>,
    /// The weights that they are; absent where they were computed.
    pub(super) source: Option<Source>,
}

/// All entries of a tensor, each of them once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) value: ValueId,
    /// Number `i` is entry `order[i]` of the tensor; absent where they are in its order.
    pub(super) order: Option<Rc<Vec<u32>>>,
}

impl Fixed {
    /// Numbers that stand in no file.
    pub(super) fn computed(values: Vec<f32>) -> Self {
        Self { values: Rc::new(values), source: None }
    }

    /// The numbers in another order: number `i` of the result is number `index[i]` of these, 0 where there is none.
    pub(super) fn gathered(&self, index: &[u32]) -> Self {
        let at = |from: &u32| self.values.get(*from as usize).copied().unwrap_or(0.0);
        let source = self.source.as_ref().and_then(|source| source.gathered(index, self.values.len()));
        Self { values: Rc::new(index.iter().map(at).collect()), source }
    }
}

impl Source {
    /// The weights in another order, if each of `length` is there once.
    fn gathered(&self, index: &[u32], length: usize) -> Option<Self> {
        let mut seen = vec![false; length];
        for from in index {
            let seen = seen.get_mut(*from as usize)?;
            if std::mem::replace(seen, true) {
                return None;
            }
        }
        if index.len() != length {
            return None;
        }
        let order = match &self.order {
            Some(order) => index.iter().map(|from| order[*from as usize]).collect(),
            None => index.to_vec(),
        };
        let moved = order.iter().enumerate().any(|(at, entry): (usize, &u32)| *entry as usize != at);
        Some(Self { value: self.value, order: moved.then(|| Rc::new(order)) })
    }

    /// The number that holds an entry of the tensor, by entry; absent where they are in its order.
    pub(super) fn inverse(&self) -> Option<Vec<u32>> {
        let order = self.order.as_ref()?;
        let mut inverse = vec![0; order.len()];
        for (at, entry) in order.iter().enumerate() {
            inverse[*entry as usize] = u32::try_from(at).unwrap_or(u32::MAX);
        }
        Some(inverse)
    }
}

/// Numbers of entries, which fit into 32 bits: rows do.
pub(super) fn numbers(range: std::ops::Range<usize>) -> Vec<u32> {
    range.map(|number| u32::try_from(number).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_follow_one_another() {
        let weights = Fixed { values: Rc::new(vec![5.0, 6.0, 7.0]), source: Some(Source { value: 1, order: None }) };
        let turned = weights.gathered(&[2, 0, 1]).gathered(&[1, 2, 0]);
        assert_eq!(*turned.values, [5.0, 6.0, 7.0]);
        assert_eq!(turned.source, Some(Source { value: 1, order: None }));
        let moved = weights.gathered(&[2, 0, 1]);
        assert_eq!(moved.source.and_then(|source| source.inverse()), Some(vec![1, 2, 0]));
        // Twice, not at all, or not in it: no longer the weights.
        for index in [&[0, 0, 1][..], &[0, 1], &[0, 1, u32::MAX]] {
            assert_eq!(weights.gathered(index).source, None, "{index:?}");
        }
    }
}
