//! Which weights go.

use crate::error::{Error, Result};
use crate::network::{Network, Op, Tensor};

/// Whether each weight of the linear layers of a network is gone, layer by layer; biases stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone(Vec<Vec<bool>>);

/// The weights of linear layers.
fn weights(network: &Network) -> impl Iterator<Item = &Tensor> {
    network.nodes.iter().filter_map(|node| match &node.op {
        Op::Linear { weight, .. } => Some(weight),
        _ => None,
    })
}

impl Gone {
    /// The share `rate` of all weights that are smallest in magnitude, over all layers together; of equal ones the first.
    pub(super) fn smallest(network: &Network, rate: f64) -> Self {
        let values: Vec<Vec<f32>> = weights(network).map(Tensor::to_vec).collect();
        let mut order: Vec<(f32, usize, usize)> = values
            .iter()
            .enumerate()
            .flat_map(|(layer, values)| values.iter().enumerate().map(move |(at, value)| (value.abs(), layer, at)))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of weights, which is far below 2^53"
        )]
        let count = (rate.clamp(0.0, 1.0) * order.len() as f64).round() as usize;
        let mut gone: Vec<Vec<bool>> = values.iter().map(|values| vec![false; values.len()]).collect();
        order.into_iter().take(count).for_each(|(_, layer, at)| gone[layer][at] = true);
        Self(gone)
    }

    /// A network with these weights at zero.
    pub(super) fn apply(&self, network: &Network) -> Result<Network> {
        let mut network = network.clone();
        let layers = network.nodes.iter_mut().filter_map(|node| match &mut node.op {
            Op::Linear { weight, .. } => Some(weight),
            _ => None,
        });
        for (weight, gone) in layers.zip(&self.0) {
            if weight.len() != gone.len() {
                return Err(Error::Internal { what: format!("a mask of {} for {} weights", gone.len(), weight.len()) });
            }
            let values = weight.to_vec().into_iter().zip(gone).map(|(value, gone)| if *gone { 0.0 } else { value });
            *weight = Tensor::owned(weight.name(), weight.element(), weight.dimensions().to_vec(), values.collect())?;
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::network::random_network;

    #[test]
    fn the_smallest_go_over_all_layers_and_more_of_them_hold_fewer() {
        let network = random_network(&[2, 6, 2], 3).unwrap();
        let some = Gone::smallest(&network, 0.5);
        let count = |gone: &Gone| gone.0.iter().flatten().filter(|gone| **gone).count();
        assert_eq!((count(&some), some.0.len()), (12, 2));
        let left = some.apply(&network).unwrap();
        let all: Vec<f32> = weights(&network).flat_map(Tensor::to_vec).map(f32::abs).collect();
        let kept: Vec<f32> = weights(&left).flat_map(Tensor::to_vec).map(f32::abs).filter(|w| *w > 0.0).collect();
        let least = kept.iter().copied().fold(f32::INFINITY, f32::min);
        assert_eq!(all.iter().filter(|w| **w < least).count(), 12);
        // A mask of a network that is pruned holds what is gone already.
        let more = Gone::smallest(&left, 0.75);
        assert!(some.0.iter().flatten().zip(more.0.iter().flatten()).all(|(a, b)| !a || *b) && count(&more) == 18);
    }
}
