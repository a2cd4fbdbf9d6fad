//! Any graph of operators on any backend: every operator becomes steps of a few kinds of kernels.
//!
//! A sample is a row. A value has the shape that it has for one sample, and is kept as a matrix whose rows are samples, or parts
//! of samples of equal length where a kernel takes those: places of a sequence, heads. Contractions, programs of elementwise
//! operations, reductions of rows and windows compute; whatever only moves elements is run on their numbers once, on the host,
//! and becomes one `gather`. What depends on no input is computed once, too.
//!
//! ```text
//! OperatorGraph - Builder (a rule for each operator) -> Steps - fused -> fewer Steps - Program::upload -> weights on the device - run
//! ```

mod build;
mod contraction;
mod elementwise;
mod fuse;
mod moves;
mod reduction;
mod reverse;
mod run;
mod source;
mod step;
mod trainable;
mod window;

pub use reverse::{Reverse, Trace};
pub use run::Program;
pub(crate) use trainable::{Trainable, Use};
