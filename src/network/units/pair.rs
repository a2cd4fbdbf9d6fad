//! A layer and the columns that read it, as matrices.

use ndarray::{ArcArray2, Array2, ArrayView2, Axis, s};

use super::site::{Reader, Site};
use crate::error::{Error, Result};
use crate::network::block::{Layout, norm_affine};
use crate::network::graph::{Network, Op};
use crate::network::tensor::Tensor;

/// A layer `h = relu(A x + b)` with `n` units and the map `C h + beta` that reads it.
///
/// Row `i` of `rows` is the weights of unit `i`: a row of a linear layer, or a flattened kernel. Unit `i` owns the columns
/// `i q .. (i + 1) q` of `next`, whatever the order in the network. Batch norms behind the layers are folded into both.
///
/// Several readers lie below one another in `next`. Those of a group, which read the same values through the same windows,
/// share columns; groups have columns of their own, with zeros in the rows of the others, so that norms and sums over the
/// columns of a unit are those over all readers. Layers that are tied by a residual trunk lie side by side in `rows`, each but
/// the first followed by its bias.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Where it lies in the network.
    pub site: Site,
    /// `A`: `n x d`. What was rewritten is shared with the network.
    pub rows: ArcArray2<f32>,
    /// `b`: `n`.
    pub bias: Vec<f32>,
    /// `C`: `m x n q`.
    pub next: Array2<f32>,
    /// `beta`: `m`.
    pub next_bias: Vec<f32>,
    /// Columns of `rows` that are biases of tied layers.
    pub biases: Vec<usize>,
}

/// A pair with `K` units in place of `n`, and where they come from.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// `K x d`. Networks share the matrices of the plans that they come from.
    pub rows: ArcArray2<f32>,
    /// `K`.
    pub bias: Vec<f32>,
    /// `m x K q`.
    pub next: ArcArray2<f32>,
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
        Op::Linear { weight, bias } | Op::Conv { weight, bias, .. } => Ok((weight, bias.as_ref())),
        op => Err(Error::Internal { what: format!("`{name}` ({}) has no units", op.name()) }),
    }
}

