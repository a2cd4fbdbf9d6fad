//! Arguments of `attack`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::attack::{Method, PolytopeSize, Targets};

use super::{DataArgs, ModelArgs, heading};

#[derive(Debug, Args)]
#[command(next_help_heading = heading::METHOD)]
pub(crate) struct AttackArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Another model, such as the pruned one, attacked on the same samples
    ///
    /// On those that both classify correctly.
    #[arg(long, value_name = "MODEL", help_heading = heading::DATA)]
    pub(crate) also: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Least and largest value of an input
    #[arg(long = "box", help_heading = heading::DATA, value_name = "LOW,HIGH", value_delimiter = ',', default_values_t = [0.0, 1.0], allow_hyphen_values = true)]
    pub(crate) bounds: Vec<f64>,
    /// Attacks, comma-separated: reduced, admm, fgsm, pgd, apgd
    ///
    /// `reduced` is the dual view, exact, `admm` the paper's penalty method; the others go by input gradients.
    #[arg(long, value_enum, hide_possible_values = true, value_delimiter = ',', default_values_t = [MethodArg::Reduced, MethodArg::Pgd])]
    pub(crate) method: Vec<MethodArg>,
    /// Largest changes of an input, comma-separated
    #[arg(long, value_name = "E", value_delimiter = ',', default_values_t = [0.1], allow_hyphen_values = true)]
    pub(crate) epsilon: Vec<f64>,
    /// Largest changes of a weight of the first layer, comma-separated
    ///
    /// 0 is the attack of Xu et al. without that layer.
    #[arg(long, value_name = "E", value_delimiter = ',', default_values_t = [1.0], allow_hyphen_values = true)]
    pub(crate) epsilon2: Vec<f64>,
    /// Class that attacks in the dual view drive to: random, best, or a number
    ///
    /// `random` is one for each sample, `best` the best of all others.
    #[arg(long, value_parser = target, default_value = "random")]
    pub(crate) target: Targets,
    /// Samples that are attacked at most, of the correctly classified ones
    #[arg(long, value_name = "N", help_heading = heading::DATA, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
    /// Size of a change of the input
    ///
    /// Its squares, or also its groups of 2 x 2 pixels, the default for images.
    #[arg(long, value_enum, hide_short_help = true)]
    pub(crate) distance: Option<DistanceArg>,
    /// Size of a change of the first layer
    ///
    /// As printed in the paper, or by the weights of the class zonotopes.
    #[arg(long, value_enum, hide_short_help = true, default_value_t = PolytopeArg::Printed)]
    pub(crate) polytope: PolytopeArg,
    /// Cross-entropy of the target that is aimed at, in nats
    ///
    /// Up to ln 2 the target is the class.
    #[arg(long, hide_short_help = true, default_value_t = std::f64::consts::LN_2, allow_hyphen_values = true)]
    pub(crate) kappa: f64,
    /// Factors of the loss that are tried for each sample
    #[arg(long, value_name = "N", hide_short_help = true, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) searches: u16,
    /// Steps for each factor and start; 200 for `admm`, else 40 by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) steps: Option<u32>,
    /// Starts: the sample, and random points around it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) starts: u16,
    /// No certified distances
    #[arg(long)]
    pub(crate) no_certify: bool,
    /// Write samples, perturbed samples and differences as a picture
    #[arg(long, value_name = "PNG", help_heading = heading::OUTPUT)]
    pub(crate) images: Option<PathBuf>,
    /// Write regions and polytopes before and after, of networks with two inputs
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
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
