//! The certificate of one layer: every upper bound of the output error, and their minimum.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use rayon::prelude::*;
use serde::Serialize;

use super::block::{Block, Pairing};
use super::clusters::zonotopes;
use super::crown::crown;
use super::paired::Paired;
use super::pairing::candidates;
use super::problem::Problem;
use super::radial::{Radial, UNIT};
use super::sdp::absolute_sum_bound;
use crate::error::{Error, Result};

/// An upper bound of the output error `|f_j - f~_j|` over the ball.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// `sum_i |c_ji| nu(w_i) + sum_k |c~_jk| nu(w~_k) + |beta_j - beta~_j|`.
    Triangle,
    /// Corollary 3 of `TropNNC` with every generator against an equal share of its partner's.
    ZonotopeShares,
    /// Corollary 3 with the sum of each cluster in between (Lemma A).
    ZonotopeSums,
    /// Lemma B: every neuron against its scaled partner, and what is left of the outgoing weights.
    Pair,
    /// alpha-CROWN on the difference of both blocks.
    Crown,
    /// Half of [`Bound::Pair`], plus half the linear part: `relu(z) = z / 2 + |z| / 2`.
    Half,
    /// The same sum of absolute values bounded jointly by a semidefinite program.
    Sdp,
}

impl Bound {
    /// All bounds, from cheap to dear.
    pub const ALL: [Self; 7] =
        [Self::Triangle, Self::ZonotopeShares, Self::ZonotopeSums, Self::Pair, Self::Crown, Self::Half, Self::Sdp];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Triangle => "triangle",
            Self::ZonotopeShares => "zonotope-shares",
            Self::ZonotopeSums => "zonotope-sums",
            Self::Pair => "pair",
            Self::Crown => "crown",
            Self::Half => "half",
            Self::Sdp => "sdp",
        }
    }
}

/// Which bounds are computed and with how much work.
#[derive(Debug, Clone)]
pub struct BoundOptions {
    /// The bounds; at least one.
    pub bounds: Vec<Bound>,
    /// Subgradient steps of [`Bound::Crown`], fewer for layers on which they would take longer than the rest.
    pub crown_steps: usize,
    /// Most sweeps over the primal of [`Bound::Sdp`].
    pub sweeps: usize,
}

impl Default for BoundOptions {
    fn default() -> Self {
        Self { bounds: Bound::ALL.to_vec(), crown_steps: 300, sweeps: 60 }
    }
}

/// Floating-point operations that the subgradient steps of one layer may take.
const CROWN_WORK: f64 = 3e10;

/// The bounds of one output.
#[derive(Debug, Clone)]
pub struct OutputBounds {
    /// Each bound as a function of the radius, in the order of [`Bound::ALL`].
    pub bounds: Vec<(Bound, Radial)>,
}

impl OutputBounds {
    /// The smallest bound on the ball of radius `radius`, at most the certificate's, and which one it is.
    #[must_use]
    pub fn at(&self, radius: f64) -> (Bound, f64) {
        let values = self.bounds.iter().map(|(bound, radial)| (*bound, radial.at(radius)));
        values.fold((Bound::Triangle, f64::INFINITY), |best, next| if next.1 < best.1 { next } else { best })
    }

    /// One of the bounds on the ball of radius `radius`.
    #[must_use]
    pub fn get(&self, bound: Bound, radius: f64) -> Option<f64> {
        self.bounds.iter().find(|(known, _)| *known == bound).map(|(_, radial)| radial.at(radius))
    }
}

/// Upper bounds of the error of one layer on a ball.
#[derive(Debug, Clone)]
pub struct LayerCertificate {
    /// Largest radius for which the bounds hold.
    pub radius: f64,
    /// One entry per output.
    pub outputs: Vec<OutputBounds>,
    /// The pairing with the smallest half bound over all outputs, of all original neurons.
    pub pairing: Pairing,
    /// `T` of every output: what its rounding is measured by.
    pub(super) sizes: Vec<Radial>,
}

impl LayerCertificate {
    /// The smallest bound of every output on the ball of radius `radius`.
    #[must_use]
    pub fn errors(&self, radius: f64) -> Vec<f64> {
        self.outputs.iter().map(|output| output.at(radius).1).collect()
    }
}

/// What a pairing gives for every output: `pair`, `half`, and the size that its rounding is measured by.
struct Looked {
    variant: usize,
    pairing: Pairing,
    pair: Vec<Radial>,
    half: Vec<Radial>,
    partners: Vec<Radial>,
}

/// A radius that bounds can be computed for.
///
/// # Errors
///
/// [`Error::Argument`] for one that is negative or not finite.
pub(super) fn check_radius(radius: f64) -> Result<()> {
    if radius.is_finite() && radius >= 0.0 {
        return Ok(());
    }
    Err(Error::Argument { argument: "radius", problem: format!("{radius} is not a finite number of at least 0") })
}

