//! What classifies data of some width: a whole network, or the head that takes them as its inputs.

use super::{DeviceHead, DeviceNetwork};
use crate::backend::Backend;
use crate::error::Result;
use crate::network::{Head, Network, Normalization};

/// What gives logits for samples.
pub trait Classifier<B: Backend> {
    /// The logits of a batch: `n x classes` from `n x inputs`.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix>;

    /// The softmax behind the logits, where classes behind it are in another order than before it.
    fn normalization(&self) -> Option<&Normalization> {
        None
    }
}

/// The part of a network that takes data of some width, on a device.
pub enum DeviceClassifier<B: Backend> {
    /// The head, for data that are its inputs.
    Head {
        /// Its weights.
        head: DeviceHead<B>,
        /// The largest layer.
        widest: usize,
    },
    /// The whole network.
    Whole(DeviceNetwork<B>),
}

/// The head of a network, if samples of `width` values are its inputs and no inputs of a larger network.
#[must_use]
pub fn head_for(network: &Network, width: usize) -> Option<Head> {
    let head = Head::of(network).ok()?;
    let inputs: usize = network.input.iter().product();
    (head.whole || network.input.is_empty() || width != inputs).then_some(head)
}

impl<B: Backend> DeviceClassifier<B> {
    /// Copies the part of a network that takes samples of `width` values to the device.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) with the node that backends do not compute; what
    /// [`Backend::upload`] returns.
    pub fn upload(backend: &B, network: &Network, width: usize) -> Result<Self> {
        match head_for(network, width) {
            Some(head) => {
                let widest = head.layers.iter().map(|layer| layer.weight.matrix_shape()[0]).max().unwrap_or(1);
                Ok(Self::Head { head: DeviceHead::upload(backend, &head)?, widest })
            }
            None => DeviceNetwork::upload(backend, network).map(Self::Whole),
        }
    }

    /// Entries that a layer reads or writes for one sample, at most.
    #[must_use]
    pub fn widest(&self) -> usize {
        match self {
            Self::Head { widest, .. } => *widest,
            Self::Whole(network) => network.widest,
        }
    }
}

impl<B: Backend> Classifier<B> for DeviceClassifier<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        match self {
            Self::Head { head, .. } => head.logits(backend, inputs),
            Self::Whole(network) => network.logits(backend, inputs),
        }
    }

    fn normalization(&self) -> Option<&Normalization> {
        match self {
            Self::Head { .. } => None,
            Self::Whole(network) => network.normalization(),
        }
    }
}
