//! What a network costs: multiplications and parameters.

use super::{Network, Op};

impl Network {
    /// Multiply-adds for one sample: `kh kw channels / groups` for each output element of a convolution, and the elements of
    /// the weight of a linear layer. `None` where a shape is not known or an operation with weights is carried along.
    #[must_use]
    pub fn multiply_adds(&self) -> Option<u64> {
        let shapes = self.shapes().ok()?;
        let costs = self.nodes.iter().zip(shapes).map(|(node, shape)| match &node.op {
            Op::Linear { weight, .. } => Some(weight.len() as u64),
            Op::Conv { weight, .. } => {
                let places: usize = shape?.iter().skip(1).product();
                (weight.len() as u64).checked_mul(places as u64)
            }
            Op::Carried { tensors, .. } if !tensors.is_empty() => None,
            _ => Some(0),
        });
        costs.sum()
    }

    /// Elements of all tensors that nodes use.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.nodes.iter().flat_map(|node| node.op.tensors()).map(|tensor| tensor.len() as u64).sum()
    }
}
