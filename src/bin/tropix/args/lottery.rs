//! Lottery tickets.

use std::path::PathBuf;

use clap::Args;
use tropix::lottery::LotteryOptions;
use tropix::train::{Optimiser, TrainOptions};

use super::finetune::{OptimizerArg, rate};
use super::train::ToyArgs;
use super::{DataArgs, heading};

#[derive(Debug, Args)]
#[command(next_help_heading = heading::METHOD)]
pub(crate) struct LotteryArgs {
    /// Shares of the weights that are gone, ascending, comma-separated
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        default_value = "0.1,0.3,0.5,0.7,0.9",
        allow_negative_numbers = true,
        help_heading = heading::TARGET
    )]
    pub(crate) rates: Vec<f64>,
    /// Neurons of the hidden layer
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) hidden: u16,
    /// Let the network trained at the rate before say which weights go, for each start by itself
    ///
    /// Without it the original network says it for all rates.
    #[arg(long)]
    pub(crate) iterative: bool,
    /// Networks, each with its own first weights
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) seeds: u16,
    /// How weights follow their gradients
    #[arg(long, value_enum, default_value_t = OptimizerArg::Adam)]
    pub(crate) optimizer: OptimizerArg,
    /// Learning rate of the first step, which falls to zero along half a cosine
    #[arg(long, default_value_t = 0.01, value_parser = rate, allow_negative_numbers = true)]
    pub(crate) learning_rate: f64,
    /// Passes over the training samples
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) epochs: u32,
    /// Samples of a step
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_size: u32,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) toy: ToyArgs,
    /// Share of the samples that is measured and not trained on
    #[arg(long, default_value_t = 0.2, value_parser = super::sweep::share, help_heading = heading::DATA)]
    pub(crate) holdout: f64,
    /// Draw regions and polytopes of the first seed
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
}

impl LotteryArgs {
    /// Settings of the experiment.
    pub(crate) fn options(&self, seed: u64) -> anyhow::Result<LotteryOptions> {
        /// Points along each side on which classes are compared.
        const GRID: usize = 256;
        let training = TrainOptions {
            optimiser: Optimiser::from(self.optimizer),
            rate: self.learning_rate,
            epochs: usize::try_from(self.epochs)?,
            batch: usize::try_from(self.batch_size)?,
            seed,
            ..TrainOptions::new()
        };
        Ok(LotteryOptions {
            hidden: usize::from(self.hidden),
            rates: self.rates.clone(),
            iterative: self.iterative,
            seeds: usize::from(self.seeds),
            grid: GRID,
            training,
        })
    }
}