/// Bounds `|f_j(x) - f~_j(x)|` for `|x| <= radius` and every output `j`.
///
/// `known` is the pairing that a compression used, if it is known; bounds are computed for others too and the best of
/// them is taken for each output. Every bound holds in exact arithmetic of the numbers given: what rounding in f64 adds
/// is covered.
///
/// # Errors
///
/// [`Error::Data`] for blocks of different inputs or outputs or a pairing that is none; [`Error::Argument`] for a radius
/// that is negative or not finite, or without bounds.
pub fn layer_bound(
    original: &Block,
    compressed: &Block,
    radius: f64,
    known: Option<&Pairing>,
    options: &BoundOptions,
) -> Result<LayerCertificate> {
    check_radius(radius)?;
    original.check_against(compressed)?;
    if options.bounds.is_empty() {
        return Err(Error::Argument { argument: "bounds", problem: "no bound is asked for".to_owned() });
    }
    known.map(|known| known.check(original.neurons(), compressed.neurons())).transpose()?;
    let wanted = |bound: Bound| options.bounds.contains(&bound);
    let plain = Problem::new(original, compressed, radius);
    let (sizes, rounding) = (plain.sizes(), plain.rounding());
    let reduced = plain.without_stable();
    let mut variants = vec![(&plain, known.cloned())];
    if let Some((problem, [kept, other_kept])) = &reduced {
        variants.push((problem, known.map(|known| among(known, kept, other_kept))));
    }
    let looked = look(&variants);
    let plainest = looked.iter().filter(|looked| looked.variant == 0);
    let overall = |looked: &&Looked| -> f64 { looked.half.iter().map(|half| half.at(radius)).sum() };
    let pairing = plainest.min_by(|a, b| overall(a).total_cmp(&overall(b))).map(|looked| looked.pairing.clone());
    let pairing = pairing.ok_or_else(|| Error::Internal { what: "no pairing".to_owned() })?;

    let mut outputs: Vec<OutputBounds> = sizes.iter().map(|_| OutputBounds { bounds: Vec::new() }).collect();
    let mut add = |bound: Bound, values: Vec<(Radial, Radial)>| {
        for (output, (value, size)) in outputs.iter_mut().zip(values) {
            output.bounds.push((bound, rounding.cover(value, size)));
        }
    };
    let alone = |values: Vec<Radial>| values.into_iter().zip(sizes.iter().copied()).collect::<Vec<_>>();
    if wanted(Bound::Triangle) {
        add(Bound::Triangle, alone(sizes.clone()));
    }
    if wanted(Bound::ZonotopeShares) || wanted(Bound::ZonotopeSums) {
        let (naive, sums) = zonotopes(&plain, &pairing).into_iter().map(|z| (z.naive, z.sums)).unzip();
        for (bound, values) in [(Bound::ZonotopeShares, naive), (Bound::ZonotopeSums, sums)] {
            if wanted(bound) {
                add(bound, alone(values));
            }
        }
    }
    if wanted(Bound::Pair) {
        add(Bound::Pair, smallest(&looked, &sizes, radius, |looked| &looked.pair));
    }
    if wanted(Bound::Crown) {
        let neurons = (original.neurons() + compressed.neurons()) as f64;
        let step = 8.0 * original.outputs() as f64 * neurons * original.inputs() as f64;
        let affordable = (CROWN_WORK / step.max(1.0)).clamp(2.0, 1e6);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let steps = options.crown_steps.min(affordable as usize);
        add(Bound::Crown, alone(crown(&plain, steps)?));
    }
    let half = smallest(&looked, &sizes, radius, |looked| &looked.half);
    if wanted(Bound::Half) {
        add(Bound::Half, half.clone());
    }
    if wanted(Bound::Sdp) {
        add(Bound::Sdp, semidefinite(&variants, &looked, half, options.sweeps)?);
    }
    Ok(LayerCertificate { radius, outputs, pairing, sizes })
}

/// A pairing among the neurons that stay; a partner that went stands for nobody.
fn among(known: &Pairing, kept: &[usize], other_kept: &[usize]) -> Pairing {
    let (partner, scale) = kept
        .iter()
        .map(|i| match other_kept.binary_search(&known.partner[*i]) {
            Ok(k) => (k, known.scale[*i]),
            Err(_) => (0, 0.0),
        })
        .unzip();
    Pairing { partner, scale }
}

/// All candidates of all variants.
fn look(variants: &[(&Problem, Option<Pairing>)]) -> Vec<Looked> {
    let of_variant = |(variant, (problem, known)): (usize, &(&Problem, Option<Pairing>))| {
        let known = known.as_ref().filter(|_| problem.other_a.nrows() > 0);
        let trend = problem.trend();
        let looked = candidates(problem, known).into_par_iter().map(|pairing| {
            let Paired { pair, half, partners, .. } = Paired::new(problem, &pairing, &trend);
            Looked { variant, pairing, pair, half, partners }
        });
        looked.collect::<Vec<_>>()
    };
    variants.iter().enumerate().flat_map(of_variant).collect()
}

