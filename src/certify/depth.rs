//! Certificates of whole heads: layers are compared one by one and their errors carried on.
//!
//! Hybrid networks have the layers of the original up to one layer and those of the compressed head from there on. Two
//! that follow each other differ in one block, on activations of the original, whose norm is known:
//! `r_0 = r`, `r_(l+1) = |W_l|_2 r_l + |relu(b_l)|`, or `(sum_i max(0, nu_i)^2)^1/2` where that is less. What is off by
//! `delta` before a ReLU with `|delta_k| <= eps_k` is off after the next layer by at most
//!
//! ```text
//! |W~ (relu(z + delta) - relu(z))| <= 1/2 ( |W~ delta| + |W~| eps ) <= |W~| eps,     relu(z) = z / 2 + |z| / 2
//! eps_(l+1) = local_l(r_l) + 1/2 ( theta_l + |W~_(l+1)| eps_l )
//! ```
//!
//! where `theta_l` bounds `|W~_(l+1) delta_l|`: the block before is certified for these outputs too, in which its errors
//! cancel each other, and what it carries itself comes on top.

use std::time::Instant;

use ndarray::{Array1, Array2, Zip, s};

use super::block::{Block, Pairing};
use super::chain::Chain;
use super::eigenvalue::largest_eigenvalue_bound;
use super::layer::{Bound, BoundOptions, LayerCertificate, check_radius, gram, layer_bound};
use super::lift::{Lift, compared};
use super::problem::row_norms;
use super::radial::{Radial, Rounding};
use crate::error::{Error, Result};
use crate::network::Head;

/// Layers wider than this in both directions get a cheaper bound of their spectral norm.
const WIDEST: usize = 1536;

/// One hidden layer of a head beside its compressed form.
#[derive(Debug, Clone)]
pub struct LayerStep {
    /// Name of the layer in the original.
    pub name: String,
    /// Neurons of the original and of the compressed layer.
    pub neurons: [usize; 2],
    /// The error that this layer makes by itself, in the layer after it.
    pub certificate: LayerCertificate,
    /// Seconds that the bounds took.
    pub seconds: f64,
    /// The blocks that are compared, on the activations of the original.
    pub(super) blocks: [Block; 2],
    /// Outputs of the certificate that the next layer reads; those after them are what the layer after it makes of them.
    pub(super) read: usize,
    /// `|W~_(l+1)|`, which carries the error of the layer before.
    carry: Array2<f64>,
    /// `|W~_(l+2)|` and `|W~_(l+2) W~_(l+1)|`, where there is another layer.
    further: Option<[Array2<f64>; 2]>,
}

/// How far the activations of the original's layer can be from the origin.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    spectral: f64,
    offset: f64,
    norms: Array1<f64>,
    bias: Array1<f64>,
}

/// Upper bounds of the output error of a compressed head on a ball of inputs.
#[derive(Debug, Clone)]
pub struct HeadCertificate {
    /// Largest radius for which the bounds hold.
    pub radius: f64,
    /// Hidden layers from input to output.
    pub layers: Vec<LayerStep>,
    reach: Vec<Reach>,
    /// The bounds of a head without hidden layers.
    direct: Vec<Radial>,
}

/// A number that is at least `|W|_2`.
pub(super) fn spectral_norm_bound(weight: &Array2<f64>) -> Result<f64> {
    let rounding = Rounding::new(weight.len_of(ndarray::Axis(0)) + weight.len_of(ndarray::Axis(1))).eta;
    let frobenius = weight.iter().map(|w| w * w).sum::<f64>().sqrt();
    let sums = |axis| weight.mapv(f64::abs).sum_axis(ndarray::Axis(axis)).into_iter().fold(0.0, f64::max);
    let crude = frobenius.min((sums(0) * sums(1)).sqrt()) * (1.0 + rounding);
    if weight.nrows().min(weight.ncols()) > WIDEST {
        return Ok(crude);
    }
    let products = if weight.nrows() <= weight.ncols() { gram(weight)? } else { gram(&weight.t().to_owned())? };
    // Rounding of the products adds at most `eta` times the trace.
    let square = largest_eigenvalue_bound(&products) + rounding * frobenius * frobenius;
    let bound = square.max(0.0).sqrt() * (1.0 + rounding);
    Ok(if bound.is_nan() { crude } else { bound.min(crude) })
}

impl Reach {
    pub(super) fn of(weight: &Array2<f64>, bias: &Array1<f64>) -> Result<Self> {
        let positive = bias.mapv(|b| b.max(0.0));
        Ok(Self {
            spectral: spectral_norm_bound(weight)?,
            offset: positive.dot(&positive).sqrt(),
            norms: row_norms(weight),
            bias: bias.clone(),
        })
    }

