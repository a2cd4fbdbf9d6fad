//! Where inputs lie, read off the first layer: training puts its hyperplanes through the data.
//!
//! For the pre-activations `z = A x + c` of `m` units over `d` inputs:
//!
//! ```text
//! s_j = 1 / rms(A_:j)                         the unit of coordinate j; 0 for one that no unit reads
//! H, o = rows A_i s and offsets -c_i, each divided by |A_i s|
//! u = argmin |o - H u|^2 + ridge |u|^2        the point that the hyperplanes pass by most closely
//! sigma = median_i |e_i| / 0.6745             e_i: distance of hyperplane i from the point of the others
//! x ~ N(s u, Diag(f sigma s)^2),              f = min(4, sqrt(d))
//! ```
//!
//! `e_i = r_i / (1 - h_i)` for residuals `r = o - H u` and `h_i = H_i (H^T H + ridge I)^-1 H_i^T`: a hyperplane does not
//! explain itself (Allen, *The relationship between variable selection and data augmentation*, 1974). Weights of rows that
//! grow with the network's own scale cancel, and so do an affine change `a_j x_j + b_j` of each input, as long as there are
//! hyperplanes enough to fix a point (at least `2 d`). With fewer, any offsets meet somewhere; the ridge then draws the
//! point to the origin, which is where inputs of so many coordinates - pixels, features - have theirs.

use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};

use super::cholesky::Cholesky;
use crate::error::{Error, Result};
use crate::network::{Network, Node, Op};

/// Standard deviations of data in units of `sigma`, at most.
const FACTOR: f64 = 4.0;

/// The median of `|N(0, 1)|`.
const MEDIAN: f64 = 0.6745;

/// Ridges, in units of the mean diagonal of `H^T H`: where hyperplanes fix the point, and where they are too few for that.
const RIDGES: [f64; 2] = [1e-9, 1e-2];

/// Mean and standard deviation of each input, independent and normal.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrangement {
    /// `s u`: `d`.
    pub mean: Array1<f64>,
    /// `f sigma s`: `d`.
    pub deviation: Array1<f64>,
}

impl Arrangement {
    /// Reads it off the rows `A` (`m x d`) and biases `c` (`m`) of a layer.
    ///
    /// Rows of zeros have no hyperplane. If all hyperplanes meet in one point, as those of a layer without biases do,
    /// `sigma` is 1: such a layer scales with its inputs.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for weights that are not finite, or another number of biases than rows.
    pub fn of(rows: &Array2<f64>, bias: &Array1<f64>) -> Result<Self> {
        let (m, d) = rows.dim();
        if bias.len() != m || rows.iter().chain(bias).any(|value| !value.is_finite()) {
            let problem = format!("{m} rows and {} biases have no arrangement, or are not finite", bias.len());
            return Err(Error::Data { problem });
        }
        let unit = rows.columns().into_iter().map(|column| reciprocal(length(column) / number(m).sqrt()));
        let unit = Array1::from_iter(unit);
        let scaled = rows * &unit;
        let lengths: Vec<f64> = scaled.rows().into_iter().map(length).collect();
        let crossed: Vec<usize> = (0..m).filter(|row| lengths[*row] > 0.0).collect();
        let hyperplanes =
            Array2::from_shape_fn((crossed.len(), d), |(i, j)| scaled[[crossed[i], j]] / lengths[crossed[i]]);
        let offsets = Array1::from_iter(crossed.iter().map(|row| -bias[*row] / lengths[*row]));
        let live = unit.iter().filter(|unit| **unit > 0.0).count();
        let (point, mut distances) = nearest(&hyperplanes, &offsets, live);
        distances.iter_mut().for_each(|distance| *distance = distance.abs());
        let size = offsets.iter().fold(0.0_f64, |most, offset| most.max(offset.abs()));
        let middle = median(&mut distances);
        // What rounding leaves of a common point is no spread.
        let sigma = if middle > 1e-6 * size { middle / MEDIAN } else { 1.0 };
        let deviation = &unit * (FACTOR.min(number(live).sqrt()) * sigma);
        Ok(Self { mean: &unit * &point, deviation })
    }

