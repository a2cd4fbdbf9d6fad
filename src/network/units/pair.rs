//! A layer and the columns that read it, as matrices.

use ndarray::{Array2, ArrayView2, Axis, s};

use super::site::Site;
use crate::error::{Error, Result};
use crate::network::graph::{Network, Op};
use crate::network::tensor::Tensor;

/// A layer `h = relu(A x + b)` with `n` units and the map `C h + beta` that reads it.
///
/// Row `i` of `rows` is the weights of unit `i`: a row of a linear layer, or a flattened kernel. Unit `i` owns the columns
/// `i q .. (i + 1) q` of `next`, whatever the order in the network.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Where it lies in the network.
    pub site: Site,
    /// `A`: `n x d`.
    pub rows: Array2<f32>,
    /// `b`: `n`.
    pub bias: Vec<f32>,
    /// `C`: `m x n q`.
    pub next: Array2<f32>,
    /// `beta`: `m`.
    pub next_bias: Vec<f32>,
}

/// A pair with `K` units in place of `n`, and where they come from.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// `K x d`.
    pub rows: Array2<f32>,
    /// `K`.
    pub bias: Vec<f32>,
    /// `m x K q`.
    pub next: Array2<f32>,
    /// `m`.
    pub next_bias: Vec<f32>,
    /// For each of the `n` old units the new unit `kappa(i)` that stands for it; none where it was dropped.
    pub assignment: Vec<Option<usize>>,
    /// `lambda_i >= 0` with `(a_i, b_i)` close to `lambda_i (a~, b~)_kappa(i)`; 0 where the unit was dropped.
    pub lambda: Vec<f32>,
}

/// The weight and bias of a node that has units.
pub(super) fn parameters<'a>(network: &'a Network, name: &str) -> Result<(&'a Tensor, Option<&'a Tensor>)> {
    match &network.node(name)?.op {
        Op::Linear { weight, bias } => Ok((weight, bias.as_ref())),
        op => Err(Error::Internal { what: format!("`{name}` ({}) has no units", op.name()) }),
    }
}

impl Pair {
    /// Reads a pair from a network.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] for a site of another network.
    pub fn read(network: &Network, site: &Site) -> Result<Self> {
        let matrix = |name: &str, columns: Option<usize>| -> Result<(Array2<f32>, Vec<f32>)> {
            let (weight, bias) = parameters(network, name)?;
            let rows = weight.dimensions().first().copied().unwrap_or(0);
            let width = columns.unwrap_or_else(|| weight.len().checked_div(rows).unwrap_or(0));
            let values = Array2::from_shape_vec((rows, width), weight.to_vec());
            let values = values.map_err(|error| Error::Internal { what: format!("`{name}`: {error}") })?;
            weight.release();
            Ok((values, bias.map_or_else(|| vec![0.0; rows], Tensor::to_vec)))
        };
        let (rows, bias) = matrix(&site.layer, None)?;
        let (next, next_bias) = matrix(&site.next, Some(site.units * site.block))?;
        let order: Vec<usize> =
            (0..site.units).flat_map(|unit| (0..site.block).map(move |position| site.column(unit, position))).collect();
        let sorted = order.iter().enumerate().all(|(at, column)| at == *column);
        let next = if sorted { next } else { next.select(Axis(1), &order) };
        Ok(Self { site: site.clone(), rows, bias, next, next_bias })
    }

    /// `n`.
    #[must_use]
    pub fn units(&self) -> usize {
        self.rows.nrows()
    }

    /// `q`.
    #[must_use]
    pub fn block(&self) -> usize {
        self.site.block
    }

    /// The columns of the next layer that read unit `i`: `m x q`.
    #[must_use]
    pub fn outgoing(&self, i: usize) -> ArrayView2<'_, f32> {
        let q = self.block();
        self.next.slice(s![.., i * q..(i + 1) * q])
    }

    /// The pair with only the units `keep`, ascending, as they are.
    #[must_use]
    pub fn select(&self, keep: &[usize]) -> Reduced {
        let q = self.block();
        let columns: Vec<usize> = keep.iter().flat_map(|i| i * q..(i + 1) * q).collect();
        let (mut assignment, mut lambda) = (vec![None; self.units()], vec![0.0; self.units()]);
        for (new, old) in keep.iter().enumerate() {
            assignment[*old] = Some(new);
            lambda[*old] = 1.0;
        }
        Reduced {
            rows: self.rows.select(Axis(0), keep),
            bias: keep.iter().map(|i| self.bias[*i]).collect(),
            next: self.next.select(Axis(1), &columns),
            next_bias: self.next_bias.clone(),
            assignment,
            lambda,
        }
    }
}

impl Reduced {
    /// `K`.
    #[must_use]
    pub fn units(&self) -> usize {
        self.rows.nrows()
    }

    /// The reduced layer as a pair of its own, for the next step on it.
    #[must_use]
    pub fn into_pair(self, site: &Site) -> Pair {
        let site = Site { units: self.units(), ..site.clone() };
        Pair { site, rows: self.rows, bias: self.bias, next: self.next, next_bias: self.next_bias }
    }
}
