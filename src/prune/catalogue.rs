//! What there is to know of each method before one is chosen.

use serde::Serialize;

use super::Method;
use super::spaces::Importance;
use super::structured::{Refit, UnitMethod};

/// Where a method works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The last hidden linear layer.
    LastLinear,
    /// Linear layers at the output.
    Linear,
    /// Linear layers and convolutions.
    Layers,
    /// Any graph of operators in an ONNX file.
    Graph,
    /// Linear layers and convolutions of any model, and any graph in an ONNX file.
    LayersAndGraph,
}

impl Scope {
    /// In tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LastLinear => "last",
            Self::Linear => "linear",
            Self::Layers => "conv",
            Self::Graph => "graph",
            Self::LayersAndGraph => "conv, graph",
        }
    }
}

/// What a method has to see beside the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Samples {
    /// Nothing, whatever the refit.
    None,
    /// Nothing; calibration samples make it better, by themselves or by a refit.
    Optional,
    /// Calibration samples.
    Required,
}

impl Samples {
    /// In tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Optional => "optional",
            Self::Required => "needed",
        }
    }
}

/// One method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The name on the command line and in reports.
    pub name: &'static str,
    /// Whether whole units go, so that files become smaller, or single weights, which become zero.
    pub structured: bool,
    /// Where it works.
    pub scope: Scope,
    /// Whether it looks at samples.
    pub samples: Samples,
    /// Whether a run bounds the change of the outputs, given a ball of inputs: on layers that follow one another, never on graphs.
    pub certificate: bool,
    /// What goes, or what stays.
    pub does: &'static str,
    /// When to take it.
    pub when: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// What is of this program.
const HERE: &str = "tropix";
const BOUNDARIES: &str = "Alfarra et al., On the Decision Boundaries of Neural Networks, arXiv 2002.08838";
const TROPNNC: &str = "Fotopoulos, Maragos, Misiakos, TropNNC, arXiv 2409.03945";
const MISIAKOS: &str =
    "Misiakos et al., Neural Network Approximation based on Hausdorff distance of Tropical Zonotopes, 2022";
const SMYRNIS: &str =
    "Smyrnis, Maragos, Multiclass Neural Network Minimization via Tropical Newton Polytope Approximation, 2020";
const SEE: &str = "See, Luong, Manning, Compression of Neural Machine Translation Models via Pruning, 2016";
const LI: &str = "Li et al., Pruning Filters for Efficient ConvNets, 2017";

/// All methods: those that take weights first, then those that take units.
#[must_use]
pub fn catalogue() -> Vec<Profile> {
    let both = |unit: UnitMethod| Importance::ALL.iter().any(|one| one.name() == unit.name());
    let weights = Method::ALL.into_iter().map(of_weights);
    let units = UnitMethod::ALL.into_iter().map(|unit| of_units(unit, both(unit)));
    let graphs = Importance::ALL.into_iter().filter_map(of_graphs);
    weights.chain(units).chain(graphs).collect()
}

fn of_weights(method: Method) -> Profile {
    let (does, when) = match method {
        Method::TropicalPath => ("zeroes weights that carry least from inputs to logits", "default"),
        Method::Tropical => ("zeroes rows and weights of pairs of layers, problem (2) of the paper", "to rerun it"),
        Method::ClassBlind => ("zeroes the smallest weights of all layers together", "a baseline"),
        Method::ClassBlindLayer => ("zeroes the smallest weights, the same share of each layer", "a baseline"),
        Method::ClassUniform => ("zeroes the smallest weights, the same share of each row", "a baseline"),
        Method::ClassDistribution => ("zeroes the smallest weights in deviations of their row", "a baseline"),
        Method::Lamp => ("zeroes the smallest layer-adaptive magnitudes", "high rates, with `--refit gaussian`"),
        Method::TropicalLamp => ("tropical-path, layer-adaptive as lamp", "beside lamp; either may be ahead"),
        Method::Random => ("zeroes weights by chance", "a floor for comparisons"),
    };
    let source = match method {
        Method::TropicalPath | Method::TropicalLamp | Method::Random => HERE,
        Method::Tropical => BOUNDARIES,
        Method::ClassBlind | Method::ClassBlindLayer | Method::ClassUniform | Method::ClassDistribution => SEE,
        Method::Lamp => "Lee et al., Layer-adaptive Sparsity for the Magnitude-based Pruning, 2021",
    };
    let (scope, samples) = (Scope::Linear, Samples::Optional);
    Profile { name: method.name(), structured: false, scope, samples, certificate: true, does, when, source }
}

