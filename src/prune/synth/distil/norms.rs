//! What batch norms say of the values that pass through them.

use ndarray::Array2;

use crate::backend::{Activation, Backend, Combination, Function, Pooling, Transpose, Window};
use crate::error::{Error, Result};
use crate::network::spaces::{Operator, OperatorGraph};

/// Variances below this share of the mean one come from channels that are never on.
const DEAD: f64 = 1e-6;

/// A batch norm, with its statistics on a device.
pub(super) struct Norm<B: Backend> {
    /// The value that passes through it.
    pub(super) value: String,
    /// `1 x c`: the mean of each channel, `1 / s^2` and `1 / s` with its deviation `s`, and one; 0 for channels that are never on.
    mean: B::Matrix,
    inverse_variance: B::Matrix,
    inverse_deviation: B::Matrix,
    one: B::Matrix,
    /// `1 x 1`: the least variance of a batch.
    least: B::Matrix,
    channels: usize,
}

impl<B: Backend> Norm<B> {
    /// All batch norms of a graph.
    pub(super) fn of(backend: &B, graph: &OperatorGraph) -> Result<Vec<Self>> {
        let norms = graph.operators.iter().filter(|operator| operator.kind == "BatchNormalization");
        norms.filter_map(|operator| Self::new(backend, graph, operator).transpose()).collect()
    }

    fn new(backend: &B, graph: &OperatorGraph, operator: &Operator) -> Result<Option<Self>> {
        let statistic = |input: usize| operator.input(input).and_then(|value| graph.weights(value));
        let (Some(mean), Some(variance)) = (statistic(3), statistic(4)) else { return Ok(None) };
        let (mean, variance) = (mean.to_vec(), variance.to_vec());
        let Some(value) = operator.input(0).map(|value| graph.values[value].clone()) else { return Ok(None) };
        let channels = mean.len();
        if channels == 0 || variance.len() != channels {
            return Ok(None);
        }
        let middle = variance.iter().map(|value| f64::from(*value)).sum::<f64>() / channels as f64;
        let row = |of: &dyn Fn(f64) -> f64| {
            let values = variance.iter().map(|value| f64::from(*value));
            let values = values.map(|value| if value > DEAD * middle { of(value) } else { 0.0 });
            #[expect(clippy::cast_possible_truncation, reason = "statistics are f32")]
            let values: Vec<f32> = values.map(|value| value as f32).collect();
            vector(backend, values)
        };
        Ok(Some(Self {
            value,
            mean: vector(backend, mean)?,
            inverse_variance: row(&|variance| 1.0 / variance)?,
            inverse_deviation: row(&|variance| 1.0 / variance.sqrt())?,
            one: row(&|_| 1.0)?,
            // Channels that are the same everywhere have no direction to grow in.
            least: vector(backend, vec![1e-12])?,
            channels,
        }))
    }

    /// The loss of a batch, `1 x 1`, and the slope of `n` times it by the values `n x (c P)`: with the mean `m_b` and the deviation
    /// `s_b` of a channel over `n P` values,
    ///
    /// `2 / (c P) [(m_b - m) / v + (s_b / s - 1) (x - m_b) / (s s_b)]`.
    ///
    /// `shares` is the row of `n` times `1 / n` that takes means over the batch.
    pub(super) fn slope(&self, backend: &B, values: &B::Matrix, shares: &B::Matrix) -> Result<(B::Matrix, B::Matrix)> {
        let [rows, columns] = backend.shape(values);
        let places = columns / self.channels;
        if rows == 0 || places * self.channels != columns {
            return Err(Error::Internal { what: format!("{columns} values of {} channels", self.channels) });
        }
        #[expect(clippy::cast_precision_loss, reason = "images have far fewer than 2^24 values")]
        let size = 2.0 / columns as f32;
        // Means of planes, then of the batch.
        let plane = Window::new([self.channels, 1, places], [1, places]);
        let means = |values: &B::Matrix| {
            let means = backend.pooling(values, &plane, Pooling::Average)?;
            backend.matmul(shares, Transpose::No, &means, Transpose::No)
        };
        let sum =
            |a: &B::Matrix, b: &B::Matrix, factors| backend.weighted_sum(a, Some(b), factors, Activation::Identity);
        let times = |a: &B::Matrix, b: &B::Matrix| backend.combine(a, b, Combination::Multiply, 1);
        let mean = means(values)?;
        let centred = backend.combine(values, &mean, Combination::Subtract, places)?;
        let variance = means(&times(&centred, &centred)?)?;
        let variance = backend.combine(&variance, &self.least, Combination::Max, self.channels)?;
        let deviation = backend.elementwise(&variance, Function::Sqrt)?;
        let ratio = times(&deviation, &self.inverse_deviation)?;
        let off = sum(&mean, &self.mean, [1.0, -1.0])?;
        let over = sum(&ratio, &self.one, [1.0, -1.0])?;
        let shift = times(&off, &self.inverse_variance)?;
        let by_channel = sum(&times(&off, &shift)?, &times(&over, &over)?, [1.0, 1.0])?;
        let loss =
            backend.pooling(&by_channel, &Window::new([1, 1, self.channels], [1, self.channels]), Pooling::Average)?;
        let growth = backend.combine(&times(&over, &self.inverse_deviation)?, &deviation, Combination::Divide, 1)?;
        let growth = backend.weighted_sum(&growth, None, [size, 0.0], Activation::Identity)?;
        let shift = backend.weighted_sum(&shift, None, [size, 0.0], Activation::Identity)?;
        let slope = backend.combine(&centred, &growth, Combination::Multiply, places)?;
        Ok((loss, backend.combine(&slope, &shift, Combination::Add, places)?))
    }
}

