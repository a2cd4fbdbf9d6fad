//! The numbers of one block (Affine, ReLU, Affine) in f64, and how the neurons of two blocks belong together.

use ndarray::{Array1, Array2, Axis, concatenate};

use crate::error::{Error, Result};
use crate::network::{Head, wide, wide_bias};

/// `f(x) = C max(W x + b, 0) + beta`, in f64.
#[derive(Debug, Clone)]
pub struct Block {
    /// `W`: `n x d`.
    pub weight: Array2<f64>,
    /// `b`: `n`.
    pub bias: Array1<f64>,
    /// `C`: `m x n`.
    pub next: Array2<f64>,
    /// `beta`: `m`.
    pub next_bias: Array1<f64>,
}

impl Block {
    /// A block, whose shapes have to fit.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for shapes that do not fit, [`Error::Data`] for a number that is not finite.
    pub fn new(weight: Array2<f64>, bias: Array1<f64>, next: Array2<f64>, next_bias: Array1<f64>) -> Result<Self> {
        let [n, m] = [weight.nrows(), next.nrows()];
        let shape = |operand, expected: String, got| Err(Error::Shape { operation: "certify", operand, expected, got });
        if bias.len() != n {
            return shape("bias", format!("1 x {n}"), [1, bias.len()]);
        }
        if next.ncols() != n {
            return shape("next", format!("m x {n}"), [m, next.ncols()]);
        }
        if next_bias.len() != m {
            return shape("next_bias", format!("1 x {m}"), [1, next_bias.len()]);
        }
        let values = weight.iter().chain(&bias).chain(&next).chain(&next_bias);
        if let Some(value) = values.into_iter().find(|value| !value.is_finite()) {
            return Err(Error::Data { problem: format!("a certificate needs finite weights, there is {value}") });
        }
        Ok(Self { weight, bias, next, next_bias })
    }

    /// The block of layers `hidden` and `hidden + 1` of a head.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if there is no such block.
    pub fn of(head: &Head, hidden: usize) -> Result<Self> {
        let (Some(layer), Some(next)) = (head.layers.get(hidden), head.layers.get(hidden + 1)) else {
            let problem = format!("a head of {} layers has no hidden layer {hidden}", head.layers.len());
            return Err(Error::Unsupported { problem });
        };
        let (weight, next_weight) = (wide(&layer.weight), wide(&next.weight));
        let bias = wide_bias(layer.bias.as_ref(), weight.nrows());
        let next_bias = wide_bias(next.bias.as_ref(), next_weight.nrows());
        Self::new(weight, bias, next_weight, next_bias)
    }

    /// Length of the input, `d`.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.weight.ncols()
    }

    /// Number of neurons, `n`.
    #[must_use]
    pub fn neurons(&self) -> usize {
        self.weight.nrows()
    }

    /// Number of outputs, `m`.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.next.nrows()
    }

    /// `f` at each row of `points`: `k x m` from `k x d`.
    #[must_use]
    pub fn evaluate(&self, points: &Array2<f64>) -> Array2<f64> {
        let hidden = (points.dot(&self.weight.t()) + &self.bias).mapv(|z| z.max(0.0));
        hidden.dot(&self.next.t()) + &self.next_bias
    }

    /// Checks that two blocks take the same inputs and give the same outputs.
    pub(super) fn check_against(&self, other: &Self) -> Result<()> {
        let shape = |block: &Self| (block.inputs(), block.outputs());
        if shape(self) == shape(other) {
            return Ok(());
        }
        let ((d, m), (other_d, other_m)) = (shape(self), shape(other));
        let problem = format!("a block takes {d} values and gives {m}, the other takes {other_d} and gives {other_m}");
        Err(Error::Data { problem })
    }

    /// The block `f - g` of two blocks of the same inputs and outputs: the neurons of both.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if they do not have the same inputs and outputs.
    pub fn minus(&self, other: &Self) -> Result<Self> {
        let joined = |axis, a: &Array2<f64>, b: &Array2<f64>| {
            concatenate(Axis(axis), &[a.view(), b.view()]).map_err(|error| Error::Internal { what: error.to_string() })
        };
        self.check_against(other)?;
        Ok(Self {
            weight: joined(0, &self.weight, &other.weight)?,
            bias: self.bias.iter().chain(&other.bias).copied().collect(),
            next: joined(1, &self.next, &other.next.mapv(|c| -c))?,
            next_bias: &self.next_bias - &other.next_bias,
        })
    }
}

/// Which neuron of the compressed block stands for each original one, and at what scale.
///
/// `relu(w_i x)` is compared with `lambda_i relu(w~_k x)`, `k = kappa(i)`. Every bound holds for any pairing with
/// `lambda_i >= 0`; a good one makes it small.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairing {
    /// `kappa(i)`, below the number of compressed neurons.
    pub partner: Vec<usize>,
    /// `lambda_i`, at least 0; 0 for a neuron that nothing stands for.
    pub scale: Vec<f64>,
}

impl Pairing {
    /// Each neuron with itself.
    #[must_use]
    pub fn identity(neurons: usize) -> Self {
        Self { partner: (0..neurons).collect(), scale: vec![1.0; neurons] }
    }

    /// Whether the pairing is one of `neurons` with `compressed` others.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] with the entry that is not legal.
    pub fn check(&self, neurons: usize, compressed: usize) -> Result<()> {
        let problem = if self.partner.len() != neurons || self.scale.len() != neurons {
            format!("{} partners and {} scales for {neurons} neurons", self.partner.len(), self.scale.len())
        } else if let Some(partner) = self.partner.iter().find(|partner| **partner >= compressed) {
            format!("partner {partner} of {compressed} neurons")
        } else if let Some(scale) = self.scale.iter().find(|scale| !(scale.is_finite() && **scale >= 0.0)) {
            format!("scale {scale} is not a finite number of at least 0")
        } else {
            return Ok(());
        };
        Err(Error::Data { problem: format!("pairing: {problem}") })
    }
}
