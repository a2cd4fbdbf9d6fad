//! In which order the units of all layers go when there is one budget for them together.
//!
//! Every layer has a curve: what it costs to keep `k` of its units. Curves are replaced by their convex minorants, so that
//! a unit never costs less than the one before it, and units go one by one from the layer in which the next one costs
//! least for each parameter that goes with it. What goes with a unit of layer `l` are its own weights, one for each unit
//! of the layer before, and those that read it, one for each unit of the layer after: it is counted anew at every step.

use super::{Keep, LayerKeep};
use crate::error::{Error, Result};
use crate::network::{Network, Pair, Site};

use super::moments::number;

/// One layer of a schedule.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) units: usize,
    /// Numbers of units and what it costs to keep that many: units ascending to all of them, costs at least 0.
    pub(super) curve: Vec<(usize, f64)>,
    /// Weights of one unit that read each unit of the layer before it in the schedule, or all of them.
    incoming: usize,
    /// Weights that read one unit, for each unit of the layer after it in the schedule, or all of them.
    outgoing: usize,
    /// Whether the layer before and the layer after are in the schedule.
    linked: [bool; 2],
}

impl Layer {
    /// Layers without curves.
    pub(super) fn of(network: &Network, sites: &[Site]) -> Result<Vec<Self>> {
        let layer = |(at, site): (usize, &Site)| -> Result<Self> {
            let pair = Pair::read(network, site)?;
            let before = at.checked_sub(1).and_then(|at| sites.get(at)).filter(|before| before.feeds(&site.layer));
            let after = sites.get(at + 1).filter(|after| site.feeds(&after.layer));
            Ok(Self {
                name: site.layer.clone(),
                units: pair.units(),
                curve: Vec::new(),
                incoming: pair.rows.ncols() / before.map_or(1, Site::units).max(1),
                outgoing: pair.next.len() / pair.units().max(1) / after.map_or(1, Site::units).max(1),
                linked: [before.is_some(), after.is_some()],
            })
        };
        sites.iter().enumerate().map(layer).collect()
    }
}

/// An order in which units go.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    names: Vec<String>,
    all: Vec<usize>,
    /// The layer that shrinks at each step, and the units that it has then.
    steps: Vec<(usize, usize)>,
}

impl Schedule {
    /// The order of least cost for each parameter; numbers of units are multiples of `round_to`, at least `least`.
    pub(super) fn new(layers: &[Layer], round_to: usize, least: usize) -> Self {
        let minorants: Vec<Vec<(usize, f64)>> = layers.iter().map(|layer| minorant(&layer.curve)).collect();
        let all: Vec<usize> = layers.iter().map(|layer| layer.units).collect();
        let (mut units, mut steps) = (all.clone(), Vec::new());
        let (round_to, least) = (round_to.max(1), least.max(1));
        loop {
            let next = |l: usize| -> Option<(f64, usize, usize)> {
                let to = (units[l].checked_sub(1)? / round_to) * round_to;
                if to < least {
                    return None;
                }
                let cost = value(&minorants[l], to) - value(&minorants[l], units[l]);
                let layer = &layers[l];
                let before = if layer.linked[0] { units[l - 1] } else { 1 };
                let after = if layer.linked[1] { units[l + 1] } else { 1 };
                let gain = number(units[l] - to) * number(layer.incoming * before + 1 + layer.outgoing * after);
                Some((cost / gain, l, to))
            };
            // The cheapest, the first layer on ties.
            let cheapest = (0..layers.len()).filter_map(next).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let Some((_, l, to)) = cheapest else { break };
            units[l] = to;
            steps.push((l, to));
        }
        Self { names: layers.iter().map(|layer| layer.name.clone()).collect(), all, steps }
    }

    /// Number of steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// What each layer keeps after the first `steps`.
    pub(super) fn after(&self, steps: usize) -> Vec<LayerKeep> {
        let mut units = self.all.clone();
        for (layer, left) in self.steps.iter().take(steps) {
            units[*layer] = *left;
        }
        let keep = |(layer, units): (&String, usize)| LayerKeep { layer: layer.clone(), keep: Keep::Units(units) };
        self.names.iter().zip(units).map(keep).collect()
    }
}

