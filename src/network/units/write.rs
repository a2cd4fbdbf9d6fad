//! Writes the rows of one layer, given with its batch norm folded in, into layer and batch norm.

use ndarray::{ArcArray2, Array2, Axis};

use super::pair::{narrow, parameters};
use crate::error::{Error, Result};
use crate::network::block::norm_affine;
use crate::network::graph::{Network, Op};
use crate::network::tensor::Tensor;

/// New rows for a layer. What equals the old value at its source is copied, not computed.
pub(super) struct Layer<'a> {
    pub(super) name: &'a str,
    /// The batch norm that is folded into `before` and `after`.
    pub(super) norm: Option<&'a str>,
    /// For each new row the old one that it is, if it is one; others get a batch norm that does nothing.
    pub(super) rows: &'a [Option<usize>],
    /// For each new column the old one that it may come from.
    pub(super) columns: &'a [Option<usize>],
    /// What was there; needed with a batch norm only.
    pub(super) before: Option<(&'a ArcArray2<f32>, &'a [f32])>,
    pub(super) after: (&'a ArcArray2<f32>, &'a [f32]),
}

/// Rows and biases as a layer holds them, without its batch norm.
struct Raw {
    weight: ArcArray2<f32>,
    bias: Vec<f32>,
}

pub(super) fn write(network: &mut Network, layer: &Layer<'_>) -> Result<()> {
    let (weight, bias) = parameters(network, layer.name)?;
    let (rows, columns) = layer.after.0.dim();
    let mut shape = weight.dimensions().to_vec();
    let inner: usize = shape.iter().skip(2).product();
    match shape.as_mut_slice() {
        [outputs, inputs, ..] if inner > 0 && columns.is_multiple_of(inner) => {
            (*outputs, *inputs) = (rows, columns / inner);
        }
        _ => return Err(Error::Internal { what: format!("`{}`: {columns} columns of shape {shape:?}", layer.name) }),
    }
    let (new_weight, new_bias) = match layer.norm {
        None => (layer.after.0.clone(), new_bias(weight, bias, layer.after.1)?),
        Some(norm) => {
            let (factors, shifts) = norm_affine(&network.node(norm)?.op)?;
            let raw = raw(layer, weight, bias, &factors, &shifts)?;
            let mut op = network.node(norm)?.op.clone();
            let bias = match bias {
                Some(old) => Some(Tensor::owned(old.name(), old.element(), vec![rows], raw.bias.clone())?),
                None => None,
            };
            renormalise(&mut op, layer, bias.is_none().then_some(raw.bias.as_slice()))?;
            set(network, norm, op)?;
            (raw.weight, bias)
        }
    };
    let (weight, _) = parameters(network, layer.name)?;
    let new_weight = Tensor::sharing(weight.name(), weight.element(), shape, &new_weight)?;
    let mut op = network.node(layer.name)?.op.clone();
    match &mut op {
        Op::Linear { weight, bias } | Op::Conv { weight, bias, .. } => (*weight, *bias) = (new_weight, new_bias),
        _ => return Err(Error::Internal { what: format!("no units in a node `{}`", layer.name) }),
    }
    set(network, layer.name, op)
}

fn set(network: &mut Network, name: &str, op: Op) -> Result<()> {
    let node = network.nodes.iter_mut().find(|node| node.name == name);
    node.ok_or_else(|| Error::Internal { what: format!("no node `{name}`") })?.op = op;
    Ok(())
}

/// A bias in place of `old`; none where there was none and all values are zero.
fn new_bias(weight: &Tensor, old: Option<&Tensor>, values: &[f32]) -> Result<Option<Tensor>> {
    let name = match old {
        Some(old) => old.name().to_owned(),
        None if values.iter().all(|value| *value == 0.0) => return Ok(None),
        None => weight
            .name()
            .strip_suffix("weight")
            .map_or_else(|| format!("{}.bias", weight.name()), |stem| format!("{stem}bias")),
    };
    let element = old.map_or(weight.element(), Tensor::element);
    Tensor::owned(&name, element, vec![values.len()], values.to_vec()).map(Some)
}

/// Takes the batch norm out of the rows. The bias is what the layer adds before it: what a row without source adds comes
/// from the batch norm.
fn raw(layer: &Layer<'_>, weight: &Tensor, bias: Option<&Tensor>, factors: &[f64], shifts: &[f64]) -> Result<Raw> {
    let [rows, width] = weight.matrix_shape();
    let old = Array2::from_shape_vec((rows, width), weight.to_vec());
    let old = old.map_err(|error| Error::Internal { what: format!("`{}`: {error}", layer.name) })?;
    let old_bias = bias.map_or_else(|| vec![0.0; rows], Tensor::to_vec);
    let missing = || Error::Internal { what: format!("`{}`: new rows without the old ones", layer.name) };
    let before = layer.before.ok_or_else(missing)?;
    let mut new = Raw { weight: layer.after.0.clone(), bias: vec![0.0; layer.rows.len()] };
    for (k, source) in layer.rows.iter().enumerate() {
        // A new row stands as it is in front of a batch norm that does nothing but add its bias.
        let Some(row) = *source else { continue };
        let undo =
            |value: f32, shift: f64| if factors[row] == 0.0 { 0.0 } else { (f64::from(value) - shift) / factors[row] };
        for (column, value) in new.weight.index_axis_mut(Axis(0), k).iter_mut().enumerate() {
            *value = match layer.columns[column] {
                Some(from) if before.0[[row, from]] == *value => old[[row, from]],
                _ => narrow(undo(*value, 0.0)),
            };
        }
        let value = layer.after.1[k];
        let same = before.1[row] == value || factors[row] == 0.0;
        new.bias[k] = if same { old_bias[row] } else { narrow(undo(value, shifts[row])) };
    }
    Ok(new)
}

/// The batch norm of the new rows: that of their sources, or one that adds the bias. `moved` is what a layer without a bias
/// would add: the running mean moves by it.
fn renormalise(op: &mut Op, layer: &Layer<'_>, moved: Option<&[f32]>) -> Result<()> {
    let Op::BatchNorm { scale, bias, mean, var, epsilon } = op else {
        return Err(Error::Internal { what: format!("`{}` has no batch norm", layer.name) });
    };
    let unit = narrow(1.0 - *epsilon);
    let taken = |tensor: &Tensor, new: &dyn Fn(usize) -> f32| -> Result<Tensor> {
        let old = tensor.to_vec();
        let values = layer.rows.iter().enumerate().map(|(k, row)| row.map_or_else(|| new(k), |row| old[row]));
        Tensor::owned(tensor.name(), tensor.element(), vec![layer.rows.len()], values.collect())
    };
    let means = taken(mean, &|_| 0.0)?;
    let values =
        means.to_vec().iter().enumerate().map(|(k, mean)| mean - moved.map_or(0.0, |moved| moved[k])).collect();
    let means = Tensor::owned(mean.name(), mean.element(), vec![layer.rows.len()], values)?;
    (*scale, *var) = (taken(scale, &|_| 1.0)?, taken(var, &|_| unit)?);
    (*bias, *mean) = (taken(bias, &|k| layer.after.1[k])?, means);
    Ok(())
}
