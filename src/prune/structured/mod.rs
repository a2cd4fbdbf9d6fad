//! Structured pruning: whole units go, and files become smaller everywhere.
//!
//! Layers are reduced one by one from the input to the output, each on the network that the earlier ones have left. A
//! method sees one [`Pair`](crate::network::Pair) at a time and returns a [`Reduced`](crate::network::Reduced) one; it
//! does not know whether the units are neurons or channels.

mod allocate;
mod budget;
mod cup;
mod curves;
mod fitted;
mod greedy;
mod guard;
mod kmeans;
mod linkage;
mod lossless;
mod merge;
mod moments;
mod options;
mod outcome;
mod outer;
mod prior;
mod reduce;
mod refine;
mod rivals;
mod run;
mod schedule;
mod select;
mod signal;
mod sm;
mod sweep;
mod thinet;
mod unseen;
mod walk;

use serde::Serialize;

use crate::network::{Network, Op};
use linkage::Linkage;

pub use allocate::{Keep, LayerKeep};
pub use budget::{Allocation, ErrorBound, UnitTarget, reduce_to};
pub use greedy::{Selection, select_greedily};
pub use guard::HeldOut;
pub use kmeans::{Clustering, KMeansOptions, kmeans};
pub use lossless::Lossless;
pub use merge::{Gauge, Representative};
pub use moments::Moments;
pub(in crate::prune) use moments::product;
pub use options::{Refit, UnitOptions};
pub use outcome::OutcomeCheck;
pub use prior::{Covariance, InputMoments, Prior};
pub use rivals::{Rival, Rivals};
pub use run::{UnitOutcome, prune_units};
pub use sweep::{Costing, UnitAxes, UnitCost, UnitRun, UnitSummary, summaries, sweep_units};
pub use walk::{UnitLayer, Walked, reduce_units};

/// The structured methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitMethod {
    /// The units that a greedy fit of the next layer's values chooses, one by one, see [`select_greedily`]: over inputs
    /// of the prior distribution, or over calibration samples with [`Refit::Data`]. The default.
    GreedyGaussian,
    /// `TropNNC`: units clustered by k-means, mean in and sum out; for one output the zonotopes of both signs apart.
    Tropnnc,
    /// [`UnitMethod::Tropnnc`] without balancing the norms of units first.
    TropnncRaw,
    /// The clusters of [`UnitMethod::Tropnnc`], each refined in net form.
    TropnncNet,
    /// The clusters of [`UnitMethod::TropnncRaw`], each refined in net form.
    TropnncNetRaw,
    /// [`UnitMethod::TropnncNet`] with the outer loop: units go to the cluster whose refined unit fits them best, and
    /// clusters are refined again, as long as the error falls.
    TropnncNetOuter,
    /// The clusters of [`UnitMethod::Tropnnc`], each refined in split form.
    TropnncSplit,
    /// The clusters of [`UnitMethod::TropnncRaw`], each refined in split form.
    TropnncSplitRaw,
    /// [`UnitMethod::TropnncSplit`] with the same outer loop.
    TropnncSplitOuter,
    /// The non-uniform form: trees of clusters by Ward's linkage, all cut at one distance that meets the budget, each
    /// cluster refined in split form.
    TropnncThreshold,
    /// The non-uniform form with trees by average linkage.
    TropnncAverage,
    /// Clusters of neural paths, mean in and mean out (Misiakos et al., 2022).
    MisiakosPath,
    /// Clusters of the zonotopes' generators of both signs, and their means, for one output (Misiakos et al., 2022).
    MisiakosZonotope,
    /// Of each cluster by Ward's linkage the largest unit (Duggal et al., 2019).
    Cup,
    /// The units whose removal changes the next layer least on calibration samples (Luo et al., 2017).
    Thinet,
    /// Vertices of the zonotopes of each class of the last hidden layer that calibration samples reach, less earlier ones
    /// (Smyrnis and Maragos, 2020).
    Sm,
    /// The same with disjoint sets of units.
    SmStable,
    /// The units with the largest `||(a_i, b_i)|| ||c_i||`: incoming times outgoing norm, the same for every scaling of a
    /// unit.
    PathL2,
    /// The units with the largest L1 norm of incoming weights (Li et al., *Pruning filters for efficient convnets*,
    /// 2017).
    L1,
    /// The units with the largest row scores `r_i` of problem (2), see
    /// [`Backend::row_scores`](crate::backend::Backend::row_scores).
    TropicalRows,
    /// Random units, from the stream `random-neurons/<layer>` of the seed.
    RandomNeurons,
    /// Greedy selection and joint least squares on synthetic inputs, or on calibration samples, see
    /// [`synth`](crate::prune::synth). The default where there are convolutions.
    SynthRefit,
}

