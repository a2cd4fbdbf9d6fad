//! The oracle: every operation as an f64 loop that reads like its formula.

use ndarray::{Array1, Array2, ArrayView1};

use super::{
    Activation, Adam, AdamState, Backend, Classified, ClusterMeans, Combination, CrossEntropy, Cutoff, Device,
    DeviceKind, Function, HalfStep, Maxima, Minima, Pooling, Reduction, ReluMoments, RowNorm, RowScores, RowSource,
    RowUpdate, Transpose, Window, check, normal,
};
use crate::error::Result;

/// Plain f64 loops on one thread.
#[derive(Debug)]
pub struct Reference {
    device: Device,
}

impl Reference {
    /// Makes the reference backend.
    #[must_use]
    pub fn new() -> Self {
        let device = Device {
            kind: DeviceKind::Reference,
            name: "host".to_owned(),
            backend: "f64 loops".to_owned(),
            software: true,
        };
        Self { device }
    }
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

fn shape(matrix: &Array2<f64>) -> [usize; 2] {
    [matrix.nrows(), matrix.ncols()]
}

fn dot(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn turned(matrix: &Array2<f64>, transpose: Transpose) -> Array2<f64> {
    if transpose == Transpose::Yes { matrix.t().to_owned() } else { matrix.clone() }
}

/// The index of the largest value, the lowest on ties.
fn arg_max(values: impl IntoIterator<Item = f64>) -> (usize, f64) {
    values.into_iter().enumerate().fold(
        (0, f64::NEG_INFINITY),
        |best, (i, value)| {
            if value > best.1 { (i, value) } else { best }
        },
    )
}

fn index(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}

impl Backend for Reference {
    type Matrix = Array2<f64>;
    type Indices = Vec<u32>;

    fn device(&self) -> &Device {
        &self.device
    }

    fn upload(&self, source: &dyn RowSource) -> Result<Array2<f64>> {
        let [rows, columns] = source.shape();
        let mut matrix = Array2::<f32>::zeros((rows, columns));
        if let Some(values) = matrix.as_slice_mut() {
            source.read_rows(0, values)?;
        }
        Ok(matrix.mapv(f64::from))
    }

    fn download(&self, matrix: &Array2<f64>) -> Result<Array2<f64>> {
        Ok(matrix.clone())
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Vec<u32>> {
        Ok(indices.to_vec())
    }

    fn download_indices(&self, indices: &Vec<u32>) -> Result<Vec<u32>> {
        Ok(indices.clone())
    }

    fn shape(&self, matrix: &Array2<f64>) -> [usize; 2] {
        shape(matrix)
    }

    fn affine(
        &self,
        x: &Array2<f64>,
        weights: &Array2<f64>,
        bias: Option<&Array2<f64>>,
        activation: Activation,
    ) -> Result<Array2<f64>> {
        let [n, m] = check::affine(shape(x), shape(weights), bias.map(shape))?;
        Ok(Array2::from_shape_fn((n, m), |(i, j)| {
            let z = dot(x.row(i), weights.row(j)) + bias.map_or(0.0, |b| b[[0, j]]);
            if activation == Activation::Relu { z.max(0.0) } else { z }
        }))
    }

    fn matmul(
        &self,
        a: &Array2<f64>,
        transpose_a: Transpose,
        b: &Array2<f64>,
        transpose_b: Transpose,
    ) -> Result<Array2<f64>> {
        let [n, m, _] = check::matmul(shape(a), transpose_a, shape(b), transpose_b)?;
        let (a, b) = (turned(a, transpose_a), turned(b, transpose_b));
        Ok(Array2::from_shape_fn((n, m), |(i, j)| dot(a.row(i), b.column(j))))
    }

    fn max_plus_matmul(&self, a: &Array2<f64>, b: &Array2<f64>) -> Result<Array2<f64>> {
        let [n, m] = check::max_plus_matmul(shape(a), shape(b))?;
        Ok(Array2::from_shape_fn((n, m), |(i, j)| arg_max(a.row(i).iter().zip(b.column(j)).map(|(a, b)| a + b)).1))
    }

    fn nearest(&self, x: &Array2<f64>, y: &Array2<f64>) -> Result<Minima<Array2<f64>, Vec<u32>>> {
        let n = check::nearest(shape(x), shape(y))?;
        let square = |x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
        };
        let minima: Vec<(usize, f64)> =
            x.rows().into_iter().map(|x| arg_max(y.rows().into_iter().map(|y| -square(x, y)))).collect();
        Ok(Minima {
            values: Array2::from_shape_fn((n, 1), |(i, _)| 0.0 - minima[i].1),
            arguments: minima.iter().map(|best| index(best.0)).collect(),
        })
    }

    fn cluster_means(
        &self,
        points: &Array2<f64>,
        labels: &Vec<u32>,
        previous: &Array2<f64>,
    ) -> Result<ClusterMeans<Array2<f64>, Vec<u32>>> {
        let [k, _] = check::cluster_means(shape(points), labels.len(), shape(previous))?;
        let (mut centres, mut counts) = (Array2::zeros(previous.raw_dim()), vec![0_u32; k]);
        for (point, label) in points.rows().into_iter().zip(labels) {
            if let Some(count) = counts.get_mut(*label as usize) {
                *count += 1;
                let mut sum = centres.row_mut(*label as usize);
                sum += &point;
            }
        }
        for (cluster, count) in counts.iter().enumerate() {
            let mut centre = centres.row_mut(cluster);
            if *count > 0 { centre /= f64::from(*count) } else { centre.assign(&previous.row(cluster)) }
        }
        let change = &centres - previous;
        let squares = |rows: &Array2<f64>, factor: f64| {
            Array2::from_shape_fn((1, k), |(_, cluster)| factor * dot(rows.row(cluster), rows.row(cluster)))
        };
        Ok(ClusterMeans { moved: squares(&change, 1.0), offsets: squares(&centres, -0.5), centres, counts })
    }

    fn tropical_eval(
        &self,
        points: &Array2<f64>,
        exponents: &Array2<f64>,
        coefficients: &Array2<f64>,
    ) -> Result<Maxima<Array2<f64>, Vec<u32>>> {
        let n = check::tropical_eval(shape(points), shape(exponents), shape(coefficients))?;
        let maxima: Vec<(usize, f64)> = points
            .rows()
            .into_iter()
            .map(|x| arg_max(exponents.rows().into_iter().zip(coefficients.row(0)).map(|(a, c)| c + dot(a, x))))
            .collect();
        Ok(Maxima {
            values: Array2::from_shape_fn((n, 1), |(i, _)| maxima[i].1),
            arguments: maxima.iter().map(|best| index(best.0)).collect(),
        })
    }

    fn generators(
        &self,
        weights: &Array2<f64>,
        rows: &Array2<f64>,
        constants: Option<&Array2<f64>>,
    ) -> Result<Array2<f64>> {
        let [stacked, width] = check::generators(shape(weights), shape(rows), constants.map(shape))?;
        let (p, n) = (rows.nrows(), rows.ncols());
        Ok(Array2::from_shape_fn((stacked, width), |(row, j)| {
            let (m, i) = (row / p, row % p);
            let entry = if j < n { rows[[i, j]] } else { constants.map_or(0.0, |c| c[[0, i]]) };
            weights[[m, i]] * entry
        }))
    }

    fn support_function(
        &self,
        generators: &Array2<f64>,
        shift: Option<&Array2<f64>>,
        directions: &Array2<f64>,
    ) -> Result<Array2<f64>> {
        let n = check::support_function(shape(generators), shift.map(shape), shape(directions))?;
        Ok(Array2::from_shape_fn((n, 1), |(i, _)| {
            let u = directions.row(i);
            let sum: f64 = generators.rows().into_iter().map(|g| dot(g, u).max(0.0)).sum();
            sum + shift.map_or(0.0, |shift| dot(shift.row(0), u))
        }))
    }

    fn class_supports(
        &self,
        weights: &Array2<f64>,
        generators: &Array2<f64>,
        directions: &Array2<f64>,
    ) -> Result<Array2<f64>> {
        let [n, k] = check::class_supports(shape(weights), shape(generators), shape(directions))?;
        Ok(Array2::from_shape_fn((n, k), |(i, m)| {
            let terms = generators.rows().into_iter().zip(weights.row(m));
            terms.map(|(g, w)| w * dot(g, directions.row(i)).max(0.0)).sum()
        }))
    }

    fn activation_patterns(
        &self,
        generators: &Array2<f64>,
        constants: Option<&Array2<f64>>,
        directions: &Array2<f64>,
    ) -> Result<Vec<u32>> {
        let [n, words] = check::activation_patterns(shape(generators), constants.map(shape), shape(directions))?;
        let mut patterns = vec![0; n * words];
        for (i, u) in directions.rows().into_iter().enumerate() {
            for (j, g) in generators.rows().into_iter().enumerate() {
                if dot(g, u) + constants.map_or(0.0, |c| c[[0, j]]) > 0.0 {
                    patterns[i * words + j / 32] |= 1 << (j % 32);
                }
            }
        }
        Ok(patterns)
    }

    fn row_scores(
        &self,
        rows: &Array2<f64>,
        constants: Option<&Array2<f64>>,
        coefficients: &Array2<f64>,
    ) -> Result<RowScores<Array2<f64>>> {
        let p = check::row_scores(shape(rows), constants.map(shape), shape(coefficients))?;
        let norms = Array2::from_shape_fn((1, p), |(_, i)| {
            let constant = constants.map_or(0.0, |c| c[[0, i]]);
            (dot(rows.row(i), rows.row(i)) + constant * constant).sqrt()
        });
        let scores = Array2::from_shape_fn((1, p), |(_, i)| {
            let b = coefficients.column(i);
            let size: f64 = b.iter().map(|b| b.abs()).sum();
            if size > 0.0 { norms[[0, i]] * dot(b, b) / size } else { 0.0 }
        });
        Ok(RowScores { norms, rows: scores })
    }

    fn row_update(
        &self,
        norms: &Array2<f64>,
        targets: &Array2<f64>,
        lambda: f32,
        first: HalfStep,
        half_steps: usize,
    ) -> Result<RowUpdate<Array2<f64>>> {
        let [_, p] = check::row_update(shape(norms), shape(targets), lambda)?;
        let lambda = f64::from(lambda);
        let mut scale = Array2::from_elem((1, p), 1.0);
        let mut elements = targets.clone();
        let mut objective = Array2::zeros((half_steps + 1, p));
        for i in 0..p {
            let (norm, t) = (norms[[0, i]], targets.column(i));
            let cost = |s: f64, column: ArrayView1<'_, f64>| -> f64 {
                let kept = column.iter().zip(t).map(|(new, old)| {
                    let gap = (new * s - old) * norm;
                    0.5 * gap * gap + lambda * new * s * norm
                });
                kept.sum()
            };
            objective[[0, i]] = cost(1.0, elements.column(i));
            for step in 0..half_steps {
                match check::half_step(first, step) {
                    HalfStep::Rows => {
                        let new = elements.column(i);
                        let (square, sum) = (dot(new, new), new.sum());
                        let gain = dot(new, t) - if norm > 0.0 { lambda * sum / norm } else { 0.0 };
                        scale[[0, i]] = if square > 0.0 && norm > 0.0 { gain.max(0.0) / square } else { 0.0 };
                    }
                    HalfStep::Elements => {
                        let s: f64 = scale[[0, i]];
                        let column: Array1<f64> =
                            t.mapv(|t| if s > 0.0 && norm > 0.0 { (t - lambda / norm).max(0.0) / s } else { 0.0 });
                        elements.column_mut(i).assign(&column);
                    }
                }
                objective[[step + 1, i]] = cost(scale[[0, i]], elements.column(i));
            }
        }
        Ok(RowUpdate { scale, elements, objective })
    }

    fn path_norms(
        &self,
        weights: &Array2<f64>,
        squares: &Array2<f64>,
        bias: Option<&Array2<f64>>,
        direction: Transpose,
    ) -> Result<Array2<f64>> {
        let length = check::path_norms(shape(weights), shape(squares), bias.map(shape), direction)?;
        let w = turned(weights, direction);
        Ok(Array2::from_shape_fn((1, length), |(_, i)| {
            let sum: f64 = w.row(i).iter().zip(squares.row(0)).map(|(w, q)| w * w * q).sum();
            0.5 * (sum + bias.map_or(0.0, |b| b[[0, i]] * b[[0, i]]))
        }))
    }

    fn relu_covariance(&self, mean: &Array2<f64>, covariance: &Array2<f64>) -> Result<ReluMoments<Array2<f64>>> {
        let n = check::relu_covariance(shape(mean), shape(covariance))?;
        let deviation = |i: usize| covariance[[i, i]].max(0.0).sqrt();
        let means = Array2::from_shape_fn((1, n), |(_, i)| {
            let (m, s) = (mean[[0, i]], deviation(i));
            if s > 0.0 { m * normal::cdf(m / s) + s * normal::density(m / s) } else { m.max(0.0) }
        });
        let entry = |i: usize, j: usize| -> f64 {
            let (a, b) = (deviation(i), deviation(j));
            if a * b == 0.0 {
                return 0.0;
            }
            let (h, k, rho) = (mean[[0, i]] / a, mean[[0, j]] / b, (covariance[[i, j]] / (a * b)).clamp(-1.0, 1.0));
            let term = |t: f64| {
                let (sine, cosine) = t.sin_cos();
                (rho - sine) * (-(h * h - 2.0 * h * k * sine + k * k) / (2.0 * cosine * cosine)).exp()
            };
            // The midpoint rule in x with t = asin(rho) (3 x^2 - 2 x^3), whose derivative vanishes at both ends.
            let steps = 400;
            let integral: f64 = (0..steps)
                .map(|step| {
                    let x = (f64::from(step) + 0.5) / f64::from(steps);
                    term(rho.asin() * x * x * (3.0 - 2.0 * x)) * rho.asin() * 6.0 * x * (1.0 - x) / f64::from(steps)
                })
                .sum();
            a * b * (rho * normal::cdf(h) * normal::cdf(k) + integral / std::f64::consts::TAU)
        };
        Ok(ReluMoments { mean: means, covariance: Array2::from_shape_fn((n, n), |(i, j)| entry(i, j)) })
    }

    fn threshold_mask(&self, weights: &Array2<f64>, scores: &Array2<f64>, cutoff: Cutoff) -> Result<Array2<f64>> {
        let [p, n] = check::threshold_mask(shape(weights), shape(scores))?;
        Ok(Array2::from_shape_fn((p, n), |(i, j)| {
            let score = if scores.ncols() == n { scores[[i, j]] } else { scores[[i, 0]] };
            let limit = f64::from(cutoff.score);
            let removed = score < limit || (score == limit && i * n + j < cutoff.index as usize);
            if removed { 0.0 } else { weights[[i, j]] }
        }))
    }

    fn ball_step(&self, x: &Array2<f64>, gradient: &Array2<f64>, step: f32, radius: f32) -> Result<Array2<f64>> {
        check::ball_step(shape(x), shape(gradient), step, radius)?;
        let mut out = x.clone();
        for (mut row, gradient) in out.rows_mut().into_iter().zip(gradient.rows()) {
            let norm = dot(gradient, gradient).sqrt();
            if norm > 0.0 {
                row.scaled_add(f64::from(step) / norm, &gradient);
            }
            let norm = dot(row.view(), row.view()).sqrt();
            if norm > f64::from(radius) {
                row *= f64::from(radius) / norm;
            }
        }
        Ok(out)
    }

    fn cross_entropy(&self, logits: &Array2<f64>, labels: &Vec<u32>) -> Result<CrossEntropy<Array2<f64>>> {
        let [n, k] = check::cross_entropy(shape(logits), labels.len())?;
        check::labels(labels, k)?;
        let (mut losses, mut gradient) = (Array2::zeros((n, 1)), Array2::zeros((n, k)));
        for (i, (row, label)) in logits.rows().into_iter().zip(labels).enumerate() {
            let largest = arg_max(row.iter().copied()).1;
            let sum: f64 = row.iter().map(|z| (z - largest).exp()).sum();
            losses[[i, 0]] = largest + sum.ln() - row[*label as usize];
            for (j, z) in row.iter().enumerate() {
                let wanted = if j == *label as usize { 1.0 } else { 0.0 };
                gradient[[i, j]] = ((z - largest).exp() / sum - wanted) / n as f64;
            }
        }
        Ok(CrossEntropy { losses, gradient })
    }

    fn adam_step(
        &self,
        weights: &Array2<f64>,
        gradient: &Array2<f64>,
        [mean, square]: [&Array2<f64>; 2],
        adam: Adam,
    ) -> Result<AdamState<Array2<f64>>> {
        check::adam_step(shape(weights), shape(gradient), [shape(mean), shape(square)], adam)?;
        let ([b1, b2], [c1, c2]) = (adam.decays.map(f64::from), adam.corrections());
        let mean = mean * b1 + gradient * (1.0 - b1);
        let square = square * b2 + &(gradient * gradient * (1.0 - b2));
        let root = square.mapv(|v| (v / c2).sqrt() + f64::from(adam.epsilon));
        let weights = weights - &(&mean * (f64::from(adam.rate) / c1) / root);
        Ok(AdamState { weights, mean, square })
    }

    fn classify(&self, logits: &Array2<f64>, labels: Option<&Vec<u32>>) -> Result<Classified<Vec<u32>>> {
        let n = check::classify(shape(logits), labels.map(Vec::len))?;
        let class = logits.rows().into_iter().map(|row| index(arg_max(row.iter().copied()).0)).collect();
        let rank = (0..n).map(|i| {
            labels.map_or(0, |labels| {
                let (row, label) = (logits.row(i), labels[i] as usize);
                let before = |(j, value): (usize, &f64)| *value > row[label] || (*value == row[label] && j < label);
                index(row.iter().enumerate().filter(|entry| before(*entry)).count())
            })
        });
        Ok(Classified { class, rank: rank.collect() })
    }

    fn unfold(&self, images: &Array2<f64>, window: &Window, positions: Option<&Vec<u32>>) -> Result<Array2<f64>> {
        let shape = check::unfold(shape(images), window, positions.map(Vec::len))?;
        let [height, width] = window.positions()?;
        positions.map_or(Ok(()), |positions| check::positions(positions, images.nrows(), [height, width]))?;
        let plane = window.image[1] * window.image[2];
        Ok(Array2::from_shape_fn(shape, |(row, column)| {
            let position = positions.map_or(row, |positions| positions[row] as usize);
            let (image, at) = (position / (height * width), position % (height * width));
            let (channel, entry) = (column / window.entries(), column % window.entries());
            let entry = [entry / window.kernel[1], entry % window.kernel[1]];
            let pixel = window.pixel([at / width, at % width], entry);
            pixel.map_or(0.0, |pixel| images[[image, channel * plane + pixel]])
        }))
    }

    fn convolution(
        &self,
        images: &Array2<f64>,
        weights: &Array2<f64>,
        bias: Option<&Array2<f64>>,
        window: &Window,
        groups: usize,
        activation: Activation,
    ) -> Result<Array2<f64>> {
        let (shape, [height, width]) =
            check::convolution(shape(images), shape(weights), bias.map(shape), window, groups)?;
        let plane = window.image[1] * window.image[2];
        let (inputs, outputs) = (window.image[0] / groups, weights.nrows() / groups);
        Ok(Array2::from_shape_fn(shape, |(i, j)| {
            let (output, at) = (j / (height * width), j % (height * width));
            let mut z = bias.map_or(0.0, |b| b[[0, output]]);
            for channel in 0..inputs {
                for entry in 0..window.entries() {
                    let place = [entry / window.kernel[1], entry % window.kernel[1]];
                    if let Some(pixel) = window.pixel([at / width, at % width], place) {
                        let input = output / outputs * inputs + channel;
                        z += weights[[output, channel * window.entries() + entry]] * images[[i, input * plane + pixel]];
                    }
                }
            }
            if activation == Activation::Relu { z.max(0.0) } else { z }
        }))
    }

    #[expect(clippy::cast_precision_loss, reason = "windows have far fewer than 2^53 entries")]
    fn pooling(&self, images: &Array2<f64>, window: &Window, pooling: Pooling) -> Result<Array2<f64>> {
        let (shape, [height, width]) = check::pooling(shape(images), window)?;
        let plane = window.image[1] * window.image[2];
        Ok(Array2::from_shape_fn(shape, |(i, j)| {
            let (channel, at) = (j / (height * width), j % (height * width));
            let entries = (0..window.entries()).filter_map(|entry| {
                let place = [entry / window.kernel[1], entry % window.kernel[1]];
                window.pixel([at / width, at % width], place).map(|pixel| images[[i, channel * plane + pixel]])
            });
            match pooling {
                Pooling::Max => arg_max(entries).1,
                Pooling::Average => entries.clone().sum::<f64>() / entries.count() as f64,
                Pooling::AveragePadded => entries.sum::<f64>() / window.entries() as f64,
            }
        }))
    }

    fn pooling_gradient(
        &self,
        images: &Array2<f64>,
        pooled: &Array2<f64>,
        gradient: &Array2<f64>,
        window: &Window,
        pooling: Pooling,
    ) -> Result<Array2<f64>> {
        let [_, width] = check::pooling_gradient(shape(images), shape(pooled), shape(gradient), window)?;
        let (plane, windows) = (window.image[1] * window.image[2], pooled.ncols() / window.image[0]);
        let mut out = Array2::zeros(images.dim());
        for ((i, j), slope) in gradient.indexed_iter() {
            let (channel, at) = (j / windows, j % windows);
            let entries = (0..window.entries()).filter_map(|entry| {
                let place = [entry / window.kernel[1], entry % window.kernel[1]];
                window.pixel([at / width, at % width], place).map(|pixel| channel * plane + pixel)
            });
            let entries: Vec<usize> = match pooling {
                Pooling::Max => entries.filter(|pixel| images[[i, *pixel]] == pooled[[i, j]]).take(1).collect(),
                _ => entries.collect(),
            };
            let share = if pooling == Pooling::AveragePadded { window.entries() } else { entries.len() };
            entries.iter().for_each(|pixel| out[[i, *pixel]] += slope / share as f64);
        }
        Ok(out)
    }

    fn weighted_sum(
        &self,
        a: &Array2<f64>,
        b: Option<&Array2<f64>>,
        factors: [f32; 2],
        activation: Activation,
    ) -> Result<Array2<f64>> {
        let [n, m] = check::weighted_sum(shape(a), b.map(shape), factors)?;
        let [alpha, beta] = factors.map(f64::from);
        Ok(Array2::from_shape_fn((n, m), |at| {
            let z = alpha * a[at] + b.map_or(0.0, |b| beta * b[at]);
            if activation == Activation::Relu { z.max(0.0) } else { z }
        }))
    }

    fn elementwise(&self, x: &Array2<f64>, function: Function) -> Result<Array2<f64>> {
        let function = function.checked()?;
        Ok(x.mapv(|x| function.at(x)))
    }

    fn elementwise_gradient(&self, x: &Array2<f64>, gradient: &Array2<f64>, function: Function) -> Result<Array2<f64>> {
        let function = function.checked()?;
        check::elementwise_gradient(shape(x), shape(gradient))?;
        Ok(Array2::from_shape_fn(x.dim(), |at| gradient[at] * function.slope(x[at])))
    }

    fn combine(&self, a: &Array2<f64>, b: &Array2<f64>, how: Combination, share: usize) -> Result<Array2<f64>> {
        check::combine(shape(a), shape(b), share)?;
        let second = |i: usize, j: usize| b[[if b.nrows() == 1 { 0 } else { i }, j / share % b.ncols()]];
        Ok(Array2::from_shape_fn(a.dim(), |(i, j)| how.at(a[[i, j]], second(i, j))))
    }

    fn reduce_rows(&self, x: &Array2<f64>, reduction: Reduction) -> Result<Array2<f64>> {
        check::reduce_rows(shape(x))?;
        let of_row = |row: ArrayView1<'_, f64>| match reduction {
            Reduction::Sum => row.sum(),
            Reduction::Mean => row.mean().unwrap_or(0.0),
            Reduction::Max => row.fold(f64::NEG_INFINITY, |most, x| most.max(*x)),
            Reduction::Min => row.fold(f64::INFINITY, |least, x| least.min(*x)),
            Reduction::Squares => row.dot(&row),
        };
        Ok(Array2::from_shape_fn((x.nrows(), 1), |(i, _)| of_row(x.row(i))))
    }

