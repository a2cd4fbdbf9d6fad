//! What is drawn, how much of it goes, and how it is trained.

use serde::Serialize;

use crate::train::{Initial, TrainOptions};

/// Where a pruned network begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At the first weights of the original network: the lottery ticket (Frankle and Carbin, arXiv 1803.03635).
    Rewound,
    /// At weights drawn anew by Glorot and Bengio's rule, see [`Initial::Xavier`].
    Xavier,
    /// At weights from `N(0, 1)`.
    Normal,
    /// At weights from a normal distribution of variance 0.1.
    SmallNormal,
}

impl Start {
    /// All of them, the ticket first.
    pub const ALL: [Self; 4] = [Self::Rewound, Self::Xavier, Self::Normal, Self::SmallNormal];

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewound => "rewound",
            Self::Xavier => Initial::Xavier.name(),
            Self::Normal => Initial::Normal.name(),
            Self::SmallNormal => Initial::SmallNormal.name(),
        }
    }

    /// How weights are drawn; none where they are rewound.
    pub(super) fn initial(self) -> Option<Initial> {
        match self {
            Self::Rewound => None,
            Self::Xavier => Some(Initial::Xavier),
            Self::Normal => Some(Initial::Normal),
            Self::SmallNormal => Some(Initial::SmallNormal),
        }
    }
}

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LotteryOptions {
    /// Neurons of the hidden layer.
    pub hidden: usize,
    /// Shares of the weights that are gone, ascending, each above 0 and below 1.
    pub rates: Vec<f64>,
    /// Whether the weights that go at a rate are those of the network trained at the rate before, of each start by itself, and
    /// not those of the original network.
    pub iterative: bool,
    /// Networks, each with its own first weights: seeds `seed`, `seed + 1`, ...
    pub seeds: usize,
    /// Points along each side of the grid on which classes are compared.
    pub grid: usize,
    /// How every network is trained; its seed is the first one.
    pub training: TrainOptions,
}
