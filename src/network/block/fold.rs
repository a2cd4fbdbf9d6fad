//! The affine map of a block with its batch norm folded in: what geometry and selection see.

use super::Block;
use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::graph::{Network, Op};

/// Rows of a producer with its batch norm folded in: `w'_u = s_u w_u`, `b'_u = s_u (b_u - mean_u) + bias_u`, where
/// `s_u = scale_u / sqrt(var_u + epsilon)`; its sign may be negative.
#[derive(Debug, Clone)]
pub struct Folded {
    /// `units x fan-in`, row-major: the fan-in of a convolution is `channels kh kw`.
    pub weight: Vec<f32>,
    /// One per unit.
    pub bias: Vec<f32>,
    /// Length of a row.
    pub fan_in: usize,
}

impl Block {
    /// The folded rows of the producer. Computed in f64, stored in f32.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the block is not of this network, [`Error::Overflow`] if a folded value leaves f32.
    pub fn folded(&self, network: &Network) -> Result<Folded> {
        let (Op::Linear { weight, bias } | Op::Conv { weight, bias, .. }) = &network.node(&self.producer)?.op else {
            return Err(Error::Internal { what: format!("`{}` is no producer", self.producer) });
        };
        let [units, fan_in] = weight.matrix_shape();
        let bias = bias.as_ref().map_or_else(|| vec![0.0; units], Tensor::to_vec);
        let (factors, shifts) = match &self.norm {
            None => (vec![1.0; units], vec![0.0; units]),
            Some(norm) => norm_affine(&network.node(norm)?.op)?,
        };
        let mut folded = Folded { weight: weight.to_vec(), bias: Vec::with_capacity(units), fan_in };
        let rows = folded.weight.chunks_exact_mut(fan_in.max(1));
        for ((row, bias), (factor, shift)) in rows.zip(bias).zip(factors.into_iter().zip(shifts)) {
            row.iter_mut().for_each(|value| *value = narrow(f64::from(*value) * factor));
            folded.bias.push(narrow(f64::from(bias) * factor + shift));
        }
        if folded.weight.iter().chain(&folded.bias).all(|value| value.is_finite()) {
            return Ok(folded);
        }
        Err(Error::Overflow { what: "a weight with its batch norm", layer: self.producer.clone() })
    }
}

/// The factor and the shift of each channel of a batch norm.
pub(in crate::network) fn norm_affine(op: &Op) -> Result<(Vec<f64>, Vec<f64>)> {
    let Op::BatchNorm { scale, bias, mean, var, epsilon } = op else {
        return Err(Error::Internal { what: format!("`{}` is no batch norm", op.name()) });
    };
    let values = |tensor: &Tensor| tensor.to_vec().into_iter().map(f64::from).collect::<Vec<_>>();
    let factors: Vec<f64> =
        values(scale).iter().zip(values(var)).map(|(scale, var)| scale / (var + epsilon).sqrt()).collect();
    let shifts = values(bias).iter().zip(values(mean)).zip(&factors).map(|((bias, mean), s)| bias - mean * s).collect();
    Ok((factors, shifts))
}

#[expect(clippy::cast_possible_truncation, reason = "the caller checks that values stay finite")]
fn narrow(value: f64) -> f32 {
    value as f32
}