    /// The largest norm of the activations for inputs of at most `radius`.
    pub(super) fn beyond(&self, radius: f64) -> f64 {
        let by_norm = self.spectral * radius + self.offset;
        let each = self.norms.iter().zip(&self.bias).map(|(norm, b)| (b + radius * norm).max(0.0).powi(2));
        let by_neuron = each.sum::<f64>().sqrt();
        let rounding = Rounding::new(self.norms.len()).eta;
        by_norm.min(by_neuron) * (1.0 + rounding)
    }
}

/// The radii at which the hidden layers work.
fn radii(reach: &[Reach], radius: f64) -> Vec<f64> {
    let mut radii = vec![radius];
    for reach in reach {
        radii.push(reach.beyond(radii.last().copied().unwrap_or(radius)));
    }
    radii
}

impl HeadCertificate {
    /// The error of every output for inputs of norm at most `radius`, itself at most that of the certificate.
    #[must_use]
    pub fn errors(&self, radius: f64) -> Vec<f64> {
        self.errors_within(&self.radii(radius))
    }

    /// Norms that the inputs of the hidden layers have at most.
    pub(super) fn radii(&self, radius: f64) -> Vec<f64> {
        radii(&self.reach, radius)
    }

    /// The error of every output at inputs under which the input of hidden layer `l` of the original has norm at most
    /// `norms[l]`, at most the radius of its certificate.
    #[must_use]
    pub fn errors_within(&self, norms: &[f64]) -> Vec<f64> {
        if self.layers.is_empty() {
            let norm = norms.first().copied().unwrap_or(self.radius);
            return self.direct.iter().map(|bound| bound.at(norm)).collect();
        }
        let (mut error, mut through): (Option<Array1<f64>>, Option<Array1<f64>>) = (None, None);
        for (step, norm) in self.layers.iter().zip(norms) {
            let local = Array1::from_vec(step.certificate.errors(*norm));
            let (mine, further) = (local.slice(s![..step.read]), local.slice(s![step.read..]));
            // Products are rounded, and an infinite error stays one where it meets a weight of zero.
            let times = |size: &Array2<f64>, errors: &Array1<f64>| -> Array1<f64> {
                let product = size.dot(errors) * (1.0 + Rounding::new(errors.len()).eta);
                product.mapv(|error| if error.is_nan() { f64::INFINITY } else { error })
            };
            let next = match (&error, &through) {
                (Some(error), Some(through)) => {
                    let all = times(&step.carry, error);
                    let joint = Zip::from(through).and(&all).map_collect(|through, all| through.min(*all));
                    &mine + &((all + joint) * 0.5)
                }
                _ => mine.to_owned(),
            };
            through = step.further.as_ref().map(|[after, both]| {
                // The products of two weight matrices in the block's outputs are rounded too.
                let terms = step.carry.nrows() + step.carry.ncols();
                let sizes: Array1<f64> =
                    step.certificate.sizes.iter().take(step.read).map(|size| size.at(*norm)).collect();
                let rounding = times(after, &sizes) * Rounding::new(terms).eta;
                let carried = error.as_ref().map(|error| {
                    // `|W~ W~|` itself is off by gamma times `|W~| |W~|`.
                    times(both, error) + times(after, &times(&step.carry, error)) * Rounding::new(terms).eta
                });
                let all = &further + &rounding;
                carried.map_or_else(|| all.clone(), |carried| &all + &carried)
            });
            error = Some(next);
        }
        error.map(Array1::into_raw_vec_and_offset).map(|(values, _)| values).unwrap_or_default()
    }

    /// Carries errors of single layers to the outputs by `|W~|` alone.
    pub(super) fn carried(&self, locals: Vec<Vec<f64>>) -> Vec<f64> {
        let mut error: Option<Array1<f64>> = None;
        for (step, local) in self.layers.iter().zip(locals) {
            let local = Array1::from_vec(local);
            error = Some(match error {
                Some(before) => {
                    // The product is rounded, and an infinite error stays one where it meets a weight of zero.
                    let carried = step.carry.dot(&before) * (1.0 + Rounding::new(before.len()).eta);
                    (carried + local).mapv(|error| if error.is_nan() { f64::INFINITY } else { error })
                }
                None => local,
            });
        }
        error.map(Array1::into_raw_vec_and_offset).map(|(values, _)| values).unwrap_or_default()
    }

