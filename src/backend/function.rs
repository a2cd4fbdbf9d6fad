//! Functions of one real number, applied entry by entry.

use crate::error::{Error, Result};

/// The least normal f32: devices may take what is below for zero.
const LEAST: f64 = f32::MIN_POSITIVE as f64;

/// The logarithm of the largest power: a little below that of the largest f32.
const GROWTH: f64 = 88.5;

/// A function of one real number: the activations of networks.
///
/// All are continuous and take every finite f32; results beyond the range of f32 are cut to it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Function {
    /// `min(max(x, low), high)`: `ReLU6` is 0 to 6.
    Clip {
        /// The least value.
        low: f32,
        /// The largest value, not below the least.
        high: f32,
    },
    /// `max(x, 0) + slope min(x, 0)`.
    Leaky {
        /// Any finite slope.
        slope: f32,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(alpha x + beta, 0), 1)`.
    HardSigmoid {
        /// Factor, 0.2 by ONNX's default.
        alpha: f32,
        /// Shift, 0.5 by ONNX's default.
        beta: f32,
    },
    /// `x min(max(x / 6 + 1/2, 0), 1)` (Howard et al., *Searching for `MobileNetV3`*, 2019).
    HardSwish,
    /// `x / (1 + exp(-x))`, also known as swish.
    Silu,
    /// `x Phi(x)` with the distribution function of `N(0, 1)` (Hendrycks and Gimpel, *GELU*, 2016).
    Gelu,
    /// Its approximation `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    GeluTanh,
    /// `tanh(x)`.
    Tanh,
    /// `x` above 0, `alpha (exp(x) - 1)` below.
    Elu {
        /// The limit for small `x`, its sign turned.
        alpha: f32,
    },
    /// `gamma` times [`Function::Elu`].
    Selu {
        /// As in [`Function::Elu`].
        alpha: f32,
        /// The factor.
        gamma: f32,
    },
    /// `x` above 0, `alpha (exp(x / alpha) - 1)` below.
    Celu {
        /// Not 0.
        alpha: f32,
    },
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x tanh(ln(1 + exp(x)))` (Misra, *Mish*, 2019).
    Mish,
    /// `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `x`.
    Erf,
    /// `exp(x)`.
    Exp,
    /// `|x|`.
    Abs,
    /// `sqrt(max(x, 0))`.
    Sqrt,
    /// `ln(x)`, of what is below the least normal f32 that of it.
    Log,
    /// `1 / x`, cut to the range of f32.
    Reciprocal,
    /// `x^exponent` for `x > 0`, at most `exp(88.5)`; what is below the least normal f32 counts as that.
    Power {
        /// Any finite number.
        exponent: f32,
    },
}

impl Function {
    /// Its number on devices, and its two parameters.
    pub(crate) fn code(self) -> (u32, [f32; 2]) {
        match self {
            Self::Clip { low, high } => (0, [low, high]),
            Self::Leaky { slope } => (1, [slope, 0.0]),
            Self::Sigmoid => (2, [0.0; 2]),
            Self::HardSigmoid { alpha, beta } => (3, [alpha, beta]),
            Self::HardSwish => (4, [0.0; 2]),
            Self::Silu => (5, [0.0; 2]),
            Self::Gelu => (6, [0.0; 2]),
            Self::GeluTanh => (7, [0.0; 2]),
            Self::Tanh => (8, [0.0; 2]),
            Self::Elu { alpha } => (9, [alpha, 1.0]),
            Self::Selu { alpha, gamma } => (9, [alpha, gamma]),
            Self::Celu { alpha } => (10, [alpha, 0.0]),
            Self::Softplus => (11, [0.0; 2]),
            Self::Softsign => (12, [0.0; 2]),
            Self::Mish => (13, [0.0; 2]),
            Self::Erf => (14, [0.0; 2]),
            Self::Exp => (15, [0.0; 2]),
            Self::Abs => (16, [0.0; 2]),
            Self::Sqrt => (17, [0.0; 2]),
            Self::Log => (18, [0.0; 2]),
            Self::Reciprocal => (19, [0.0; 2]),
            Self::Power { exponent } => (20, [exponent, 0.0]),
        }
    }