/// The number of the candidate with the smallest value for output `j`, the first on ties.
fn best(looked: &[Looked], j: usize, radius: f64, of: impl Fn(&Looked) -> &Vec<Radial>) -> usize {
    let value = |number: usize| of(&looked[number])[j].at(radius);
    (1..looked.len()).fold(0, |best, next| if value(next) < value(best) { next } else { best })
}

/// The smallest of a kind of bound over the candidates for every output, with the size of its rounding.
fn smallest(
    looked: &[Looked],
    sizes: &[Radial],
    radius: f64,
    of: impl Fn(&Looked) -> &Vec<Radial> + Copy,
) -> Vec<(Radial, Radial)> {
    let output = |(j, size): (usize, &Radial)| {
        let best = &looked[best(looked, j, radius, of)];
        (of(best)[j], *size + best.partners[j])
    };
    sizes.iter().enumerate().map(output).collect()
}

/// `F F'` in blocks of rows.
pub(super) fn gram(f: &Array2<f64>) -> Result<Array2<f64>> {
    let n = f.nrows();
    let block = n.div_ceil(4 * rayon::current_num_threads()).max(1);
    let rows: Vec<Array2<f64>> = (0..n)
        .into_par_iter()
        .step_by(block)
        .map(|first| f.slice(s![first..(first + block).min(n), ..]).dot(&f.t()))
        .collect();
    let views: Vec<_> = rows.iter().map(|rows| rows.view()).collect();
    if views.is_empty() {
        return Ok(Array2::zeros((0, 0)));
    }
    concatenate(Axis(0), &views).map_err(|error| Error::Internal { what: error.to_string() })
}

/// The semidefinite bound of every output with the pairing whose half bound is the smallest.
fn semidefinite(
    variants: &[(&Problem, Option<Pairing>)],
    looked: &[Looked],
    half: Vec<(Radial, Radial)>,
    sweeps: usize,
) -> Result<Vec<(Radial, Radial)>> {
    let radius = variants.first().map_or(0.0, |(problem, _)| problem.radius);
    let choice: Vec<usize> = (0..half.len()).map(|j| best(looked, j, radius, |looked| &looked.half)).collect();
    let mut bounds = half;
    for (number, candidate) in looked.iter().enumerate().filter(|(number, _)| choice.contains(number)) {
        let problem = variants[candidate.variant].0;
        let trend = problem.trend();
        let paired = Paired::new(problem, &candidate.pairing, &trend);
        let stacked = concatenate(Axis(0), &[paired.e.view(), problem.other_a.view()]);
        let stacked = stacked.map_err(|error| Error::Internal { what: error.to_string() })?;
        let offsets: Array1<f64> = paired.e_offsets.iter().chain(&problem.other_b).copied().collect();
        let products = gram(&stacked)?;
        let across = trend.0.dot(&stacked.t());
        let gamma = 8.0 * (stacked.ncols() as f64 + 16.0) * UNIT;
        let output = |j: usize| {
            let coefficients: Vec<f64> = problem.c.row(j).iter().chain(paired.tau.row(j)).copied().collect();
            // What comes with coefficient 0, or is 0 itself, adds nothing.
            let rows: Vec<usize> = (0..coefficients.len())
                .filter(|i| coefficients[*i] != 0.0 && (products[[*i, *i]] != 0.0 || offsets[*i] != 0.0))
                .collect();
            let n = rows.len();
            let square = radius * radius;
            let signs = trend.0.row(j);
            let gram = Array2::from_shape_fn((n + 1, n + 1), |(i, k)| match (rows.get(i), rows.get(k)) {
                (Some(i), Some(k)) => products[[*i, *k]] * coefficients[*i] * coefficients[*k] * square,
                (Some(i), None) | (None, Some(i)) => across[[j, *i]] * coefficients[*i] * square,
                (None, None) => signs.dot(&signs) * square,
            });
            let mut steps: Vec<f64> = rows.iter().map(|i| coefficients[*i] * offsets[*i]).collect();
            steps.push(trend.1[j]);
            let at_zero: f64 = steps.iter().map(|step| step.abs()).sum();
            let sum = absolute_sum_bound(&gram, &steps, gamma, sweeps);
            let slack = problem.slack[j];
            Radial::chord(0.5 * at_zero + slack, 0.5 * sum + slack, radius)
        };
        let mine: Vec<usize> = (0..choice.len()).filter(|j| choice[*j] == number).collect();
        let found: Vec<Radial> = mine.par_iter().map(|j| output(*j)).collect();
        for (j, found) in mine.into_iter().zip(found) {
            if found.at(radius) < bounds[j].0.at(radius) {
                bounds[j].0 = found;
            }
        }
    }
    Ok(bounds)
}