/// The largest convex function below the points of a curve, as its corners.
fn minorant(curve: &[(usize, f64)]) -> Vec<(usize, f64)> {
    let mut corners: Vec<(usize, f64)> = Vec::new();
    for &(units, cost) in curve {
        // A layer with more units costs no more: what was measured lower before counts.
        while let [.., (a, at_a), (b, at_b)] = corners.as_slice() {
            let (run, rise) = (number(units - a), cost - at_a);
            if at_a + rise * number(b - a) / run <= *at_b {
                corners.pop();
            } else {
                break;
            }
        }
        corners.push((units, cost));
    }
    corners
}

/// The value of a curve at a number of units, on the line between its corners; beyond its ends that of the end.
fn value(corners: &[(usize, f64)], units: usize) -> f64 {
    let at = corners.partition_point(|corner| corner.0 < units);
    match (at.checked_sub(1).and_then(|before| corners.get(before)), corners.get(at)) {
        (Some((a, at_a)), Some((b, at_b))) => at_a + (at_b - at_a) * number(units - a) / number(b - a),
        (Some(end), None) | (None, Some(end)) => end.1,
        (None, None) => 0.0,
    }
}

/// Checks that a curve can be used.
pub(super) fn checked(layer: &str, curve: Vec<(usize, f64)>) -> Result<Vec<(usize, f64)>> {
    match curve.iter().find(|(_, cost)| !cost.is_finite()) {
        Some((units, cost)) => {
            let problem = format!("`{layer}` with {units} units costs {cost}; no order of layers follows from that");
            Err(Error::Unsupported { problem })
        }
        None => Ok(curve),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, curve: &[(usize, f64)], weights: [usize; 2]) -> Layer {
        let units = curve.last().map_or(0, |last| last.0);
        let [incoming, outgoing] = weights;
        Layer { name: name.to_owned(), units, curve: curve.to_vec(), incoming, outgoing, linked: [false; 2] }
    }

    fn kept(schedule: &Schedule, steps: usize) -> Vec<Keep> {
        schedule.after(steps).into_iter().map(|layer| layer.keep).collect()
    }

    #[test]
    fn minorants_lie_below_their_curves_and_are_convex() {
        let curve = [(1, 9.0), (2, 8.5), (3, 2.0), (4, 1.9), (5, 0.0)];
        let corners = minorant(&curve);
        assert_eq!(corners, [(1, 9.0), (3, 2.0), (5, 0.0)]);
        assert!((value(&corners, 2) - 5.5).abs() < 1e-12);
        assert!((value(&corners, 4) - 1.0).abs() < 1e-12);
        assert!([value(&corners, 0), value(&corners, 9)] == [9.0, 0.0], "beyond its ends a curve is level");
        assert!(curve.iter().all(|(units, cost)| value(&corners, *units) <= *cost));
    }

    #[test]
    fn the_cheapest_unit_for_its_parameters_goes_first() {
        // Units of `a` cost 3, 5, 8; those of `b` 1, 1, 6; each takes 2 parameters.
        let a = layer("a", &[(1, 16.0), (2, 8.0), (3, 3.0), (4, 0.0)], [1, 0]);
        let b = layer("b", &[(1, 8.0), (2, 2.0), (3, 1.0), (4, 0.0)], [1, 0]);
        let schedule = Schedule::new(&[a.clone(), b.clone()], 1, 1);
        let order: Vec<usize> = schedule.steps.iter().map(|step| step.0).collect();
        assert_eq!(order, [1, 1, 0, 0, 1, 0]);
        assert_eq!(kept(&schedule, 3), [Keep::Units(3), Keep::Units(2)]);
        assert_eq!(kept(&schedule, 0), [Keep::Units(4), Keep::Units(4)]);
        // Ten times as many parameters for a unit of `a` turn the order.
        let dear = Layer { incoming: 19, ..a.clone() };
        assert_eq!(Schedule::new(&[dear, b.clone()], 1, 1).steps[0].0, 0);
        // Multiples of three, and at least two.
        assert_eq!(Schedule::new(&[a.clone(), b.clone()], 3, 1).steps, [(1, 3), (0, 3)]);
        assert_eq!(Schedule::new(&[a, b], 1, 2).len(), 4);
    }
}
