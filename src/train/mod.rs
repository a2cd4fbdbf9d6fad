//! Training of heads: gradients of the cross-entropy on any backend, and fine-tuning that leaves pruned weights at zero.

mod finetune;
mod gradient;
mod options;
mod parameter;

pub use finetune::{Epoch, Finetuned, TuningReport, finetune};
pub(crate) use gradient::Trained;
pub use gradient::{LayerGradient, mean_loss_and_gradients};
pub use options::{FinetuneOptions, Optimiser, Scope};