/// The row that takes means over `rows` rows.
#[expect(clippy::cast_precision_loss, reason = "batches are small")]
pub(super) fn shares<B: Backend>(backend: &B, rows: usize) -> Result<B::Matrix> {
    vector(backend, vec![1.0 / rows as f32; rows])
}

fn vector<B: Backend>(backend: &B, values: Vec<f32>) -> Result<B::Matrix> {
    let row = Array2::from_shape_vec((1, values.len()), values);
    backend.upload(&row.map_err(|error| Error::Internal { what: error.to_string() })?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::backend::{Cpu, Reference};

    fn norm<B: Backend>(backend: &B) -> Norm<B> {
        Norm {
            value: String::new(),
            mean: vector(backend, vec![0.5, -1.0, 2.0]).unwrap(),
            // The last channel is never on.
            inverse_variance: vector(backend, vec![4.0, 0.25, 0.0]).unwrap(),
            inverse_deviation: vector(backend, vec![2.0, 0.5, 0.0]).unwrap(),
            one: vector(backend, vec![1.0, 1.0, 0.0]).unwrap(),
            least: vector(backend, vec![1e-12]).unwrap(),
            channels: 3,
        }
    }

    #[test]
    fn slopes_are_limits_of_differences() {
        let reference = Reference::new();
        let norm_of = norm(&reference);
        let values = Array2::from_shape_fn((4, 6), |(i, j)| ((7 * i + 3 * j) % 11) as f64 / 5.0 - 1.0);
        let four = shares(&reference, 4).unwrap();
        let loss = |values: &Array2<f64>| norm_of.slope(&reference, values, &four).unwrap().0[[0, 0]];
        let (found, slope) = norm_of.slope(&reference, &values, &four).unwrap();
        // By hand: mean over three channels of ((m_b - m)^2 / v + (s_b / s - 1)^2).
        let by_hand: f64 = (0..2)
            .map(|channel| {
                let own: Vec<f64> =
                    values.rows().into_iter().flat_map(|row| [row[2 * channel], row[2 * channel + 1]]).collect();
                let mean = own.iter().sum::<f64>() / 8.0;
                let variance = own.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 8.0;
                let (m, s): (f64, f64) = [(0.5, 0.5), (-1.0, 2.0)][channel];
                ((mean - m) / s).powi(2) + (variance.sqrt() / s - 1.0).powi(2)
            })
            .sum();
        assert!((found[[0, 0]] - by_hand / 3.0).abs() < 1e-9, "{found} {by_hand}");
        for at in [(0, 0), (1, 3), (3, 2), (2, 5)] {
            let moved = |by: f64| {
                let mut values = values.clone();
                values[at] += by;
                loss(&values)
            };
            // The slope is that of the sum over four samples.
            let want = 4.0 * (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope[at] - want).abs() < 1e-6, "{at:?}: {} {want}", slope[at]);
        }
        let cpu = Cpu::new();
        let narrow = cpu.upload(&values.mapv(crate::prune::synth::distil::narrow)).unwrap();
        let on_cpu = norm(&cpu).slope(&cpu, &narrow, &shares(&cpu, 4).unwrap()).unwrap();
        let apart = &cpu.download(&on_cpu.1).unwrap() - &slope;
        assert!(apart.iter().all(|apart| apart.abs() < 1e-5));
    }
}
