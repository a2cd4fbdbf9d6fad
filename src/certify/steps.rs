//! Certificates of networks with convolutions: a plan is followed step by step.
//!
//! Each step leaves a network that differs from the one before in the units of one layer and in what reads them. A
//! convolution reads patches: with the columns of the next layer that lie at offset `t` of its kernel (or of a flatten) as
//! `C_t`, one of its outputs is `sum_t C_t h(p_t) + beta` with patches `|p_t| <= r`, so that
//!
//! ```text
//! |z_j - z~_j| <= sum_t sup_(|p| <= r) |C_t h(p) - C~_t h~(p)|_j + |beta_j - beta~_j|
//! ```
//!
//! and each term is the error of a block of linear layers. Padding makes patches shorter, an average of patches moves no
//! further than they do. A max pooling is no linear map, but moves each unit by no more than its largest error: there the
//! bounds hold that add up units one by one, [`Bound::Triangle`] and [`Bound::Pair`]. What a step moves in the next
//! layer is carried on by `eps_(l+1) = sum_t |C_t| eps_l` through the layers that the step has left alone, and steps add up.
//!
//! A patch of the input has at most the norm of the input; one of `q` places of units at most
//! `q^(1/2) min(|A|_2 r + |relu(b)|, |(r |a_i| + b_i)_+|)`.

use ndarray::{Array1, Array2, ArrayView2};

use super::block::{Block, Pairing};
use super::depth::Reach;
use super::layer::{Bound, BoundOptions, check_radius, layer_bound};
use super::plan::{PruneCertificate, affordable, layer_work};
use super::radial::Rounding;
use super::run::{BoundSummary, LayerOutcome};
use crate::error::{Error, Result};
use crate::network::{Network, Op, Pair, Reduced, Site, UnitPlan, UnitStep, apply_step, sites};

/// The bounds that are taken unless others are asked for, as far as they take a second or two together: those that cost no
/// iterations for each offset.
const QUICK: [Bound; 5] = [Bound::Triangle, Bound::ZonotopeShares, Bound::ZonotopeSums, Bound::Pair, Bound::Half];
/// The bounds that hold across a max pooling.
const BY_UNIT: [Bound; 2] = [Bound::Triangle, Bound::Pair];

/// Certifies what a plan leaves of a network whose layers follow one another, on inputs of norm at most `radius`.
///
/// # Errors
///
/// [`Error::Unsupported`] with the reason for networks that are no chain of layers; [`Error::Argument`] for a radius that is
/// negative or not finite; [`Error::Internal`] if the plan is not for this network.
pub fn steps_certificate(
    network: &Network,
    plan: &UnitPlan,
    radius: f64,
    asked: Option<&[Bound]>,
) -> Result<PruneCertificate> {
    check_radius(radius)?;
    let chain = chain(network)?;
    let (quick, left_out) = affordable(&QUICK, |bound| work(plan, bound));
    let bounds = asked.unwrap_or(&quick);
    let carries: Vec<Array2<f64>> =
        chain.iter().map(|site| Ok(carry(&Pair::read(network, site)?))).collect::<Result<_>>()?;
    let mut current = network.clone();
    let mut total: Option<Array1<f64>> = None;
    let (mut layers, mut reach) = (Vec::new(), radius);
    for (at, site) in chain.iter().enumerate() {
        let mut pair = Pair::read(&current, &now(&current, site)?)?;
        let before = pair.units();
        let mut found: Vec<(Bound, Vec<f64>)> = Vec::new();
        let mut local = Array1::<f64>::zeros(pair.next.nrows());
        for step in plan.steps.iter().filter(|step| step.site.layer == site.layer) {
            let moved = moved(&pair, step, reach, bounds)?;
            local += &moved.least;
            for (bound, values) in moved.by_bound {
                match found.iter_mut().find(|(known, _)| *known == bound) {
                    Some((_, sum)) => sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
                    None => found.push((bound, values)),
                }
            }
            apply_step(&mut current, step)?;
            pair = step.reduced.clone().into_pair(&pair);
        }
        let mut carried = local;
        for carry in &carries[at + 1..] {
            carried = carry.dot(&carried) * (1.0 + Rounding::new(carried.len()).eta);
        }
        total = Some(total.map_or_else(|| carried.clone(), |total| total + &carried));
        layers.push(LayerOutcome {
            name: site.layer.clone(),
            neurons: [before, pair.units()],
            radius: reach,
            bounds: found.into_iter().map(|(bound, values)| BoundSummary { bound: bound.name(), values }).collect(),
            lower: Vec::new(),
            seconds: 0.0,
        });
        let places = (pair.block() as f64).sqrt();
        reach = Reach::of(&wide(pair.rows.view()), &vector(&pair.bias))?.beyond(reach) * places;
    }
    // A step changes nothing where a layer stays as it is; rounding of the sums is that of so many terms.
    let rounding = 1.0 + Rounding::new(plan.steps.len()).eta;
    let errors: Vec<f64> = total.into_iter().flatten().map(|error| error * rounding).collect();
    let error =
        errors.iter().fold(0.0, |most: f64, error| if error.is_nan() { f64::INFINITY } else { most.max(*error) });
    // What was asked for is taken, whatever it costs.
    let left_out = left_out.into_iter().filter(|_| asked.is_none()).map(Bound::name).collect();
    Ok(PruneCertificate { radius, error, errors, layers, left_out })
}

