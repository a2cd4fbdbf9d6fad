//! Large errors found by projected gradient ascent on the device: lower bounds of the largest one.

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::chain::Chain;
use super::layer::check_radius;
use crate::backend::{Activation, Backend, Cutoff, Transpose};
use crate::error::Result;
use crate::geometry::directions;
use crate::network::Head;

/// How hard large errors are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Ascent {
    /// Starts for each output, half of them upward and half downward.
    pub starts: usize,
    /// Steps from each start. After the first eighth only the best tenth of the starts goes on.
    pub steps: usize,
    /// Seed of the starts.
    pub seed: u64,
}

impl Default for Ascent {
    fn default() -> Self {
        Self { starts: 400, steps: 150, seed: 0 }
    }
}

/// Points that are on their way together at most; layers of many outputs have fewer starts for each.
const MOST: usize = 1 << 13;
/// Steps in f64 from the best point of each output.
const POLISH: usize = 24;

/// A large value of an output, where it is attained, and what is proved of it.
#[derive(Debug, Clone)]
pub struct Found {
    /// `|f_j(x)|` is at least this.
    pub error: f64,
    /// The point, within the ball.
    pub point: Vec<f64>,
}

/// What point number `at` works on: an output, and whether it goes up or down.
#[derive(Debug, Clone, Copy)]
struct Task {
    output: usize,
    sign: f64,
}

/// Layers on a device, scaled so that inputs lie in the unit ball and signals are of order one.
struct Device<B: Backend> {
    weights: Vec<B::Matrix>,
    biases: Vec<B::Matrix>,
    /// The last layer, `m x N`.
    outgoing: Array2<f32>,
}

#[expect(clippy::cast_possible_truncation, reason = "scaled to order one, rounded to the f32 of the device")]
fn narrow(values: impl Iterator<Item = f64>, shape: (usize, usize)) -> Array2<f32> {
    let values: Vec<f32> = values.map(|value| value as f32).collect();
    Array2::from_shape_vec(shape, values).unwrap_or_else(|_| Array2::zeros(shape))
}

impl<B: Backend> Device<B> {
    fn upload(backend: &B, chain: &Chain, radius: f64) -> Result<Self> {
        let mut device = Self { weights: Vec::new(), biases: Vec::new(), outgoing: Array2::zeros((0, 0)) };
        let mut before = radius;
        for (layer, unit) in chain.layers.iter().zip(chain.units(radius)) {
            let factor = before / unit;
            let weight = narrow(layer.weight.iter().map(|w| w * factor), layer.weight.dim());
            let bias = narrow(layer.bias.iter().map(|b| b / unit), (1, layer.bias.len()));
            device.weights.push(backend.upload(&weight)?);
            device.biases.push(backend.upload(&bias)?);
            device.outgoing = weight;
            before = unit;
        }
        Ok(device)
    }

    /// The activations of the hidden layers at `x`.
    fn hidden(&self, backend: &B, x: &B::Matrix) -> Result<Vec<B::Matrix>> {
        let mut signals: Vec<B::Matrix> = Vec::new();
        for (weight, bias) in self.weights.iter().zip(&self.biases).take(self.weights.len() - 1) {
            signals.push(backend.affine(signals.last().unwrap_or(x), weight, Some(bias), Activation::Relu)?);
        }
        Ok(signals)
    }

    /// `steps` steps of length `1 / (2 sqrt t)`, `t = first ..`, from `x`, within the unit ball.
    fn climb(&self, backend: &B, mut x: B::Matrix, tasks: &[Task], steps: std::ops::Range<usize>) -> Result<B::Matrix> {
        let columns = self.outgoing.ncols();
        #[expect(clippy::cast_possible_truncation, reason = "plus or minus one")]
        let upward = Array2::from_shape_fn((tasks.len(), columns), |(at, i)| {
            self.outgoing[[tasks[at].output, i]] * tasks[at].sign as f32
        });
        let upward = backend.upload(&upward)?;
        // A neuron is on where its activation is above zero; where it is not, what comes back through it is nothing.
        let on = Cutoff { score: f32::MIN_POSITIVE, index: 0 };
        for t in steps {
            let signals = self.hidden(backend, &x)?;
            let mut slope = None;
            for (weight, signal) in self.weights.iter().zip(&signals).rev() {
                let masked = backend.threshold_mask(slope.as_ref().unwrap_or(&upward), signal, on)?;
                slope = Some(backend.matmul(&masked, Transpose::No, weight, Transpose::No)?);
            }
            #[expect(clippy::cast_possible_truncation, reason = "a step length")]
            let length = (0.5 / ((t + 1) as f64).sqrt()) as f32;
            x = backend.ball_step(&x, slope.as_ref().unwrap_or(&upward), length, 1.0)?;
        }
        Ok(x)
    }

    /// The outputs at `x`, `k x m`.
    fn outputs(&self, backend: &B, x: &B::Matrix) -> Result<Array2<f64>> {
        let signals = self.hidden(backend, x)?;
        let last = self.weights.len() - 1;
        let outputs = backend.affine(
            signals.last().unwrap_or(x),
            &self.weights[last],
            Some(&self.biases[last]),
            Activation::Identity,
        )?;
        backend.download(&outputs)
    }
}

