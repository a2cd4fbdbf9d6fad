//! What a node computes.

use std::ops::Range;

use super::window::Window;
use crate::backend::Function;
use crate::network::Tensor;

/// What a node computes. Shapes are those of one sample: an image is `channels x height x width`.
#[derive(Debug, Clone)]
pub enum Op {
    /// `W x + b`.
    Linear {
        /// `outputs x inputs`.
        weight: Tensor,
        /// `outputs`.
        bias: Option<Tensor>,
    },
    /// A convolution in two dimensions (as everywhere in this field without turning the kernel round): output channel
    /// `o` at place `(y, x)` is `b_o + sum over c, i, j of W[o, c, i, j] image[c, s_y y + d_y i - p_t, s_x x + d_x j - p_l]`,
    /// zero outside the image.
    Conv {
        /// `outputs x (channels / groups) x height x width`.
        weight: Tensor,
        /// `outputs`.
        bias: Option<Tensor>,
        /// Size (that of the kernel), stride, padding and dilation.
        window: Window,
        /// Output group `g` of `groups` reads only the channels of group `g`.
        groups: usize,
    },
    /// Batch normalisation at inference, per channel: `scale (x - mean) / sqrt(var + epsilon) + bias`.
    BatchNorm {
        /// One factor per channel.
        scale: Tensor,
        /// One shift per channel.
        bias: Tensor,
        /// Running mean of each channel.
        mean: Tensor,
        /// Running variance of each channel.
        var: Tensor,
        /// Added to the variance.
        epsilon: f64,
    },
    /// `max(x, 0)`.
    Relu,
    /// `max(x, slope x)`.
    LeakyRelu {
        /// Slope for negative values, at least 0 and below 1.
        slope: f64,
    },
    /// Another activation than the rectifiers.
    Function(Function),
    /// The maximum of each window, padding left out.
    MaxPool {
        /// The window.
        window: Window,
        /// Whether a last window may reach beyond the padding.
        ceil: bool,
    },
    /// The mean of each window.
    AveragePool {
        /// The window.
        window: Window,
        /// Whether a last window may reach beyond the padding.
        ceil: bool,
        /// Whether padding counts as zeros; otherwise a window is divided by the number of its places in the image.
        count_include_pad: bool,
    },
    /// The mean of each channel: an image of one place.
    GlobalAveragePool,
    /// All axes into one, the last axis innermost: column `c H W + y W + x` of a `C x H x W` image. Behind a transpose to
    /// `H x W x C` it gives the other layout, column `(y W + x) C + c`.
    Flatten,
    /// The same elements in another shape.
    Reshape {
        /// The new shape.
        shape: Vec<usize>,
    },
    /// Axes in another order: axis `i` of the output is axis `order[i]` of the input.
    Transpose {
        /// A permutation of the axes, counted without the batch.
        order: Vec<usize>,
    },
    /// The sum of inputs of one shape.
    Add,
    /// The product of two inputs of one shape, or of an image and a factor for each of its channels, `C x 1 x 1`.
    Multiply,
    /// Inputs behind each other.
    Concat {
        /// The axis along which they follow each other, counted without the batch: 0 for channels.
        axis: usize,
    },
    /// `exp(x_i) / sum_j exp(x_j)`, where `j` goes over all values that differ from `x_i` in some `axes` only.
    Softmax {
        /// Whether its logarithm is given.
        log: bool,
        /// Neighbouring axes, counted with the batch: `1..2` for the classes of each sample, `0..1` for the samples of each
        /// class.
        axes: Range<usize>,
    },
    /// The identity, and dropout at inference.
    Identity,
    /// An operation that tropix carries along without computing it.
    Carried {
        /// Name of the operation, such as `unfold`.
        op: String,
        /// Its tensors, kept verbatim.
        tensors: Vec<Tensor>,
        /// Its attributes as the architecture gives them.
        attributes: toml::Table,
    },
}

impl Op {
    /// The name of the operation in an architecture file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Linear { .. } => "linear",
            Self::Conv { .. } => "conv2d",
            Self::BatchNorm { .. } => "batchnorm",
            Self::Relu => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Function(function) => function.name(),
            Self::MaxPool { .. } => "maxpool",
            Self::AveragePool { .. } => "avgpool",
            Self::GlobalAveragePool => "globalavgpool",
            Self::Flatten => "flatten",
            Self::Reshape { .. } => "reshape",
            Self::Transpose { .. } => "transpose",
            Self::Add => "add",
            Self::Multiply => "mul",
            Self::Concat { .. } => "concat",
            Self::Softmax { log: false, .. } => "softmax",
            Self::Softmax { log: true, .. } => "logsoftmax",
            Self::Identity => "identity",
            Self::Carried { op, .. } => op,
        }
    }

    /// Its tensors.
    #[must_use]
    pub fn tensors(&self) -> Vec<&Tensor> {
        match self {
            Self::Linear { weight, bias } | Self::Conv { weight, bias, .. } => {
                std::iter::once(weight).chain(bias).collect()
            }
            Self::BatchNorm { scale, bias, mean, var, .. } => vec![scale, bias, mean, var],
            Self::Carried { tensors, .. } => tensors.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Its tensors, to be exchanged.
    pub(crate) fn tensors_mut(&mut self) -> Vec<&mut Tensor> {
        match self {
            Self::Linear { weight, bias } | Self::Conv { weight, bias, .. } => {
                std::iter::once(weight).chain(bias).collect()
            }
            Self::BatchNorm { scale, bias, mean, var, .. } => vec![scale, bias, mean, var],
            Self::Carried { tensors, .. } => tensors.iter_mut().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the output has the shape of the input.
    #[must_use]
    pub fn keeps_shape(&self) -> bool {
        /// What tropix does not compute but knows to keep shapes.
        const CARRIED: [&str; 4] = ["affine", "clip", "lrn", "prelu"];
        match self {
            Self::Relu
            | Self::LeakyRelu { .. }
            | Self::Function(_)
            | Self::BatchNorm { .. }
            | Self::Softmax { .. }
            | Self::Identity => true,
            Self::Carried { op, .. } => CARRIED.contains(&op.as_str()),
            _ => false,
        }
    }
}
