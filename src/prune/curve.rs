//! Pruning-accuracy curves and the area under them.

use serde::Serialize;

use super::Method;
use super::options::Target;
use super::ranking::{Planned, Ranking};
use super::sparse::{Fitting, refit_sparse};
use super::structured::Refit;
use crate::backend::Backend;
use crate::error::Result;
use crate::network::{Answers, DeviceHead, PendingAnswers, Samples, rewritten_head};

/// One rate of a curve.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The share of weights that was removed, as it turned out.
    pub rate: f64,
    /// Top-1 accuracy; absent without labels.
    pub top1: Option<f64>,
    /// Share of samples classified as by the whole network.
    pub agreement: f64,
}

/// The curve of one method and seed.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// The method.
    pub method: Method,
    /// What the weights that stay were refitted on.
    pub refit: Refit,
    /// The seed.
    pub seed: u64,
    /// Points in the order of the rates asked for.
    pub points: Vec<Point>,
    /// Area under top-1 accuracy over the rate, divided by the length of the interval of rates; absent without labels.
    pub auc: Option<f64>,
}

/// `1 / (r_1 - r_0)` times the integral of a piecewise linear curve over `[r_0, r_1]`, the first and last rates asked
/// for; beyond the realised rates the end values are held. The value itself for a single rate.
///
/// `points`: realised rate and value, ascending in the rate.
#[must_use]
pub fn area_under_curve(points: &[(f64, f64)], [from, to]: [f64; 2]) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    if to <= from {
        return Some(first.1);
    }
    // The value of the curve at a rate inside a segment, or the end value outside.
    let at = |rate: f64| -> f64 {
        let after = points.partition_point(|point| point.0 <= rate);
        match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (rate - a.0) / (b.0 - a.0),
            _ if after == 0 => first.1,
            _ => last.1,
        }
    };
    let inside = points.iter().copied().filter(|point| point.0 > from && point.0 < to);
    let knots: Vec<(f64, f64)> =
        std::iter::once((from, at(from))).chain(inside).chain(std::iter::once((to, at(to)))).collect();
    let area: f64 = knots.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum();
    Some(area / (to - from))
}

/// The curve of a method over `rates`. Weights, scores and samples stay on the device; answers come back after the last
/// rate. `whole` holds the answers of the network before pruning. With `fitting` the weights that stay are refitted at each
/// rate.
///
/// # Errors
///
/// What the backend returns.
pub fn curve<B: Backend>(
    backend: &B,
    ranking: &mut Ranking<'_, B>,
    samples: &Samples<B>,
    whole: &Answers,
    rates: &[f64],
    fitting: Option<Fitting<'_>>,
) -> Result<Curve> {
    if fitting.is_none() {
        ranking.make_resident()?;
    }
    let mut pending: Vec<(f64, PendingAnswers<B>)> = Vec::with_capacity(rates.len());
    let targets: Vec<Target> = rates.iter().map(|rate| Target::Rate(*rate)).collect();
    for some in targets.chunks(ranking.rates_at_a_time()) {
        let planned = ranking.plan_all(some)?;
        let realised = planned.iter().map(|planned| ranking.rate(planned));
        match fitting {
            None => pending.extend(realised.zip(ranking.classify_all(samples, &planned)?)),
            Some(fitting) => {
                for (rate, planned) in realised.zip(&planned) {
                    pending.push((rate, refitted(backend, ranking, samples, planned.clone(), fitting)?));
                }
            }
        }
    }
    let points = pending.into_iter().map(|(rate, answers)| {
        let answers = answers.download(backend)?;
        let top1 = samples.labelled.then(|| answers.top(1));
        Ok(Point { rate, top1, agreement: answers.agreement(whole) })
    });
    let points: Vec<Point> = points.collect::<Result<_>>()?;
    let accuracy: Option<Vec<(f64, f64)>> = points.iter().map(|point| Some((point.rate, point.top1?))).collect();
    let ends = [rates.first().copied().unwrap_or(0.0), rates.last().copied().unwrap_or(0.0)];
    let auc = accuracy.and_then(|accuracy| area_under_curve(&accuracy, ends));
    let refit = fitting.map_or(Refit::None, |fitting| fitting.refit);
    Ok(Curve { method: ranking.method(), refit, seed: ranking.seed(), points, auc })
}

/// What a head says of samples whose weights that stay are refitted.
fn refitted<B: Backend>(
    backend: &B,
    ranking: &Ranking<'_, B>,
    samples: &Samples<B>,
    planned: Planned,
    fitting: Fitting<'_>,
) -> Result<PendingAnswers<B>> {
    let (plan, _) = ranking.plan(planned)?;
    let (plan, _) = refit_sparse(backend, ranking.head(), plan, fitting)?;
    samples.classify(backend, &DeviceHead::upload(backend, &rewritten_head(ranking.head(), &plan)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_of_a_constant_is_the_constant() {
        let points: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i) / 10.0, 0.7)).collect();
        let area = area_under_curve(&points, [0.0, 0.98]);
        assert!(area.is_some_and(|area| (area - 0.7).abs() < 1e-12), "{area:?}");
    }

    #[test]
    fn a_line_integrates_to_its_middle_and_end_values_are_held() {
        assert_eq!(area_under_curve(&[(0.0, 1.0), (1.0, 0.0)], [0.0, 1.0]), Some(0.5));
        // Realised 0.25 .. 0.75: 1/4 at height 1, a trapezoid of mean 1/2 over 1/2, 1/4 at height 0.
        assert_eq!(area_under_curve(&[(0.25, 1.0), (0.75, 0.0)], [0.0, 1.0]), Some(0.5));
        assert_eq!(area_under_curve(&[(0.0, 1.0), (1.0, 0.0)], [0.0, 0.5]), Some(0.75));
    }
}