/// Looks for a large error `|f_j(x) - f~_j(x)|`, `|x| <= radius`, for every output of two heads.
///
/// # Errors
///
/// [`Error::Data`](crate::Error::Data) for heads that do not fit each other; what the backend returns.
pub fn largest_errors<B: Backend>(
    backend: &B,
    original: &Head,
    compressed: &Head,
    radius: f64,
    ascent: Ascent,
) -> Result<Vec<Found>> {
    check_radius(radius)?;
    let (original, compressed) = (Chain::of(original)?, Chain::of(compressed)?);
    original.check_against(&compressed)?;
    ascend(backend, &original.minus(&compressed)?, radius, ascent)
}

/// Looks for a large `|f_j(x)|`, `|x| <= radius`, for every output of a chain.
///
/// Two matrix products forward and two back for each step and hidden layer, all points of all outputs together; nothing
/// comes back before the end of a stage. The value at the best point is computed in f64 and rounded down, so that it is
/// a lower bound whatever the device did.
pub(super) fn ascend<B: Backend>(backend: &B, chain: &Chain, radius: f64, ascent: Ascent) -> Result<Vec<Found>> {
    let (d, m) = (chain.inputs(), chain.outputs());
    if d == 0 || m == 0 || radius == 0.0 || ascent.starts == 0 {
        let origin = Array2::zeros((m, d));
        return Ok(proved(chain, &origin));
    }
    let device = Device::upload(backend, chain, radius)?;
    let each = ascent.starts.min(MOST / m).max(2);
    let tasks: Vec<Task> =
        (0..m * each).map(|at| Task { output: at / each, sign: if at % 2 == 0 { 1.0 } else { -1.0 } }).collect();
    // Starts lie on the sphere, where most extremes are, and between it and the centre.
    let mut starts = directions(tasks.len(), d, ascent.seed, "certify ascent", 0);
    for (at, mut start) in starts.rows_mut().into_iter().enumerate() {
        start *= [1.0, 1.0, 0.7, 0.3][at / 2 % 4];
    }
    let first = ascent.steps.div_ceil(8);
    let x = device.climb(backend, backend.upload(&starts)?, &tasks, 0..first)?;
    let (points, values) = (backend.download(&x)?, device.outputs(backend, &x)?);
    let kept = best_of(&tasks, &values, each.div_ceil(10).max(2));
    let tasks: Vec<Task> = kept.iter().map(|at| tasks[*at]).collect();
    let points = points.select(Axis(0), &kept);
    let x = backend.upload(&narrow(points.iter().copied(), points.dim()))?;
    let x = device.climb(backend, x, &tasks, first..ascent.steps)?;
    let (points, values) = (backend.download(&x)?, device.outputs(backend, &x)?);
    let kept = best_of(&tasks, &values, 1);
    let tasks: Vec<Task> = kept.iter().map(|at| tasks[*at]).collect();
    let points = polished(chain, points.select(Axis(0), &kept) * radius, &tasks, radius);
    Ok(proved(chain, &points))
}

/// For each output, which tasks on it have the largest values, `count` of them.
fn best_of(tasks: &[Task], values: &Array2<f64>, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    let value = |at: usize| values[[at, tasks[at].output]] * tasks[at].sign;
    order.sort_by(|a, b| tasks[*a].output.cmp(&tasks[*b].output).then(value(*b).total_cmp(&value(*a))));
    let mut taken = (usize::MAX, 0);
    order.retain(|at| {
        taken = if taken.0 == tasks[*at].output { (taken.0, taken.1 + 1) } else { (tasks[*at].output, 1) };
        taken.1 <= count
    });
    order
}

/// Scales a point into the ball, with room for rounding.
fn into_ball(point: &mut Array1<f64>, radius: f64) {
    let norm = point.dot(point).sqrt();
    let allowed = radius * (1.0 - 4.0 * (point.len() as f64 + 4.0) * super::radial::UNIT);
    if norm > allowed {
        *point *= allowed / norm;
    }
}

/// Climbs on in f64 with steps that grow while they help and shrink while they do not.
fn polished(chain: &Chain, points: Array2<f64>, tasks: &[Task], radius: f64) -> Array2<f64> {
    let climb = |(at, task): (usize, &Task)| {
        let mut best = points.row(at).to_owned();
        into_ball(&mut best, radius);
        let row = |point: &Array1<f64>| point.clone().insert_axis(Axis(0));
        let value = |point: &Array1<f64>| {
            chain.signals(&row(point)).last().map_or(0.0, |outputs| outputs[[0, task.output]] * task.sign)
        };
        let (mut reached, mut step) = (value(&best), 0.05 * radius);
        for _ in 0..POLISH {
            let slope = chain.slopes(&row(&best), &[task.output]).row(0).to_owned() * task.sign;
            let norm = slope.dot(&slope).sqrt();
            if norm.is_nan() || norm <= 0.0 {
                break;
            }
            let mut next = &best + &(slope * (step / norm));
            into_ball(&mut next, radius);
            let found = value(&next);
            if found > reached {
                (best, reached, step) = (next, found, step * 2.0);
            } else {
                step /= 4.0;
            }
        }
        best
    };
    let rows: Vec<Array1<f64>> = tasks.par_iter().enumerate().map(climb).collect();
    Array2::from_shape_fn(points.dim(), |(i, j)| rows[i][j])
}

/// The value of output `j` at point `j`, rounded down.
fn proved(chain: &Chain, points: &Array2<f64>) -> Vec<Found> {
    let (values, margins) = chain.evaluate(points);
    let found = |(j, point): (usize, ndarray::ArrayView1<'_, f64>)| {
        let error = values[[j, j]].abs() - margins[[j, j]];
        Found { error: if error > 0.0 && error.is_finite() { error } else { 0.0 }, point: point.to_vec() }
    };
    points.rows().into_iter().enumerate().map(found).collect()
}