    /// Reads it off all linear layers that take the output `value` of a node, or the input, as it is; nothing if there are
    /// none.
    ///
    /// # Errors
    ///
    /// As [`Arrangement::of`].
    pub fn read_by(network: &Network, value: &str) -> Result<Option<Self>> {
        let (mut rows, mut biases) = (Vec::new(), Vec::new());
        for (weight, bias) in readers(network, value) {
            let [outputs, inputs] = weight.matrix_shape();
            let values = weight.to_vec().into_iter().map(f64::from).collect();
            let matrix = Array2::from_shape_vec((outputs, inputs), values);
            rows.push(matrix.map_err(|error| Error::Internal { what: error.to_string() })?);
            let bias = bias.map_or_else(|| vec![0.0; outputs], crate::network::Tensor::to_vec);
            biases.extend(bias.into_iter().map(f64::from));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let views: Vec<_> = rows.iter().map(|rows| rows.view()).collect();
        let rows = concatenate(Axis(0), &views).map_err(|error| Error::Internal { what: error.to_string() })?;
        Self::of(&rows, &biases.into()).map(Some)
    }

    /// Whether a linear layer takes the input of a network as it is.
    #[must_use]
    pub fn is_of(network: &Network) -> bool {
        !readers(network, Network::INPUT).is_empty()
    }
}

type Layer<'n> = (&'n crate::network::Tensor, Option<&'n crate::network::Tensor>);

/// Weights and biases of the linear layers behind `value`, with nothing between that changes numbers.
fn readers<'n>(network: &'n Network, value: &'n str) -> Vec<Layer<'n>> {
    let (mut same, mut found) = (vec![value], Vec::new());
    for node in &network.nodes {
        let Node { name, op, inputs } = node;
        if !inputs.first().is_some_and(|input| same.contains(&input.as_str())) {
            continue;
        }
        match op {
            Op::Flatten | Op::Identity | Op::Reshape { .. } => same.push(name),
            Op::Linear { weight, bias } => found.push((weight, bias.as_ref())),
            _ => {}
        }
    }
    found
}

/// The point `u`, and how far each hyperplane is from the point of the others.
fn nearest(hyperplanes: &Array2<f64>, offsets: &Array1<f64>, live: usize) -> (Array1<f64>, Vec<f64>) {
    let (m, d) = hyperplanes.dim();
    let row = offsets.view().insert_axis(Axis(0));
    let ridge = |of: f64| of * number(m) / number(live.max(1));
    if m < 2 * live {
        // With K = H H^T + ridge I: u = H^T K^-1 o, e_i = (K^-1 o)_i / (K^-1)_ii.
        let factor = Cholesky::new(&hyperplanes.dot(&hyperplanes.t()), ridge(RIDGES[1]));
        let (mut weights, mut inverse) = (row.to_owned(), Array2::eye(m));
        factor.solve_rows(&mut weights);
        factor.solve_rows(&mut inverse);
        let point = weights.dot(hyperplanes).row(0).to_owned();
        let distances = weights.iter().zip(inverse.diag()).map(|(weight, own)| weight / own);
        return (point, distances.collect());
    }
    let factor = Cholesky::new(&hyperplanes.t().dot(hyperplanes), ridge(RIDGES[0]));
    let mut point = row.dot(hyperplanes);
    factor.solve_rows(&mut point);
    let mut solved = hyperplanes.clone();
    factor.solve_rows(&mut solved);
    let point = if d == 0 { Array1::zeros(0) } else { point.row(0).to_owned() };
    let residuals = offsets - &hyperplanes.dot(&point);
    let own = hyperplanes.rows().into_iter().zip(solved.rows()).map(|(a, b)| a.dot(&b));
    let distances = residuals.iter().zip(own).map(|(residual, own)| residual / (1.0 - own).max(f64::EPSILON));
    (point, distances.collect())
}

fn length(values: ArrayView1<'_, f64>) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn reciprocal(value: f64) -> f64 {
    if value > 0.0 { 1.0 / value } else { 0.0 }
}

/// The lower median; 0 of nothing.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let [low, high] = [values.len().saturating_sub(1) / 2, values.len() / 2].map(|at| values.get(at).copied());
    0.5 * (low.unwrap_or(0.0) + high.unwrap_or(0.0))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of units are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use serde::Deserialize;

    use super::*;
    use crate::network::random_network;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        rows: Vec<Vec<f64>>,
        bias: Vec<f64>,
        mean: Vec<f64>,
        deviation: Vec<f64>,
    }

    #[test]
    fn means_and_deviations_are_those_of_hyperplanes_left_out_one_by_one() {
        let golden: Golden = serde_json::from_str(include_str!("../../../assets/golden/arrangement.json")).unwrap();
        for case in golden.cases {
            let rows = Array2::from_shape_fn((case.rows.len(), case.rows[0].len()), |(i, j)| case.rows[i][j]);
            let found = Arrangement::of(&rows, &case.bias.into()).unwrap();
            for (at, (mean, deviation)) in case.mean.iter().zip(&case.deviation).enumerate() {
                let gap = (found.mean[at] - mean).abs().max((found.deviation[at] - deviation).abs());
                assert!(gap <= 1e-6 * deviation.abs(), "{}: {found:?}, expected {mean} and {deviation}", case.name);
            }
        }
    }

    #[test]
    fn weights_that_are_not_finite_have_no_arrangement() {
        for (rows, bias) in [
            (ndarray::array![[1.0, f64::NAN]], ndarray::array![0.0]),
            (ndarray::array![[1.0, 2.0]], ndarray::array![f64::INFINITY]),
            (ndarray::array![[1.0, 2.0]], ndarray::array![0.0, 1.0]),
        ] {
            assert!(matches!(Arrangement::of(&rows, &bias), Err(Error::Data { .. })));
        }
        let empty = Arrangement::of(&Array2::zeros((0, 3)), &Array1::zeros(0)).unwrap();
        assert_eq!(empty, Arrangement { mean: Array1::zeros(3), deviation: Array1::zeros(3) });
    }

    #[test]
    fn layers_are_found_behind_nodes_that_change_no_numbers() {
        let network = random_network(&[4, 9, 3], 1).unwrap();
        let direct = Arrangement::read_by(&network, Network::INPUT).unwrap().unwrap();
        let first = network.nodes[0].name.clone();
        let mut behind = network.clone();
        behind.nodes[0].inputs = vec!["flat".to_owned()];
        let flat = Node { name: "flat".to_owned(), op: Op::Flatten, inputs: vec![Network::INPUT.to_owned()] };
        behind.nodes.insert(0, flat);
        assert_eq!(Arrangement::read_by(&behind, Network::INPUT).unwrap().unwrap(), direct);
        assert!(Arrangement::is_of(&behind));
        // A ReLU changes numbers.
        behind.nodes[0].op = Op::Relu;
        assert!(Arrangement::read_by(&behind, Network::INPUT).unwrap().is_none() && !Arrangement::is_of(&behind));
        assert_eq!(Arrangement::read_by(&network, &first).unwrap(), None);
    }
}
