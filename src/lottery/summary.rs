//! Means over seeds, and how sure they are.

use serde::Serialize;

use super::options::Start;
use super::run::Ticket;
use crate::statistics::sign_test;

/// Mean and sample deviation over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The mean; absent without any value.
    pub mean: Option<f64>,
    /// The deviation, with one less than their number as the divisor; absent below two values.
    pub deviation: Option<f64>,
    /// Values.
    pub count: usize,
}

/// How often the rewound network of a seed was nearer to the original one by orientation (M1) than one with another start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rival {
    /// Seeds in which it was.
    pub nearer: usize,
    /// Seeds in which the other one was.
    pub farther: usize,
    /// Two-sided exact sign test.
    pub p: f64,
}

/// What came of one start at one rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The share of the weights that is gone.
    pub rate: f64,
    /// Where it began again.
    pub start: Start,
    /// M1 to M5, see [`super::Measures`].
    pub orientation: Spread,
    /// M2.
    pub hausdorff: Spread,
    /// M3.
    pub boundary: Spread,
    /// M4.
    pub disagreement: Spread,
    /// M5.
    pub kept_edges: Spread,
    /// Held-out accuracy.
    pub accuracy: Spread,
    /// Seeds whose polytope is a point.
    pub degenerate: usize,
    /// The rewound networks beside these; absent for those themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewound: Option<Rival>,
}

impl Spread {
    #[expect(clippy::cast_precision_loss, reason = "numbers of seeds")]
    fn of(values: impl Iterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = values.flatten().collect();
        let (count, n) = (values.len(), values.len() as f64);
        let mean = (count > 0).then(|| values.iter().sum::<f64>() / n);
        let squares = |mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = mean.filter(|_| count > 1).map(|mean| (squares(mean) / (n - 1.0)).sqrt());
        Self { mean, deviation, count }
    }
}

/// Summaries by rate and start.
#[must_use]
pub fn summaries(tickets: &[Ticket]) -> Vec<Summary> {
    let mut rates: Vec<f64> = tickets.iter().map(|ticket| ticket.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let of = |rate: f64, start: Start| tickets.iter().filter(move |one| one.rate == rate && one.start == start);
    let summary = |rate: f64, start: Start| {
        let own = || of(rate, start);
        let rewound = (start != Start::Rewound).then(|| {
            let pairs = of(rate, Start::Rewound).filter_map(|ticket| {
                let other = own().find(|other| other.seed == ticket.seed)?;
                Some((ticket.measures.orientation?, other.measures.orientation?))
            });
            let (nearer, farther) = pairs.fold((0, 0), |(nearer, farther), (ticket, other)| {
                (nearer + usize::from(ticket < other), farther + usize::from(ticket > other))
            });
            Rival { nearer, farther, p: sign_test(nearer, farther) }
        });
        Summary {
            rate,
            start,
            orientation: Spread::of(own().map(|one| one.measures.orientation)),
            hausdorff: Spread::of(own().map(|one| one.measures.hausdorff)),
            boundary: Spread::of(own().map(|one| one.measures.boundary)),
            disagreement: Spread::of(own().map(|one| Some(one.measures.disagreement))),
            kept_edges: Spread::of(own().map(|one| one.measures.kept_edges)),
            accuracy: Spread::of(own().map(|one| Some(one.accuracy))),
            degenerate: own().filter(|one| one.measures.orientation.is_none()).count(),
            rewound,
        }
    };
    rates.iter().flat_map(|rate| Start::ALL.map(|start| summary(*rate, start))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lottery::Measures;

    #[test]
    fn pairs_of_seeds_are_compared_and_points_left_out() {
        let ticket = |seed, start, orientation: Option<f64>| {
            let measures =
                Measures { orientation, hausdorff: None, boundary: None, disagreement: 0.5, kept_edges: orientation };
            Ticket { seed, rate: 0.5, start, accuracy: 0.9, measures }
        };
        let values = [(0, 0.1, Some(0.3)), (1, 0.2, Some(0.1)), (2, 0.3, None), (3, 0.4, Some(0.5))];
        let tickets: Vec<Ticket> = values
            .into_iter()
            .flat_map(|(seed, own, other)| {
                [ticket(seed, Start::Rewound, Some(own)), ticket(seed, Start::Xavier, other)]
            })
            .collect();
        let all = summaries(&tickets);
        assert_eq!(all.len(), 4);
        assert_eq!((all[0].rewound, all[0].degenerate, all[0].orientation.count), (None, 0, 4));
        assert!((all[0].orientation.mean.unwrap_or_default() - 0.25).abs() < 1e-12);
        assert!((all[0].orientation.deviation.unwrap_or_default() - (0.05_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(all[1].rewound, Some(Rival { nearer: 2, farther: 1, p: 1.0 }));
        assert_eq!((all[1].degenerate, all[1].hausdorff.mean), (1, None));
    }
}
