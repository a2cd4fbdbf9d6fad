//! Units of any network, found by labels that run through its operators.
//!
//! Every value has labels that say to which unit an element belongs. Operators that move elements are run on the labels, those
//! that compute element by element tie the labels that meet, sums over units end labels and begin new ones. What is tied is a
//! *class*: the rows, columns and per-channel parameters that go together or stay together, whatever lies between them:
//! depthwise convolutions, gates, concatenations, shuffles, residual sums, attention. Classes of one role form a *space*. As
//! dependency groups do (Fang et al., *`DepGraph`*, arXiv 2301.12900; Chen et al., *SPA*, arXiv 2403.18955), with one rule for an
//! operator in place of one for each pattern.
//!
//! ```text
//! OperatorGraph - Analysis (rules by operator) -> classes - spaces -> Space - a method chooses -> cut -> Edits - repair, check
//! ```

mod apply;
mod check;
mod classes;
mod contraction;
mod cut;
mod einsum;
mod elementwise;
mod facet;
mod graph;
mod grid;
mod linear;
mod map;
mod moves;
mod numbers;
mod pair;
mod reduction;
mod repair;
mod ruled;
mod space;
mod walk;

pub(crate) use check::check;
pub(crate) use cut::{Edits, cut};
pub(crate) use graph::{Attribute, Constant, GraphInput, Operator, OperatorGraph, ValueId};
pub(crate) use grid::{Grid, broadcast_shape};
pub(crate) use linear::{Linear, Place};
pub use map::MappedOperator;
pub(crate) use numbers::{Numbers, axis, slices};
pub(crate) use pair::{Side, sides};
pub(crate) use repair::repair;
pub use space::{FrozenUnits, Role, Space, Spaces, Unit, UnitPart};
pub(crate) use walk::{Analysis, Carried, Known, Misfit};
