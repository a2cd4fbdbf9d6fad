//! Activations as layers of an architecture, with the names and defaults of frameworks.

use super::fields::Fields;
use crate::backend::Function;
use crate::error::Result;

/// The names of activations that are no rectifiers, see [`Function`].
pub(super) const KNOWN: [&str; 22] = [
    "abs",
    "celu",
    "clip",
    "elu",
    "erf",
    "exp",
    "gelu",
    "gelu_tanh",
    "hardsigmoid",
    "hardswish",
    "log",
    "mish",
    "power",
    "reciprocal",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "sqrt",
    "tanh",
];

/// The attributes of an activation.
pub(super) fn attributes_of(name: &str) -> &'static [&'static str] {
    match name {
        "clip" => &["min", "max"],
        "elu" | "celu" => &["alpha"],
        "selu" => &["alpha", "gamma"],
        "hardsigmoid" => &["alpha", "beta"],
        "power" => &["exponent"],
        _ => &[],
    }
}

/// The activation `name`.
pub(super) fn read(fields: &mut Fields<'_>, name: &str) -> Result<Function> {
    #[expect(clippy::cast_possible_truncation, reason = "activations compute in f32")]
    let mut number = |key: &str, default: f32| Ok::<_, crate::Error>(fields.number(key)?.map_or(default, |n| n as f32));
    let function = match name {
        "relu6" => Function::Clip { low: 0.0, high: 6.0 },
        "clip" => Function::Clip { low: number("min", f32::MIN)?, high: number("max", f32::MAX)? },
        "sigmoid" => Function::Sigmoid,
        "hardsigmoid" => Function::HardSigmoid { alpha: number("alpha", 1.0 / 6.0)?, beta: number("beta", 0.5)? },
        "hardswish" => Function::HardSwish,
        "silu" => Function::Silu,
        "gelu" => Function::Gelu,
        "gelu_tanh" => Function::GeluTanh,
        "tanh" => Function::Tanh,
        "elu" => Function::Elu { alpha: number("alpha", 1.0)? },
        "selu" => Function::Selu { alpha: number("alpha", 1.673_263_2)?, gamma: number("gamma", 1.050_701)? },
        "celu" => Function::Celu { alpha: number("alpha", 1.0)? },
        "softplus" => Function::Softplus,
        "softsign" => Function::Softsign,
        "mish" => Function::Mish,
        "erf" => Function::Erf,
        "exp" => Function::Exp,
        "sqrt" => Function::Sqrt,
        "log" => Function::Log,
        "reciprocal" => Function::Reciprocal,
        "power" => Function::Power { exponent: number("exponent", 1.0)? },
        _ => Function::Abs,
    };
    match function.checked() {
        Ok(function) => Ok(function),
        Err(error) => fields.refused(&error.to_string()),
    }
}

/// What [`read`] takes for a function.
pub(super) fn parameters(function: Function) -> Vec<(&'static str, f64)> {
    let named: &[(&'static str, f32)] = match function {
        Function::Clip { low, high } => &[("min", low), ("max", high)],
        Function::HardSigmoid { alpha, beta } => &[("alpha", alpha), ("beta", beta)],
        Function::Elu { alpha } | Function::Celu { alpha } => &[("alpha", alpha)],
        Function::Selu { alpha, gamma } => &[("alpha", alpha), ("gamma", gamma)],
        Function::Power { exponent } => &[("exponent", exponent)],
        _ => &[],
    };
    named.iter().map(|(key, value)| (*key, f64::from(*value))).collect()
}
