//! The difference of two blocks on a ball: what all bounds are computed from.

use ndarray::{Array1, Array2, Axis};

use super::block::Block;
use super::radial::{Radial, Rounding};

/// Neurons whose sign on the ball is certain up to this share of their range count as always on or always off.
const STABLE: f64 = 1e-6;

/// `D_j(x) = sum_i c_ji relu(w_i x) - sum_k c~_jk relu(w~_k x) + linear_j x + constant_j`, up to `slack_j`, for
/// `|x| <= radius`.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) radius: f64,
    pub(super) a: Array2<f64>,
    pub(super) b: Array1<f64>,
    pub(super) c: Array2<f64>,
    pub(super) other_a: Array2<f64>,
    pub(super) other_b: Array1<f64>,
    pub(super) other_c: Array2<f64>,
    pub(super) linear: Array2<f64>,
    pub(super) constant: Array1<f64>,
    pub(super) slack: Array1<f64>,
}

/// The norm of each row.
pub(super) fn row_norms(matrix: &Array2<f64>) -> Array1<f64> {
    matrix.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect()
}

/// `sum_i |c_ji| nu_r(a_i, b_i)` for every `j`; the rows have the norms `norms`.
pub(super) fn weighted(c: &Array2<f64>, norms: &Array1<f64>, offsets: &Array1<f64>) -> Vec<Radial> {
    let size = c.mapv(f64::abs);
    let (slopes, constants) = (size.dot(norms), size.dot(&offsets.mapv(f64::abs)));
    slopes.iter().zip(&constants).map(|(slope, constant)| Radial { constant: *constant, slope: *slope }).collect()
}

/// What is certain of a neuron on the ball.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Off,
    On,
    Open,
}

impl Problem {
    pub(super) fn new(original: &Block, compressed: &Block, radius: f64) -> Self {
        let outputs = original.outputs();
        Self {
            radius,
            a: original.weight.clone(),
            b: original.bias.clone(),
            c: original.next.clone(),
            other_a: compressed.weight.clone(),
            other_b: compressed.bias.clone(),
            other_c: compressed.next.clone(),
            linear: Array2::zeros((outputs, original.inputs())),
            constant: &original.next_bias - &compressed.next_bias,
            slack: Array1::zeros(outputs),
        }
    }

    pub(super) fn outputs(&self) -> usize {
        self.c.nrows()
    }

    pub(super) fn rounding(&self) -> Rounding {
        Rounding::new(self.a.nrows() + self.other_a.nrows() + self.a.ncols() + 2)
    }

    /// `T` of [`Rounding`] without partners: everything that enters, with its coefficient.
    pub(super) fn sizes(&self) -> Vec<Radial> {
        let original = weighted(&self.c, &row_norms(&self.a), &self.b);
        let compressed = weighted(&self.other_c, &row_norms(&self.other_a), &self.other_b);
        let linear = row_norms(&self.linear);
        let rest = linear.iter().zip(&self.constant).zip(&self.slack);
        let rest = rest.map(|((slope, constant), slack)| Radial { constant: constant.abs() + slack, slope: *slope });
        original.into_iter().zip(compressed).zip(rest).map(|((a, b), c)| a + b + c).collect()
    }

    /// `l_j`: twice the linear part of `D_j` when every `relu(z)` is written `z / 2 + |z| / 2`, as slopes `m x d` and
    /// constants `m`.
    pub(super) fn trend(&self) -> (Array2<f64>, Array1<f64>) {
        let slopes = self.c.dot(&self.a) - self.other_c.dot(&self.other_a) + &self.linear * 2.0;
        let constants = self.c.dot(&self.b) - self.other_c.dot(&self.other_b) + &self.constant * 2.0;
        (slopes, constants)
    }

    /// The same difference with the neurons of certain sign taken out: those that are always off do nothing on the ball,
    /// those that are always on are linear there. `None` if every sign is open.
    ///
    /// A neuron that is on but for `-l` of its range, `l = b - r |a|`, is `z` up to `-l`; one that is off but for `u` is 0
    /// up to `u`. Both go into the slack. Also returned: the original and the compressed neurons that stay.
    pub(super) fn without_stable(&self) -> Option<(Self, [Vec<usize>; 2])> {
        let signs = |a: &Array2<f64>, b: &Array1<f64>| -> Vec<(Sign, f64)> {
            let sign = |(norm, b): (&f64, &f64)| {
                let reach = self.radius * norm;
                let (low, high) = (b - reach, b + reach);
                if low >= -STABLE * high {
                    (Sign::On, (-low).max(0.0))
                } else if high <= -STABLE * low {
                    (Sign::Off, high.max(0.0))
                } else {
                    (Sign::Open, 0.0)
                }
            };
            row_norms(a).iter().zip(b).map(sign).collect()
        };
        let (mine, others) = (signs(&self.a, &self.b), signs(&self.other_a, &self.other_b));
        let open =
            |signs: &[(Sign, f64)]| -> Vec<usize> { (0..signs.len()).filter(|i| signs[*i].0 == Sign::Open).collect() };
        let (kept, other_kept) = (open(&mine), open(&others));
        if kept.len() == mine.len() && other_kept.len() == others.len() {
            return None;
        }
        let mut reduced = Self {
            radius: self.radius,
            a: self.a.select(Axis(0), &kept),
            b: self.b.select(Axis(0), &kept),
            c: self.c.select(Axis(1), &kept),
            other_a: self.other_a.select(Axis(0), &other_kept),
            other_b: self.other_b.select(Axis(0), &other_kept),
            other_c: self.other_c.select(Axis(1), &other_kept),
            linear: self.linear.clone(),
            constant: self.constant.clone(),
            slack: self.slack.clone(),
        };
        let mut fold = |signs: &[(Sign, f64)], a: &Array2<f64>, b: &Array1<f64>, c: &Array2<f64>, factor: f64| {
            let on: Vec<usize> = (0..signs.len()).filter(|i| signs[*i].0 == Sign::On).collect();
            let c_on = c.select(Axis(1), &on);
            reduced.linear.scaled_add(factor, &c_on.dot(&a.select(Axis(0), &on)));
            reduced.constant.scaled_add(factor, &c_on.dot(&b.select(Axis(0), &on)));
            let leaks: Array1<f64> = signs.iter().map(|(_, leak)| *leak).collect();
            reduced.slack += &c.mapv(f64::abs).dot(&leaks);
        };
        fold(&mine, &self.a, &self.b, &self.c, 1.0);
        fold(&others, &self.other_a, &self.other_b, &self.other_c, -1.0);
        Some((reduced, [kept, other_kept]))
    }
}
