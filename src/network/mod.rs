//! Networks as graphs of layers, views of them, and the files they come from.

mod apply;
mod block;
pub mod boundary;
pub mod dataset;
mod element;
pub mod format;
mod forward;
mod graph;
mod head;
mod mapping;
mod mask;
mod plan;
mod prefix;
mod program;
mod random;
mod runtime;
mod shallow;
pub mod slice;
pub mod spaces;
pub(crate) mod streams;
mod tensor;
mod tropicalize;
mod units;
mod zonotopes;

pub use apply::{Applied, AppliedLayer, ApplyOptions, apply, rewritten_head};
pub use block::{Bend, Block, Blocks, Columns, Consumer, DeclinedNode, Folded, Layout, Tied};
pub use element::Element;
pub use forward::{
    Answers, Classifier, DeviceClassifier, DeviceHead, DeviceNetwork, PendingAnswers, Samples, head_features, head_for,
};
pub(crate) use forward::{Signals, Slice};
pub use graph::{Network, Node, Normalization, Normalize, Op, Origin, Window};
pub use head::{Head, HeadLayer};
pub use mask::Mask;
pub use plan::{LayerPlan, Plan, Rewrite};
pub use prefix::same_before_head;
pub use program::{Program, Reverse, Trace};
pub(crate) use program::{Trainable, Use};
pub use random::random_network;
pub use runtime::Runtime;
pub use shallow::ShallowNetwork;
pub(crate) use shallow::{wide, wide_bias};
pub use tensor::Tensor;
pub use tropicalize::{BoundaryMap, Form, rational_maps};
pub(crate) use units::apply_step;
pub use units::{
    Pair, Reader, Reduced, Refused, Site, StepKind, UnitPlan, UnitStep, apply_units, coupled_sites, sites,
};
pub use zonotopes::{ClassWeights, class_zonotopes};