impl UnitMethod {
    /// All methods, in the order of tables.
    pub const ALL: [Self; 22] = [
        Self::GreedyGaussian,
        Self::SynthRefit,
        Self::Tropnnc,
        Self::TropnncRaw,
        Self::TropnncNet,
        Self::TropnncNetRaw,
        Self::TropnncNetOuter,
        Self::TropnncSplit,
        Self::TropnncSplitRaw,
        Self::TropnncSplitOuter,
        Self::TropnncThreshold,
        Self::TropnncAverage,
        Self::MisiakosPath,
        Self::MisiakosZonotope,
        Self::Cup,
        Self::Thinet,
        Self::Sm,
        Self::SmStable,
        Self::PathL2,
        Self::L1,
        Self::TropicalRows,
        Self::RandomNeurons,
    ];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GreedyGaussian => "greedy-gaussian",
            Self::Tropnnc => "tropnnc",
            Self::TropnncRaw => "tropnnc-raw",
            Self::TropnncNet => "tropnnc-net",
            Self::TropnncNetRaw => "tropnnc-net-raw",
            Self::TropnncNetOuter => "tropnnc-net-outer",
            Self::TropnncSplit => "tropnnc-split",
            Self::TropnncSplitRaw => "tropnnc-split-raw",
            Self::TropnncSplitOuter => "tropnnc-split-outer",
            Self::TropnncThreshold => "tropnnc-threshold",
            Self::TropnncAverage => "tropnnc-average",
            Self::Sm => "sm",
            Self::SmStable => "sm-stable",
            Self::MisiakosPath => "misiakos-path",
            Self::MisiakosZonotope => "misiakos-zonotope",
            Self::Cup => "cup",
            Self::Thinet => "thinet",
            Self::PathL2 => "path-l2",
            Self::L1 => "l1",
            Self::TropicalRows => "tropical-rows",
            Self::RandomNeurons => "random-neurons",
            Self::SynthRefit => "synth-refit",
        }
    }

    /// The method that keeps most of a network of this kind without data.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let other = |op: &Op| matches!(op, Op::Conv { .. } | Op::LeakyRelu { .. } | Op::Function(_));
        if network.nodes.iter().any(|node| other(&node.op)) { Self::SynthRefit } else { Self::GreedyGaussian }
    }

    /// The refit that a method is meant to be used with.
    #[must_use]
    pub fn usual_refit(self) -> Refit {
        if self == Self::GreedyGaussian { Refit::Gaussian } else { Refit::None }
    }

    /// Whether it looks at what flows through the layers.
    pub(super) fn looks(self) -> bool {
        self == Self::GreedyGaussian || self.needs_data()
    }

    /// Whether it chooses units by their weights alone, and leaves them as they are.
    pub(super) fn chooses(self) -> bool {
        matches!(self, Self::Cup | Self::PathL2 | Self::L1 | Self::TropicalRows | Self::RandomNeurons)
    }

    /// Whether it reduces convolutions with this refit: moments of what flows are those of neurons, but
    /// [`UnitMethod::Thinet`] takes those of the windows that the next layer reads, and what reads chosen units is refitted
    /// on samples as `synth-refit` does it.
    #[must_use]
    pub fn takes_convolutions(self, refit: Refit) -> bool {
        match refit {
            _ if self == Self::SynthRefit => true,
            Refit::None => !self.looks() || self == Self::Thinet,
            Refit::Gaussian => false,
            Refit::Data => self.chooses() || self == Self::Thinet,
        }
    }

    /// Whether it reduces residual trunks with this refit: it looks at the weights around units as they are, or at what
    /// flows through both networks.
    #[must_use]
    pub fn takes_trunks(self, refit: Refit) -> bool {
        // CUP takes units for kernels of one layer, ThiNet sums what all readers miss, and zonotopes are those of one output.
        self.takes_convolutions(refit) && !matches!(self, Self::Cup | Self::Thinet | Self::MisiakosZonotope)
    }

    /// Whether a refit makes sense with it: greedy selection is made for one, and a method that works on samples of the
    /// network has no use for a distribution. `synth-refit` works on synthetic inputs without a refit on data, and on
    /// calibration samples with it.
    #[must_use]
    pub fn takes(self, refit: Refit) -> bool {
        match refit {
            Refit::None => self != Self::GreedyGaussian,
            Refit::Gaussian => !self.needs_data() && self != Self::SynthRefit,
            Refit::Data => true,
        }
    }

    /// Whether it takes activations that are no rectifiers: it chooses units by the weights around them or by what the next
    /// layer reads, and merges none.
    pub(super) fn takes_curves(self) -> bool {
        self.chooses() || matches!(self, Self::SynthRefit | Self::Thinet)
    }

    /// Whether it works on calibration samples only.
    #[must_use]
    pub fn needs_data(self) -> bool {
        matches!(self, Self::Thinet | Self::Sm | Self::SmStable)
    }

    /// Whether it is made for the layer before the outputs alone.
    pub(super) fn last_layer_only(self) -> bool {
        matches!(self, Self::Sm | Self::SmStable)
    }

    /// The linkage of a method that cuts all layers at one distance.
    fn threshold(self) -> Option<Linkage> {
        match self {
            Self::TropnncThreshold => Some(Linkage::Ward),
            Self::TropnncAverage => Some(Linkage::Average),
            _ => None,
        }
    }

    /// Whether the seed changes the result.
    #[must_use]
    pub fn is_random(self) -> bool {
        matches!(
            self,
            Self::Tropnnc
                | Self::TropnncRaw
                | Self::TropnncNet
                | Self::TropnncNetRaw
                | Self::TropnncNetOuter
                | Self::TropnncSplit
                | Self::TropnncSplitRaw
                | Self::TropnncSplitOuter
                | Self::Sm
                | Self::MisiakosPath
                | Self::MisiakosZonotope
                | Self::RandomNeurons
                | Self::SynthRefit
        )
    }
}
