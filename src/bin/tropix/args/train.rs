//! Training.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use tropix::train::{Augment, Initial, Layout, Optimiser, Schedule, Toy, TrainOptions};

use super::finetune::{OptimizerArg, decay, rate};
use super::{DataArgs, ShapeArgs, heading};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("network").required(true).args(["model", "layout"]))]
pub(crate) struct TrainArgs {
    /// Model whose weights are trained on: .onnx, .safetensors, or the .index.json of a sharded one
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) model: Option<PathBuf>,
    /// A new network in place of a model, such as 2-40-2, 784-512-10 or 1x28x28-6c5-p2-16c5-p2-120-84-10
    ///
    /// The shape of a sample, then layers: a number is a linear layer of so many outputs, `6c5` a convolution of 6 channels by
    /// kernels of 5 x 5, `6c5p2` the same with 2 pixels of zeros around the image, `p2` maxima of windows of 2 x 2. ReLU stands
    /// behind every layer with weights but the last.
    #[arg(long, help_heading = heading::TARGET)]
    pub(crate) layout: Option<Layout>,
    /// Draw weights anew, of MODEL, too; those of `--layout` are `pytorch` by default
    ///
    /// `pytorch`: uniform in +-1 / sqrt(inputs); `xavier`: uniform in +-sqrt(6 / (inputs + outputs)), biases 0; `normal`: N(0, 1);
    /// `small-normal`: normal with variance 0.1. Norms and embeddings stay as they are.
    #[arg(long, value_enum, help_heading = heading::METHOD)]
    pub(crate) initial: Option<InitialArg>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    /// Architecture, where names and shapes do not tell it
    #[arg(long, value_name = "TOML", requires = "model", help_heading = heading::DATA, hide_short_help = true)]
    pub(crate) arch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) toy: ToyArgs,
    /// Samples that accuracy is measured on, as `--data`; by default a part of `--data`
    #[arg(long, value_name = "DATA", conflicts_with = "toy", help_heading = heading::DATA)]
    pub(crate) test: Option<String>,
    /// Share of the samples that is measured and not trained on, without `--test`
    #[arg(
        long,
        default_value_t = 0.2,
        value_parser = super::sweep::share,
        help_heading = heading::DATA,
        hide_short_help = true
    )]
    pub(crate) holdout: f64,
    /// Model whose answers are learnt in place of labels, such as the one before pruning
    #[arg(long, value_name = "MODEL", help_heading = heading::DATA)]
    pub(crate) teacher: Option<PathBuf>,
    /// Where the model goes
    #[arg(short, long, help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// How weights follow their gradients.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = heading::METHOD)]
pub(crate) struct HowArgs {
    /// How weights follow their gradients
    #[arg(long, value_enum, default_value_t = OptimizerArg::Adam, hide_short_help = true)]
    pub(crate) optimizer: OptimizerArg,
    /// Learning rate of the first step; 0.001 for adam and adamw, 0.05 for sgd
    #[arg(long, value_parser = rate, allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,
    /// How the rate falls: not, to zero along half a cosine, or to a tenth after a half and after three quarters
    #[arg(long, value_enum, default_value_t = ScheduleArg::Cosine, hide_short_help = true)]
    pub(crate) schedule: ScheduleArg,
    /// Weight decay: added to gradients, for adamw taken off the weights by themselves
    #[arg(long, default_value_t = 0.0, value_parser = decay, allow_negative_numbers = true, hide_short_help = true)]
    pub(crate) weight_decay: f64,
    /// Passes over the training samples
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) epochs: u32,
    /// Samples of a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_size: u32,
    /// End after so many epochs without a better accuracy on what is held out, with the best state
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true)]
    pub(crate) patience: Option<u32>,
    /// Move each image by up to so many pixels, by chance
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=256), hide_short_help = true)]
    pub(crate) shift: u16,
    /// Mirror every other image, by chance
    #[arg(long, hide_short_help = true)]
    pub(crate) flip: bool,
}

/// What an interrupted training leaves.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = heading::OUTPUT)]
pub(crate) struct StateArgs {
    /// Keep the state of training in this file after each epoch: weights, what the optimiser remembers, the order of samples
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Epochs from one writing of `--checkpoint` to the next
    #[arg(
        long,
        value_name = "EPOCHS",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..),
        hide_short_help = true
    )]
    pub(crate) checkpoint_every: u32,
    /// Go on with the state in `--checkpoint`, if the file is there: the model is the same as without an interruption
    #[arg(long, requires = "checkpoint", hide_short_help = true)]
    pub(crate) resume: bool,
}

/// Points in place of data.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = heading::DATA)]
pub(crate) struct ToyArgs {
    /// Labelled points in the plane, made from the seed, in place of `--data`
    #[arg(long, value_enum, conflicts_with = "data", required_unless_present = "data")]
    pub(crate) toy: Option<ToyArg>,
    /// Points of `--toy`
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(2..),
        hide_short_help = true
    )]
    pub(crate) points: u32,
    /// Deviation of the normal noise of `--toy`
    #[arg(long, default_value_t = 0.1, allow_hyphen_values = true, hide_short_help = true)]
    pub(crate) noise: f64,
    /// Write the points of `--toy` that are held out, with labels, as a file that `--data` reads
    #[arg(long, value_name = "FILE", requires = "toy", hide_short_help = true)]
    pub(crate) save_points: Option<PathBuf>,
}

impl HowArgs {
    /// Settings of training.
    pub(crate) fn options(&self, seed: u64) -> anyhow::Result<TrainOptions> {
        let optimiser = Optimiser::from(self.optimizer);
        Ok(TrainOptions {
            optimiser,
            rate: self.learning_rate.unwrap_or(optimiser.usual_rate()),
            schedule: self.schedule.into(),
            decay: self.weight_decay,
            epochs: usize::try_from(self.epochs)?,
            batch: usize::try_from(self.batch_size)?,
            patience: self.patience.map(usize::try_from).transpose()?,
            augment: Augment { shift: usize::from(self.shift), flip: self.flip },
            seed,
        })
    }
}

/// Makes an enumeration of the command line for one of the library.
macro_rules! choice {
    ($name:ident for $of:ty { $($variant:ident => $value:expr),* $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $name {
            $($variant),*
        }

        impl From<$name> for $of {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => $value),*
                }
            }
        }
    };
}

choice!(ToyArg for Toy { Moons => Self::Moons, Circles => Self::Circles, Blobs => Self::Blobs, Xor => Self::Xor });
choice!(InitialArg for Initial {
    Pytorch => Self::Pytorch, Xavier => Self::Xavier, Normal => Self::Normal, SmallNormal => Self::SmallNormal
});
choice!(ScheduleArg for Schedule { Constant => Self::Constant, Cosine => Self::Cosine, Step => Self::Step });
