//! Units and the pairs of layers around them: what structured pruning works on, and how its plans are carried out.
//!
//! A unit is a neuron of a linear layer or an output channel of a convolution: row `i` of one layer and the columns of
//! the next layer that read it. A [`UnitPlan`] is a sequence of steps, each of which gives one layer fewer units on the
//! network that the steps before it have left; [`apply_units`] carries it out.

mod apply;
mod pair;
mod site;
mod write;

pub(crate) use apply::apply_step;
pub use apply::apply_units;
pub use pair::{Pair, Reduced};
pub use site::{Reader, Refused, Site, coupled_sites, sites};

/// What a step does to the function of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Nothing, on the inputs it was made for.
    Lossless,
    /// It approximates.
    Approximate,
}

/// One layer with fewer units.
#[derive(Debug, Clone)]
pub struct UnitStep {
    /// The layer, as the step finds it.
    pub site: Site,
    /// Whether the step approximates.
    pub kind: StepKind,
    /// The new layer and the new columns of the next one.
    pub reduced: Reduced,
}

/// Steps in the order in which they are carried out, from input to output.
#[derive(Debug, Clone, Default)]
pub struct UnitPlan {
    /// The steps. A layer may have several, and a network none.
    pub steps: Vec<UnitStep>,
}