    /// Which bound of the last layer is the smallest for each output.
    #[must_use]
    pub fn deciding(&self) -> Vec<Bound> {
        match self.layers.last() {
            Some(last) => {
                let radius = last.certificate.radius;
                last.certificate.outputs.iter().map(|output| output.at(radius).0).collect()
            }
            None => vec![Bound::Triangle; self.direct.len()],
        }
    }
}

/// Bounds the output error of a compressed head for inputs of norm at most `radius`.
///
/// Both heads have the same depth, inputs and outputs; hidden widths may differ. `known` holds the pairings of all hidden
/// layers, if the compression is known. Where there are several hidden layers, both ways of bringing a compressed layer
/// back are compared by the half bound, and the better one is certified with all bounds asked for.
///
/// # Errors
///
/// [`Error::Data`] for heads that do not fit each other, [`Error::Argument`] for a radius that is negative or not finite.
pub fn head_bound(
    original: &Head,
    compressed: &Head,
    radius: f64,
    known: Option<&[Pairing]>,
    options: &BoundOptions,
) -> Result<HeadCertificate> {
    let names: Vec<String> = original.layers.iter().map(|layer| layer.name.clone()).collect();
    chain_bound(&Chain::of(original)?, &Chain::of(compressed)?, &names, radius, known, options)
}

pub(super) fn chain_bound(
    original: &Chain,
    compressed: &Chain,
    names: &[String],
    radius: f64,
    known: Option<&[Pairing]>,
    options: &BoundOptions,
) -> Result<HeadCertificate> {
    check_radius(radius)?;
    original.check_against(compressed)?;
    let hidden = original.layers.len() - 1;
    if hidden == 0 {
        let difference = original.minus(compressed)?;
        let rounding = Rounding::new(original.inputs());
        let sizes = |chain: &Chain| -> Vec<Radial> {
            let layer = &chain.layers[0];
            let rows = row_norms(&layer.weight).into_iter().zip(&layer.bias);
            rows.map(|(slope, constant)| Radial { constant: constant.abs(), slope }).collect()
        };
        let sizes = sizes(original).into_iter().zip(sizes(compressed)).map(|(a, b)| a + b);
        let rows = row_norms(&difference.layers[0].weight).into_iter().zip(&difference.layers[0].bias);
        let rows = rows.map(|(slope, constant)| Radial { constant: constant.abs(), slope });
        let direct = rows.zip(sizes).map(|(bound, size)| rounding.cover(bound, size)).collect();
        return Ok(HeadCertificate { radius, layers: Vec::new(), reach: Vec::new(), direct });
    }
    // The activations of the last hidden layer go into no further hidden layer.
    let reach = original.layers[..hidden - 1].iter().map(|layer| Reach::of(&layer.weight, &layer.bias));
    let reach = reach.collect::<Result<Vec<_>>>()?;
    let radii = radii(&reach, radius);
    if let Some(l) = radii.iter().position(|radius| !radius.is_finite()) {
        let problem = format!("the norm of the input of layer `{}` overflows f64", names.get(l).map_or("", |n| n));
        return Err(Error::Data { problem });
    }
    let certificate = |lift: Lift, options: &BoundOptions| -> Result<HeadCertificate> {
        let mut layers = Vec::new();
        for (l, compared) in compared(original, compressed, known, &radii, lift)?.into_iter().enumerate() {
            let start = Instant::now();
            let (mine, other) = (&compared.original, &compared.compressed);
            let certificate = layer_bound(mine, other, radii[l], Some(&compared.pairing), options)?;
            layers.push(LayerStep {
                name: names.get(l).cloned().unwrap_or_default(),
                neurons: [mine.neurons(), other.neurons()],
                certificate,
                seconds: start.elapsed().as_secs_f64(),
                read: compressed.layers[l + 1].weight.nrows(),
                carry: compressed.layers[l + 1].weight.mapv(f64::abs),
                further: compressed.layers.get(l + 2).map(|after| {
                    let both = after.weight.dot(&compressed.layers[l + 1].weight);
                    [after.weight.mapv(f64::abs), both.mapv(f64::abs)]
                }),
                blocks: [compared.original, compared.compressed],
            });
        }
        Ok(HeadCertificate { radius, layers, reach: reach.clone(), direct: Vec::new() })
    };
    let lift = if hidden == 1 {
        Lift::Rows
    } else {
        let quick = BoundOptions { bounds: vec![Bound::Half], ..options.clone() };
        let total = |lift| -> Result<f64> { Ok(certificate(lift, &quick)?.errors(radius).iter().sum()) };
        if total(Lift::Corrected)? < total(Lift::Rows)? { Lift::Corrected } else { Lift::Rows }
    };
    certificate(lift, options)
}
