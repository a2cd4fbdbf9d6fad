//! What became of each sample, computed anew in f64 by the reference: an attack is believed no word.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::Serialize;

use super::groups::group_norms;
use super::network::{DualHead, logits};
use super::options::{Distance, DualOptions};
use super::polytope::neuron_weights;
use super::reduced::Solved;
use super::saturation::Saturation;
use crate::backend::{Backend, Reference};
use crate::error::Result;
use crate::network::Classifier;

/// One sample after an attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Its number in the data.
    pub sample: usize,
    /// Its label, which is its class before.
    pub label: u32,
    /// The class that it was driven to, of a targeted attack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
    /// Its class after.
    pub class: u32,
    /// `|eta|_inf`.
    pub largest: f64,
    /// `|eta|_2`.
    pub norm: f64,
    /// The perturbation of the first layer that acts alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dual: Option<DualOutcome>,
    /// The perturbed sample.
    #[serde(skip)]
    pub input: Vec<f32>,
}

/// A pair of perturbations, of the input and of the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DualOutcome {
    /// `D1(eta)`.
    pub input: f64,
    /// `D2(xi)`.
    pub polytope: f64,
    /// Largest `|xi_ij|`.
    pub largest: f64,
    /// Whether an entry of `xi` is at its bound.
    pub active: bool,
    /// Largest difference of a logit of `f_(A + xi)(x)` from that of `f_A(x + eta)`.
    pub gap: f64,
}

impl Outcome {
    /// Whether the class is another one than the label.
    #[must_use]
    pub fn misclassified(&self) -> bool {
        self.class != self.label
    }

    /// Whether the class is the target.
    #[must_use]
    pub fn on_target(&self) -> bool {
        self.target == Some(self.class)
    }
}

/// Samples with what belongs to them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Victims<'a> {
    pub(super) numbers: &'a [usize],
    pub(super) inputs: &'a Array2<f32>,
    pub(super) labels: &'a [u32],
}

fn wide(row: ArrayView1<'_, f32>) -> Vec<f64> {
    row.iter().map(|x| f64::from(*x)).collect()
}

/// The samples after an attack without a target, with their classes after it as `classes` gives them.
pub(super) fn plain(victims: Victims<'_>, solved: &Solved, classes: &[u32]) -> Vec<Outcome> {
    let rows = victims.inputs.rows().into_iter().zip(solved.inputs.rows()).enumerate();
    let outcome = |(at, (before, after)): (usize, (ArrayView1<'_, f32>, ArrayView1<'_, f32>))| {
        let eta: Vec<f64> = wide(after).iter().zip(wide(before)).map(|(after, before)| after - before).collect();
        Outcome {
            sample: victims.numbers[at],
            label: victims.labels[at],
            target: None,
            class: classes[at],
            largest: eta.iter().fold(0.0, |most, eta| eta.abs().max(most)),
            norm: eta.iter().map(|eta| eta * eta).sum::<f64>().sqrt(),
            dual: None,
            input: after.to_vec(),
        }
    };
    rows.map(outcome).collect()
}

/// The classes of samples in f64.
pub(super) fn classes(
    reference: &Reference,
    network: &dyn Classifier<Reference>,
    inputs: &Array2<f32>,
) -> Result<Vec<u32>> {
    let logits = network.logits(reference, &inputs.mapv(f64::from))?;
    reference.download_indices(&reference.classify(&logits, None)?.class)
}

/// The samples after a targeted attack in the dual view.
pub(super) fn dual(
    reference: &Reference,
    head: &DualHead<Reference>,
    victims: Victims<'_>,
    solved: &Solved,
    targets: &[u32],
    options: &DualOptions,
) -> Result<Vec<Outcome>> {
    let before = head.preactivation(reference, &victims.inputs.mapv(f64::from))?;
    let after = head.preactivation(reference, &solved.inputs.mapv(f64::from))?;
    let direct = head.signals(reference, &after)?;
    let direct = logits(&direct)?;
    let found = reference.download_indices(&reference.classify(direct, None)?.class)?;
    let mut outcomes = plain(victims, solved, &found);
    let weights = neuron_weights(head, options.polytope);
    let mut moved = before.clone();
    for (at, outcome) in outcomes.iter_mut().enumerate() {
        outcome.target = Some(targets[at]);
        let sample = wide(victims.inputs.row(at));
        let eta: Vec<f64> = wide(solved.inputs.row(at)).iter().zip(&sample).map(|(x, before)| x - before).collect();
        let squares: f64 = eta.iter().map(|eta| eta * eta).sum();
        let input = match options.distance {
            Distance::Squares => squares,
            Distance::Groups { shape, square, group } => square * squares + group * group_norms(shape, &eta),
        };
        let mut pair = DualOutcome { input, polytope: 0.0, largest: 0.0, active: false, gap: 0.0 };
        if options.dual() {
            let r = &after.row(at) - &before.row(at);
            pair.follow(&sample, &r.to_vec(), &weights, options.rows, moved.index_axis_mut(Axis(0), at));
        }
        outcome.dual = Some(pair);
    }
    if options.dual() {
        let signals = head.signals(reference, &moved)?;
        let apart = logits(&signals)? - direct;
        for (row, outcome) in apart.rows().into_iter().zip(&mut outcomes) {
            if let Some(pair) = &mut outcome.dual {
                pair.gap = row.iter().fold(0.0, |most, off| off.abs().max(most));
            }
        }
    }
    Ok(outcomes)
}

/// The cheapest change of the rows of a first layer, `p x d`, that acts on `sample` as the change `eta` of the sample does, with
/// entries of at most `bound`: `xi_ij = clip(nu_i x_j, -bound, bound)`.
#[must_use]
pub fn layer_perturbation(rows: &Array2<f64>, sample: &[f64], eta: &Array1<f64>, bound: f64) -> Array2<f64> {
    let saturation = Saturation::of(sample, bound, f64::INFINITY);
    let multipliers = rows.dot(eta).mapv(|r| saturation.multiplier(r));
    Array2::from_shape_fn(rows.dim(), |(i, j)| (multipliers[i] * sample[j]).clamp(-bound, bound))
}

impl DualOutcome {
    /// The perturbation of the first layer for `r = A eta`, and what it adds to `A x + c`, entry by entry.
    fn follow(
        &mut self,
        sample: &[f64],
        r: &[f64],
        weights: &[f64],
        bound: f64,
        mut moved: ndarray::ArrayViewMut1<'_, f64>,
    ) {
        let rows = Saturation::of(sample, bound, f64::INFINITY);
        let widest = sample.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        for (i, r) in r.iter().enumerate() {
            let nu = rows.multiplier(*r);
            let product: f64 = sample.iter().map(|x| (nu * x).clamp(-bound, bound) * x).sum();
            moved[i] += product;
            self.polytope += weights[i] * rows.value(*r);
            self.largest = self.largest.max((nu.abs() * widest).min(bound));
            self.active |= nu.abs() * widest >= bound;
        }
    }
}
