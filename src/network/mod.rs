//! Networks as graphs of layers, views of them, and the files they come from.

pub mod dataset;
mod element;
pub mod format;
mod graph;
mod head;
mod mapping;
mod tensor;

pub use element::Element;
pub use graph::{Network, Node, Normalize, Op, Origin};
pub use head::{Head, HeadLayer};
pub use tensor::Tensor;
