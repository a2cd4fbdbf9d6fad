//! Fine-tuning after pruning.

use clap::{Args, ValueEnum};
use tropix::train::{FinetuneOptions, Optimiser, Scope};

use super::heading;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::FINETUNING)]
pub(crate) struct FinetuneArgs {
    /// Train linear layers at the output on the labels of --data after pruning
    ///
    /// Their `biases`, the last of these layers (`head`), or `all` of them; weights that are zero stay zero. Layers before the linear ones stay as they are, their features are computed once. A fifth of `--data` is held out
    /// and measured, or all of it where `--train` gives other samples to train on.
    ///
    /// Fine-tuning of a whole network, convolutions and all, belongs in your framework. In `PyTorch`, with layers of the
    /// new widths:
    ///
    ///     state = safetensors.torch.load_file("small.safetensors")
    ///     model.load_state_dict(state)
    ///     model.train()
    ///
    /// or, without writing the smaller model yourself, `model = onnx2torch.convert("small.onnx")`.
    #[arg(long, value_enum, verbatim_doc_comment)]
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
    /// Learning rate of the first step, which falls to zero along half a cosine; 0.001 for adam, 0.05 for sgd
    #[arg(long, value_parser = rate, allow_negative_numbers = true, hide_short_help = true)]
    pub(crate) learning_rate: Option<f64>,
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
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptimizerArg {
    Adam,
    Sgd,
}

impl FinetuneArgs {
    /// What is asked for, if anything.
    pub(crate) fn options(&self, seed: u64) -> anyhow::Result<Option<FinetuneOptions>> {
        let scope = match self.finetune {
            None | Some(FinetuneArg::None) => return Ok(None),
            Some(FinetuneArg::Biases) => Scope::Biases,
            Some(FinetuneArg::Head) => Scope::Head,
            Some(FinetuneArg::All) => Scope::All,
        };
        let optimiser = match self.optimizer {
            OptimizerArg::Adam => Optimiser::Adam,
            OptimizerArg::Sgd => Optimiser::Sgd,
        };
        let rate = self.learning_rate.unwrap_or(optimiser.usual_rate());
        let batch = usize::try_from(self.batch_size)?;
        Ok(Some(FinetuneOptions { scope, optimiser, rate, epochs: usize::from(self.epochs), batch, seed }))
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    // The device computes in f32.
    if value > 0.0 && value <= 1e6 { Ok(value) } else { Err(format!("{text} does not lie above 0 and up to 1e6")) }
}