/// The rows and the biases of a layer, with its batch norm folded in.
pub(super) fn folded(network: &Network, name: &str, norm: Option<&str>) -> Result<(ArcArray2<f32>, Vec<f32>)> {
    let (weight, bias) = parameters(network, name)?;
    let [rows, _] = weight.matrix_shape();
    let mut values = weight.matrix().ok_or_else(|| Error::Internal { what: format!("`{name}` is no matrix") })?;
    let mut bias = bias.map_or_else(|| vec![0.0; rows], Tensor::to_vec);
    weight.release();
    if let Some(norm) = norm {
        let (factors, shifts) = norm_affine(&network.node(norm)?.op)?;
        for (mut row, factor) in values.rows_mut().into_iter().zip(&factors) {
            row.iter_mut().for_each(|value| *value = narrow(f64::from(*value) * factor));
        }
        for ((bias, factor), shift) in bias.iter_mut().zip(&factors).zip(&shifts) {
            *bias = narrow(f64::from(*bias) * factor + shift);
        }
        if values.iter().chain(&bias).any(|value| !value.is_finite()) {
            return Err(Error::Overflow { what: "a weight with its batch norm", layer: name.to_owned() });
        }
    }
    Ok((values, bias))
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32; what overflows is found where they are read")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

impl Pair {
    /// Reads a pair from a network.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] for a site of another network.
    pub fn read(network: &Network, site: &Site) -> Result<Self> {
        let (mut rows, bias) = folded(network, &site.layer, site.norm.as_deref())?;
        let mut biases = Vec::new();
        if !site.tied.is_empty() {
            let mut parts = vec![rows];
            for (layer, norm) in site.writers().skip(1) {
                let (rows, bias) = folded(network, layer, norm)?;
                parts.extend([rows, ArcArray2::from_shape_fn((bias.len(), 1), |(i, _)| bias[i])]);
                biases.push(parts.iter().map(|part| part.ncols()).sum::<usize>() - 1);
            }
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            let joined = ndarray::concatenate(Axis(1), &views);
            let joined = joined.map_err(|error| Error::Internal { what: format!("`{}`: {error}", site.layer) })?;
            rows = joined.into_shared();
        }
        let (next, next_bias) = Self::read_next(network, site)?;
        if rows.nrows() != site.units() {
            let what = format!("`{}` has {} units, not {}", site.layer, rows.nrows(), site.units());
            return Err(Error::Internal { what });
        }
        Ok(Self { site: site.clone(), rows, bias, next, next_bias, biases })
    }

    /// The map that reads the units of a pair, `C` and `beta`.
    pub(crate) fn read_next(network: &Network, site: &Site) -> Result<(Array2<f32>, Vec<f32>)> {
        if let [reader] = site.readers.as_slice() {
            return Self::read_one(network, site, reader);
        }
        let (groups, q) = (site.groups(), site.block());
        let (mut parts, mut bias) = (Vec::new(), Vec::new());
        for group in &groups {
            for reader in &group.readers {
                let (own, own_bias) = Self::read_one(network, site, reader)?;
                parts.push((group.offset, group.block, own));
                bias.extend(own_bias);
            }
        }
        let mut next = Array2::zeros((bias.len(), site.units() * q));
        let mut first = 0;
        for (offset, block, own) in parts {
            for ((row, column), value) in own.indexed_iter() {
                next[[first + row, column / block * q + offset + column % block]] = *value;
            }
            first += own.nrows();
        }
        Ok((next, bias))
    }

    /// What one reader makes of the units, with its own columns side by side for each of them.
    fn read_one(network: &Network, site: &Site, reader: &Reader) -> Result<(Array2<f32>, Vec<f32>)> {
        let (next, bias) = folded(network, &reader.node, reader.norm.as_deref())?;
        let columns = reader.columns;
        if columns.units != site.units() || next.ncols() != columns.units * columns.per_unit {
            let (layer, units, width) = (&site.layer, site.units(), next.ncols());
            return Err(Error::Internal {
                what: format!("`{layer}` has {units} units, `{}` {width} columns", reader.node),
            });
        }
        let next: Array2<f32> = match columns.layout {
            Layout::Blocks => next.into_owned(),
            Layout::Strided => {
                let order: Vec<usize> = (0..columns.units).flat_map(|unit| columns.of(unit)).collect();
                next.select(Axis(1), &order)
            }
        };
        Ok((next, bias))
    }

    /// Whether what reads the units of `site` is the same in two networks.
    pub(crate) fn same_next(a: &Network, b: &Network, site: &Site) -> bool {
        let same = |name: &str| match (a.node(name), b.node(name)) {
            (Ok(a), Ok(b)) => {
                let (a, b) = (a.op.tensors(), b.op.tensors());
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.is(b))
            }
            _ => false,
        };
        site.readers.iter().all(|reader| std::iter::once(&reader.node).chain(&reader.norm).all(|name| same(name)))
    }

    /// `n`.
    #[must_use]
    pub fn units(&self) -> usize {
        self.rows.nrows()
    }

    /// `q`.
    #[must_use]
    pub fn block(&self) -> usize {
        self.site.block()
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
        self.read_by(keep, self.next.select(Axis(1), &columns), self.next_bias.clone())
    }

    /// The pair with only the units `keep`, ascending, as they are, and with `C~` and `beta~` that read them.
    pub(crate) fn read_by(&self, keep: &[usize], next: Array2<f32>, next_bias: Vec<f32>) -> Reduced {
        let (mut assignment, mut lambda) = (vec![None; self.units()], vec![0.0; self.units()]);
        for (new, old) in keep.iter().enumerate() {
            assignment[*old] = Some(new);
            lambda[*old] = 1.0;
        }
        Reduced {
            rows: self.rows.select(Axis(0), keep).into_shared(),
            bias: keep.iter().map(|i| self.bias[*i]).collect(),
            next: next.into_shared(),
            next_bias,
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

    /// The reduced layer as a pair of its own, for the next step on it; `pair` is what it was made of.
    #[must_use]
    pub fn into_pair(self, pair: &Pair) -> Pair {
        let (site, biases) = (pair.site.with_units(self.units()), pair.biases.clone());
        Pair { site, rows: self.rows, bias: self.bias, next: self.next.into_owned(), next_bias: self.next_bias, biases }
    }
}
