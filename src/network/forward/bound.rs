//! How far the values of an f32 backend may be from those of the reference.

use ndarray::Array2;

use super::whole::{DeviceNetwork, Operation};
use crate::backend::{Activation, Backend, Combination, Pooling, Reference};
use crate::error::{Error, Result};

/// `gamma_n = n u / (1 - n u)` for f32.
#[expect(clippy::cast_precision_loss, reason = "numbers of terms are far below 2^53")]
fn gamma(terms: usize) -> f64 {
    let nu = (terms + 2) as f64 * 2.0_f64.powi(-24);
    nu / (1.0 - nu)
}

impl DeviceNetwork<Reference> {
    /// The outputs for `inputs`, and a bound on the error of a backend that computes them in f32.
    ///
    /// A sum of `d` products adds at most `gamma_{d+2}` times the sum of their sizes and carries the error of its operands
    /// on by at most `1 + gamma_{d+2}` times the sizes of the weights; a maximum and a rectifier carry the largest error on.
    ///
    /// # Errors
    ///
    /// What the reference returns.
    pub fn bounded(&self, reference: &Reference, inputs: &Array2<f64>) -> Result<[Array2<f64>; 2]> {
        let mut values: Vec<[Array2<f64>; 2]> = vec![[inputs.clone(), Array2::zeros(inputs.raw_dim())]];
        for step in self.steps() {
            let mut operands = Vec::with_capacity(step.inputs.len());
            for input in &step.inputs {
                let missing = || Error::Internal { what: format!("no value {input}") };
                operands.push(values.get(*input).ok_or_else(missing)?);
            }
            let exact: Vec<&Array2<f64>> = operands.iter().map(|[value, _]| value).collect();
            let value = step.run(reference, &exact)?;
            values.push([value, error(reference, step.operation()?, &operands)?]);
        }
        Ok(values.swap_remove(self.output()))
    }
}

/// A linear map, with its bias or without.
type LinearMap<'a> = &'a dyn Fn(&Array2<f64>, bool) -> Result<Array2<f64>>;

/// The error of one step.
fn error(
    reference: &Reference,
    operation: &Operation<Reference>,
    operands: &[&[Array2<f64>; 2]],
) -> Result<Array2<f64>> {
    let Some([value, carried]) = operands.first() else {
        return Err(Error::Internal { what: "a step without operands".to_owned() });
    };
    let size = value.mapv(f64::abs);
    let linear = |terms: usize, map: LinearMap<'_>| {
        Ok(map(&size, true)? * gamma(terms) + map(carried, false)? * (1.0 + gamma(terms)))
    };
    match operation {
        Operation::Linear { weight, bias, .. } => {
            let (weight, bias) = (weight.mapv(f64::abs), bias.as_ref().map(|bias| bias.mapv(f64::abs)));
            linear(weight.ncols(), &|x, biased| {
                reference.affine(x, &weight, bias.as_ref().filter(|_| biased), Activation::Identity)
            })
        }
        Operation::Conv { weight, bias, window, groups, .. } => {
            let (weight, bias) = (weight.mapv(f64::abs), bias.as_ref().map(|bias| bias.mapv(f64::abs)));
            linear(weight.ncols(), &|x, biased| {
                let bias = bias.as_ref().filter(|_| biased);
                reference.convolution(x, &weight, bias, window, *groups, Activation::Identity)
            })
        }
        Operation::Pool { window, pooling: Pooling::Max } => reference.pooling(carried, window, Pooling::Max),
        Operation::Pool { window, pooling } => linear(window.entries(), &|x, _| reference.pooling(x, window, *pooling)),
        Operation::Activate => Ok(carried.clone()),
        Operation::Function(function) => {
            // What rounding adds, and what the function carries on.
            let mut error = Array2::zeros(value.raw_dim());
            for (at, error) in error.indexed_iter_mut() {
                let (x, carried) = (value[at], carried[at]);
                *error = gamma(16) * function.size(x) + function.spread(x, carried);
            }
            Ok(error)
        }
        Operation::Add { .. } => {
            let mut sum = Array2::zeros(value.raw_dim());
            for [value, carried] in operands {
                sum = sum + value.mapv(f64::abs) * gamma(operands.len()) + carried * (1.0 + gamma(operands.len()));
            }
            Ok(sum)
        }
        Operation::Multiply => {
            let Some([factor, carried_by]) = operands.get(1) else {
                return Err(Error::Internal { what: "a product of one operand".to_owned() });
            };
            let factor = factor.mapv(f64::abs);
            let share = size.ncols().checked_div(factor.ncols()).unwrap_or(1).max(1);
            let product = |a: &Array2<f64>, b: &Array2<f64>| reference.combine(a, b, Combination::Multiply, share);
            // (a + e)(b + f) = a b + e (b + f) + a f.
            let sum = product(&size, &factor)? * gamma(1)
                + product(carried, &(&factor + carried_by))?
                + product(&size, carried_by)?;
            Ok(sum * (1.0 + gamma(1)))
        }
        Operation::Gather { index } => reference.gather(carried, index),
        Operation::Concat => reference.concatenate(&operands.iter().map(|[_, carried]| carried).collect::<Vec<_>>()),
    }
}
