//! Slopes of functions of one real number.

use super::Function;

/// The least normal f32, see [`Function`].
const LEAST: f64 = f32::MIN_POSITIVE as f64;

/// Below this the square of a reciprocal is beyond f32.
const STEEP: f64 = 5.5e-20;

impl Function {
    /// The derivative in f64, cut to the range of f32; at a kink a value between those of its two sides, and 0 where values are cut.
    #[must_use]
    pub fn slope(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let within = |inside: bool, slope: f64| if inside { slope } else { 0.0 };
        let below = |slope: f64| if x > 0.0 { 1.0 } else { slope };
        let slope = match self {
            Self::Clip { low, high } => within(x > f64::from(low) && x < f64::from(high), 1.0),
            Self::Leaky { slope } => below(f64::from(slope)),
            Self::Sigmoid => sigmoid(x) * sigmoid(-x),
            Self::HardSigmoid { alpha, beta } => {
                let value = f64::from(alpha) * x + f64::from(beta);
                within(value > 0.0 && value < 1.0, f64::from(alpha))
            }
            Self::HardSwish if x >= 3.0 => 1.0,
            Self::HardSwish => within(x > -3.0, x / 3.0 + 0.5),
            Self::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
            Self::Gelu => {
                let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
                0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) + x * density
            }
            Self::GeluTanh => {
                let root = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
                let gate = sigmoid(root * (x + 0.044_715 * x.powi(3)));
                let rest = sigmoid(-root * (x + 0.044_715 * x.powi(3)));
                gate + x * gate * rest * root * (1.0 + 3.0 * 0.044_715 * x * x)
            }
            Self::Tanh => 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x),
            Self::Elu { alpha } => below(f64::from(alpha) * x.min(0.0).exp()),
            Self::Selu { alpha, gamma } => f64::from(gamma) * below(f64::from(alpha) * x.min(0.0).exp()),
            Self::Celu { alpha } => below((x / f64::from(alpha)).min(88.5).exp()),
            Self::Softplus => sigmoid(x),
            Self::Softsign => (1.0 + x.abs()).powi(-2),
            Self::Mish => {
                let gate = (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh();
                gate + x * (1.0 - gate * gate) * sigmoid(x)
            }
            Self::Erf => std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
            Self::Exp => x.exp(),
            Self::Abs => within(x != 0.0, x.signum()),
            Self::Sqrt => within(x >= LEAST, 0.5 / x.max(LEAST).sqrt()),
            Self::Log => within(x >= LEAST, 1.0 / x.max(LEAST)),
            Self::Reciprocal if x.abs() < STEEP => f64::MIN,
            Self::Reciprocal => -x.powi(-2),
            Self::Power { exponent } => {
                let exponent = f64::from(exponent);
                within(x >= LEAST, exponent * ((exponent - 1.0) * x.max(LEAST).ln()).min(88.5).exp())
            }
        };
        let most = f64::from(f32::MAX);
        slope.clamp(-most, most)
    }
}
