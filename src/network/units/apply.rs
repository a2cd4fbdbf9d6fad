//! Carries out plans for units.

use ndarray::Array2;

use super::pair::parameters;
use super::site::{ColumnOrder, Site};
use super::{UnitPlan, UnitStep};
use crate::error::{Error, Result};
use crate::network::graph::{Network, Op};
use crate::network::tensor::Tensor;

/// The network that the steps of a plan leave. Tensors keep names, element types and the order of their axes.
///
/// # Errors
///
/// [`Error::Internal`] if the plan is not for this network.
pub fn apply_units(network: &Network, plan: &UnitPlan) -> Result<Network> {
    let mut network = network.clone();
    plan.steps.iter().try_for_each(|step| apply_step(&mut network, step))?;
    Ok(network)
}

/// Carries out one step.
pub(crate) fn apply_step(network: &mut Network, step: &UnitStep) -> Result<()> {
    let (site, reduced) = (&step.site, &step.reduced);
    let units = reduced.units();
    let values = |matrix: &Array2<f32>| matrix.iter().copied().collect::<Vec<f32>>();
    let (weight, bias) = parameters(network, &site.layer)?;
    let mut shape = weight.dimensions().to_vec();
    shape[0] = units;
    let weight = Tensor::owned(weight.name(), weight.element(), shape, values(&reduced.rows))?;
    let bias = new_bias(&weight, bias, &reduced.bias)?;
    write(network, &site.layer, weight, bias)?;

    let (weight, bias) = parameters(network, &site.next)?;
    let mut shape = weight.dimensions().to_vec();
    let inner: usize = shape.iter().skip(2).product();
    match shape.get_mut(1) {
        Some(columns) if inner > 0 && (units * site.block).is_multiple_of(inner) => {
            *columns = units * site.block / inner;
        }
        _ => return Err(Error::Internal { what: format!("`{}`: blocks of {} columns", site.next, site.block) }),
    }
    let weight = Tensor::owned(weight.name(), weight.element(), shape, values(&in_order(&reduced.next, site, units)))?;
    let bias = new_bias(&weight, bias, &reduced.next_bias)?;
    write(network, &site.next, weight, bias)
}

/// Columns in the order of the network from columns by unit.
fn in_order(next: &Array2<f32>, site: &Site, units: usize) -> Array2<f32> {
    match site.order {
        ColumnOrder::UnitMajor => next.clone(),
        ColumnOrder::PositionMajor => Array2::from_shape_fn(next.raw_dim(), |(j, column)| {
            let (position, unit) = (column / units.max(1), column % units.max(1));
            next[[j, unit * site.block + position]]
        }),
    }
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

fn write(network: &mut Network, name: &str, new_weight: Tensor, new_bias: Option<Tensor>) -> Result<()> {
    match network.nodes.iter_mut().find(|node| node.name == name).map(|node| &mut node.op) {
        Some(Op::Linear { weight, bias }) => {
            *weight = new_weight;
            *bias = new_bias;
            Ok(())
        }
        _ => Err(Error::Internal { what: format!("no units in a node `{name}`") }),
    }
}
