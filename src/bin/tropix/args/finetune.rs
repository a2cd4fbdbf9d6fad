//! Fine-tuning after pruning.

use clap::{Args, ValueEnum};
use tropix::train::{Optimiser, Scope, TrainOptions};

use super::heading;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::FINETUNING)]
pub(crate) struct FinetuneArgs {
    /// Train on the labels of --data after pruning
    ///
    /// `all` weights of the network, or of the linear layers at its output their `biases`, the last of them (`head`), or the whole
    /// `classifier`: for these the features before them are computed once. Weights that are zero stay zero, batch norms keep
    /// their statistics. A fifth of `--data` is held out and measured, or all of it where `--train` gives other samples to train
    /// on. `tropix train small.onnx` trains on with more to choose: a schedule, variations of images, a teacher.
    #[arg(long, value_enum)]
    pub(crate) finetune: Option<FinetuneArg>,
    /// Labelled samples to train on, as `--data`; by default a part of `--data`
    #[arg(long, value_name = "DATA", requires = "finetune", hide_short_help = true)]
    pub(crate) train: Option<String>,
    /// Passes over the training samples
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..),
        hide_short_help = true
    )]
    pub(crate) epochs: u16,
    /// How parameters follow their gradients
    #[arg(long, value_enum, default_value_t = OptimizerArg::Adam, hide_short_help = true)]
    pub(crate) optimizer: OptimizerArg,
    /// Learning rate of the first step, which falls to zero along half a cosine; 0.001 for adam and adamw, 0.05 for sgd
    #[arg(long, value_parser = rate, allow_negative_numbers = true, hide_short_help = true)]
    pub(crate) learning_rate: Option<f64>,
    /// Weight decay: added to gradients, for adamw taken off the weights by themselves
    #[arg(long, default_value_t = 0.0, value_parser = decay, allow_negative_numbers = true, hide_short_help = true)]
    pub(crate) weight_decay: f64,
    /// Samples of a step
    #[arg(
        long,
        value_name = "N",
        default_value_t = 128,
        value_parser = clap::value_parser!(u32).range(1..),
        hide_short_help = true
    )]
    pub(crate) batch_size: u32,
    /// Share of `--data` that is not trained on, without `--train`
    #[arg(long, default_value_t = 0.2, value_parser = super::sweep::share, hide_short_help = true)]
    pub(crate) holdout: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FinetuneArg {
    None,
    Biases,
    Head,
    Classifier,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptimizerArg {
    Adam,
    Adamw,
    Sgd,
}

impl From<OptimizerArg> for Optimiser {
    fn from(value: OptimizerArg) -> Self {
        match value {
            OptimizerArg::Adam => Self::Adam,
            OptimizerArg::Adamw => Self::AdamW,
            OptimizerArg::Sgd => Self::Sgd,
        }
    }
}

impl FinetuneArgs {
    /// What is asked for, if anything.
    pub(crate) fn options(&self, seed: u64) -> anyhow::Result<Option<(Scope, TrainOptions)>> {
        let scope = match self.finetune {
            None | Some(FinetuneArg::None) => return Ok(None),
            Some(FinetuneArg::Biases) => Scope::Biases,
            Some(FinetuneArg::Head) => Scope::Head,
            Some(FinetuneArg::Classifier) => Scope::Classifier,
            Some(FinetuneArg::All) => Scope::All,
        };
        let optimiser = Optimiser::from(self.optimizer);
        let rate = self.learning_rate.unwrap_or(optimiser.usual_rate());
        let (epochs, batch) = (usize::from(self.epochs), usize::try_from(self.batch_size)?);
        let decay = self.weight_decay;
        Ok(Some((scope, TrainOptions { optimiser, rate, decay, epochs, batch, seed, ..TrainOptions::new() })))
    }
}

/// A weight decay.
pub(super) fn decay(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1e3).contains(&value) { Ok(value) } else { Err(format!("{text} does not lie between 0 and 1000")) }
}

/// A learning rate.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    // The device computes in f32.
    if value > 0.0 && value <= 1e6 { Ok(value) } else { Err(format!("{text} does not lie above 0 and up to 1e6")) }
}
