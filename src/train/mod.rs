//! Training on any backend: gradients by all weights of a network, from its first weights or after pruning, with pruned weights
//! at zero.
//!
//! ```text
//! Network or ONNX model - operator_graph - network::Trainable (gradients by tensors) - Trained (masks, optimiser) - fit - weights
//! ```

mod checkpoint;
mod finetune;
mod fit;
mod gradient;
mod initial;
mod layout;
mod model;
mod network;
mod options;
mod parameter;
#[cfg(test)]
mod tests;
mod toy;
mod vary;

pub use checkpoint::Checkpoint;
pub use finetune::{Finetuned, TuningReport, finetune, finetune_spaces};
pub use fit::{Ended, Epoch, TrainReport};
pub use gradient::{TensorGradient, graph_loss_and_gradients, mean_loss_and_gradients};
pub use initial::Initial;
pub use layout::Layout;
pub use model::{Target, Trainee};
pub use options::{Augment, Optimiser, Schedule, Scope, TrainOptions};
pub use toy::Toy;