    /// The name in architecture files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clip { .. } => "clip",
            Self::Leaky { .. } => "leaky_relu",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid { .. } => "hardsigmoid",
            Self::HardSwish => "hardswish",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Tanh => "tanh",
            Self::Elu { .. } => "elu",
            Self::Selu { .. } => "selu",
            Self::Celu { .. } => "celu",
            Self::Softplus => "softplus",
            Self::Softsign => "softsign",
            Self::Mish => "mish",
            Self::Erf => "erf",
            Self::Exp => "exp",
            Self::Abs => "abs",
            Self::Sqrt => "sqrt",
            Self::Log => "log",
            Self::Reciprocal => "reciprocal",
            Self::Power { .. } => "power",
        }
    }

    /// Its value in f64.
    #[must_use]
    pub fn at(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let elu = |x: f64, alpha: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
        let most = f64::from(f32::MAX);
        let value = match self {
            Self::Clip { low, high } => x.max(f64::from(low)).min(f64::from(high)),
            Self::Leaky { slope } => x.max(0.0) + f64::from(slope) * x.min(0.0),
            Self::Sigmoid => sigmoid(x),
            Self::HardSigmoid { alpha, beta } => (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Silu => x * sigmoid(x),
            Self::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Self::GeluTanh => {
                let root = (2.0 / std::f64::consts::PI).sqrt();
                x * sigmoid(2.0 * root * (x + 0.044_715 * x.powi(3)))
            }
            Self::Tanh => x.tanh(),
            Self::Elu { alpha } => elu(x, f64::from(alpha)),
            Self::Selu { alpha, gamma } => f64::from(gamma) * elu(x, f64::from(alpha)),
            Self::Celu { alpha } => {
                let alpha = f64::from(alpha);
                x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0)
            }
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Mish => x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh(),
            Self::Erf => libm::erf(x),
            Self::Exp => x.exp(),
            Self::Abs => x.abs(),
            Self::Sqrt => x.max(0.0).sqrt(),
            Self::Log => x.max(LEAST).ln(),
            Self::Reciprocal if x.abs() < LEAST => most.copysign(x),
            Self::Reciprocal => 1.0 / x,
            Self::Power { exponent } => (f64::from(exponent) * x.max(LEAST).ln()).min(GROWTH).exp(),
        };
        value.clamp(-most, most)
    }

    /// What the rounding of an f32 backend is in units of, see [`Backend::elementwise`](super::Backend::elementwise).
    pub(crate) fn size(self, x: f64) -> f64 {
        1.0 + 2.0 * x.abs() + (2.0 + x.abs()) * self.at(x).abs()
    }

    /// How far its value moves at most where `x` moves by `by`.
    pub(crate) fn spread(self, x: f64, by: f64) -> f64 {
        // The largest slopes: of swish at 2.4, of both forms of GELU at 1.4, of Mish at 1.49.
        let slope = match self {
            Self::Clip { .. } | Self::Tanh | Self::Celu { .. } | Self::Softplus | Self::Softsign | Self::Abs => 1.0,
            Self::Leaky { slope } => f64::from(slope.abs()).max(1.0),
            Self::Sigmoid => 0.25,
            Self::HardSigmoid { alpha, .. } => f64::from(alpha.abs()),
            Self::HardSwish => 1.5,
            Self::Silu => 1.1,
            Self::Gelu | Self::GeluTanh => 1.13,
            Self::Elu { alpha } => f64::from(alpha.abs()).max(1.0),
            Self::Selu { alpha, gamma } => f64::from(gamma.abs()) * f64::from(alpha.abs()).max(1.0),
            Self::Mish => 1.09,
            Self::Erf => std::f64::consts::FRAC_2_SQRT_PI,
            Self::Exp => return x.exp() * by.exp_m1(),
            Self::Sqrt => return by.sqrt(),
            // The slope is largest towards zero.
            Self::Log | Self::Reciprocal | Self::Power { .. } => {
                let ends = [x - by, x + by].map(|end| (self.at(end) - self.at(x)).abs());
                let crossed = self == Self::Reciprocal && x.abs() <= by;
                return if crossed { f64::from(f32::MAX) } else { ends[0].max(ends[1]) };
            }
        };
        slope * by
    }

    /// The function for what is given as its parameters.
    pub(crate) fn checked(self) -> Result<Self> {
        let (_, parameters) = self.code();
        let wrong = |problem: String| Err(Error::Argument { argument: "function", problem });
        if let Some(value) = parameters.iter().find(|value| !value.is_finite()) {
            return wrong(format!("{value} is not finite in `{}`", self.name()));
        }
        match self {
            Self::Clip { low, high } if low > high => wrong(format!("`clip` from {low} to {high}")),
            Self::Celu { alpha: 0.0 } => wrong("`celu` with an alpha of 0".to_owned()),
            _ => Ok(self),
        }
    }
}