    fn normalize_rows(&self, x: &Array2<f64>, norm: RowNorm) -> Result<Array2<f64>> {
        check::normalize_rows(shape(x))?;
        let norm = norm.checked()?;
        let mut out = x.clone();
        for mut row in out.rows_mut() {
            let mean = row.mean().unwrap_or(0.0);
            let largest = row.fold(f64::NEG_INFINITY, |most, x| most.max(*x));
            let total = row.mapv(|x| (x - largest).exp()).sum();
            let spread = |about: f64| row.mapv(|x| (x - about).powi(2)).mean().unwrap_or(0.0);
            let (variance, square) = (spread(mean), spread(0.0));
            row.mapv_inplace(|x| match norm {
                RowNorm::Softmax => (x - largest).exp() / total,
                RowNorm::LogSoftmax => x - largest - total.ln(),
                RowNorm::Standard { epsilon } => (x - mean) / (variance + f64::from(epsilon)).sqrt(),
                RowNorm::RootMeanSquare { epsilon } => x / (square + f64::from(epsilon)).sqrt(),
            });
        }
        Ok(out)
    }

    fn batched_matmul(&self, a: &Array2<f64>, b: &Array2<f64>, groups: usize) -> Result<Array2<f64>> {
        let [m, k, l] = check::batched_matmul(shape(a), shape(b), groups)?;
        Ok(Array2::from_shape_fn((groups * m, l), |(i, j)| (0..k).map(|h| a[[i, h]] * b[[i / m * k + h, j]]).sum()))
    }

    fn reshape(&self, x: Array2<f64>, columns: usize) -> Result<Array2<f64>> {
        let [rows, columns] = check::reshape(shape(&x), columns)?;
        let entries: Vec<f64> = x.iter().copied().collect();
        let shaped = Array2::from_shape_vec((rows, columns), entries);
        shaped.map_err(|error| crate::Error::Internal { what: error.to_string() })
    }

    fn gather(&self, x: &Array2<f64>, index: &Vec<u32>) -> Result<Array2<f64>> {
        check::gather(shape(x))?;
        let at = |i: usize, j: usize| x.get((i, index[j] as usize)).copied().unwrap_or(0.0);
        Ok(Array2::from_shape_fn((x.nrows(), index.len()), |(i, j)| at(i, j)))
    }

    fn concatenate(&self, parts: &[&Array2<f64>]) -> Result<Array2<f64>> {
        check::concatenate(&parts.iter().map(|part| shape(part)).collect::<Vec<_>>())?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let joined = ndarray::concatenate(ndarray::Axis(1), &views);
        joined.map_err(|error| crate::Error::Internal { what: error.to_string() })
    }
}
