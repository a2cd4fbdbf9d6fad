//! Arguments of `attack`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::attack::{Method, PolytopeSize, Targets};

use super::{DataArgs, ModelArgs};

#[derive(Debug, Args)]
pub(crate) struct AttackArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Another model, such as the pruned one, attacked on the same samples: those that both classify correctly
    #[arg(long, value_name = "MODEL")]
    pub(crate) also: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Least and largest value of an input
    #[arg(long = "box", value_name = "LOW,HIGH", value_delimiter = ',', default_values_t = [0.0, 1.0], allow_hyphen_values = true)]
    pub(crate) bounds: Vec<f64>,
    /// Attacks, comma-separated: `reduced` (the dual view, exact), `admm` (the paper's penalty method), `fgsm`, `pgd`, `apgd`
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [MethodArg::Reduced, MethodArg::Pgd])]
    pub(crate) method: Vec<MethodArg>,
    /// Largest changes of an input, comma-separated
    #[arg(long, value_delimiter = ',', default_values_t = [0.1], allow_hyphen_values = true)]
    pub(crate) epsilon: Vec<f64>,
    /// Largest changes of a weight of the first layer, comma-separated; 0 is the attack of Xu et al. without that layer
    #[arg(long, value_delimiter = ',', default_values_t = [1.0], allow_hyphen_values = true)]
    pub(crate) epsilon2: Vec<f64>,
    /// Class that attacks in the dual view drive to: `random` for each sample, `best` of all others, or a number
    #[arg(long, value_parser = target, default_value = "random")]
    pub(crate) target: Targets,
    /// Samples that are attacked at most, drawn from the correctly classified ones
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
    /// Size of a change of the input: its squares, or also its groups of 2 x 2 pixels, the default for images
    #[arg(long, value_enum)]
    pub(crate) distance: Option<DistanceArg>,
    /// Size of a change of the first layer: as printed in the paper, or by the weights of the class zonotopes
    #[arg(long, value_enum, default_value_t = PolytopeArg::Printed)]
    pub(crate) polytope: PolytopeArg,
    /// Cross-entropy of the target that is aimed at, in nats; up to ln 2 the target is the class
    #[arg(long, default_value_t = std::f64::consts::LN_2, allow_hyphen_values = true)]
    pub(crate) kappa: f64,
    /// Factors of the loss that are tried for each sample
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) searches: u16,
    /// Steps for each factor and start; 200 for `admm` and 40 for the others by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) steps: Option<u32>,
    /// Starts: the sample, and random points around it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) starts: u16,
    /// No certified distances
    #[arg(long)]
    pub(crate) no_certify: bool,
    /// Write samples, perturbed samples and differences as a picture of pixels
    #[arg(long, value_name = "PNG")]
    pub(crate) images: Option<PathBuf>,
    /// Write regions and polytopes of networks with two inputs before and after the change of their first layer
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    Reduced,
    Admm,
    Fgsm,
    Pgd,
    Apgd,
}

impl From<MethodArg> for Method {
    fn from(value: MethodArg) -> Self {
        match value {
            MethodArg::Reduced => Self::Reduced,
            MethodArg::Admm => Self::Admm,
            MethodArg::Fgsm => Self::Fgsm,
            MethodArg::Pgd => Self::Pgd,
            MethodArg::Apgd => Self::Apgd,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DistanceArg {
    Squares,
    Groups,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolytopeArg {
    Printed,
    Zonotopes,
}

impl From<PolytopeArg> for PolytopeSize {
    fn from(value: PolytopeArg) -> Self {
        match value {
            PolytopeArg::Printed => Self::Printed,
            PolytopeArg::Zonotopes => Self::Zonotopes,
        }
    }
}

fn target(text: &str) -> Result<Targets, String> {
    match text {
        "random" => Ok(Targets::Random),
        "best" => Ok(Targets::Best),
        _ => text.parse().map(Targets::Class).map_err(|_| format!("`{text}`: expected random, best, or a class")),
    }
}
