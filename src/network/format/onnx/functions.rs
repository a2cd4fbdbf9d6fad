//! Activations as operators.

use super::export::{Export, IR, OPSET};
use super::proto::{self, attribute_type, data_type};
use super::rewrite::float;
use crate::backend::Function;
use crate::error::Result;

/// The IR version and operator set that an activation needs, at least those that are written anyway.
pub(super) fn since(function: Function) -> (i64, i64) {
    match function {
        Function::Gelu | Function::GeluTanh => (9, 20),
        Function::Mish => (IR, 18),
        _ => (IR, OPSET),
    }
}

impl Export {
    pub(super) fn function(
        &mut self,
        name: &str,
        function: Function,
        mut inputs: Vec<String>,
        output: &str,
    ) -> Result<()> {
        let number = |key: &str, value: f32| float(key, f64::from(value));
        let (kind, attributes) = match function {
            Function::Clip { low, high } => {
                for (part, value) in [("min", low), ("max", high)] {
                    inputs.push(self.scalar(&format!("{name}.{part}"), value));
                }
                ("Clip", Vec::new())
            }
            Function::Leaky { slope } => ("LeakyRelu", vec![number("alpha", slope)]),
            Function::Sigmoid => ("Sigmoid", Vec::new()),
            Function::HardSigmoid { alpha, beta } => {
                ("HardSigmoid", vec![number("alpha", alpha), number("beta", beta)])
            }
            Function::HardSwish => ("HardSwish", Vec::new()),
            Function::Silu => {
                let gate = format!("{output}.gate");
                self.node(&format!("{name}.sigmoid"), "Sigmoid", inputs.clone(), &gate, Vec::new());
                inputs.push(gate);
                ("Mul", Vec::new())
            }
            Function::Gelu => ("Gelu", Vec::new()),
            Function::GeluTanh => ("Gelu", vec![text("approximate", "tanh")]),
            Function::Tanh => ("Tanh", Vec::new()),
            Function::Elu { alpha } => ("Elu", vec![number("alpha", alpha)]),
            Function::Selu { alpha, gamma } => ("Selu", vec![number("alpha", alpha), number("gamma", gamma)]),
            Function::Celu { alpha } => ("Celu", vec![number("alpha", alpha)]),
            Function::Softplus => ("Softplus", Vec::new()),
            Function::Softsign => ("Softsign", Vec::new()),
            Function::Mish => ("Mish", Vec::new()),
            Function::Erf => ("Erf", Vec::new()),
            Function::Exp => ("Exp", Vec::new()),
            Function::Abs => ("Abs", Vec::new()),
            Function::Sqrt => ("Sqrt", Vec::new()),
            Function::Log => ("Log", Vec::new()),
            Function::Reciprocal => ("Reciprocal", Vec::new()),
            Function::Power { exponent } => {
                inputs.push(self.scalar(&format!("{name}.exponent"), exponent));
                ("Pow", Vec::new())
            }
        };
        self.node(name, kind, inputs, output, attributes);
        Ok(())
    }

    /// An initialiser of one number without axes, of the type of all floats.
    fn scalar(&mut self, name: &str, value: f32) -> String {
        let raw = match self.element {
            data_type::DOUBLE => f64::from(value).to_le_bytes().to_vec(),
            data_type::FLOAT => value.to_le_bytes().to_vec(),
            data_type::FLOAT16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            _ => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        };
        self.constant(name, self.element, Vec::new(), raw)
    }
}

fn text(name: &str, value: &str) -> proto::Attribute {
    let (name, s, kind) = (Some(name.to_owned()), Some(value.as_bytes().to_vec().into()), Some(attribute_type::STRING));
    proto::Attribute { name, s, kind, ..proto::Attribute::default() }
}