fn of_units(method: UnitMethod, graphs: bool) -> Profile {
    let (does, when) = match method {
        UnitMethod::GreedyGaussian => {
            ("keeps neurons that explain the next layer best, refits it", "default for linear layers")
        }
        UnitMethod::SynthRefit => ("keeps units by least squares on samples, made up or yours", "default for all else"),
        UnitMethod::Tropnnc => ("merges clusters of units: mean in, sum out", "fast, without inputs of any kind"),
        UnitMethod::TropnncRaw => ("tropnnc without balancing norms first", "to see what balancing gives"),
        UnitMethod::TropnncNet => ("tropnnc, each cluster refined in net form", "comparisons"),
        UnitMethod::TropnncNetRaw => ("tropnnc-raw, each cluster refined in net form", "comparisons"),
        UnitMethod::TropnncNetOuter => ("tropnnc-net, units reassigned to clusters in turn", "few units are to stay"),
        UnitMethod::TropnncSplit => ("tropnnc, each cluster refined in split form", "comparisons"),
        UnitMethod::TropnncSplitRaw => ("tropnnc-raw, each cluster refined in split form", "comparisons"),
        UnitMethod::TropnncSplitOuter => {
            ("tropnnc-split, units reassigned to clusters in turn", "few units are to stay")
        }
        UnitMethod::TropnncThreshold => {
            ("merges by one cut through Ward's trees of all layers", "layers may lose unlike shares")
        }
        UnitMethod::TropnncAverage => ("merges by one cut through average-linkage trees", "comparisons"),
        UnitMethod::MisiakosPath => ("merges clusters of paths: mean in, mean out", "comparisons"),
        UnitMethod::MisiakosZonotope => ("merges clusters of generators, for one output", "comparisons"),
        UnitMethod::Cup => ("keeps the largest unit of each cluster", "comparisons"),
        UnitMethod::Thinet => ("keeps units that the next layer would miss most", "comparisons"),
        UnitMethod::Sm => ("keeps vertices of zonotopes of classes", "comparisons"),
        UnitMethod::SmStable => ("sm with disjoint sets of units", "comparisons"),
        UnitMethod::PathL2 => ("keeps the largest products of norms, in times out", "a baseline; before fine-tuning"),
        UnitMethod::L1 => ("keeps the largest sums of magnitudes", "what most tools do: a baseline"),
        UnitMethod::TropicalRows => ("keeps the largest row scores of `tropical`", "comparisons"),
        UnitMethod::RandomNeurons => ("keeps units by chance", "a floor for comparisons"),
    };
    let scope = match method {
        UnitMethod::Sm | UnitMethod::SmStable => Scope::LastLinear,
        UnitMethod::MisiakosZonotope => Scope::Linear,
        _ if graphs => Scope::LayersAndGraph,
        _ if method.takes_convolutions(method.usual_refit()) => Scope::Layers,
        _ => Scope::Linear,
    };
    let samples = match method {
        _ if method.needs_data() => Samples::Required,
        _ if method.takes(Refit::Data) => Samples::Optional,
        _ => Samples::None,
    };
    let source = match method {
        UnitMethod::GreedyGaussian | UnitMethod::SynthRefit | UnitMethod::PathL2 | UnitMethod::RandomNeurons => HERE,
        UnitMethod::MisiakosPath | UnitMethod::MisiakosZonotope => MISIAKOS,
        UnitMethod::Cup => "Duggal et al., CUP: Cluster Pruning for Compressing Deep Neural Networks, 2019",
        UnitMethod::Thinet => "Luo, Wu, Lin, ThiNet, 2017",
        UnitMethod::Sm | UnitMethod::SmStable => SMYRNIS,
        UnitMethod::L1 => LI,
        UnitMethod::TropicalRows => BOUNDARIES,
        _ => TROPNNC,
    };
    Profile { name: method.name(), structured: true, scope, samples, certificate: true, does, when, source }
}

/// Methods that work on graphs alone.
fn of_graphs(importance: Importance) -> Option<Profile> {
    let (does, when, source) = match importance {
        Importance::L2 => ("keeps the largest root sums of squares", "a baseline", LI),
        Importance::Fpgm => (
            "keeps units farthest from all others",
            "many units are alike",
            "He et al., Filter Pruning via Geometric Median, 2019",
        ),
        Importance::NormScale => (
            "keeps the largest factors of batch norms",
            "networks trained for it",
            "Liu et al., Network Slimming, 2017",
        ),
        // Those of layers, too.
        Importance::L1 | Importance::PathL2 | Importance::Random | Importance::SynthRefit => return None,
    };
    let (scope, samples) = (Scope::Graph, Samples::None);
    Some(Profile { name: importance.name(), structured: true, scope, samples, certificate: false, does, when, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_stands_there_once() {
        let mut found: Vec<&str> = catalogue().iter().map(|one| one.name).collect();
        let mut all: Vec<&str> = Method::ALL.iter().map(|one| one.name()).collect();
        all.extend(UnitMethod::ALL.iter().map(|one| one.name()));
        all.extend(Importance::ALL.iter().map(|one| one.name()));
        found.sort_unstable();
        all.sort_unstable();
        let repeated = all.len();
        all.dedup();
        assert_eq!(found, all);
        assert_eq!(repeated - all.len(), 4, "l1, path-l2, random-neurons and synth-refit are of both kinds");
    }
}