/// Floating-point operations that a bound takes on all steps of a plan, about.
fn work(plan: &UnitPlan, bound: Bound) -> f64 {
    let of_step = |step: &UnitStep| {
        let (reduced, q) = (&step.reduced, step.site.block());
        let sizes = [reduced.assignment.len(), reduced.units(), reduced.next.nrows(), reduced.rows.ncols()];
        q as f64 * layer_work(sizes, bound)
    };
    plan.steps.iter().map(of_step).sum()
}

/// The layers of a network in which each reads the one before, the first the input, and the last gives the outputs.
fn chain(network: &Network) -> Result<Vec<Site>> {
    let declined = |problem: String| Err(Error::Unsupported { problem: format!("no certificate: {problem}") });
    let (sites, refused) = sites(network)?;
    if let Some(one) = refused.first() {
        return declined(format!("`{}` is outside of what is followed: {}", one.layer, one.reason));
    }
    let other = network
        .nodes
        .iter()
        .find(|node| matches!(node.op, Op::LeakyRelu { .. } | Op::Function(_) | Op::Carried { .. }));
    if let Some(node) = other {
        return declined(format!("`{}` ({}) is no ReLU", node.name, node.op.name()));
    }
    let Some(first) = sites.first() else { return declined("there is no hidden layer".to_owned()) };
    if let Some(pair) = sites.windows(2).find(|pair| !pair[0].feeds(&pair[1].layer)) {
        return declined(format!("`{}` alone does not read `{}`", pair[1].layer, pair[0].layer));
    }
    let mut entering = network.node(&first.layer)?.inputs.first().cloned().unwrap_or_default();
    while entering != Network::INPUT {
        let node = network.node(&entering)?;
        if !matches!(node.op, Op::Flatten | Op::Reshape { .. }) {
            return declined(format!("`{}` lies between the input and `{}`", node.name, first.layer));
        }
        entering = node.inputs.first().cloned().unwrap_or_default();
    }
    Ok(sites)
}

/// A site with the units that it has left.
fn now(network: &Network, site: &Site) -> Result<Site> {
    let (sites, _) = sites(network)?;
    let gone = || Error::Internal { what: format!("no layer `{}` under the plan", site.layer) };
    sites.into_iter().find(|other| other.layer == site.layer).ok_or_else(gone)
}

fn wide(matrix: ArrayView2<'_, f32>) -> Array2<f64> {
    matrix.mapv(f64::from)
}

fn vector(values: &[f32]) -> Array1<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// `sum_t |C_t|`: `m x n`.
fn carry(pair: &Pair) -> Array2<f64> {
    let q = pair.block();
    Array2::from_shape_fn((pair.next.nrows(), pair.units()), |(j, i)| {
        (0..q).map(|t| f64::from(pair.next[[j, i * q + t]]).abs()).sum()
    })
}

/// The columns of a next layer at offset `t`, as a block without a bias behind.
fn block(rows: ArrayView2<'_, f32>, bias: &[f32], next: ArrayView2<'_, f32>, q: usize, t: usize) -> Result<Block> {
    let columns = Array2::from_shape_fn((next.nrows(), rows.nrows()), |(j, i)| f64::from(next[[j, i * q + t]]));
    Block::new(wide(rows), vector(bias), columns, Array1::zeros(next.nrows()))
}

/// What a step moves in the next layer.
struct Moved {
    /// The sum of the smallest bounds, for each output.
    least: Array1<f64>,
    /// The sum of each bound.
    by_bound: Vec<(Bound, Vec<f64>)>,
}

fn moved(pair: &Pair, step: &UnitStep, radius: f64, bounds: &[Bound]) -> Result<Moved> {
    let (q, reduced): (usize, &Reduced) = (pair.block(), &step.reduced);
    let pairing = Pairing {
        partner: reduced.assignment.iter().map(|new| new.unwrap_or(0)).collect(),
        scale: reduced
            .assignment
            .iter()
            .zip(&reduced.lambda)
            .map(|(new, lambda)| if new.is_some() { f64::from(*lambda) } else { 0.0 })
            .collect(),
    };
    let holds = |bound: &Bound| !pair.site.max_pool || BY_UNIT.contains(bound);
    let mut chosen: Vec<Bound> = bounds.iter().copied().filter(holds).collect();
    if chosen.is_empty() {
        chosen.push(Bound::Pair);
    }
    let options = BoundOptions { bounds: chosen.clone(), ..BoundOptions::default() };
    let shifts = vector(&reduced.next_bias) - vector(&pair.next_bias);
    let shifts = shifts.mapv(f64::abs);
    let mut sums = vec![shifts.clone(); chosen.len()];
    let mut least = shifts;
    for t in 0..q {
        let mine = block(pair.rows.view(), &pair.bias, pair.next.view(), q, t)?;
        let other = block(reduced.rows.view(), &reduced.bias, reduced.next.view(), q, t)?;
        let found = layer_bound(&mine, &other, radius, Some(&pairing), &options)?;
        for (j, output) in found.outputs.iter().enumerate() {
            least[j] += output.at(radius).1;
            for (sum, bound) in sums.iter_mut().zip(&chosen) {
                sum[j] += output.get(*bound, radius).unwrap_or(f64::INFINITY);
            }
        }
    }
    let rounding = 1.0 + Rounding::new(q + 1).eta;
    let by_bound = chosen.into_iter().zip(sums).map(|(bound, sum)| (bound, (sum * rounding).to_vec()));
    Ok(Moved { least: least * rounding, by_bound: by_bound.collect() })
}
